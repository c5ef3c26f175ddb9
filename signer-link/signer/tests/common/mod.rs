//! A small CA for tests: a P-384 root and a P-256 subordinate in an encrypted store that is cheap to open.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use hierarchy::Hierarchy;
use keystore::{Cost, EncryptedStore, SecretString, SigningKey};
use pki::certificate_builder::{GeneralName, TbsCertificate};
use pki::crl::build::{CrlContents, CrlEntry};
use pki::name_rules::{AttributeKind, IdnPolicy, SubjectAttribute};
use pki::profile::{CertifiedNames, Profile, ProfileDocument, RuleSet, StatusUrls};
use pki::{
    Certificate, CrlNumber, Extension, KeyKind, ManualClock, Name, Serial, SignatureAlgorithm,
    Time, der_encode,
};
use signer::ca_certificate::{self, Signer};
use signer::engine::Engine;
use signer::journal::{Journal, JournalError};
use signer::journal_record::Record;
use signer::keyring::{Keyring, save_certificate};
use signer::policy::Policy;
use signer::state::State;
use tempfile::TempDir;
use wire::{IssueCertificate, Operation, Outcome, Reply, Request, RequestId, SignCrl};

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
            Journal::create(
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
        }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.directory.path().join("journal")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    /// The engine as it is after a start.
    pub(crate) fn engine(&self) -> Engine {
        self.engine_with(policy())
    }

    pub(crate) fn engine_with(&self, policy: Policy) -> Engine {
        let store = EncryptedStore::open(&self.keys(), &SecretString::from(PASSPHRASE)).unwrap();
        let (journal, state) = loop {
            let mut state = State::default();
            match Journal::open(&self.journal(), |entry, record| state.replay(entry, record)) {
                Ok(journal) => break (journal, state),
                // A program that another test starts shares our open files until it replaces itself.
                Err(JournalError::InUse(_)) => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        };
        let engine = Engine::new(
            Keyring::new(store),
            journal,
            state,
            policy,
            Arc::new(self.clock.clone()),
        );
        engine.refresh_keys().unwrap();
        engine
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
            serial: Serial::random().unwrap(),
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
            csr: Some(self.csr.clone()),
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

/// A CRL to be signed by `member`.
pub(crate) fn crl(
    ca: &Certificate,
    number: u64,
    this_update: Time,
    entries: &[CrlEntry],
) -> SignCrl {
    let number = CrlNumber::from(number);
    let next_update = this_update.plus_seconds(7 * 86_400);
    let tbs = CrlContents {
        issuer: ca.subject(),
        authority_key_id: &ca.key_id(),
        number: &number,
        this_update,
        next_update,
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        scope: pki::crl::verify::Scope::Complete,
        freshest: None,
    }
    .tbs(entries.iter().copied());
    SignCrl {
        issuer: "member".to_owned(),
        number,
        this_update,
        next_update,
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        tbs,
    }
}

pub(crate) fn issue(engine: &Engine, id: u8, request: IssueCertificate) -> Reply {
    ask(engine, id, Operation::IssueCertificate(request))
}

pub(crate) fn ask(engine: &Engine, id: u8, operation: Operation) -> Reply {
    engine
        .handle(Request {
            id: RequestId([id; 16]),
            operation,
        })
        .unwrap()
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
