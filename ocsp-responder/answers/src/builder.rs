//! Making a small set in memory.

use std::io::Cursor;

use pki::ocsp::response::CertStatus;
use pki::{Certificate, HashAlgorithm, Serial};

use crate::declared::{BatchId, Declared};
use crate::format::Layout;
use crate::index;
use crate::writer::Writer;
use crate::{Batch, BuildError};

/// Collects answers in any order and writes them as one object; a large one is written by a [`SetWriter`](crate::SetWriter).
pub struct Builder {
    declared: Declared,
    rows: Vec<Row>,
}

enum Row {
    Answer {
        serial: Serial,
        status: (u8, i64),
        batch: usize,
        signatures: Vec<u8>,
    },
    Removal(Serial),
}

impl Builder {
    /// A set for the certificates of `ca`, with answers for CertIDs of these hashes.
    pub fn new(ca: &Certificate, hashes: &[HashAlgorithm]) -> Result<Self, BuildError> {
        Ok(Self {
            declared: Declared::new(ca, hashes)?,
            rows: Vec::new(),
        })
    }

    /// The hashes, in the order in which [`Builder::answer`] takes the signatures.
    pub fn hashes(&self) -> impl Iterator<Item = HashAlgorithm> + '_ {
        self.declared.hashes()
    }

    /// Declares what the answers that follow share.
    pub fn batch(&mut self, batch: Batch) -> Result<BatchId, BuildError> {
        self.declared.batch(batch)
    }

    /// Adds an answer with its signatures, one per hash in the order of [`Builder::hashes`].
    pub fn answer(
        &mut self,
        serial: Serial,
        status: CertStatus,
        batch: BatchId,
        signatures: &[impl AsRef<[u8]>],
    ) -> Result<(), BuildError> {
        let (status, signatures) = self.declared.pack(serial, status, batch, signatures)?;
        self.rows.push(Row::Answer {
            serial,
            status,
            batch: batch.0,
            signatures,
        });
        Ok(())
    }

    /// Adds the note that a certificate has left.
    pub fn remove(&mut self, serial: Serial) {
        self.rows.push(Row::Removal(serial));
    }

    /// How many entries were added.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The octets of the object.
    pub fn finish(mut self) -> Result<Vec<u8>, BuildError> {
        self.rows.sort_unstable_by_key(Row::serial);
        let Declared {
            ca,
            cert_ids,
            batches,
        } = self.declared;
        let widest = self.rows.last();
        let signature_width = batches.iter().map(|(_, packing)| packing.width()).max();
        let layout = Layout {
            serial_width: widest.map_or(1, |widest| widest.serial().as_bytes().len()),
            hashes: cert_ids.len(),
            signature_width: signature_width.unwrap_or(0),
        };
        let octets = Cursor::new(Vec::new());
        let mut writer = Writer::new(octets, layout, cert_ids, index::seed(&ca))?;
        let mut numbers = vec![None; batches.len()];
        for row in &self.rows {
            match row {
                Row::Removal(serial) => writer.removal(serial)?,
                Row::Answer {
                    serial,
                    status,
                    batch,
                    signatures,
                } => {
                    let (declared, packing) = &batches[*batch];
                    let number = match numbers[*batch] {
                        Some(number) => number,
                        None => *numbers[*batch].insert(writer.batch(declared)?),
                    };
                    writer.answer(serial, *status, number, signatures, packing.width())?;
                }
            }
        }
        let (octets, _) = writer.finish()?;
        Ok(octets.into_inner())
    }
}

impl Row {
    fn serial(&self) -> Serial {
        match self {
            Self::Answer { serial, .. } | Self::Removal(serial) => *serial,
        }
    }
}
