//! Reading a journal from its first frame to its last.

use std::ops::ControlFlow;

use crate::{JournalError, Position, Storage};

pub(crate) const HEADER: usize = 8;
pub(crate) const CHAIN: usize = 32;
/// No record comes near this.
pub(crate) const LONGEST: usize = 64 << 20;
/// What a disk writes together, at least.
const SECTOR: u64 = 512;
/// How much is read at once.
const PIECE: usize = 1 << 20;

/// Reads frame by frame and checks the chain.
pub(crate) struct Frames<'a, S> {
    name: &'a str,
    storage: &'a S,
    length: u64,
    offset: u64,
    position: Position,
    /// What was read ahead, from `ahead_at` on.
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl<'a, S: Storage> Frames<'a, S> {
    /// Begins at the file's first line.
    pub(crate) fn begin(
        name: &'a str,
        storage: &'a S,
        first_line: &str,
    ) -> Result<Self, JournalError> {
        let length = storage.length().map_err(JournalError::file(name))?;
        let mut frames = Self {
            name,
            storage,
            length,
            offset: 0,
            position: Position::start(first_line),
            ahead: Vec::new(),
            ahead_at: 0,
        };
        let line = [first_line.as_bytes(), b"\n"].concat();
        if length < line.len() as u64 {
            return Err(frames.damaged("it is shorter than its first line"));
        }
        if frames.take(line.len())? != line {
            return Err(frames.damaged("it does not begin as a journal of this kind and version"));
        }
        frames.offset = line.len() as u64;
        Ok(frames)
    }

    /// Goes on after a record, as far as the storage has grown by now.
    pub(crate) fn resume(
        name: &'a str,
        storage: &'a S,
        (offset, position): (u64, Position),
    ) -> Result<Self, JournalError> {
        let frames = Self {
            name,
            storage,
            length: storage.length().map_err(JournalError::file(name))?,
            offset,
            position,
            ahead: Vec::new(),
            ahead_at: offset,
        };
        match frames.length < offset {
            true => Err(frames.damaged("it was longer before")),
            false => Ok(frames),
        }
    }

    /// How many octets it reads at most.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Where the next frame begins, and the position before it.
    pub(crate) const fn at(&self) -> (u64, Position) {
        (self.offset, self.position)
    }

    /// Hands over every whole record until `record` breaks off: where its frame ends, the position after it, its octets.
    pub(crate) fn each_until(
        mut self,
        mut record: impl FnMut(u64, Position, Vec<u8>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        while let Some(octets) = self.next()? {
            self.offset += (HEADER + octets.len() + CHAIN) as u64;
            if record(self.offset, self.position, octets).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Hands over every whole record: where its frame begins, the position after it, its octets. Gives where the last
    /// whole frame ends, and the position there.
    pub(crate) fn each(
        mut self,
        mut record: impl FnMut(u64, Position, Vec<u8>),
    ) -> Result<(u64, Position), JournalError> {
        while let Some(octets) = self.next()? {
            let size = (HEADER + octets.len() + CHAIN) as u64;
            record(self.offset, self.position, octets);
            self.offset += size;
        }
        Ok((self.offset, self.position))
    }

    /// The next record; `None` at the end and at an incomplete last frame.
    fn next(&mut self) -> Result<Option<Vec<u8>>, JournalError> {
        let left = self.length - self.offset;
        if left < HEADER as u64 {
            return Ok(None);
        }
        let mut header = [0; HEADER];
        header.copy_from_slice(self.take(HEADER)?);
        let Some(length) = frame_length(header) else {
            let nothing = self.is_zeros_from(self.offset)?;
            return match nothing || self.is_torn(self.offset + HEADER as u64)? {
                true => Ok(None),
                false => Err(self.damaged("no record begins there")),
            };
        };
        let size = HEADER + length + CHAIN;
        if left < size as u64 {
            return Ok(None);
        }
        let frame = self.take(size)?;
        let (octets, chain) = frame[HEADER..].split_at(length);
        let (octets, chain) = (octets.to_vec(), chain.to_vec());
        let position = self.position.after(&octets);
        if position.head != *chain {
            // A last frame whose end is zeros was cut short when the file had its length but not yet its content.
            let torn = left == size as u64 && chain == [0; CHAIN];
            return match torn || self.is_torn(self.offset + size as u64)? {
                true => Ok(None),
                false => Err(self.damaged("a record does not fit the chain")),
            };
        }
        self.position = position;
        Ok(Some(octets))
    }

    /// Whether the file got its length before the content of the frame here, which ends at `end`: then there are zeros
    /// from one of its sectors on.
    fn is_torn(&mut self, end: u64) -> Result<bool, JournalError> {
        let sector = (end - 1) / SECTOR * SECTOR;
        Ok(sector > self.offset && self.is_zeros_from(sector)?)
    }

    fn is_zeros_from(&mut self, from: u64) -> Result<bool, JournalError> {
        let begin = self.offset;
        self.offset = from;
        let mut zeros = true;
        while zeros && self.offset < self.length {
            let piece =
                usize::try_from(self.length - self.offset).map_or(PIECE, |left| left.min(PIECE));
            zeros = self.take(piece)?.iter().all(|octet| *octet == 0);
            self.offset += piece as u64;
        }
        self.offset = begin;
        Ok(zeros)
    }

    /// The next `count` octets, which are there; they stay the next.
    fn take(&mut self, count: usize) -> Result<&[u8], JournalError> {
        let from = usize::try_from(self.offset - self.ahead_at).unwrap_or(usize::MAX);
        if self.ahead.len() < from.saturating_add(count) {
            let left = usize::try_from(self.length - self.offset).unwrap_or(usize::MAX);
            self.ahead = vec![0; left.min(count.max(PIECE))];
            self.ahead_at = self.offset;
            self.storage
                .read_at(self.offset, &mut self.ahead)
                .map_err(JournalError::file(self.name))?;
        }
        let from = usize::try_from(self.offset - self.ahead_at).unwrap_or_default();
        Ok(&self.ahead[from..from + count])
    }

    fn damaged(&self, reason: &str) -> JournalError {
        JournalError::Damaged {
            name: self.name.to_owned(),
            offset: self.offset,
            reason: reason.to_owned(),
        }
    }
}

/// The length of the record in a frame with this header; `None` if it is no header.
pub(crate) fn frame_length(header: [u8; HEADER]) -> Option<usize> {
    let [a, b, c, d, e, f, g, h] = header;
    let length = u32::from_be_bytes([a, b, c, d]);
    let complement = u32::from_be_bytes([e, f, g, h]);
    let length_fits = length == !complement;
    // Lossless: usize has at least 32 bits here.
    (length_fits && length as usize <= LONGEST).then_some(length as usize)
}
