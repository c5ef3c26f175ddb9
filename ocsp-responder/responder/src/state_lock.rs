//! One edge for one state directory: two would forget each other's generations.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Held as long as the process (or the one that takes its place) lives.
#[derive(Debug)]
pub(crate) struct StateLock(File);

impl StateLock {
    pub(crate) fn take(state: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(state)
            .with_context(|| format!("the state directory {} cannot be made", state.display()))?;
        let path = state.join("lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self::signed(file)?),
            Err(Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                file.read_to_string(&mut pid)?;
                bail!(
                    "an edge (process {}) runs with the state {} already; give this one another `state` and `listen`, \
                     or let it take the other's place with --take-over",
                    pid.trim(),
                    state.display()
                )
            }
            Err(error) => {
                Err(error).with_context(|| format!("{} cannot be locked", path.display()))
            }
        }
    }

    /// The lock that a predecessor holds: it is one lock, also in two processes.
    pub(crate) fn inherited(descriptor: OwnedFd) -> io::Result<Self> {
        Self::signed(descriptor.into())
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Says whose it is, for the message to others.
    fn signed(mut file: File) -> io::Result<Self> {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}
