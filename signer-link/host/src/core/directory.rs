//! Where the core keeps its files.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use journal::{DiskFile, Storage};

/// A folder as the core needs it; in a simulation something that forgets what was not synced.
pub trait Directory {
    /// A file in it.
    type File: Storage;

    /// Opens a file; [`io::ErrorKind::NotFound`] when there is none.
    fn open(&mut self, name: &str) -> io::Result<Self::File>;

    /// Makes a file, empty also if there was one of that name.
    fn create(&mut self, name: &str) -> io::Result<Self::File>;

    /// Gives a file another name, in place of what had it, durably: after a crash the name has the one file or the
    /// other.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;
}

/// A folder on disk.
#[derive(Clone, Debug)]
pub struct DiskDirectory(PathBuf);

impl DiskDirectory {
    /// The folder of that path, which must be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl Directory for DiskDirectory {
    type File = DiskFile;

    fn open(&mut self, name: &str) -> io::Result<DiskFile> {
        DiskFile::open(&self.0.join(name))
    }

    fn create(&mut self, name: &str) -> io::Result<DiskFile> {
        let mut file = DiskFile::open_or_create(&self.0.join(name))?;
        file.truncate(0)?;
        Ok(file)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))?;
        File::open(&self.0)?.sync_all()
    }
}
