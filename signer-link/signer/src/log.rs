//! The signer's journal, with records instead of octets: what it has done, and its log for others.

use std::path::Path;

use journal::{DiskFile, Journal, JournalError, Position, SIGNER_JOURNAL, Storage};
use wire::Receipt;

use crate::journal_record::Record;

/// The journal, open for writing.
#[derive(Debug)]
pub struct Log<S = DiskFile>(Journal<S>);

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It is damaged, or could not be read or written.
    #[error(
        "{0} (the signer does not start on a journal that is missing, damaged or older: it could repeat serial or CRL \
         numbers. A new journal is made by a ceremony or an import for a new key store only)"
    )]
    Journal(#[from] JournalError),
    /// A record is whole, but of another version of this program.
    #[error("record {sequence} of the journal is not one of this version: {reason}")]
    Unreadable {
        /// Its number.
        sequence: u64,
        /// What does not fit.
        reason: String,
    },
}

impl Log {
    /// Makes a new journal with its first record.
    pub fn create(path: &Path, first: &Record) -> Result<Self, LogError> {
        Ok(Self(Journal::create(
            path,
            SIGNER_JOURNAL,
            &first.encode(),
        )?))
    }

    /// Opens a journal and hands every record to `replay`.
    pub fn open(path: &Path, replay: impl FnMut(Receipt, Record)) -> Result<Self, LogError> {
        let storage = DiskFile::open(path).map_err(|source| JournalError::of(path, source))?;
        Self::read_in(storage, path.display().to_string(), replay)
    }
}

impl<S: Storage> Log<S> {
    /// Opens a journal on any storage.
    pub fn read_in(
        storage: S,
        name: String,
        mut replay: impl FnMut(Receipt, Record),
    ) -> Result<Self, LogError> {
        let mut unreadable = None;
        let journal =
            Journal::read_in(
                storage,
                name,
                SIGNER_JOURNAL,
                |position, octets| match Record::decode(&octets) {
                    Ok(record) => replay(receipt(position), record),
                    Err(reason) => {
                        unreadable.get_or_insert((position.sequence, reason));
                    }
                },
            )?;
        match unreadable {
            Some((sequence, reason)) => Err(LogError::Unreadable { sequence, reason }),
            None => Ok(Self(journal)),
        }
    }

    /// A new journal on any storage.
    pub fn begin(storage: S, name: String, first: &Record) -> Result<Self, LogError> {
        Ok(Self(Journal::begin(
            storage,
            name,
            SIGNER_JOURNAL,
            &first.encode(),
        )?))
    }

    /// Writes a record. It is not durable before [`Self::sync`].
    pub fn append(&mut self, record: &Record) -> Result<Receipt, LogError> {
        Ok(receipt(self.0.append(&record.encode())?))
    }

    /// Makes all records durable.
    pub fn sync(&mut self) -> Result<(), LogError> {
        Ok(self.0.sync()?)
    }

    /// Writes a record and makes it durable.
    pub fn record(&mut self, record: &Record) -> Result<Receipt, LogError> {
        let receipt = self.append(record)?;
        self.sync()?;
        Ok(receipt)
    }

    /// The record of this number.
    pub fn read(&self, sequence: u64) -> Result<(Record, Receipt), LogError> {
        let (octets, position) = self.0.read(sequence)?;
        let record =
            Record::decode(&octets).map_err(|reason| LogError::Unreadable { sequence, reason })?;
        Ok((record, receipt(position)))
    }

    /// The record of this number as its chain is made of it.
    pub fn octets(&self, sequence: u64) -> Result<Vec<u8>, LogError> {
        Ok(self.0.read(sequence)?.0)
    }

    /// Whether the chain stands so after that many records.
    pub fn contains(&self, receipt: &Receipt) -> bool {
        let position = self.0.position(receipt.sequence, SIGNER_JOURNAL);
        position.is_some_and(|position| position.head == receipt.head)
    }

    /// After the last record.
    pub fn head(&self) -> Receipt {
        receipt(self.0.head())
    }

    /// What it lies on.
    pub fn into_storage(self) -> S {
        self.0.into_storage()
    }
}

/// A place in the journal as messages tell it.
pub const fn receipt(position: Position) -> Receipt {
    Receipt {
        sequence: position.sequence,
        head: position.head,
    }
}
