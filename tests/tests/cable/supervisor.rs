//! The processes of an installation, and what becomes of those that die.

use std::fs;
use std::path::Path;

use e2e::system::signal;
use e2e::{System, wait_for};

/// One kind of process that `avouch up` makes, or that one of these makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Process {
    /// One of its daemons.
    Daemon(&'static str),
    /// A process of the signer's: `link` or `key`.
    OfSigner(&'static str),
    /// `avouch up` itself, and with it all others.
    Everything,
}

impl Process {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::OfSigner("link"),
        Self::Daemon("signer"),
        Self::Daemon("signer-host"),
        Self::Daemon("issuer"),
        Self::OfSigner("key"),
        Self::Daemon("crl-builder"),
        Self::Daemon("ocsp-presigner"),
        Self::Daemon("ocsp-responder"),
        Self::Daemon("status-watch"),
        Self::Everything,
    ];

    /// Its process id, while there is one.
    pub(crate) fn pid(self, system: &System) -> Option<u32> {
        match self {
            Self::Daemon(name) => system.try_pid(name),
            Self::OfSigner(name) => child(system.try_pid("signer")?, name),
            Self::Everything => Some(system.up_pid()),
        }
    }
}

/// Kills a process with SIGKILL. Gives its id.
#[track_caller]
pub(crate) fn kill(system: &System, process: Process) -> u32 {
    let pid = awaited(system, process);
    signal("-KILL", pid);
    pid
}

/// Waits for its process id.
#[track_caller]
fn awaited(system: &System, process: Process) -> u32 {
    let mut pid = None;
    wait_for(|| {
        pid = process.pid(system).filter(|pid| is_there(*pid));
        pid.is_some()
    });
    pid.expect("it was waited for")
}

/// Kills the signer while `avouch up` does not look, and does this before `avouch up` sees that it is gone.
#[track_caller]
pub(crate) fn while_the_signer_is_off(system: &System, act: impl FnOnce()) {
    let processes = ["link", "key"].map(|name| awaited(system, Process::OfSigner(name)));
    let _looks_away = LooksAway::from_now_on(system.up_pid());
    kill(system, Process::Daemon("signer"));
    // These end by themselves.
    wait_for(|| processes.iter().all(|pid| !is_there(*pid)));
    act();
}

/// A process that is stopped, and goes on when this is dropped.
struct LooksAway(u32);

impl LooksAway {
    fn from_now_on(pid: u32) -> Self {
        signal("-STOP", pid);
        Self(pid)
    }
}

impl Drop for LooksAway {
    fn drop(&mut self) {
        signal("-CONT", self.0);
    }
}

/// Whether a process runs; one that only waits to be looked after does not.
pub(crate) fn is_there(pid: u32) -> bool {
    status(pid).is_some_and(|(state, _)| state != "Z")
}

/// The process of the signer's with this name, by its parent.
fn child(parent: u32, name: &str) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(|pid: &u32| {
            let line = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("cmdline"));
            line.is_ok_and(|line| line.split('\0').nth(1) == Some(name))
                && status(*pid).is_some_and(|(state, of)| of == parent && state != "Z")
        })
}

/// The state of a process, and its parent.
fn status(pid: u32) -> Option<(String, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before them is in brackets, and may have anything in it.
    let mut words = text.rsplit_once(") ")?.1.split(' ');
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}
