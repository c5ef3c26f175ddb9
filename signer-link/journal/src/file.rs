//! The journal itself.

use std::path::Path;

use crate::frames::{CHAIN, Frames, HEADER, LONGEST, frame_length};
use crate::{DiskFile, JournalError, Position, Storage};

/// A journal, open for writing.
#[derive(Debug)]
pub struct Journal<S = DiskFile> {
    name: String,
    storage: S,
    /// Where the frame of each record begins, and at the end where the next one will.
    offsets: Vec<u64>,
    head: Position,
    synced: bool,
    broken: bool,
}

impl Journal {
    /// Makes a journal on a new file, with its first record: afterwards it is whole, or the next try makes it.
    pub fn create(path: &Path, first_line: &str, first: &[u8]) -> Result<Self, JournalError> {
        let name = path.display().to_string();
        let storage = DiskFile::open_or_create(path).map_err(JournalError::file(&name))?;
        Self::begin(storage, name, first_line, first)
    }

    /// Opens the journal in a file; see [`Journal::read_in`].
    pub fn open(
        path: &Path,
        first_line: &str,
        replay: impl FnMut(Position, Vec<u8>),
    ) -> Result<Self, JournalError> {
        let name = path.display().to_string();
        let storage = DiskFile::open(path).map_err(JournalError::file(&name))?;
        Self::read_in(storage, name, first_line, replay)
    }
}

impl<S: Storage> Journal<S> {
    /// A new journal on a storage that holds no record yet, with its first record, synced.
    pub fn begin(
        storage: S,
        name: String,
        first_line: &str,
        first: &[u8],
    ) -> Result<Self, JournalError> {
        let length = storage.length().map_err(JournalError::file(&name))?;
        let line = [first_line.as_bytes(), b"\n"].concat();
        // What a crash left of a first try: never as much as one whole record.
        let mut journal = Self {
            offsets: vec![line.len() as u64],
            head: Position::start(first_line),
            name,
            storage,
            synced: false,
            broken: false,
        };
        if length > line.len() as u64 {
            let mut records = 0;
            let there = Frames::begin(&journal.name, &journal.storage, first_line)?;
            there.each(|_, _, _| records += 1)?;
            if records > 0 {
                return Err(JournalError::Exists(journal.name));
            }
        }
        journal.change(|storage| {
            storage.truncate(0)?;
            storage.write_at(0, &line)
        })?;
        journal.append(first)?;
        journal.sync()?;
        Ok(journal)
    }

    /// Opens a journal, hands every record to `replay` with the position after it, and cuts off an incomplete last
    /// frame.
    pub fn read_in(
        storage: S,
        name: String,
        first_line: &str,
        mut replay: impl FnMut(Position, Vec<u8>),
    ) -> Result<Self, JournalError> {
        let length = storage.length().map_err(JournalError::file(&name))?;
        let mut offsets = Vec::new();
        let frames = Frames::begin(&name, &storage, first_line)?;
        let (end, head) = frames.each(|offset, position, record| {
            offsets.push(offset);
            replay(position, record);
        })?;
        offsets.push(end);
        let mut journal = Self {
            name,
            storage,
            offsets,
            head,
            synced: false,
            broken: false,
        };
        if end < length {
            tracing::warn!(
                journal = journal.name,
                octets = length - end,
                "the journal ends in an incomplete record, on which nothing was done; cut off"
            );
            journal.change(|storage| storage.truncate(end))?;
        }
        // What a killed process wrote may have been read from memory only.
        journal.sync()?;
        Ok(journal)
    }

    /// Writes a record after all others. It is not durable before [`Self::sync`].
    pub fn append(&mut self, record: &[u8]) -> Result<Position, JournalError> {
        if record.len() > LONGEST {
            return Err(JournalError::TooLong {
                name: self.name.clone(),
                size: record.len(),
            });
        }
        let head = self.head.after(record);
        // Lossless: checked above.
        let length = record.len() as u32;
        let frame = [
            &length.to_be_bytes(),
            &(!length).to_be_bytes(),
            record,
            &head.head,
        ]
        .concat();
        let offset = self.end();
        self.change(|storage| storage.write_at(offset, &frame))?;
        self.offsets.push(offset + frame.len() as u64);
        self.head = head;
        Ok(head)
    }

    /// Makes everything durable that was appended.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        if !self.synced {
            self.change(Storage::sync)?;
            self.synced = true;
        }
        Ok(())
    }

    /// The record of this number, and the position after it.
    pub fn read(&self, sequence: u64) -> Result<(Vec<u8>, Position), JournalError> {
        let no_record = || JournalError::NoRecord {
            name: self.name.clone(),
            sequence,
        };
        let index = usize::try_from(sequence)
            .ok()
            .and_then(|sequence| sequence.checked_sub(1))
            .filter(|index| index + 1 < self.offsets.len())
            .ok_or_else(no_record)?;
        let offset = self.offsets[index];
        let damaged = || JournalError::Damaged {
            name: self.name.clone(),
            offset,
            reason: "no record begins there".to_owned(),
        };
        let mut header = [0; HEADER];
        self.storage
            .read_at(offset, &mut header)
            .map_err(JournalError::file(&self.name))?;
        let length = frame_length(header).ok_or_else(damaged)?;
        let mut record = vec![0; length + CHAIN];
        self.storage
            .read_at(offset + HEADER as u64, &mut record)
            .map_err(JournalError::file(&self.name))?;
        let mut position = Position {
            sequence,
            ..Position::default()
        };
        position.head.copy_from_slice(&record[length..]);
        record.truncate(length);
        Ok((record, position))
    }

    /// The chain after the record of this number; `None` where there is no such record (yet).
    pub fn position(&self, sequence: u64, first_line: &str) -> Option<Position> {
        match sequence {
            0 => Some(Position::start(first_line)),
            _ => self.read(sequence).ok().map(|(_, position)| position),
        }
    }

    /// After the last record.
    pub const fn head(&self) -> Position {
        self.head
    }

    /// How many octets the journal has.
    pub fn octets(&self) -> u64 {
        self.end()
    }

    /// Whether a write failed, so that nothing more can be done before the next start.
    pub const fn is_broken(&self) -> bool {
        self.broken
    }

    /// What it lies on, when nothing more is to be written.
    pub fn into_storage(self) -> S {
        self.storage
    }

    fn end(&self) -> u64 {
        self.offsets.last().copied().unwrap_or_default()
    }

    /// After a failed write nobody knows what is on the disk.
    fn change(
        &mut self,
        change: impl FnOnce(&mut S) -> std::io::Result<()>,
    ) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError::Broken(self.name.clone()));
        }
        self.synced = false;
        change(&mut self.storage).map_err(|source| {
            self.broken = true;
            JournalError::File {
                name: self.name.clone(),
                source,
            }
        })
    }
}
