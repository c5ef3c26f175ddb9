//! What is at an end of the cable.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tty::{Line, Pty, Tty};

/// How often a device that went away is looked for.
const REOPEN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) enum Port {
    Device {
        path: PathBuf,
        baud: u32,
        open: Option<Tty>,
        retry: Duration,
    },
    Pty {
        pty: Pty,
        link: Option<Link>,
    },
}

impl Port {
    pub(crate) fn open(name: &OsStr, baud: u32, link: Option<&Path>) -> anyhow::Result<Self> {
        if name == "pty" {
            let pty = Pty::open().context("cannot make a pseudo-terminal")?;
            let link = link.map(|link| Link::make(link, pty.path())).transpose()?;
            return Ok(Self::Pty { pty, link });
        }
        if let Some(link) = link {
            bail!(
                "{}: only the device of a `pty` gets a symbolic link",
                link.display()
            );
        }
        let path = PathBuf::from(name);
        let open = Some(Tty::open(&path, baud)?);
        Ok(Self::Device {
            path,
            baud,
            open,
            retry: Duration::ZERO,
        })
    }

    /// What a program opens to be at this end.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Device { path, .. } => path,
            Self::Pty { pty, link } => match link {
                Some(link) => &link.0,
                None => pty.path(),
            },
        }
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Device { open, .. } => open.as_ref().map(AsFd::as_fd),
            Self::Pty { pty, .. } => Some(pty.as_fd()),
        }
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8], now: Duration) -> io::Result<usize> {
        let read = match self {
            Self::Device { open: None, .. } => Ok(None),
            Self::Device {
                open: Some(tty), ..
            } => tty.read(buffer),
            Self::Pty { pty, .. } => pty.read(buffer),
        };
        Ok(self.survive(read, now)?.flatten().unwrap_or(0))
    }

    pub(crate) fn write(&mut self, octets: &[u8], now: Duration) -> io::Result<usize> {
        let written = match self {
            // Into a socket without a plug.
            Self::Device { open: None, .. } => Ok(octets.len()),
            Self::Device {
                open: Some(tty), ..
            } => tty.write(octets),
            Self::Pty { pty, .. } => pty.write(octets),
        };
        Ok(self.survive(written, now)?.unwrap_or(octets.len()))
    }

    /// A device may be unplugged; a pseudo-terminal is there as long as this program.
    fn survive<T>(&mut self, result: io::Result<T>, now: Duration) -> io::Result<Option<T>> {
        match (result, self) {
            (Ok(value), _) => Ok(Some(value)),
            (
                Err(error),
                Self::Device {
                    path, open, retry, ..
                },
            ) => {
                eprintln!(
                    "serial-proxy: {} is gone ({error}); waiting for it",
                    path.display()
                );
                *open = None;
                *retry = now + REOPEN;
                Ok(None)
            }
            (Err(error), Self::Pty { .. }) => Err(error),
        }
    }

    /// Looks for a device that went away; when to look again.
    pub(crate) fn reopen(&mut self, now: Duration) -> Option<Duration> {
        let Self::Device {
            path,
            baud,
            open: open @ None,
            retry,
        } = self
        else {
            return None;
        };
        if now >= *retry {
            *retry = now + REOPEN;
            *open = Tty::open(path, *baud).ok();
            if open.is_some() {
                eprintln!("serial-proxy: {} is back", path.display());
                return None;
            }
        }
        Some(*retry)
    }
}

/// A symbolic link that is there as long as the program.
#[derive(Debug)]
pub(crate) struct Link(PathBuf);

impl Link {
    /// In place of an old link, but of nothing else.
    fn make(at: &Path, to: &Path) -> anyhow::Result<Self> {
        if at.is_symlink() {
            fs::remove_file(at).with_context(|| format!("cannot replace {}", at.display()))?;
        }
        std::os::unix::fs::symlink(to, at)
            .with_context(|| format!("cannot make the link {}", at.display()))?;
        Ok(Self(at.to_owned()))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            eprintln!("serial-proxy: cannot remove {}: {error}", self.0.display());
        }
    }
}
