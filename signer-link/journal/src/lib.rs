//! An append-only file whose records are chained by hashes: nothing in it can be changed, taken out or put in between
//! without changing the head, and a crash loses nothing that was synced.
//!
//! ```text
//! file   = first line "\n" frame*
//! frame  = length (4 octets) | its complement (4) | record | chain (32)
//! chain  = SHA-256(chain before | record); the first one stands on SHA-256 of the file's first line
//! ```
//!
//! The first line says what kind of journal it is and in which version.
//!
//! A crash can leave the last frame incomplete: too short, or zeros where the file had grown before its content was
//! written. Nothing follows from such a frame, since nobody acts on a record before it is synced; it is cut off when the
//! journal is opened. Anything else that does not fit is damage and is never repaired here.
//!
//! What lies below is a [`Storage`]: a [`DiskFile`], or in a simulation something that forgets what was not synced.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod error;
mod file;
mod frames;
mod reader;
mod storage;

pub use error::JournalError;
pub use file::Journal;
pub use reader::{End, Reader};
pub use storage::{DiskFile, Storage};

use aws_lc_rs::digest::{Context, SHA256};

/// What a signer's journal begins with, and its archive: the two have the same records and the same chain.
pub const SIGNER_JOURNAL: &str = "avouch-signer-journal 1";

/// SHA-256 of something.
pub type Hash = [u8; 32];

/// A place in a journal: after this many records the chain stands at this hash.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Position {
    /// Number of the record, counted from 1; 0 before the first.
    pub sequence: u64,
    /// The chain up to and with that record.
    pub head: Hash,
}

impl Position {
    /// Before the first record of a journal of this kind.
    pub fn start(first_line: &str) -> Self {
        Self {
            sequence: 0,
            head: hash(&[first_line.as_bytes(), b"\n"]),
        }
    }

    /// After one more record.
    #[must_use]
    pub fn after(&self, record: &[u8]) -> Self {
        Self {
            sequence: self.sequence + 1,
            head: hash(&[&self.head, record]),
        }
    }
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
