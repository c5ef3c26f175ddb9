//! The program as a child, and ends of the cable that use it.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tty::{Line as _, Tty};
use wire::link::{Endpoint, KeyPair, LinkSettings, Role, SessionKeys};
use zeroize::Zeroizing;

/// A running `serial-proxy` between two pseudo-terminals, or what its arguments say.
pub(crate) struct Proxy {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pub(crate) a: PathBuf,
    pub(crate) b: PathBuf,
}

impl Proxy {
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("serial-proxy starts");
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (a, b) = (PathBuf::new(), PathBuf::new());
        let mut proxy = Self {
            child,
            stdin,
            stdout: BufReader::new(stdout),
            a,
            b,
        };
        loop {
            let line = proxy.line();
            match line.split_once(' ') {
                Some(("A", path)) => proxy.a = path.into(),
                Some(("B", path)) => proxy.b = path.into(),
                Some(("seed", _)) => {}
                _ if line == "ready" => return proxy,
                _ => panic!("serial-proxy said {line:?}"),
            }
        }
    }

    /// One line of its output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let length = self.stdout.read_line(&mut line).unwrap();
        assert!(length > 0, "serial-proxy has ended");
        line.trim_end().to_owned()
    }

    /// A command and its first line of answer.
    pub(crate) fn tell(&mut self, command: &str) -> String {
        writeln!(self.stdin, "{command}").unwrap();
        self.line()
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Waits for its end; the rest of its output.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let rest = std::io::read_to_string(&mut self.stdout).unwrap();
        (self.child.wait().unwrap(), rest)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An endpoint on a device.
pub(crate) struct Driven {
    pub(crate) endpoint: Endpoint,
    tty: Tty,
    started: Instant,
    /// Given by the endpoint, and not yet taken by the device.
    pending: Vec<u8>,
}

impl Driven {
    pub(crate) fn open(role: Role, path: &Path, baud: u32) -> Self {
        let host = KeyPair::of(Zeroizing::new([1; 32]));
        let signer = KeyPair::of(Zeroizing::new([2; 32]));
        let (private, peer) = match role {
            Role::Host => (host.private, signer.public),
            Role::Signer => (signer.private, host.public),
        };
        let keys = SessionKeys {
            private: *private,
            peer,
            psk: [3; 32],
        };
        let random = |octets: &mut [u8]| octets.fill_with(|| fastrand::u8(..));
        Self {
            endpoint: Endpoint::new(role, keys, LinkSettings::new(baud), Box::new(random), 0),
            tty: Tty::open(path, baud).unwrap(),
            started: Instant::now(),
            pending: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn read(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(length) = self.tty.read(&mut buffer).unwrap() {
            let now = self.now();
            self.endpoint.receive(&buffer[..length], now);
        }
    }

    fn write(&mut self) {
        loop {
            if self.pending.is_empty() {
                let now = self.now();
                self.pending = self.endpoint.transmit(now).unwrap_or_default();
            }
            let written = self.tty.write(&self.pending).unwrap();
            self.pending.drain(..written);
            if written == 0 {
                return;
            }
        }
    }
}

/// Lets the ends do what they have to do, and sleeps until there is more.
pub(crate) fn turn(ends: &mut [&mut Driven]) {
    for end in &mut *ends {
        end.read();
        end.write();
    }
    let sleep = ends
        .iter()
        .map(|end| {
            end.endpoint
                .deadline()
                .unwrap_or(u64::MAX)
                .saturating_sub(end.now())
        })
        .min()
        .unwrap_or(0)
        .clamp(1, 100);
    let mut fds: Vec<PollFd<'_>> = ends
        .iter()
        .map(|end| {
            let writes = if end.pending.is_empty() {
                PollFlags::empty()
            } else {
                PollFlags::OUT
            };
            PollFd::new(&end.tty, PollFlags::IN | writes)
        })
        .collect();
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: sleep as i64 * 1_000_000,
    };
    poll(&mut fds, Some(&timeout)).unwrap();
}

/// Fails loudly instead of hanging for ever.
pub(crate) fn patience() -> Instant {
    Instant::now() + Duration::from_secs(120)
}
