//! The host's end of the cable: a pseudo-terminal, and frames on it, right ones and wrong ones.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tty::{Line as _, Pty};
use wire::link::Role;
use wire::link::frame::{Body, Decoded, Decoder, Frame};

/// Nothing here takes nearly so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Cable {
    pty: Pty,
    decoder: Decoder,
    heard: VecDeque<Body>,
}

impl Cable {
    pub(crate) fn new() -> Self {
        Self {
            pty: Pty::open().unwrap(),
            decoder: Decoder::default(),
            heard: VecDeque::new(),
        }
    }

    /// The signer's device.
    pub(crate) fn device(&self) -> &Path {
        self.pty.path()
    }

    /// Any octets.
    pub(crate) fn write(&self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() {
            assert!(self.wait(PollFlags::OUT, PATIENCE), "the signer reads on");
            rest = &rest[self.pty.write(rest).unwrap()..];
        }
    }

    /// A frame of the host.
    pub(crate) fn say(&self, body: Body) {
        self.write(&of_host(body).encode());
    }

    /// The next frame of the signer, if one comes within this time.
    pub(crate) fn hear_within(&mut self, patience: Duration) -> Option<Body> {
        let end = Instant::now() + patience;
        while self.heard.is_empty() {
            let left = end.checked_duration_since(Instant::now())?;
            if !self.wait(PollFlags::IN, left) {
                return None;
            }
            let mut octets = [0; 4096];
            let Some(length) = self.pty.read(&mut octets).unwrap() else {
                continue;
            };
            let heard = &mut self.heard;
            self.decoder.push(&octets[..length], |decoded| {
                if let Decoded::Frame(Frame {
                    from: Role::Signer,
                    body,
                }) = decoded
                {
                    heard.push_back(body);
                }
            });
        }
        self.heard.pop_front()
    }

    fn wait(&self, flags: PollFlags, patience: Duration) -> bool {
        let timeout = Timespec::try_from(patience).unwrap();
        let mut polled = [PollFd::new(&self.pty, flags)];
        match poll(&mut polled, Some(&timeout)) {
            Ok(count) => count > 0,
            Err(rustix::io::Errno::INTR) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) fn of_host(body: Body) -> Frame {
    Frame {
        from: Role::Host,
        body,
    }
}
