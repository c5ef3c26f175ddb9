//! The tail of a set: everything but records and index, read in place.

use pki::ocsp::response::Template;
use pki::{Certificate, HashAlgorithm, Time};

use crate::answer::FINGERPRINT;
use crate::batch::Window;
use crate::format::{
    ALGORITHM_CODES, BATCH_LENGTH, CHUNK_BUCKETS, CHUNK_RECORDS, HASH_LENGTH, Layout,
};
use crate::index::Homes;
use crate::signature::Packing;
use crate::{Damaged, IssuerHashes};

/// What a set's tail says, with the places of what is read in it later.
pub(crate) struct Tables {
    pub(crate) layout: Layout,
    /// Records.
    pub(crate) len: usize,
    pub(crate) good: u64,
    pub(crate) revoked: u64,
    pub(crate) removed: u64,
    pub(crate) homes: Homes,
    pub(crate) buckets: usize,
    pub(crate) cert_ids: Vec<IssuerHashes>,
    /// `None` for the CA itself.
    pub(crate) responders: Vec<Option<Certificate>>,
    pub(crate) signers: Signers,
    pub(crate) batches: usize,
    /// Places in the object.
    pub(crate) index_at: usize,
    pub(crate) tail_at: usize,
    pub(crate) batches_at: usize,
    pub(crate) chunk_heads_at: usize,
    pub(crate) index_hashes_at: usize,
}

/// Who signed with which algorithm, each pair once, and what their responses share.
#[derive(Default)]
pub(crate) struct Signers {
    /// By responder number and algorithm code.
    numbers: Vec<Option<u16>>,
    pub(crate) list: Vec<Signer>,
}

/// A responder that signs with one algorithm.
pub(crate) struct Signer {
    pub(crate) responder: usize,
    pub(crate) packing: Packing,
    /// By the slot of the CertID hash.
    pub(crate) templates: Vec<SetTemplate>,
}

/// What all responses of one responder certificate and one CertID hash share.
pub(crate) struct SetTemplate {
    pub(crate) template: Template,
    pub(crate) signature: Packing,
    pub(crate) fingerprint: [u8; FINGERPRINT],
}

/// A batch as it stands in the table.
#[derive(Clone, Copy)]
pub(crate) struct StoredBatch {
    pub(crate) window: Window,
    pub(crate) responder: u16,
    pub(crate) algorithm: u8,
    pub(crate) zero: u8,
    pub(crate) size: u64,
}

impl Signers {
    pub(crate) fn of_responders(responders: usize) -> Self {
        Self {
            numbers: vec![None; responders * ALGORITHM_CODES],
            list: Vec::new(),
        }
    }

    /// The number of that pair, if any batch has it.
    pub(crate) fn number(&self, batch: &StoredBatch) -> Option<u16> {
        let algorithm = usize::from(batch.algorithm);
        if algorithm >= ALGORITHM_CODES {
            return None;
        }
        let at = usize::from(batch.responder) * ALGORITHM_CODES + algorithm;
        *self.numbers.get(at)?
    }

    /// Adds the pair of that batch, whose responder and algorithm are known to be in range.
    pub(crate) fn add(&mut self, batch: &StoredBatch, signer: Signer) -> Option<u16> {
        let number = u16::try_from(self.list.len()).ok()?;
        let at = usize::from(batch.responder) * ALGORITHM_CODES + usize::from(batch.algorithm);
        self.numbers[at] = Some(number);
        self.list.push(signer);
        Some(number)
    }
}

impl StoredBatch {
    /// Of [`BATCH_LENGTH`] octets.
    pub(crate) fn read(octets: &[u8]) -> Self {
        let number = |at: usize| {
            let octets = octets[at..at + 8].first_chunk();
            octets.map_or(0, |&octets| u64::from_be_bytes(octets))
        };
        let time = |at| Time::from_unix(number(at).cast_signed());
        Self {
            window: Window {
                this_update: time(0),
                next_update: time(8),
                refresh_at: time(16),
            },
            responder: u16::from_be_bytes([octets[24], octets[25]]),
            algorithm: octets[26],
            zero: octets[27],
            size: number(28),
        }
    }
}

impl Tables {
    /// How many chunks the records make.
    pub(crate) fn record_chunks(&self) -> usize {
        self.len.div_ceil(CHUNK_RECORDS)
    }

    /// How many chunks the index makes.
    pub(crate) fn index_chunks(&self) -> usize {
        self.buckets.div_ceil(CHUNK_BUCKETS)
    }

    /// The first serial number of a chunk of records, at the set's width, and the chunk's hash.
    pub(crate) fn chunk_head<'a>(&self, octets: &'a [u8], chunk: usize) -> (&'a [u8], &'a [u8]) {
        let length = self.layout.chunk_head_length();
        let at = self.chunk_heads_at + chunk * length;
        octets[at..at + length].split_at(self.layout.serial_width)
    }

    /// The hash of a chunk of the index.
    pub(crate) fn index_hash<'a>(&self, octets: &'a [u8], chunk: usize) -> &'a [u8] {
        let at = self.index_hashes_at + chunk * HASH_LENGTH;
        &octets[at..at + HASH_LENGTH]
    }

    /// A batch; `None` if there are not so many.
    pub(crate) fn batch(&self, octets: &[u8], number: usize) -> Option<StoredBatch> {
        if number >= self.batches {
            return None;
        }
        let at = self.batches_at + number * BATCH_LENGTH;
        Some(StoredBatch::read(&octets[at..at + BATCH_LENGTH]))
    }

    /// All batches, by their number.
    pub(crate) fn all_batches(&self, octets: &[u8]) -> impl ExactSizeIterator<Item = StoredBatch> {
        let end = self.batches_at + self.batches * BATCH_LENGTH;
        octets[self.batches_at..end]
            .chunks_exact(BATCH_LENGTH)
            .map(StoredBatch::read)
    }

    /// The slot of the answers for CertIDs of that hash.
    pub(crate) fn hash_slot(&self, hash: HashAlgorithm) -> Option<usize> {
        self.cert_ids
            .iter()
            .position(|cert_id| cert_id.hash == hash)
    }

    /// The times and the signer of a batch that a record names.
    pub(crate) fn resolve(
        &self,
        octets: &[u8],
        batch: usize,
    ) -> Result<(Window, &Signer), Damaged> {
        let stored = self.batch(octets, batch);
        let signer = stored.and_then(|stored| {
            let number = self.signers.number(&stored)?;
            Some((stored.window, &self.signers.list[usize::from(number)]))
        });
        signer.ok_or(Damaged {
            offset: self.batches_at,
            what: "a record names a batch that is not there",
        })
    }
}
