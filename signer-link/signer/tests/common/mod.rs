//! A small CA for tests: a P-384 root and a P-256 subordinate in an encrypted store that is cheap to open.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod openpgp;
pub(crate) mod pty;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use hierarchy::Hierarchy;
use journal::{DiskFile, JournalError, Storage};
use keystore::{Cost, EncryptedStore, SecretString, SigningKey};
use pki::certificate_builder::{GeneralName, TbsCertificate};
use pki::crl::build::{CrlContents, CrlEntry};
use pki::name_rules::{AttributeKind, IdnPolicy, SubjectAttribute};
use pki::profile::{CertifiedNames, Profile, ProfileDocument, RuleSet, StatusUrls};
use pki::{
    Certificate, Clock as _, CrlNumber, Extension, KeyKind, ManualClock, Name, Serial,
    SignatureAlgorithm, Time, der_encode,
};
use signer::ca::Ca;
use signer::ca_certificate::{self, Signer};
use signer::clock::SignerClock;
use signer::core::{Core, CoreError, Opening, Rules};
use signer::journal_record::Record;
use signer::keyring::{Keyring, load_pgp, save_certificate};
use signer::keys::{Keys, KeysGone};
use signer::log::{Log, LogError};
use signer::memory::Memory;
use signer::pgp::key::PgpKey;
use signer::policy::Policy;
use signer::settings::Limits;
use tempfile::TempDir;
use wire::{
    Added, CrlScope, CsrAroundKey, FromHost, FromSigner, Hello, IssueCertificate, ListChange,
    Operation, Outcome, Receipt, Reply, Request, RequestId, Revocation, Revoke, SerialOctets,
    SignCrl,
};

pub(crate) const SIGNER: &str = env!("CARGO_BIN_EXE_signer");

pub(crate) const PASSPHRASE: &str = "test passphrase";

/// Noon of a day in 2026.
pub(crate) fn noon() -> Time {
    Time::from_unix(1_795_262_400)
}

pub(crate) struct Fixture {
    pub(crate) directory: TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) root: Certificate,
    pub(crate) member: Certificate,
    /// What serial numbers begin with.
    pub(crate) signer_id: u8,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::at(noon())
    }

    /// With CA certificates made the day before `now`.
    pub(crate) fn at(now: Time) -> Self {
        let made = now.plus_seconds(-86_400);
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(now);
        let hierarchy = Hierarchy::from_toml(hierarchy::EC).unwrap();
        let keys = directory.path().join("keys");
        let cost = Cost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        };
        let store =
            EncryptedStore::create_with(&keys, &SecretString::from(PASSPHRASE), cost).unwrap();
        let (root_ca, member_ca) = (
            hierarchy.ca("root").unwrap(),
            hierarchy.ca("member").unwrap(),
        );
        let root_key = SigningKey::generate(KeyKind::P384).unwrap();
        let member_key = SigningKey::generate(KeyKind::P256).unwrap();
        let make = |ca, key: &SigningKey, certificate: Option<&Certificate>| {
            let signer = Signer {
                ca: root_ca,
                key: &root_key,
                certificate,
            };
            ca_certificate::make(ca, key.public_key(), &signer, &hierarchy.base_url, made).unwrap()
        };
        let root = make(root_ca, &root_key, None);
        let member = make(member_ca, &member_key, Some(&root));
        for (name, key, certificate) in
            [("root", &root_key, &root), ("member", &member_key, &member)]
        {
            save_certificate(&keys, name, certificate).unwrap();
            store.insert(name, key).unwrap();
        }
        drop(
            Log::create(
                &directory.path().join("journal"),
                &Record::Created { time: made.unix() },
            )
            .unwrap(),
        );
        Self {
            directory,
            clock,
            root,
            member,
            signer_id: SIGNER_ID,
        }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.directory.path().join("journal")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    /// The signer after a start: unlocked, active, in a session with the host.
    pub(crate) fn bench(&self) -> Bench {
        self.bench_with(policy(), Limits::default())
    }

    pub(crate) fn bench_with(&self, policy: Policy, limits: Limits) -> Bench {
        let mut bench = self.sealed(policy, limits);
        bench.make_active();
        bench
    }

    /// The signer after a start, with its keys not open.
    pub(crate) fn sealed(&self, policy: Policy, limits: Limits) -> Bench {
        let (log, memory) = loop {
            let mut memory = Memory::default();
            let log = Log::open(&self.journal(), |receipt, record| {
                memory.replay(receipt, record);
            });
            match log {
                Ok(log) => break (log, memory),
                // A program that another test starts shares our open files until it replaces itself.
                Err(LogError::Journal(JournalError::InUse(_))) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        self.sealed_on((log, memory), policy, limits)
    }

    /// The same over a journal that is open.
    pub(crate) fn sealed_on<S: Storage>(
        &self,
        journal: (Log<S>, Memory),
        policy: Policy,
        limits: Limits,
    ) -> Bench<S> {
        let keys = InProcess {
            store: self.keys(),
            keyring: None,
            cas: Vec::new(),
            pgp_store: None,
            pgp: Vec::new(),
        };
        let clock = SignerClock::confirmed(self.clock.now(), 0);
        let rules = Rules {
            policy,
            limits,
            signer_id: self.signer_id,
        };
        let core = Core::start(keys, journal, rules, clock, 0).unwrap();
        Bench {
            core,
            now: 0,
            clock: self.clock.clone(),
        }
    }
}

/// What the serial numbers begin with.
pub(crate) const SIGNER_ID: u8 = 1;

/// The keys in this process.
#[derive(Debug)]
pub(crate) struct InProcess {
    store: PathBuf,
    keyring: Option<Keyring>,
    cas: Vec<Ca>,
    pgp_store: Option<EncryptedStore>,
    pgp: Vec<PgpKey>,
}

impl Keys for InProcess {
    fn cas(&self) -> &[Ca] {
        &self.cas
    }

    fn reload(&mut self) -> Result<Vec<(String, String)>, KeysGone> {
        let keyring = self.keyring.get_or_insert_with(|| {
            let passphrase = SecretString::from(PASSPHRASE);
            Keyring::new(EncryptedStore::open(&self.store, &passphrase).unwrap())
        });
        let refreshed = keyring.refresh().unwrap();
        let ca = |issuer: &Arc<signer::issuer::Issuer>| Ca {
            name: issuer.name().to_owned(),
            certificate: issuer.certificate().clone(),
            key_kind: issuer.key().kind(),
        };
        self.cas = keyring.issuers().iter().map(ca).collect();
        let store = self.pgp_store.get_or_insert_with(|| {
            EncryptedStore::open(&self.store, &SecretString::from(PASSPHRASE)).unwrap()
        });
        let names = store.names().unwrap().into_iter();
        let pgp = names.filter_map(|name| {
            let (key, transferable) = load_pgp(store, &name).unwrap()?;
            Some(PgpKey::read(&name, key.public_key(), transferable).unwrap())
        });
        self.pgp = pgp.collect();
        Ok(refreshed.faulty)
    }

    fn pgp_keys(&self) -> &[PgpKey] {
        &self.pgp
    }

    fn sign(
        &mut self,
        ca: &str,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeysGone> {
        if let (Some(_), Some(store)) = (self.pgp_key(ca), &self.pgp_store) {
            let signed = store.get(ca).unwrap().sign(algorithm, message);
            return signed.map_err(|error| KeysGone(error.to_string()));
        }
        let issuer = self
            .keyring
            .as_ref()
            .and_then(|keyring| keyring.issuer(ca))
            .ok_or_else(|| KeysGone("wiped".to_owned()))?;
        issuer
            .key()
            .sign(algorithm, message)
            .map_err(|error| KeysGone(error.to_string()))
    }

    fn wipe(&mut self) {
        self.keyring = None;
        self.cas.clear();
        self.pgp_store = None;
        self.pgp.clear();
    }
}

/// A signer, and the host as far as it asks.
pub(crate) struct Bench<S: Storage = DiskFile> {
    pub(crate) core: Core<S, InProcess>,
    /// Milliseconds of the monotonic clock.
    pub(crate) now: u64,
    clock: ManualClock,
}

impl<S: Storage> Bench<S> {
    /// Unlocked, promoted if nobody was, and in a session.
    pub(crate) fn make_active(&mut self) {
        self.unlock();
        if self.core.memory().is_standby() {
            self.core.promote(0).unwrap();
        }
        self.greet();
    }

    pub(crate) fn mode(&self) -> wire::Mode {
        self.core.mode(self.now).0
    }

    /// Time passes, for the host and for the signer.
    pub(crate) fn pass(&mut self, seconds: u32) {
        self.clock.advance(i64::from(seconds));
        self.now += u64::from(seconds) * 1_000;
        self.core.tick(self.now);
    }

    pub(crate) fn unlock(&mut self) {
        self.try_unlock().unwrap();
    }

    pub(crate) fn try_unlock(&mut self) -> Result<(), CoreError> {
        let opening = Opening {
            holders: vec!["tests".to_owned()],
            executable: [0; 32],
            time: self.clock.now(),
        };
        self.core.unlock(&opening, self.now)
    }

    /// A new session, with a host that has archived all of the log.
    pub(crate) fn greet(&mut self) {
        let FromSigner::Hello(hello) = self.core.link_up(self.now) else {
            panic!("no hello");
        };
        self.greet_with(hello.log, hello.epoch);
        self.ping(self.clock.now());
    }

    pub(crate) fn greet_with(&mut self, log: Receipt, epoch: u32) {
        let hello = FromHost::Hello(Hello {
            protocol: wire::PROTOCOL_VERSION,
            build: "test".to_owned(),
            signer_id: 0,
            boot: 1,
            log,
            policy: [0; 32],
            time: self.clock.now(),
            mode: None,
            epoch,
        });
        let answers = self.core.receive(&[hello.encode().unwrap()], self.now);
        assert!(answers.is_empty());
    }

    /// A session with a host that has archived nothing.
    pub(crate) fn greet_with_nothing(&mut self) {
        self.core.link_up(self.now);
        let nothing = Receipt {
            sequence: 0,
            head: [0; 32],
        };
        self.greet_with(nothing, 0);
    }

    pub(crate) fn ping(&mut self, time: Time) -> wire::Status {
        match self.ask(0xff, Operation::Ping { time }).outcome {
            Outcome::Pong(status) => status,
            other => panic!("no pong: {other:?}"),
        }
    }

    pub(crate) fn issue(&mut self, id: u8, request: IssueCertificate) -> Reply {
        self.ask(id, Operation::IssueCertificate(request))
    }

    pub(crate) fn ask(&mut self, id: u8, operation: Operation) -> Reply {
        let mut replies = self.ask_all(vec![(id, operation)]);
        assert_eq!(replies.len(), 1);
        replies.remove(0)
    }

    /// Requests that come together.
    pub(crate) fn ask_all(&mut self, operations: Vec<(u8, Operation)>) -> Vec<Reply> {
        let request = |(id, operation)| {
            FromHost::Request(Request {
                id: RequestId([id; 16]),
                operation,
            })
        };
        let messages: Vec<_> = operations
            .into_iter()
            .map(|one| request(one).encode().unwrap())
            .collect();
        let answers = self.core.receive(&messages, self.now);
        let reply = |answer| match answer {
            FromSigner::Reply(reply) => reply,
            FromSigner::Hello(_) => panic!("a hello"),
        };
        answers.into_iter().map(reply).collect()
    }
}

pub(crate) fn profiles_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../issuer/profiles")
}

pub(crate) fn policy() -> Policy {
    Policy::load(
        &profiles_directory(),
        RuleSet::Community,
        IdnPolicy::default(),
    )
    .unwrap()
    .with_base_url(Some("http://127.0.0.1:8080".parse().unwrap()))
}

pub(crate) fn profile(name: &str) -> Profile {
    let path = profiles_directory().join(format!("{name}.toml"));
    let document: ProfileDocument = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    document.select(RuleSet::Community).unwrap()
}

/// A certificate to be signed, in parts that a test can change.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) serial: Serial,
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) issuer: Name,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    pub(crate) subject: Vec<SubjectAttribute>,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) csr: Vec<u8>,
    pub(crate) extensions: Vec<Extension>,
}

impl Leaf {
    /// A server's.
    pub(crate) fn new(ca: &Certificate) -> Self {
        Self::named(ca, "www.example.org")
    }

    pub(crate) fn named(ca: &Certificate, host: &str) -> Self {
        let key = Arc::new(SigningKey::generate(KeyKind::P256).unwrap());
        let names = [GeneralName::Dns(host.to_owned())];
        let names = CertifiedNames {
            alt_names: &names,
            subject_is_empty: false,
        };
        let urls = StatusUrls::new("http://127.0.0.1:8080", "member");
        Self {
            serial: Serial::random_of_signer(SIGNER_ID).unwrap(),
            algorithm: SignatureAlgorithm::EcdsaSha256,
            issuer: ca.subject().clone(),
            not_before: noon().plus_seconds(-300),
            not_after: noon().plus_seconds(-300 + 90 * 86_400 - 1),
            subject: vec![SubjectAttribute::new(AttributeKind::CommonName, host).unwrap()],
            extensions: profile("server")
                .extensions_for(ca, key.public_key(), names, &urls)
                .unwrap(),
            csr: csr(&key),
            key,
        }
    }

    pub(crate) fn tbs(&self) -> Vec<u8> {
        TbsCertificate {
            serial: self.serial,
            signature_algorithm: self.algorithm,
            issuer: &self.issuer,
            not_before: self.not_before,
            not_after: self.not_after,
            subject: &self.subject,
            public_key: self.key.public_key(),
            extensions: &self.extensions,
        }
        .to_der()
    }

    pub(crate) fn request(&self) -> IssueCertificate {
        IssueCertificate {
            issuer: "member".to_owned(),
            profile: "server".to_owned(),
            signature_algorithm: self.algorithm,
            tbs: self.tbs(),
            csr: Some(CsrAroundKey::cut(
                &self.csr,
                self.key.public_key().spki_der(),
            )),
            evidence: None,
        }
    }
}

/// The smallest certification request.
pub(crate) fn csr(key: &SigningKey) -> Vec<u8> {
    let info = der_encode::sequence(&[
        &der_encode::integer(&[]),
        &der_encode::sequence(&[]),
        key.public_key().spki_der(),
        &der_encode::tlv(0xa0, &[]),
    ]);
    let algorithm = SignatureAlgorithm::for_key(key.kind(), key.kind().default_hash()).unwrap();
    let signature = key.sign(algorithm, &info).unwrap();
    der_encode::sequence(&[
        &info,
        algorithm.algorithm_identifier(),
        &der_encode::bit_string(&signature),
    ])
}

/// A CRL to be signed by `member`, with these entries, which the signer was told of.
pub(crate) fn crl(
    ca: &Certificate,
    number: u64,
    this_update: Time,
    entries: &[CrlEntry],
) -> SignCrl {
    crl_of(
        ca,
        number,
        this_update,
        entries,
        pki::crl::verify::Scope::Complete,
    )
}

pub(crate) fn crl_of(
    ca: &Certificate,
    number: u64,
    this_update: Time,
    entries: &[CrlEntry],
    scope: pki::crl::verify::Scope<'_>,
) -> SignCrl {
    let number = CrlNumber::from(number);
    let next_update = this_update.plus_seconds(7 * 86_400);
    let mut encoded = Vec::new();
    for entry in entries {
        pki::crl::build::append_entry(&mut encoded, entry);
    }
    let (before, after) = CrlContents {
        issuer: ca.subject(),
        authority_key_id: &ca.key_id(),
        number: &number,
        this_update,
        next_update,
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        scope,
        freshest: None,
    }
    .around(encoded.len());
    let tbs = [before.as_slice(), &encoded, &after].concat();
    SignCrl {
        issuer: "member".to_owned(),
        scope: match scope {
            pki::crl::verify::Scope::Complete => CrlScope::Complete,
            pki::crl::verify::Scope::Delta { .. } => CrlScope::Delta,
            pki::crl::verify::Scope::Partition { uri } => CrlScope::Partition(uri.to_owned()),
        },
        number,
        this_update,
        next_update,
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        before,
        entries: ListChange {
            from: None,
            added: Added::All,
            removed: Vec::new(),
        },
        after,
        tbs_hash: signer::journal_record::hash(&tbs),
    }
}

/// The TBSCertList of a request for a complete CRL.
pub(crate) fn tbs_of(request: &SignCrl, entries: &[CrlEntry]) -> Vec<u8> {
    let mut tbs = request.before.clone();
    for entry in entries {
        pki::crl::build::append_entry(&mut tbs, entry);
    }
    tbs.extend_from_slice(&request.after);
    tbs
}

/// Revocations by the subscribers of `member`, of certificates that end at `not_after`.
pub(crate) fn revoke(entries: &[CrlEntry], not_after: Option<Time>) -> Operation {
    let revocation = |entry: &CrlEntry| Revocation {
        serial: SerialOctets(entry.serial.as_bytes().to_vec()),
        date: entry.revocation_date,
        reason: entry.reason.map_or(0, pki::RevocationReason::code),
        not_after,
        invalidity_date: entry.invalidity_date,
    };
    Operation::Revoke(Revoke {
        issuer: "member".to_owned(),
        actor: "somebody".to_owned(),
        ground: "subscriber".to_owned(),
        case: None,
        revocations: entries.iter().map(revocation).collect(),
    })
}

pub(crate) fn signature(reply: &Reply) -> Vec<u8> {
    match &reply.outcome {
        Outcome::Signed { signature } => signature.clone(),
        other => panic!("not signed: {other:?}"),
    }
}

pub(crate) fn refusal(reply: &Reply) -> wire::Refused {
    match &reply.outcome {
        Outcome::Refused(refused) => refused.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn openssl(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "openssl {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn signer(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(SIGNER)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
pub(crate) fn failed(output: &Output, code: i32, says: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(says), "{stderr}");
}
