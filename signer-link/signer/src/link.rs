//! The process that has the cable: frames and the session with the host. It knows no CA key and judges nothing.
//!
//! Its standard input is the socket pair to `policy`; when that closes, it ends. A device that is lost (an unplugged USB
//! adapter) is opened again until it is back.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use keystore::LinkKeys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tty::{Line as _, Tty};
use wire::link::{Breach, Endpoint, Event, LinkSettings, Role, SessionKeys};

use crate::pipe::Said;

/// What may wait for `policy` before the host is asked to hold.
const FOR_POLICY: usize = 256 * 1024;
/// What may wait for the line before nothing more is taken from `policy`.
const FOR_LINE: usize = 256 * 1024;
/// How often a lost device is tried again, and one that is open is compared with what is at its path, in milliseconds.
const REOPEN: u64 = 1_000;

struct Link {
    begun: Instant,
    endpoint: Endpoint,
    device: Option<Tty>,
    reopen_at: u64,
    to_line: Vec<u8>,
    policy: UnixStream,
    to_policy: Vec<u8>,
    from_policy: Vec<u8>,
    /// Sessions of which `policy` was told and that it has not greeted yet: until it has, what it says is of an earlier one.
    ungreeted: u64,
}

/// Runs until `policy` is gone.
pub fn run(device: &Path, baud: u32, keys: &LinkKeys, policy: UnixStream) -> anyhow::Result<()> {
    policy.set_nonblocking(true)?;
    let keys = SessionKeys {
        private: *keys.private(),
        peer: *keys.peer(),
        psk: *keys.psk(),
    };
    let settings = LinkSettings::new(baud);
    let mut link = Link {
        begun: Instant::now(),
        endpoint: Endpoint::new(Role::Signer, keys, settings, Box::new(random), 0),
        device: None,
        reopen_at: 0,
        to_line: Vec::new(),
        policy,
        to_policy: Vec::new(),
        from_policy: Vec::new(),
        ungreeted: 0,
    };
    loop {
        link.open(device, baud);
        // In this order, so that nothing of an earlier session goes into one of which `policy` does not know yet.
        if link.tell_policy() {
            link.hear_policy()?;
        }
        link.transmit();
        link.wait()?;
        link.read_line();
        if !link.read_policy()? {
            return Ok(());
        }
        link.write_policy()?;
    }
}

impl Link {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn open(&mut self, path: &Path, baud: u32) {
        if self.now() < self.reopen_at {
            return;
        }
        if let Some(device) = &self.device {
            match device.is_at_its_path() {
                Ok(true) => self.reopen_at = self.now() + REOPEN,
                Ok(false) => self.lose(&io::Error::other("its path leads to another one now")),
                Err(error) => self.lose(&error),
            }
            return;
        }
        match Tty::open(path, baud) {
            Ok(device) => {
                tracing::info!("the cable is at {}", path.display());
                self.device = Some(device);
                self.reopen_at = self.now() + REOPEN;
            }
            Err(error) => {
                if self.reopen_at == 0 {
                    tracing::error!("{}: {error}; tried again until it is there", path.display());
                }
                self.reopen_at = self.now() + REOPEN;
            }
        }
    }

    fn lose(&mut self, error: &io::Error) {
        tracing::error!("the cable's device is lost: {error}");
        self.device = None;
        self.to_line.clear();
        self.reopen_at = self.now() + REOPEN;
    }

    /// What `policy` wants to be sent.
    fn hear_policy(&mut self) -> anyhow::Result<()> {
        while self.endpoint.backlog() < FOR_LINE {
            let Some(said) = Said::take(&mut self.from_policy)? else {
                return Ok(());
            };
            match said {
                Said::Greeting(message) => {
                    self.ungreeted = self.ungreeted.saturating_sub(1);
                    self.say(&message);
                }
                Said::Message(message) => self.say(&message),
                Said::Reset => self.endpoint.reset(self.now()),
                _ => anyhow::bail!("not what the policy process says"),
            }
        }
        Ok(())
    }

    /// A session that has ended meanwhile: the host asks again in the next one.
    fn say(&mut self, message: &[u8]) {
        if self.ungreeted > 0 {
            tracing::debug!("a message is not sent: it is of an earlier session");
        } else if let Err(error) = self.endpoint.send(message) {
            tracing::debug!("a message is not sent: {error}");
        }
    }

    /// Whether `policy` knows of all that happened.
    fn tell_policy(&mut self) -> bool {
        while self.to_policy.len() < FOR_POLICY {
            let said = match self.endpoint.event() {
                None => return true,
                Some(Event::Up) => {
                    self.ungreeted += 1;
                    Said::Up
                }
                Some(Event::Message(message)) => Said::Message(message),
                Some(Event::Down(reason)) => Said::Down(format!("{reason:?}")),
                // Nobody has proven anything yet: a wrong key file looks the same as an attacker.
                Some(Event::Breach(Breach::Handshake)) => Said::Stranger,
                Some(Event::Breach(breach)) => Said::Breach(format!("{breach:?}")),
                Some(_) => continue,
            };
            self.to_policy.extend(said.encode());
        }
        false
    }

    fn transmit(&mut self) {
        let now = self.now();
        if self.device.is_none() {
            return;
        }
        while self.to_line.is_empty() {
            let Some(octets) = self.endpoint.transmit(now) else {
                return;
            };
            self.to_line = octets;
            self.write_line();
        }
        self.write_line();
    }

    fn write_line(&mut self) {
        let Some(device) = &self.device else {
            return;
        };
        match device.write(&self.to_line) {
            Ok(count) => drop(self.to_line.drain(..count)),
            Err(error) => self.lose(&error),
        }
    }

    fn read_line(&mut self) {
        let mut octets = [0; 4096];
        let Some(device) = &self.device else {
            return;
        };
        match device.read(&mut octets) {
            Ok(Some(count)) => {
                let now = self.now();
                self.endpoint.receive(&octets[..count], now);
            }
            Ok(None) => {}
            Err(error) => self.lose(&error),
        }
    }

    fn read_policy(&mut self) -> anyhow::Result<bool> {
        let mut octets = [0; 64 * 1024];
        if self.endpoint.backlog() >= FOR_LINE {
            return Ok(true);
        }
        match self.policy.read(&mut octets) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.from_policy.extend_from_slice(&octets[..count]);
                Ok(true)
            }
            Err(error) if is_later(&error) => Ok(true),
            Err(error) => Err(error).context("the policy process is gone"),
        }
    }

    fn write_policy(&mut self) -> anyhow::Result<()> {
        if self.to_policy.is_empty() {
            return Ok(());
        }
        match self.policy.write(&self.to_policy) {
            Ok(count) => drop(self.to_policy.drain(..count)),
            Err(error) if is_later(&error) => {}
            Err(error) => return Err(error).context("the policy process is gone"),
        }
        Ok(())
    }

    /// Until something can be read or written, or is due.
    fn wait(&self) -> io::Result<()> {
        let flags = |write: bool, read: bool| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, read);
            flags.set(PollFlags::OUT, write);
            flags
        };
        let now = self.now();
        let mut due = now + REOPEN;
        if self.device.is_none() {
            due = due.min(self.reopen_at);
        } else if let Some(deadline) = self.endpoint.deadline()
            && self.to_line.is_empty()
        {
            due = due.min(deadline);
        }
        let hears = self.endpoint.backlog() < FOR_LINE;
        let mut descriptors = vec![PollFd::from_borrowed_fd(
            self.policy.as_fd(),
            flags(!self.to_policy.is_empty(), hears),
        )];
        if let Some(device) = &self.device {
            let flags = flags(!self.to_line.is_empty(), true);
            descriptors.push(PollFd::from_borrowed_fd(device.as_fd(), flags));
        }
        let wait = due.saturating_sub(now);
        let timeout = Timespec {
            tv_sec: i64::try_from(wait / 1_000).unwrap_or(i64::MAX),
            tv_nsec: (wait % 1_000 * 1_000_000) as _,
        };
        match poll(&mut descriptors, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

fn random(octets: &mut [u8]) {
    if aws_lc_rs::rand::fill(octets).is_err() {
        tracing::error!("the system gives no random numbers: there can be no session");
        std::process::abort();
    }
}
