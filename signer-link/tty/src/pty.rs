//! A pseudo-terminal.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;

use crate::serial::make_raw;
use crate::{Line, Tty, TtyError};

/// The cable's side of a new pseudo-terminal. Whoever opens [`path`](Self::path) has the device's side.
#[derive(Debug)]
pub struct Pty {
    cable: OwnedFd,
    /// Keeps the device open, so that reading does not fail while nobody else has it.
    _device: OwnedFd,
    path: PathBuf,
}

impl Pty {
    /// A new one, raw already: it echoes nothing to whoever writes before the device is opened.
    pub fn open() -> io::Result<Self> {
        let cable =
            rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        rustix::fs::fcntl_setfl(&cable, OFlags::NONBLOCK)?;
        rustix::pty::grantpt(&cable)?;
        rustix::pty::unlockpt(&cable)?;
        let path = rustix::pty::ptsname(&cable, Vec::new())?;
        let path = PathBuf::from(OsStr::from_bytes(path.as_bytes()));

        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let device = rustix::fs::open(&path, flags, Mode::empty())?;
        let mut settings = rustix::termios::tcgetattr(&device)?;
        make_raw(&mut settings);
        rustix::termios::tcsetattr(&device, OptionalActions::Now, &settings)?;
        Ok(Self {
            cable,
            _device: device,
            path,
        })
    }

    /// A new one and its device, open: the two ends of a cable in one process.
    pub fn pair(baud: u32) -> Result<(Self, Tty), TtyError> {
        let pty = Self::open().map_err(|error| TtyError::System {
            action: "make",
            path: PathBuf::from("a pseudo-terminal"),
            error,
        })?;
        let tty = Tty::open(&pty.path, baud)?;
        Ok((pty, tty))
    }

    /// The device, `/dev/pts/N`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.cable.as_fd()
    }
}

impl Line for Pty {}
