//! What is declared before answers are added: the CertID hashes and the batches.

use pki::ocsp::response::CertStatus;
use pki::{Certificate, HashAlgorithm, Serial};

use crate::format::hash_code;
use crate::record::{encode_status, is_writable_time};
use crate::signature::Packing;
use crate::{Batch, BuildError, IssuerHashes};

/// A batch that was told to a [`Builder`](crate::Builder) or [`SetWriter`](crate::SetWriter).
#[derive(Clone, Copy, Debug)]
pub struct BatchId(pub(crate) usize);

/// Turns what callers say into what records hold, and refuses what no reader would take.
pub(crate) struct Declared {
    pub(crate) ca: Certificate,
    pub(crate) cert_ids: Vec<IssuerHashes>,
    pub(crate) batches: Vec<(Batch, Packing)>,
}

impl Declared {
    pub(crate) fn new(ca: &Certificate, hashes: &[HashAlgorithm]) -> Result<Self, BuildError> {
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
        })
    }

    pub(crate) fn hashes(&self) -> impl Iterator<Item = HashAlgorithm> + '_ {
        self.cert_ids.iter().map(|cert_id| cert_id.hash)
    }

    pub(crate) fn batch(&mut self, batch: Batch) -> Result<BatchId, BuildError> {
        let algorithm = batch.signature_algorithm;
        let signer = batch.responder.as_ref().unwrap_or(&self.ca);
        let packing = Packing::new(signer.public_key(), algorithm)
            .ok_or(BuildError::Algorithm { algorithm })?;
        self.batches.push((batch, packing));
        Ok(BatchId(self.batches.len() - 1))
    }

    /// The status as it is stored, and the packed signatures one after the other.
    pub(crate) fn pack(
        &self,
        serial: Serial,
        status: CertStatus,
        BatchId(batch): BatchId,
        signatures: &[impl AsRef<[u8]>],
    ) -> Result<((u8, i64), Vec<u8>), BuildError> {
        let error = |why| BuildError::Signature { serial, why };
        if signatures.len() != self.cert_ids.len() {
            return Err(error("not one signature per CertID hash"));
        }
        let status = encode_status(status).ok_or(BuildError::Reason(serial))?;
        if !is_writable_time(status.1) {
            return Err(error("the revocation is not between the years 0 and 9999"));
        }
        let packing = self.batches[batch].1;
        let mut packed = Vec::with_capacity(signatures.len() * packing.width());
        for signature in signatures {
            let one = packing.pack(signature.as_ref());
            packed
                .extend(one.ok_or_else(|| error("a signature is not what its key makes, in DER"))?);
        }
        Ok((status, packed))
    }
}
