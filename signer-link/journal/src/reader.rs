//! Reading a journal that somebody else may be writing.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::frames::Frames;
use crate::{JournalError, Position, Storage};

/// Reads a journal from its first record on, checks the chain, and changes nothing. What is being appended meanwhile is
/// there at the next [`Reader::read_on`].
#[derive(Debug)]
pub struct Reader {
    name: String,
    file: ReadOnly,
    /// Where the next frame begins, and the position before it; absent before the first line was read.
    at: Option<(u64, Position)>,
}

/// How a journal ended where it was read to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct End {
    /// After the last record that was handed over.
    pub position: Position,
    /// Octets after it that are no whole record: it is being written, or was cut off.
    pub incomplete: u64,
}

impl Reader {
    /// The journal in this file; nothing is read yet.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(JournalError::file(&name))?;
        Ok(Self {
            file: ReadOnly(file),
            name,
            at: None,
        })
    }

    /// How many octets there are now.
    pub fn octets(&self) -> Result<u64, JournalError> {
        self.file.length().map_err(JournalError::file(&self.name))
    }

    /// Hands over the records after those that it handed over before, each with where its frame ends and the position
    /// after it, up to the last whole one, or until `record` breaks off.
    pub fn read_on(
        &mut self,
        first_line: &str,
        mut record: impl FnMut(u64, Position, Vec<u8>) -> ControlFlow<()>,
    ) -> Result<End, JournalError> {
        let frames = match self.at {
            None => Frames::begin(&self.name, &self.file, first_line)?,
            Some((offset, position)) => Frames::resume(&self.name, &self.file, (offset, position))?,
        };
        let length = frames.length();
        let mut at = frames.at();
        let read = frames.each_until(|offset, position, octets| {
            at = (offset, position);
            record(offset, position, octets)
        });
        // What was handed over counts, also before damage.
        self.at = Some(at);
        read?;
        Ok(End {
            position: at.1,
            incomplete: length - at.0,
        })
    }
}

#[derive(Debug)]
struct ReadOnly(File);

impl Storage for ReadOnly {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(into, offset)
    }

    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}
