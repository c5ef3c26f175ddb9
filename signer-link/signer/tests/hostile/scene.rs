//! A real signer with the keys of a rehearsal, at the other end of a hostile host's cable.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use journal::JournalError;
use keystore::{LinkEnd, LinkKeys};
use pki::certificate_builder::assemble;
use pki::crl::build::CrlEntry;
use pki::{Certificate, Serial, SignatureAlgorithm};
use signer::journal_record::{Act, Record};
use signer::log::{Log, LogError};
use tempfile::TempDir;
use wire::link::SessionKeys;
use wire::{Operation, Outcome, Reply, SignCrl};

use crate::cable::Cable;
use crate::common::{self, Leaf, SIGNER, SIGNER_ID, profiles_directory, write_secret};
use crate::host::{Host, now};

const BASE_URL: &str = "http://127.0.0.1:8080";

/// Of every signer here.
pub(crate) const PROMOTION_EPOCH: u32 = 7;

pub(crate) struct Scene {
    pub(crate) host: Host,
    pub(crate) member: Certificate,
    /// What is revoked, by ascending serial number.
    pub(crate) revoked: Vec<CrlEntry>,
    directory: TempDir,
    process: Child,
    honest: usize,
    number: u64,
    _ceremony: Arc<TempDir>,
}

/// One ceremony for all that run at the same time. It was held ten days ago, so that the CAs are not younger than what
/// is asked of them.
fn ceremony() -> Arc<TempDir> {
    static HELD: Mutex<Weak<TempDir>> = Mutex::new(Weak::new());
    let mut held = HELD.lock().unwrap();
    if let Some(ceremony) = held.upgrade() {
        return ceremony;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::write(path.join("ceremony.toml"), hierarchy::EC).unwrap();
    write_secret(&path.join("passphrase"), "a rehearsal's passphrase\n");
    let output = Command::new("faketime")
        .args(["-f", "-10d", SIGNER, "ceremony", "ceremony.toml"])
        .args(["--rehearsal", "--keys", "signer/keys", "--out", "ca"])
        .args(["--passphrase-file", "passphrase", "--base-url", BASE_URL])
        .current_dir(path)
        .stdin(Stdio::null())
        .output()
        .expect("faketime is installed by tests/run");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let ceremony = Arc::new(directory);
    *held = Arc::downgrade(&ceremony);
    ceremony
}

impl Scene {
    /// A signer of its own, unlocked, over a copy of what the ceremony made; `limits` are lines of its configuration.
    pub(crate) fn start(limits: &str) -> Self {
        let ceremony = ceremony();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        copy(ceremony.path(), path);
        promote(&path.join("signer/journal"));
        let cable = Cable::new();
        let quoted = |path: &Path| toml::Value::from(path.to_str().unwrap()).to_string();
        let config = format!(
            "device = {}\nbaud = 3_000_000\nlink_keys = {}\nkeys = {}\njournal = {}\npassphrase_file = {}\n\
             profiles = {}\nbase_url = \"{BASE_URL}\"\n[limits]\n{limits}\n",
            quoted(cable.device()),
            quoted(&path.join("signer/link-signer-1.key")),
            quoted(&path.join("signer/keys")),
            quoted(&path.join("signer/journal")),
            quoted(&path.join("passphrase")),
            quoted(&profiles_directory()),
        );
        fs::write(path.join("signer.toml"), config).unwrap();
        let process = run(path);
        let keys = LinkKeys::load(&path.join("signer/link-host-1.key"), LinkEnd::Host).unwrap();
        let keys = SessionKeys {
            private: *keys.private(),
            peer: *keys.peer(),
            psk: *keys.psk(),
        };
        let member = fs::read_to_string(path.join("ca/member.pem")).unwrap();
        let mut scene = Self {
            host: Host::new(cable, keys),
            member: Certificate::from_pem(&member).unwrap(),
            revoked: Vec::new(),
            directory,
            process,
            // The ceremony itself has signed one thing: the user id of its OpenPGP key.
            honest: 1,
            // Above what is left to the signers before it.
            number: u64::from(PROMOTION_EPOCH - 1) << 40,
            _ceremony: ceremony,
        };
        let status = scene.host.connect();
        assert_eq!(status.mode, wire::Mode::Active, "{}", status.reason);
        scene.issue_honestly();
        scene
    }

    /// From the next start on nothing but its console opens its keys, as everywhere but in a demo.
    pub(crate) fn forget_the_passphrase(&self) {
        let path = self.directory.path().join("signer.toml");
        let config = fs::read_to_string(&path).unwrap();
        let kept = config
            .lines()
            .filter(|line| !line.starts_with("passphrase_file"));
        fs::write(&path, kept.collect::<Vec<_>>().join("\n")).unwrap();
    }

    /// `kill -9`, and what a wrapper does then.
    pub(crate) fn kill_and_start(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = run(self.directory.path());
    }

    /// A server's certificate to be signed, as an issuer would have it.
    pub(crate) fn leaf(&self) -> Leaf {
        self.leaf_of("www.example.org")
    }

    pub(crate) fn leaf_of(&self, host: &str) -> Leaf {
        let mut leaf = Leaf::named(&self.member, host);
        leaf.not_before = now().plus_seconds(-300);
        leaf.not_after = leaf.not_before.plus_seconds(90 * 86_400 - 1);
        leaf
    }

    /// What was signed of a leaf that was changed, or why not.
    pub(crate) fn issue(&mut self, change: impl FnOnce(&mut Leaf)) -> Reply {
        let mut leaf = self.leaf();
        change(&mut leaf);
        self.host.ask(Operation::IssueCertificate(leaf.request()))
    }

    /// The next honest request, which is served at once.
    #[track_caller]
    pub(crate) fn issue_honestly(&mut self) -> Serial {
        let (leaf, reply) = self.try_honestly();
        let Outcome::Signed { signature } = &reply.outcome else {
            panic!(
                "an honest request is not served: {:?}\n{}",
                reply.outcome,
                self.stderr()
            );
        };
        let der = assemble(&leaf.tbs(), SignatureAlgorithm::EcdsaSha256, signature);
        let certificate = Certificate::from_der(&der).unwrap();
        certificate
            .verify_signed_by(self.member.public_key())
            .unwrap();
        self.honest += 1;
        leaf.serial
    }

    /// An honest request, with its answer.
    pub(crate) fn try_honestly(&mut self) -> (Leaf, Reply) {
        let leaf = self.leaf();
        let operation = Operation::IssueCertificate(leaf.request());
        let reply = self.host.ask(operation);
        (leaf, reply)
    }

    /// Revokes an honest certificate for its subscriber.
    pub(crate) fn revoke_honestly(&mut self) -> CrlEntry {
        let leaf = self.leaf();
        let reply = self.host.ask(Operation::IssueCertificate(leaf.request()));
        assert!(matches!(reply.outcome, Outcome::Signed { .. }));
        self.honest += 1;
        let entry = CrlEntry {
            serial: leaf.serial,
            revocation_date: now().plus_seconds(-60),
            reason: None,
            invalidity_date: None,
        };
        let reply = self
            .host
            .ask(common::revoke(&[entry], Some(leaf.not_after)));
        assert!(
            matches!(reply.outcome, Outcome::Remembered { .. }),
            "{reply:?}"
        );
        self.revoked.push(entry);
        self.revoked.sort_by_key(|entry| entry.serial);
        entry
    }

    /// The next complete CRL of `member`, to be signed.
    pub(crate) fn next_crl(&mut self) -> SignCrl {
        self.number += 1;
        // As the builder has it, for clocks that are slow.
        let this_update = now().plus_seconds(-5);
        common::crl(&self.member, self.number, this_update, &self.revoked)
    }

    /// The same, signed.
    #[track_caller]
    pub(crate) fn sign_crl_honestly(&mut self) -> SignCrl {
        let request = self.next_crl();
        let reply = self.host.ask(Operation::SignCrl(request.clone()));
        assert!(matches!(reply.outcome, Outcome::Signed { .. }), "{reply:?}");
        self.honest += 1;
        request
    }

    pub(crate) fn count_honest(&mut self) {
        self.honest += 1;
    }

    /// The journal as it lies on the disk, its chain checked.
    pub(crate) fn journal(&self) -> Vec<Record> {
        let copy = self.directory.path().join("copy");
        fs::copy(self.directory.path().join("signer/journal"), &copy).unwrap();
        let mut records = Vec::new();
        drop(open(&copy, |record| records.push(record)));
        records
    }

    /// Everything that was ever signed was asked for honestly.
    pub(crate) fn check_signatures(&self) {
        let journal = self.journal();
        let signed = journal
            .iter()
            .filter(|record| matches!(record, Record::Signed { .. }));
        assert_eq!(signed.count(), self.honest, "an attacker got a signature");
        let mut serials = Vec::new();
        for record in &journal {
            if let Record::Intent {
                act: Act::Certificate { serial, .. },
                ..
            } = record
            {
                assert_eq!(serial[0], SIGNER_ID);
                serials.push(serial);
            }
        }
        let count = serials.len();
        serials.sort();
        serials.dedup();
        assert_eq!(serials.len(), count, "a serial number twice");
    }

    /// What the signer said on its console's machine.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default()
    }

    /// Says that the log is archived, as far as it went when this session began.
    pub(crate) fn archive(&mut self) {
        let archived = self.host.greeting.as_ref().unwrap().log;
        let reply = self.host.ask(Operation::AckLog { archived });
        assert_eq!(reply.outcome, Outcome::Done);
    }

    /// The file of a request for a certificate, made by openssl with a key of these options.
    pub(crate) fn openssl_csr(&self, key: &[&str]) -> Vec<u8> {
        let path = self.directory.path();
        common::openssl(path, &[&["genpkey", "-out", "any.key"], key].concat());
        let request = ["req", "-new", "-key", "any.key", "-subj", "/CN=any"];
        common::openssl(
            path,
            &[&request[..], &["-outform", "DER", "-out", "any.csr"]].concat(),
        );
        fs::read(path.join("any.csr")).unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the signer.
fn run(directory: &Path) -> Child {
    let mut stderr = fs::OpenOptions::new();
    let stderr = stderr.create(true).append(true);
    Command::new(SIGNER)
        .args(["run", "--die-with-parent", "--config"])
        .arg(directory.join("signer.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr.open(directory.join("stderr")).unwrap())
        .spawn()
        .unwrap()
}

/// As if it had been a standby once: promotion epochs below its own exist.
fn promote(journal: &Path) {
    let mut log = open(journal, |_| ());
    log.record(&Record::Promoted {
        time: now().unix(),
        epoch: PROMOTION_EPOCH,
    })
    .unwrap();
}

fn open(journal: &Path, mut each: impl FnMut(Record)) -> Log {
    loop {
        match Log::open(journal, |_, record| each(record)) {
            // A program that another test starts shares our open files until it replaces itself.
            Err(LogError::Journal(JournalError::InUse(_))) => thread::yield_now(),
            log => return log.unwrap(),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            fs::set_permissions(&target, entry.metadata().unwrap().permissions()).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
