//! Reading and writing what does not block.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

/// Something that octets come from and go to: a [`crate::Tty`] or a [`crate::Pty`].
pub trait Line: AsFd {
    /// Reads what is there; `None` if there is nothing now. An error means that the line is gone.
    fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        read(self.as_fd(), buffer)
    }

    /// Writes what goes; zero if nothing goes now. An error means that the line is gone.
    fn write(&self, octets: &[u8]) -> io::Result<usize> {
        write(self.as_fd(), octets)
    }
}

fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        return match rustix::io::read(fd, &mut *buffer) {
            // A terminal in raw mode gives at least one octet, or nothing ever more: it hung up.
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the line hung up",
            )),
            Ok(length) => Ok(Some(length)),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        };
    }
}

fn write(fd: BorrowedFd<'_>, octets: &[u8]) -> io::Result<usize> {
    loop {
        return match rustix::io::write(fd, octets) {
            Ok(length) => Ok(length),
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        };
    }
}
