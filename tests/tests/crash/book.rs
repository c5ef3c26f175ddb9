//! The independent log of acknowledgements, and the loop that fills it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use e2e::program::{Finished, program};
use e2e::system::path;
use pki::Serial;

use crate::machine::Machine;

/// The issuer that works.
pub(crate) const ISSUER: &str = "member";

/// However much dies, a command succeeds within this time if it is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

/// A certificate that was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) serial: Serial,
    pub(crate) certificate: PathBuf,
    /// Whether its revocation was acknowledged.
    pub(crate) revoked: bool,
}

pub(crate) struct Book {
    log: File,
    csr: PathBuf,
    rounds: usize,
    entries: Arc<RwLock<Vec<Entry>>>,
}

impl Book {
    pub(crate) fn open(folder: &Path) -> Self {
        let csr = folder.join("host.csr");
        let request = [
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=crash.example.org",
            "-addext",
            "subjectAltName=DNS:crash.example.org",
            "-keyout",
            "/dev/null",
            "-out",
            path(&csr),
        ];
        program(folder, "openssl", request).ok();
        let log = File::create(folder.join("acknowledged.log")).expect("a log");
        Self {
            log,
            csr,
            rounds: 0,
            entries: Arc::default(),
        }
    }

    /// What was acknowledged so far, shared with who looks at the edge.
    pub(crate) fn entries(&self) -> Arc<RwLock<Vec<Entry>>> {
        Arc::clone(&self.entries)
    }

    pub(crate) fn snapshot(&self) -> Vec<Entry> {
        self.entries.read().expect("no thread panicked").clone()
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds
    }

    /// Issues a certificate and, but for every fourth, revokes it.
    pub(crate) fn round(&mut self, machine: &Machine) {
        self.issue(machine);
        if !self.rounds.is_multiple_of(4) {
            self.revoke_last(machine);
        }
    }

    /// Issues a certificate; repeated until it is acknowledged.
    pub(crate) fn issue(&mut self, machine: &Machine) {
        self.rounds += 1;
        let certificate = machine.folder().join(format!("{}.pem", self.rounds));
        let issued = until_acknowledged(machine, &self.command()).json();
        let serial: Serial = text(&issued, "serial")
            .parse()
            .expect("a serial number in hex");
        self.acknowledge(&format!("issued {serial}"));
        fs::write(&certificate, text(&issued, "certificate")).expect("the certificate is written");
        let entry = Entry {
            serial,
            certificate,
            revoked: false,
        };
        self.entries
            .write()
            .expect("no thread panicked")
            .push(entry);
    }

    /// Revokes the last certificate; repeated until it is acknowledged.
    pub(crate) fn revoke_last(&mut self, machine: &Machine) {
        let serial = self
            .entries
            .read()
            .expect("no thread panicked")
            .last()
            .expect("one was issued")
            .serial;
        let hex = serial.to_string();
        let revoke = [
            "revoke",
            "--serial",
            &hex,
            "--issuer",
            ISSUER,
            "--ground",
            "subscriber",
            "--reason",
            "superseded",
        ];
        until_acknowledged(machine, &revoke);
        self.acknowledge(&format!("revoked {serial}"));
        let mut entries = self.entries.write().expect("no thread panicked");
        entries.last_mut().expect("one was issued").revoked = true;
    }

    /// The command that issues a certificate.
    pub(crate) fn command(&self) -> [&str; 8] {
        [
            "issue",
            "--profile",
            "server",
            "--issuer",
            ISSUER,
            "--csr",
            path(&self.csr),
            "--json",
        ]
    }

    fn acknowledge(&mut self, what: &str) {
        writeln!(self.log, "{what}").expect("the log is written");
        self.log.sync_all().expect("the log is safe");
    }
}

fn until_acknowledged(machine: &Machine, command: &[&str]) -> Finished {
    let began = Instant::now();
    loop {
        let finished = machine.avouch(command);
        if finished.code == 0 {
            return finished;
        }
        assert_eq!(
            finished.code, 1,
            "a failure, not a usage error: {finished:#?}"
        );
        assert!(
            began.elapsed() < PATIENCE,
            "it never succeeds: {finished:#?}; {}",
            machine.tell()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn text<'a>(value: &'a serde_json::Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {value}"))
}
