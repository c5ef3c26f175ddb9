//! The signer's journal: append-only, hash-chained, synced before anything that follows from it happens.
//!
//! ```text
//! file   = "avouch-signer-journal 1\n" frame*
//! frame  = length (4 octets) | its complement (4) | record (CBOR) | chain (32)
//! chain  = SHA-256(chain before | record); the first one stands on SHA-256 of the file's first line
//! ```
//!
//! A crash can leave the last frame incomplete: too short, or zeros where the file had grown before its content was
//! written. Nothing follows from such a frame, since nothing is answered before it is synced; it is cut off at the next
//! start. Anything else that does not fit is damage: it is never repaired here, and the signer does not start, because a
//! shorter journal would let it repeat a serial number.

mod frames;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keystore::{Access, write_atomically};
use rustix::fs::{FlockOperation, flock};
use wire::Receipt;

use self::frames::{Frames, frame_length};
use crate::journal_record::{Hash, Record, hash};

const MAGIC: &[u8] = b"avouch-signer-journal 1\n";
const HEADER: usize = 8;
const CHAIN: usize = 32;
/// No record comes near this.
const LONGEST: usize = 1 << 20;

/// The journal, open for writing. One process at a time has it.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    tail: Mutex<Tail>,
    /// Everything before this offset is on the disk.
    synced: Mutex<u64>,
}

/// Where a record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where its frame begins.
    pub offset: u64,
    /// Where its frame ends.
    pub end: u64,
    /// What the host is told about it.
    pub receipt: Receipt,
}

#[derive(Debug)]
struct Tail {
    offset: u64,
    receipt: Receipt,
    broken: bool,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A write or sync failed earlier; what is on the disk is not known until the next start.
    #[error("{path}: an earlier write failed; the signer must be started again", path = .0.display())]
    Broken(PathBuf),
    /// What stands in it does not fit.
    #[error(
        "{path}: the journal is damaged at octet {offset} ({reason}); the signer does not start on it, since it could \
         repeat serial or CRL numbers: restore the newest copy, or hold a ceremony for new keys",
        path = path.display()
    )]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What does not fit.
        reason: String,
    },
    /// There is one already.
    #[error("{path}: there is a journal already", path = .0.display())]
    Exists(PathBuf),
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("{path}: another signer or ceremony has the journal open", path = .0.display())]
    InUse(PathBuf),
    /// There is none.
    #[error(
        "{path}: there is no journal. A new one is made by `signer ceremony` or `signer import` for a new key store only: \
         the signer does not start at zero with keys that were in use. Restore the journal",
        path = .0.display()
    )]
    Missing(PathBuf),
}

impl Journal {
    /// Makes a new journal with its first record, whole or not at all.
    pub fn create(path: &Path, first: &Record) -> Result<Self, JournalError> {
        let (frame, _) = frame(path, &start(), first)?;
        write_atomically(path, &[MAGIC, &frame].concat(), Access::SecretNew).map_err(|source| {
            match source.kind() {
                io::ErrorKind::AlreadyExists => JournalError::Exists(path.to_owned()),
                _ => JournalError::File {
                    path: path.to_owned(),
                    source,
                },
            }
        })?;
        Self::open(path, |_, _| ())
    }

    /// Opens a journal, hands every record to `replay`, and cuts off an incomplete last frame.
    pub fn open(path: &Path, mut replay: impl FnMut(&Entry, Record)) -> Result<Self, JournalError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => JournalError::Missing(path.to_owned()),
                _ => JournalError::File {
                    path: path.to_owned(),
                    source,
                },
            })?;
        lock(&file, path)?;
        let length = file.metadata().map_err(file_error(path))?.len();
        let mut frames = Frames::begin(path, &file, length)?;
        while let Some((entry, record)) = frames.next()? {
            replay(&entry, record);
        }
        let (offset, receipt) = frames.end();
        if offset < length {
            tracing::warn!(
                octets = length - offset,
                "the journal ends in an incomplete record, of an act that was never answered; cut off"
            );
            file.set_len(offset).map_err(file_error(path))?;
        }
        // What a killed process wrote may have been read from memory only.
        file.sync_all().map_err(file_error(path))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            tail: Mutex::new(Tail {
                offset,
                receipt,
                broken: false,
            }),
            synced: Mutex::new(offset),
        })
    }

    /// Writes a record after all others. It is not durable before [`Self::sync`].
    pub fn append(&self, record: &Record) -> Result<Entry, JournalError> {
        let mut tail = self.tail();
        if tail.broken {
            return Err(JournalError::Broken(self.path.clone()));
        }
        let (frame, receipt) = frame(&self.path, &tail.receipt, record)?;
        if let Err(source) = self.file.write_all_at(&frame, tail.offset) {
            tail.broken = true;
            return Err(JournalError::File {
                path: self.path.clone(),
                source,
            });
        }
        let offset = tail.offset;
        tail.offset += frame.len() as u64;
        tail.receipt = receipt;
        Ok(Entry {
            offset,
            end: tail.offset,
            receipt,
        })
    }

    /// Makes a record durable, and with it all before it; those who wait at the same time share one sync.
    pub fn sync(&self, entry: &Entry) -> Result<(), JournalError> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if entry.end <= *synced {
            return Ok(());
        }
        let written = {
            let tail = self.tail();
            if tail.broken {
                return Err(JournalError::Broken(self.path.clone()));
            }
            tail.offset
        };
        if let Err(source) = self.file.sync_data() {
            // After a failed sync nobody knows what is on the disk.
            self.tail().broken = true;
            return Err(JournalError::File {
                path: self.path.clone(),
                source,
            });
        }
        *synced = written;
        Ok(())
    }

    /// The record whose frame begins at `offset`.
    pub fn read(&self, offset: u64) -> Result<(Record, Hash), JournalError> {
        let damaged = |reason: &str| JournalError::Damaged {
            path: self.path.clone(),
            offset,
            reason: reason.to_owned(),
        };
        let mut header = [0; HEADER];
        self.file
            .read_exact_at(&mut header, offset)
            .map_err(file_error(&self.path))?;
        let length = frame_length(header).ok_or_else(|| damaged("no record begins there"))?;
        let mut rest = vec![0; length + CHAIN];
        self.file
            .read_exact_at(&mut rest, offset + HEADER as u64)
            .map_err(file_error(&self.path))?;
        let (octets, chain) = rest.split_at(length);
        let record = minicbor::decode(octets).map_err(|error| damaged(&error.to_string()))?;
        let mut head = Hash::default();
        head.copy_from_slice(chain);
        Ok((record, head))
    }

    /// The last record's receipt.
    pub fn head(&self) -> Receipt {
        self.tail().receipt
    }

    /// Whether a write failed, so that nothing more can be done before the next start.
    pub fn is_broken(&self) -> bool {
        self.tail().broken
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        // Nothing panics while it holds the lock.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start() -> Receipt {
    Receipt {
        sequence: 0,
        head: hash(MAGIC),
    }
}

/// The frame of a record after the one with the receipt `before`.
fn frame(
    path: &Path,
    before: &Receipt,
    record: &Record,
) -> Result<(Vec<u8>, Receipt), JournalError> {
    let unwritable = |reason: String| JournalError::File {
        path: path.to_owned(),
        source: io::Error::other(reason),
    };
    let octets = minicbor::to_vec(record).map_err(|error| unwritable(error.to_string()))?;
    if octets.len() > LONGEST {
        return Err(unwritable(format!(
            "a record of {} octets is too long",
            octets.len()
        )));
    }
    let receipt = next_receipt(before, &octets);
    // Lossless: checked above.
    let length = octets.len() as u32;
    let frame = [
        &length.to_be_bytes(),
        &(!length).to_be_bytes(),
        octets.as_slice(),
        &receipt.head,
    ]
    .concat();
    Ok((frame, receipt))
}

fn next_receipt(before: &Receipt, octets: &[u8]) -> Receipt {
    Receipt {
        sequence: before.sequence + 1,
        head: hash(&[&before.head, octets].concat()),
    }
}

fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        rustix::io::Errno::WOULDBLOCK => JournalError::InUse(path.to_owned()),
        other => JournalError::File {
            path: path.to_owned(),
            source: other.into(),
        },
    })
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::File { path, source }
}

#[cfg(test)]
mod tests;
