//! Writing the octets of a set, record after record.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};

use crate::format::{Layout, algorithm_code};
use crate::record::{NO_BATCH, REMOVED};
use crate::{Batch, BuildError, IssuerHashes};

/// Takes records by ascending serial number; the tables come last, so a writer never goes back.
pub(crate) struct Writer {
    octets: Vec<u8>,
    layout: Layout,
    cert_ids: Vec<IssuerHashes>,
    records: u64,
    batches: Batches,
}

impl Writer {
    pub(crate) fn new(layout: Layout, cert_ids: Vec<IssuerHashes>, expected: usize) -> Self {
        let hashes: Vec<_> = cert_ids.iter().map(|cert_id| cert_id.hash).collect();
        let mut octets = Vec::with_capacity(expected * layout.record_length() + 4096);
        octets.extend_from_slice(&layout.header(&hashes));
        Self {
            octets,
            layout,
            cert_ids,
            records: 0,
            batches: Batches::default(),
        }
    }

    /// The number of a batch in this object.
    pub(crate) fn batch(&mut self, batch: &Batch) -> Result<u32, BuildError> {
        self.batches.number(batch)
    }

    /// Adds an answer; `signatures` holds the packed ones, one field after the other, at `from_width` octets each.
    pub(crate) fn answer(
        &mut self,
        serial: &[u8],
        status: (u8, i64),
        batch: u32,
        signatures: &[u8],
        from_width: usize,
    ) {
        self.head(serial, status, batch);
        for signature in signatures.chunks_exact(from_width) {
            // A narrower field than the old one cuts off filling only: the set is as wide as its widest signature.
            let kept = signature.len().min(self.layout.signature_width);
            self.octets.extend_from_slice(&signature[..kept]);
            self.fill(self.layout.signature_width - kept);
        }
    }

    /// Adds the note that a certificate has left.
    pub(crate) fn removal(&mut self, serial: &[u8]) {
        self.head(serial, (REMOVED, 0), NO_BATCH);
        self.fill(self.layout.hashes * self.layout.signature_width);
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        for cert_id in &self.cert_ids {
            self.octets.extend_from_slice(&cert_id.name_hash);
            self.octets.extend_from_slice(&cert_id.key_hash);
        }
        self.batches.write(&mut self.octets);
        self.octets.extend_from_slice(&self.records.to_be_bytes());
        let checksum = digest(&SHA256, &self.octets);
        self.octets.extend_from_slice(checksum.as_ref());
        self.octets
    }

    fn head(&mut self, serial: &[u8], (status, time): (u8, i64), batch: u32) {
        self.fill(self.layout.serial_width - serial.len());
        self.octets.extend_from_slice(serial);
        self.octets.push(status);
        self.octets.extend_from_slice(&time.to_be_bytes());
        self.octets.extend_from_slice(&batch.to_be_bytes());
        self.records += 1;
    }

    fn fill(&mut self, zeros: usize) {
        self.octets.resize(self.octets.len() + zeros, 0);
    }
}

/// The tables of responder certificates and batches, each entry once.
#[derive(Default)]
struct Batches {
    responders: Vec<Vec<u8>>,
    responder_numbers: HashMap<Vec<u8>, u16>,
    encoded: Vec<u8>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl Batches {
    fn number(&mut self, batch: &Batch) -> Result<u32, BuildError> {
        let der = batch
            .responder
            .as_ref()
            .map_or(&[][..], |responder| responder.der());
        let responder = self.responder(der)?;
        let algorithm = algorithm_code(batch.signature_algorithm).ok_or(BuildError::Algorithm {
            algorithm: batch.signature_algorithm,
        })?;
        let mut encoded = Vec::with_capacity(crate::format::BATCH_LENGTH);
        for time in [batch.this_update, batch.next_update, batch.refresh_at] {
            encoded.extend_from_slice(&time.unix().to_be_bytes());
        }
        encoded.extend_from_slice(&responder.to_be_bytes());
        encoded.extend_from_slice(&[algorithm, 0]);
        if let Some(number) = self.numbers.get(&encoded) {
            return Ok(*number);
        }
        let number = u32::try_from(self.numbers.len())
            .ok()
            .filter(|&number| number < NO_BATCH)
            .ok_or(BuildError::TooMany("4,294,967,295 batches"))?;
        self.encoded.extend_from_slice(&encoded);
        self.numbers.insert(encoded, number);
        Ok(number)
    }

    fn responder(&mut self, der: &[u8]) -> Result<u16, BuildError> {
        if let Some(number) = self.responder_numbers.get(der) {
            return Ok(*number);
        }
        let number = u16::try_from(self.responders.len())
            .ok()
            .filter(|&number| number < u16::MAX)
            .ok_or(BuildError::TooMany("65,535 responder certificates"))?;
        self.responders.push(der.to_vec());
        self.responder_numbers.insert(der.to_vec(), number);
        Ok(number)
    }

    fn write(&self, octets: &mut Vec<u8>) {
        // Lossless: both are limited above, and certificates are far below 4 GiB.
        octets.extend_from_slice(&(self.responders.len() as u16).to_be_bytes());
        for der in &self.responders {
            octets.extend_from_slice(&(der.len() as u32).to_be_bytes());
            octets.extend_from_slice(der);
        }
        octets.extend_from_slice(&(self.numbers.len() as u32).to_be_bytes());
        octets.extend_from_slice(&self.encoded);
    }
}
