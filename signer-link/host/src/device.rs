//! What the cable is plugged into: a serial device, or a pseudo-terminal that stands for one.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use tty::{Line as _, Pty, Tty};

/// Where a cable is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    /// A serial device.
    Device(PathBuf),
    /// A pseudo-terminal is made, with a link to its other side at this path.
    Pty(PathBuf),
}

/// An open line: eight bits, no parity, no flow control, nothing interpreted.
#[derive(Debug)]
pub(crate) enum Device {
    Serial(Tty),
    Pty(Pty),
}

impl Socket {
    /// Opens it for this process alone. What came before is thrown away.
    pub(crate) fn open(&self, baud: u32) -> io::Result<Device> {
        match self {
            Self::Device(path) => Tty::open(path, baud)
                .map(Device::Serial)
                .map_err(io::Error::other),
            Self::Pty(path) => {
                let pty = Pty::open()?;
                let mut new = path.clone().into_os_string();
                new.push(".new");
                match fs::remove_file(&new) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                symlink(pty.path(), &new)?;
                fs::rename(&new, path)?;
                Ok(Device::Pty(pty))
            }
        }
    }

    /// For people.
    pub(crate) fn path(&self) -> &PathBuf {
        match self {
            Self::Device(path) | Self::Pty(path) => path,
        }
    }
}

impl Device {
    /// What is there; `None` if nothing is. An error means that the device is gone.
    pub(crate) fn read(&self, into: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Serial(tty) => tty.read(into),
            Self::Pty(pty) => pty.read(into),
        }
    }

    /// Writes as much as it takes now.
    pub(crate) fn write(&self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Serial(tty) => tty.write(octets),
            Self::Pty(pty) => pty.write(octets),
        }
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Serial(tty) => tty.as_fd(),
            Self::Pty(pty) => pty.as_fd(),
        }
    }
}
