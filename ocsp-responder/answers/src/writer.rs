//! Writing the octets of a set, record after record, wherever they go.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use aws_lc_rs::digest::{SHA256, digest};
use pki::Serial;

use crate::format::{
    BATCH_LENGTH, CHUNK_BUCKETS, CHUNK_RECORDS, HEADER_LENGTH, Layout, MAX_RECORDS, TRAILER_LENGTH,
    algorithm_code,
};
use crate::index::{self, BUCKET_LENGTH, Homes};
use crate::record::{GOOD, NO_BATCH, REMOVED, encode_time};
use crate::{Batch, BuildError, IssuerHashes};

/// An object that has been written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Finished {
    /// Octets of the whole object.
    pub size: u64,
    /// Octets of its tail, whose SHA-256 is the object's name in a publication.
    pub tail: u64,
}

/// Takes records by ascending serial number. What is written is read back once, for the index, and never changed.
pub(crate) struct Writer<W> {
    sink: W,
    layout: Layout,
    header: [u8; HEADER_LENGTH],
    cert_ids: Vec<IssuerHashes>,
    seed: u64,
    /// Records that wait for their chunk to be full.
    chunk: Vec<u8>,
    /// What the tail will say of the chunks before.
    heads: Vec<u8>,
    last: Option<Serial>,
    good: u64,
    revoked: u64,
    removed: u64,
    batches: Batches,
}

impl<W: Read + Seek + Write> Writer<W> {
    pub(crate) fn new(
        mut sink: W,
        layout: Layout,
        cert_ids: Vec<IssuerHashes>,
        seed: u64,
    ) -> Result<Self, BuildError> {
        let hashes: Vec<_> = cert_ids.iter().map(|cert_id| cert_id.hash).collect();
        let header = layout.header(&hashes);
        sink.write_all(&header)?;
        Ok(Self {
            sink,
            layout,
            header,
            cert_ids,
            seed,
            chunk: Vec::with_capacity(CHUNK_RECORDS * layout.record_length()),
            heads: Vec::new(),
            last: None,
            good: 0,
            revoked: 0,
            removed: 0,
            batches: Batches::default(),
        })
    }

    /// The number of a batch in this object; only for one that an answer follows for.
    pub(crate) fn batch(&mut self, batch: &Batch) -> Result<u32, BuildError> {
        self.batches.number(batch)
    }

    /// Adds an answer; `signatures` holds the packed ones, one field after the other, at `from_width` octets each.
    pub(crate) fn answer(
        &mut self,
        serial: &Serial,
        status: (u8, i64),
        batch: u32,
        signatures: &[u8],
        from_width: usize,
    ) -> Result<(), BuildError> {
        self.head(serial, status, batch)?;
        for signature in signatures.chunks_exact(from_width) {
            // A narrower field than the old one cuts off filling only: the set is as wide as its widest signature.
            let kept = signature.len().min(self.layout.signature_width);
            if signature[kept..].iter().any(|&octet| octet != 0) {
                return Err(BuildError::TooWide {
                    what: "signature",
                    found: from_width,
                    room: self.layout.signature_width,
                });
            }
            self.chunk.extend_from_slice(&signature[..kept]);
            self.fill(self.layout.signature_width - kept);
        }
        if status.0 == GOOD {
            self.good += 1;
        } else {
            self.revoked += 1;
        }
        self.batches.sizes[batch as usize] += 1;
        self.end_of_record()
    }

    /// Adds the note that a certificate has left.
    pub(crate) fn removal(&mut self, serial: &Serial) -> Result<(), BuildError> {
        self.head(serial, (REMOVED, 0), NO_BATCH)?;
        self.fill(self.layout.hashes * self.layout.signature_width);
        self.removed += 1;
        self.end_of_record()
    }

    pub(crate) fn finish(mut self) -> Result<(W, Finished), BuildError> {
        self.end_of_chunk()?;
        let end = HEADER_LENGTH as u64 + self.records() * self.layout.record_length() as u64;
        let index_at = end.next_multiple_of(BUCKET_LENGTH as u64);
        self.sink
            .write_all(&[0; BUCKET_LENGTH][..(index_at - end) as usize])?;

        let homes = Homes::for_records(self.seed, self.records());
        let mut index = IndexSink {
            records: Records {
                sink: &mut self.sink,
                layout: self.layout,
                end,
            },
            chunk: Vec::with_capacity(CHUNK_BUCKETS * BUCKET_LENGTH),
            hashes: Vec::new(),
        };
        let buckets = index::build(homes, &mut index, IndexSink::serials, IndexSink::bucket)?;
        index.end_of_chunk()?;
        let hashes = index.hashes;

        let mut tail = self.header.to_vec();
        for number in [self.records(), self.good, self.revoked, self.removed] {
            tail.extend_from_slice(&number.to_be_bytes());
        }
        for number in [homes.count, buckets] {
            tail.extend_from_slice(&number.to_be_bytes());
        }
        for cert_id in &self.cert_ids {
            tail.extend_from_slice(&cert_id.name_hash);
            tail.extend_from_slice(&cert_id.key_hash);
        }
        self.batches.write(&mut tail);
        tail.extend_from_slice(&self.heads);
        tail.extend_from_slice(&hashes);
        let length = (tail.len() + TRAILER_LENGTH) as u64;
        tail.extend_from_slice(&length.to_be_bytes());
        self.sink.write_all(&tail)?;
        self.sink.flush()?;
        let finished = Finished {
            size: index_at + buckets * BUCKET_LENGTH as u64 + length,
            tail: length,
        };
        Ok((self.sink, finished))
    }

    fn records(&self) -> u64 {
        self.good + self.revoked + self.removed
    }

    fn head(
        &mut self,
        serial: &Serial,
        (status, time): (u8, i64),
        batch: u32,
    ) -> Result<(), BuildError> {
        match self.last {
            Some(last) if last == *serial => return Err(BuildError::Duplicate(*serial)),
            Some(last) if last > *serial => return Err(BuildError::Order(*serial)),
            _ => {}
        }
        let octets = serial.as_bytes();
        let zeros = self.layout.serial_width.checked_sub(octets.len());
        let zeros = zeros.ok_or(BuildError::TooWide {
            what: "serial number",
            found: octets.len(),
            room: self.layout.serial_width,
        })?;
        if self.records() == MAX_RECORDS {
            return Err(BuildError::TooMany("4,294,967,295 records"));
        }
        self.last = Some(*serial);
        self.fill(zeros);
        self.chunk.extend_from_slice(octets);
        self.chunk.push(status);
        self.chunk.extend_from_slice(&encode_time(time));
        self.chunk.extend_from_slice(&batch.to_be_bytes());
        Ok(())
    }

    fn fill(&mut self, zeros: usize) {
        self.chunk.resize(self.chunk.len() + zeros, 0);
    }

    fn end_of_record(&mut self) -> Result<(), BuildError> {
        if self.chunk.len() == CHUNK_RECORDS * self.layout.record_length() {
            self.end_of_chunk()?;
        }
        Ok(())
    }

    fn end_of_chunk(&mut self) -> Result<(), BuildError> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.heads
            .extend_from_slice(&self.chunk[..self.layout.serial_width]);
        self.heads
            .extend_from_slice(digest(&SHA256, &self.chunk).as_ref());
        self.sink.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }
}

/// The records that were written, to be read once more.
struct Records<'a, W> {
    sink: &'a mut W,
    layout: Layout,
    end: u64,
}

impl<W: Read + Seek> Records<'_, W> {
    /// Calls back with every serial number, and returns to where the sink was.
    fn serials(&mut self, found: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let back = self.sink.stream_position()?;
        let length = self.layout.record_length();
        self.sink.seek(SeekFrom::Start(HEADER_LENGTH as u64))?;
        let mut left = self.end - HEADER_LENGTH as u64;
        let mut buffer = vec![0; READ_AT_ONCE / length * length];
        while left > 0 {
            // Lossless: at most the buffer's length.
            let part = left.min(buffer.len() as u64) as usize;
            self.sink.read_exact(&mut buffer[..part])?;
            for record in buffer[..part].chunks_exact(length) {
                let serial = &record[..self.layout.serial_width];
                let zeros = serial.iter().take_while(|&&octet| octet == 0).count();
                found(&serial[zeros..]);
            }
            left -= part as u64;
        }
        self.sink.seek(SeekFrom::Start(back))?;
        Ok(())
    }
}

/// Writes buckets, a chunk at a time, and keeps the hash of each.
struct IndexSink<'a, W> {
    records: Records<'a, W>,
    chunk: Vec<u8>,
    hashes: Vec<u8>,
}

impl<W: Read + Seek + Write> IndexSink<'_, W> {
    fn serials(&mut self, found: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.records.serials(found)
    }

    fn bucket(&mut self, bucket: &[u8; BUCKET_LENGTH]) -> io::Result<()> {
        self.chunk.extend_from_slice(bucket);
        if self.chunk.len() == CHUNK_BUCKETS * BUCKET_LENGTH {
            self.end_of_chunk()?;
        }
        Ok(())
    }

    fn end_of_chunk(&mut self) -> io::Result<()> {
        if !self.chunk.is_empty() {
            self.hashes
                .extend_from_slice(digest(&SHA256, &self.chunk).as_ref());
            self.records.sink.write_all(&self.chunk)?;
            self.chunk.clear();
        }
        Ok(())
    }
}

/// The tables of responder certificates and batches, each entry once.
#[derive(Default)]
struct Batches {
    responders: Vec<Vec<u8>>,
    responder_numbers: HashMap<Vec<u8>, u16>,
    /// Without their sizes.
    encoded: Vec<[u8; BATCH_HEAD]>,
    numbers: HashMap<[u8; BATCH_HEAD], u32>,
    sizes: Vec<u64>,
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
        let mut encoded = [0; BATCH_HEAD];
        for (field, time) in encoded.chunks_exact_mut(8).zip([
            batch.this_update,
            batch.next_update,
            batch.refresh_at,
        ]) {
            field.copy_from_slice(&time.unix().to_be_bytes());
        }
        encoded[24..26].copy_from_slice(&responder.to_be_bytes());
        encoded[26] = algorithm;
        if let Some(number) = self.numbers.get(&encoded) {
            return Ok(*number);
        }
        let number = u32::try_from(self.numbers.len())
            .ok()
            .filter(|&number| number < NO_BATCH)
            .ok_or(BuildError::TooMany("4,294,967,295 batches"))?;
        self.encoded.push(encoded);
        self.sizes.push(0);
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
        for (encoded, size) in self.encoded.iter().zip(&self.sizes) {
            octets.extend_from_slice(encoded);
            octets.extend_from_slice(&size.to_be_bytes());
        }
    }
}

/// A batch without its size.
const BATCH_HEAD: usize = BATCH_LENGTH - 8;
const READ_AT_ONCE: usize = 1 << 20;
