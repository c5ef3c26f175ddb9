//! Making a set from signatures.

use pki::ocsp::response::CertStatus;
use pki::{Certificate, HashAlgorithm, Serial};

use crate::format::{Layout, hash_code};
use crate::record::encode_status;
use crate::signature::Packing;
use crate::writer::Writer;
use crate::{Batch, BuildError, IssuerHashes};

/// Collects answers in any order and writes them as one object.
pub struct Builder {
    cert_ids: Vec<IssuerHashes>,
    ca: Certificate,
    batches: Vec<(Batch, Packing)>,
    rows: Vec<Row>,
}

/// A batch that was told to a [`Builder`].
#[derive(Clone, Copy, Debug)]
pub struct BatchId(usize);

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
        let mut sorted = hashes.to_vec();
        sorted.sort_unstable_by_key(|hash| hash_code(*hash));
        let known = sorted.iter().all(|hash| hash_code(*hash).is_some());
        let twice = sorted.windows(2).any(|pair| pair[0] == pair[1]);
        if sorted.is_empty() || !known || twice {
            return Err(BuildError::Hashes(hashes.to_vec()));
        }
        Ok(Self {
            cert_ids: sorted
                .into_iter()
                .map(|hash| IssuerHashes::of(hash, ca))
                .collect(),
            ca: ca.clone(),
            batches: Vec::new(),
            rows: Vec::new(),
        })
    }

    /// The hashes, in the order in which [`Builder::answer`] takes the signatures.
    pub fn hashes(&self) -> impl Iterator<Item = HashAlgorithm> + '_ {
        self.cert_ids.iter().map(|cert_id| cert_id.hash)
    }

    /// Declares what the answers that follow share.
    pub fn batch(&mut self, batch: Batch) -> Result<BatchId, BuildError> {
        let algorithm = batch.signature_algorithm;
        let signer = batch.responder.as_ref().unwrap_or(&self.ca);
        let packing = Packing::new(signer.public_key(), algorithm)
            .ok_or(BuildError::Algorithm { algorithm })?;
        self.batches.push((batch, packing));
        Ok(BatchId(self.batches.len() - 1))
    }

    /// Adds an answer with its signatures, one per hash in the order of [`Builder::hashes`].
    pub fn answer(
        &mut self,
        serial: Serial,
        status: CertStatus,
        BatchId(batch): BatchId,
        signatures: &[impl AsRef<[u8]>],
    ) -> Result<(), BuildError> {
        let error = |why| BuildError::Signature { serial, why };
        if signatures.len() != self.cert_ids.len() {
            return Err(error("not one signature per CertID hash"));
        }
        let status = encode_status(status).ok_or(BuildError::Reason(serial))?;
        let packing = self.batches[batch].1;
        let mut packed = Vec::with_capacity(signatures.len() * packing.width());
        for signature in signatures {
            let one = packing.pack(signature.as_ref());
            packed
                .extend(one.ok_or_else(|| error("a signature is not what its key makes, in DER"))?);
        }
        self.rows.push(Row::Answer {
            serial,
            status,
            batch,
            signatures: packed,
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
        if let Some(pair) = self
            .rows
            .windows(2)
            .find(|pair| pair[0].serial() == pair[1].serial())
        {
            return Err(BuildError::Duplicate(pair[0].serial()));
        }
        let serial_width = self
            .rows
            .last()
            .map_or(1, |widest| widest.serial().as_bytes().len());
        let signature_width = self
            .batches
            .iter()
            .map(|(_, packing)| packing.width())
            .max();
        let layout = Layout {
            serial_width,
            hashes: self.cert_ids.len(),
            signature_width: signature_width.unwrap_or(0),
        };
        let mut writer = Writer::new(layout, self.cert_ids, self.rows.len());
        for row in &self.rows {
            match row {
                Row::Removal(serial) => writer.removal(serial.as_bytes()),
                Row::Answer {
                    serial,
                    status,
                    batch,
                    signatures,
                } => {
                    let (batch, packing) = &self.batches[*batch];
                    let number = writer.batch(batch)?;
                    writer.answer(
                        serial.as_bytes(),
                        *status,
                        number,
                        signatures,
                        packing.width(),
                    );
                }
            }
        }
        Ok(writer.finish())
    }
}

impl Row {
    fn serial(&self) -> Serial {
        match self {
            Self::Answer { serial, .. } | Self::Removal(serial) => *serial,
        }
    }
}
