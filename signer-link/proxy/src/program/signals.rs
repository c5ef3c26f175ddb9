//! Signals, as something that can be waited for.

use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::low_level::pipe;

use super::command::Command;

#[derive(Debug)]
pub(crate) struct Signals {
    each: Vec<(UnixStream, Command)>,
}

impl Signals {
    pub(crate) fn catch() -> io::Result<Self> {
        let caught = [
            (SIGINT, Command::Quit),
            (SIGTERM, Command::Quit),
            (SIGUSR1, Command::Cut(None)),
            (SIGUSR2, Command::Restore),
        ];
        let each = caught.into_iter().map(|(signal, command)| {
            let (read, write) = UnixStream::pair()?;
            read.set_nonblocking(true)?;
            pipe::register(signal, write)?;
            Ok((read, command))
        });
        Ok(Self {
            each: each.collect::<io::Result<_>>()?,
        })
    }

    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.each.iter().map(|(read, _)| read.as_fd())
    }

    /// What the signals say that have come.
    pub(crate) fn commands(&mut self) -> Vec<Command> {
        let came = |read: &mut UnixStream| read.read(&mut [0; 64]).is_ok_and(|length| length > 0);
        self.each
            .iter_mut()
            .filter_map(|(read, command)| came(read).then_some(*command))
            .collect()
    }
}
