//! Why a journal cannot be used.

use std::io;

/// What is wrong with a journal. `name` is its path, where it has one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A write or sync failed earlier; what is on the disk is not known until it is opened again.
    #[error("{0}: an earlier write failed; nothing more is written before the next start")]
    Broken(String),
    /// What stands in it does not fit.
    #[error(
        "{name}: the journal is damaged at octet {offset} ({reason}); restore the newest whole copy"
    )]
    Damaged {
        /// The journal.
        name: String,
        /// Where.
        offset: u64,
        /// What does not fit.
        reason: String,
    },
    /// There is one already.
    #[error("{0}: there is a journal already")]
    Exists(String),
    /// It could not be read or written.
    #[error("{name}: {source}")]
    File {
        /// The journal.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("{0}: another process has the journal open")]
    InUse(String),
    /// There is none.
    #[error("{0}: there is no journal")]
    Missing(String),
    /// There is no record of that number.
    #[error("{name}: there is no record {sequence}")]
    NoRecord {
        /// The journal.
        name: String,
        /// The number asked for.
        sequence: u64,
    },
    /// A record is larger than any may be.
    #[error("{name}: a record of {size} octets is too long")]
    TooLong {
        /// The journal.
        name: String,
        /// Its size.
        size: usize,
    },
}

impl JournalError {
    /// What opening the file `path` said.
    pub fn of(path: &std::path::Path, source: io::Error) -> Self {
        Self::file(&path.display().to_string())(source)
    }

    pub(crate) fn file(name: &str) -> impl FnOnce(io::Error) -> Self {
        let name = name.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(name),
            io::ErrorKind::WouldBlock => Self::InUse(name),
            _ => Self::File { name, source },
        }
    }
}
