//! A terminal with nobody at it but a test.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

pub(crate) struct Pty {
    master: File,
    /// Kept open, so that the end of a program is not the end of the terminal.
    slave: File,
    seen: String,
    read_to: usize,
}

impl Pty {
    pub(crate) fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes())).to_owned();
        let noctty = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
        let slave =
            std::os::unix::fs::OpenOptionsExt::custom_flags(&mut OpenOptions::new(), noctty)
                .read(true)
                .write(true)
                .open(path)
                .unwrap();
        Self {
            master: File::from(master),
            slave,
            seen: String::new(),
            read_to: 0,
        }
    }

    /// The program's end of the terminal.
    pub(crate) fn end(&self) -> OwnedFd {
        self.slave.try_clone().unwrap().into()
    }

    /// Waits until the program has shown this, after what was waited for before.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) {
        loop {
            if let Some(at) = self.seen[self.read_to..].find(text) {
                self.read_to += at + text.len();
                return;
            }
            assert!(
                self.comes(),
                "{text:?} is not shown, but:\n{}",
                &self.seen[self.read_to..]
            );
            let mut octets = [0; 4096];
            let length = self.master.read(&mut octets).unwrap();
            self.seen
                .push_str(&String::from_utf8_lossy(&octets[..length]));
        }
    }

    /// Whether something comes before a person would have given up.
    fn comes(&self) -> bool {
        let patience = rustix::event::Timespec {
            tv_sec: 60,
            tv_nsec: 0,
        };
        let mut polled = [PollFd::new(&self.master, PollFlags::IN)];
        poll(&mut polled, Some(&patience)).unwrap() > 0
    }

    pub(crate) fn type_line(&mut self, text: &str) {
        writeln!(self.master, "{text}").unwrap();
    }

    /// All that was shown so far.
    pub(crate) fn seen(&self) -> &str {
        &self.seen
    }
}
