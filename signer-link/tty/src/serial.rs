//! A serial device.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{ControlModes, InputModes, OptionalActions, QueueSelector, Termios};

use crate::{Line, TtyError};

/// An open serial device: raw, 8N1, without flow control, at one speed, for this process alone.
#[derive(Debug)]
pub struct Tty {
    fd: OwnedFd,
    path: PathBuf,
}

impl Tty {
    /// Opens a device. What it held from before is thrown away.
    ///
    /// It never becomes the controlling terminal. `TIOCEXCL` keeps all others out but root, and a lock (`flock`) keeps
    /// those out that ask for it: every `Tty`.
    pub fn open(path: &Path, baud: u32) -> Result<Self, TtyError> {
        let failed = |action| {
            move |error: Errno| TtyError::System {
                action,
                path: path.to_owned(),
                error: error.into(),
            }
        };
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = match rustix::fs::open(path, flags, Mode::empty()) {
            Err(Errno::BUSY) => return Err(TtyError::InUse(path.to_owned())),
            opened => opened.map_err(failed("open"))?,
        };
        if !rustix::termios::isatty(&fd) {
            return Err(TtyError::NotATerminal(path.to_owned()));
        }
        match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(TtyError::InUse(path.to_owned())),
            locked => locked.map_err(failed("lock"))?,
        }
        rustix::termios::ioctl_tiocexcl(&fd).map_err(failed("claim"))?;

        let mut settings =
            rustix::termios::tcgetattr(&fd).map_err(failed("read the settings of"))?;
        make_raw(&mut settings);
        let no_such_rate = |_| TtyError::Baud {
            path: path.to_owned(),
            baud,
        };
        settings.set_speed(baud).map_err(no_such_rate)?;
        rustix::termios::tcsetattr(&fd, OptionalActions::Now, &settings).map_err(no_such_rate)?;
        rustix::termios::tcflush(&fd, QueueSelector::IOFlush).map_err(failed("flush"))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    /// The device.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its path still leads to it: a link such as those in `/dev/serial/by-id` leads to another device when the cable
    /// is plugged in elsewhere, or when the pseudo-terminal behind it was made anew.
    pub fn is_at_its_path(&self) -> io::Result<bool> {
        let (open, there) = (rustix::fs::fstat(&self.fd)?, rustix::fs::stat(&self.path)?);
        Ok(open.st_rdev == there.st_rdev)
    }

    /// Throws away what was received and not read, and what was written and not sent.
    pub fn flush(&self) -> io::Result<()> {
        Ok(rustix::termios::tcflush(&self.fd, QueueSelector::IOFlush)?)
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Line for Tty {}

impl From<Tty> for OwnedFd {
    /// Locked and set as it is.
    fn from(tty: Tty) -> Self {
        tty.fd
    }
}

/// Every octet as it is, both ways: 8N1, no flow control, no modem lines.
pub(crate) fn make_raw(settings: &mut Termios) {
    settings.make_raw();
    settings
        .input_modes
        .remove(InputModes::IXOFF | InputModes::IXANY);
    settings
        .control_modes
        .remove(ControlModes::CSTOPB | ControlModes::CRTSCTS);
    settings
        .control_modes
        .insert(ControlModes::CLOCAL | ControlModes::CREAD);
}
