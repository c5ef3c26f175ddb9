//! The signer's log, kept off the signer (G10).

use std::io;

use journal::{Journal, JournalError, Position, SIGNER_JOURNAL};
use wire::{LogRecord, Receipt, limits};

use super::directory::Directory;
use super::settings::Millis;

/// After a write that failed.
const TRY_AGAIN: Millis = 5_000;
/// Octets of records in one piece.
const PIECE: usize = 48 * 1024;

/// Why records of a log cannot be archived.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// They do not go on where the archive ends.
    #[error("{0}")]
    Chain(String),
    /// The disk.
    #[error("the archive of the signer's log cannot be written ({0}); make room on its disk")]
    Disk(#[from] JournalError),
}

pub(crate) struct Archive<D: Directory> {
    name: String,
    state: State<D::File>,
    dirty: bool,
}

enum State<F> {
    /// There is no file yet: it is made with the signer's first record.
    Empty,
    Open(Journal<F>),
    /// After a failed write: to be opened again.
    Closed {
        at: Position,
        again: Millis,
        why: String,
    },
}

impl<D: Directory> Archive<D> {
    /// Opens the archive of a signer's log, and checks all of it.
    pub(crate) fn open(directory: &mut D, signer_id: u8) -> Result<Self, JournalError> {
        let name = file_name(signer_id);
        Ok(Self {
            state: open(directory, &name)?,
            name,
            dirty: false,
        })
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> Position {
        match &self.state {
            State::Empty => Position::start(SIGNER_JOURNAL),
            State::Open(journal) => journal.head(),
            State::Closed { at, .. } => *at,
        }
    }

    /// Why nothing can be written now.
    pub(crate) fn failure(&self) -> Option<&str> {
        match &self.state {
            State::Closed { why, .. } => Some(why),
            _ => None,
        }
    }

    /// Takes records that go on where the archive ends; `head` is where the signer says that its log ends. They count
    /// after [`Self::commit`].
    pub(crate) fn append(
        &mut self,
        directory: &mut D,
        records: &[LogRecord],
        head: Receipt,
        now: Millis,
    ) -> Result<(), ArchiveError> {
        let end = records
            .iter()
            .fold(self.end(), |position, record| position.after(&record.0));
        let fits = end.sequence < head.sequence || receipt(end) == head;
        if !fits {
            return Err(ArchiveError::Chain(format!(
                "its record {} does not follow from what is archived",
                end.sequence
            )));
        }
        let appended = self.write(directory, records);
        if let Err(error) = &appended {
            self.close(error, now);
        }
        Ok(appended?)
    }

    /// Makes durable what was appended. Gives where it ends if something was.
    pub(crate) fn commit(&mut self, now: Millis) -> Option<Position> {
        let State::Open(journal) = &mut self.state else {
            return None;
        };
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        match journal.sync() {
            Ok(()) => Some(journal.head()),
            Err(error) => {
                self.close(&error, now);
                None
            }
        }
    }

    /// Opens it again after a failed write.
    pub(crate) fn heal(&mut self, directory: &mut D, now: Millis) {
        let State::Closed { again, .. } = &self.state else {
            return;
        };
        if now < *again {
            return;
        }
        match open(directory, &self.name) {
            Ok(state) => self.state = state,
            Err(error) => self.close(&error, now),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Millis> {
        match &self.state {
            State::Closed { again, .. } => Some(*again),
            _ => None,
        }
    }

    /// The records after this one, as many as go in one message.
    pub(crate) fn after(&self, sequence: u64) -> Result<Vec<LogRecord>, JournalError> {
        let State::Open(journal) = &self.state else {
            return Ok(Vec::new());
        };
        let mut records = Vec::new();
        let mut octets = 0;
        for sequence in sequence.saturating_add(1)..=journal.head().sequence {
            let (record, _) = journal.read(sequence)?;
            octets += record.len();
            if !records.is_empty() && (octets > PIECE || records.len() == limits::LOG_RECORDS) {
                break;
            }
            records.push(LogRecord(record));
        }
        Ok(records)
    }

    fn write(&mut self, directory: &mut D, records: &[LogRecord]) -> Result<(), JournalError> {
        let mut records = records.iter();
        if let State::Empty = self.state {
            let Some(first) = records.next() else {
                return Ok(());
            };
            let storage = directory.create(&self.name).map_err(file(&self.name))?;
            let name = self.name.clone();
            self.state = State::Open(Journal::begin(storage, name, SIGNER_JOURNAL, &first.0)?);
        }
        if let State::Open(journal) = &mut self.state {
            for record in records {
                journal.append(&record.0)?;
            }
            self.dirty = true;
        }
        Ok(())
    }

    fn close(&mut self, error: &JournalError, now: Millis) {
        let why = format!("{error}; make room on its disk");
        if self.failure() != Some(&why) {
            tracing::error!("the archive of the signer's log cannot be written: {why}");
        }
        // What is synced is known only when it is opened again.
        self.state = State::Closed {
            at: self.end(),
            again: now + TRY_AGAIN,
            why,
        };
        self.dirty = false;
    }
}

/// The file with the archive of a signer's log.
pub fn file_name(signer_id: u8) -> String {
    format!("signer-log-{signer_id}")
}

pub(crate) const fn receipt(position: Position) -> Receipt {
    Receipt {
        sequence: position.sequence,
        head: position.head,
    }
}

fn open<D: Directory>(directory: &mut D, name: &str) -> Result<State<D::File>, JournalError> {
    let storage = match directory.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Empty),
        storage => storage.map_err(file(name))?,
    };
    // A crash before its first record: less than a first line, or nothing after it.
    if journal::Storage::length(&storage).map_err(file(name))? < SIGNER_JOURNAL.len() as u64 + 1 {
        return Ok(State::Empty);
    }
    let journal = Journal::read_in(storage, name.to_owned(), SIGNER_JOURNAL, |_, _| {})?;
    Ok(match journal.head().sequence {
        0 => State::Empty,
        _ => State::Open(journal),
    })
}

fn file(name: &str) -> impl FnOnce(io::Error) -> JournalError {
    let name = name.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::WouldBlock => JournalError::InUse(name),
        _ => JournalError::File { name, source },
    }
}
