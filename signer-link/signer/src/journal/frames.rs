//! Reading a journal from its first frame to its last.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use wire::Receipt;

use super::{CHAIN, Entry, HEADER, JournalError, LONGEST, MAGIC, file_error, next_receipt, start};
use crate::journal_record::Record;

/// Reads frame by frame and checks the chain.
pub(super) struct Frames<'a> {
    path: &'a Path,
    reader: BufReader<&'a File>,
    length: u64,
    offset: u64,
    receipt: Receipt,
}

impl<'a> Frames<'a> {
    /// Begins at the file's first line.
    pub(super) fn begin(path: &'a Path, file: &'a File, length: u64) -> Result<Self, JournalError> {
        let mut frames = Self {
            path,
            reader: BufReader::with_capacity(1 << 20, file),
            length,
            offset: 0,
            receipt: start(),
        };
        frames.magic()?;
        Ok(frames)
    }

    /// Where the last whole frame ends, and its receipt.
    pub(super) const fn end(&self) -> (u64, Receipt) {
        (self.offset, self.receipt)
    }

    /// The next record; `None` at the end and at an incomplete last frame.
    pub(super) fn next(&mut self) -> Result<Option<(Entry, Record)>, JournalError> {
        let left = self.length - self.offset;
        let mut header = [0; HEADER];
        if left < HEADER as u64 {
            return Ok(None);
        }
        self.fill(&mut header)?;
        let Some(length) = frame_length(header) else {
            return self.only_zeros(header).map(|()| None);
        };
        let size = (HEADER + length + CHAIN) as u64;
        if left < size {
            return Ok(None);
        }
        let mut rest = vec![0; length + CHAIN];
        self.fill(&mut rest)?;
        let (octets, chain) = rest.split_at(length);
        let receipt = next_receipt(&self.receipt, octets);
        if receipt.head != *chain {
            return self.torn_at_end(left == size, &rest);
        }
        let record = minicbor::decode(octets).map_err(|error| self.damaged(&error.to_string()))?;
        let entry = Entry {
            offset: self.offset,
            end: self.offset + size,
            receipt,
        };
        self.offset = entry.end;
        self.receipt = receipt;
        Ok(Some((entry, record)))
    }

    fn magic(&mut self) -> Result<(), JournalError> {
        let mut magic = [0; MAGIC.len()];
        if self.length < MAGIC.len() as u64 {
            return Err(self.damaged("it is shorter than its first line"));
        }
        self.fill(&mut magic)?;
        if magic != *MAGIC {
            return Err(self.damaged("it does not begin as a journal of this version"));
        }
        self.offset = MAGIC.len() as u64;
        Ok(())
    }

    /// A last frame whose end is zeros was cut short when the file had its length but not yet its content.
    fn torn_at_end(
        &self,
        is_last: bool,
        rest: &[u8],
    ) -> Result<Option<(Entry, Record)>, JournalError> {
        if is_last && rest.ends_with(&[0; CHAIN]) {
            return Ok(None);
        }
        Err(self.damaged("a record does not fit the chain"))
    }

    fn only_zeros(&mut self, header: [u8; HEADER]) -> Result<(), JournalError> {
        let mut rest = Vec::new();
        self.reader
            .read_to_end(&mut rest)
            .map_err(file_error(self.path))?;
        if header.iter().chain(&rest).all(|octet| *octet == 0) {
            return Ok(());
        }
        Err(self.damaged("no record begins there"))
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), JournalError> {
        self.reader.read_exact(into).map_err(file_error(self.path))
    }

    fn damaged(&self, reason: &str) -> JournalError {
        JournalError::Damaged {
            path: self.path.to_owned(),
            offset: self.offset,
            reason: reason.to_owned(),
        }
    }
}

/// The length of the record in a frame with this header; `None` if it is no header.
pub(super) fn frame_length(header: [u8; HEADER]) -> Option<usize> {
    let [a, b, c, d, e, f, g, h] = header;
    let length = u32::from_be_bytes([a, b, c, d]);
    let complement = u32::from_be_bytes([e, f, g, h]);
    let length_fits = length == !complement;
    // Lossless: usize has at least 32 bits here.
    (length_fits && length as usize <= LONGEST).then_some(length as usize)
}
