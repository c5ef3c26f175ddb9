//! A CA made by openssl, a ledger, and a presigner over them whose clock the test moves.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use issuance::Signer;
use keystore::SigningKey;
use ledger::{
    ChangeKind, Ground, ImportedCertificate, ImportedStatus, Issuer, IssuerPolicy, Ledger, Origin,
    RevocationRequest,
};
use ocsp_presigner::{
    Backends, Inbox, IssuedHere, Metrics, Progress, PublicationKey, Shared, SignPool, Worker,
};
use pki::ocsp::response::CertStatus;
use pki::ocsp::verify::{Expected, Rules, violations};
use pki::profile::RuleSet;
use pki::{
    Certificate, Clock, HashAlgorithm, KeyKind, ManualClock, RevocationReason, Serial, SystemClock,
    Time,
};
use signer_client::{IssueCertificate, RefusalCode, SignerError};
use telemetry::Health;

pub(crate) const HASHES: [HashAlgorithm; 2] = [HashAlgorithm::Sha1, HashAlgorithm::Sha256];

/// Everything a presigner works with.
pub(crate) struct World {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) ledger: Ledger,
    pub(crate) shared: Arc<Shared>,
    pub(crate) health: Health,
    pub(crate) registry: prometheus::Registry,
    pub(crate) signer: StandIn,
}

/// A signer in this process that signs whatever it is asked.
#[derive(Clone, Debug)]
pub(crate) struct StandIn {
    keys: PathBuf,
    mood: Arc<Mutex<Mood>>,
    /// How many certificates it was asked for.
    asked: Arc<AtomicUsize>,
}

/// What it does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mood {
    /// Signs.
    There,
    /// Cannot be asked.
    Away,
    /// Takes the request, and is gone before it answers.
    Dies,
    /// Refuses.
    Refuses,
}

impl StandIn {
    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Signer for StandIn {
    async fn issue_certificate(
        &self,
        _: [u8; 16],
        request: IssueCertificate,
    ) -> Result<Vec<u8>, SignerError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match *self.mood.lock().unwrap() {
            Mood::There => {}
            Mood::Away | Mood::Dies => {
                return Err(SignerError::Unavailable("away".to_owned()));
            }
            Mood::Refuses => {
                return Err(SignerError::Refused {
                    code: RefusalCode::Policy,
                    field: "tbs.validity.notBefore".to_owned(),
                    message: "not ahead".to_owned(),
                    above: None,
                });
            }
        }
        let path = self.keys.join(format!("{}.key", request.issuer));
        let key = SigningKey::load_plain(&path).unwrap();
        Ok(key.sign(request.signature_algorithm, &request.tbs).unwrap())
    }

    async fn signer_id(&self) -> Result<u8, SignerError> {
        match *self.mood.lock().unwrap() {
            Mood::Away => Err(SignerError::Unavailable("away".to_owned())),
            _ => Ok(1),
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Backends::default()).await
    }

    pub(crate) async fn with(backends: Backends) -> Self {
        Self::under(RuleSet::Community, backends).await
    }

    pub(crate) async fn under(rule_set: RuleSet, backends: Backends) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Openssl's certificates begin now, and its judgement of responses is about now.
        let clock = ManualClock::new(SystemClock.now().plus_seconds(1));
        let shared_clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let ledger = Ledger::open(
            &directory.path().join("ledger.sqlite"),
            Arc::clone(&shared_clock),
        )
        .await
        .unwrap();
        let registry = prometheus::Registry::new();
        let health = Health::new();
        let signer = StandIn {
            keys: directory.path().to_owned(),
            mood: Arc::new(Mutex::new(Mood::There)),
            asked: Arc::default(),
        };
        let key = SigningKey::generate(KeyKind::Ed25519).unwrap();
        let shared = Shared {
            ledger: ledger.clone(),
            pool: SignPool::start(0, Arc::clone(&shared_clock)).unwrap(),
            backends,
            clock: Arc::clone(&shared_clock),
            certifier: Arc::new(IssuedHere::by(ledger.clone(), signer.clone(), shared_clock)),
            rule_set,
            keys: directory.path().join("keys"),
            publication: directory.path().join("publication"),
            publication_key: Arc::new(PublicationKey::new(key).unwrap()),
            metrics: Metrics::new(&registry).unwrap(),
            health: health.clone(),
            progress: Progress::default(),
            standings: Arc::default(),
        };
        Self {
            directory,
            clock,
            ledger,
            shared: Arc::new(shared),
            health,
            registry,
            signer,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Makes a CA; `key` in the words of `openssl genpkey`.
    pub(crate) async fn add_issuer(
        &self,
        name: &str,
        key: &str,
        signs: bool,
        policy: IssuerPolicy,
    ) -> Certificate {
        openssl(
            self.path(),
            &format!("genpkey -out {name}.key -algorithm {key}"),
        );
        openssl(
            self.path(),
            &format!(
                "req -x509 -key {name}.key -out {name}.pem -days 3650 -subj /C=CH/O=Test/CN={name} -addext \
                 keyUsage=critical,keyCertSign,cRLSign"
            ),
        );
        let certificate = self.certificate(&format!("{name}.pem"));
        // On a busy machine making a key takes its time, and nothing may be signed before the CA begins.
        let begun = certificate.not_before().plus_seconds(1);
        if self.now() < begun {
            self.clock.set(begun);
        }
        let issuer = Issuer {
            name: name.to_owned(),
            certificate: certificate.der().to_vec(),
            chain: Vec::new(),
            origin: if signs { Origin::Own } else { Origin::Imported },
            signs,
            ocsp_paths: vec!["/old".to_owned()],
            crl_paths: Vec::new(),
            certificate_paths: Vec::new(),
            policy,
        };
        self.ledger.add_issuer(issuer, "test").await.unwrap();
        certificate
    }

    pub(crate) fn certificate(&self, file: &str) -> Certificate {
        Certificate::from_pem(&fs::read_to_string(self.path().join(file)).unwrap()).unwrap()
    }

    /// Certificates numbered `numbers`; every tenth is revoked.
    pub(crate) async fn import(
        &self,
        issuer: &str,
        numbers: std::ops::Range<u64>,
        not_after: Option<Time>,
    ) {
        let batch: Vec<_> = numbers
            .map(|number| ImportedCertificate {
                serial: serial(number),
                not_after,
                subject: None,
                certificate: None,
                status: if number % 10 == 0 {
                    ImportedStatus::Revoked {
                        time: self.now().plus_seconds(-100),
                        reason: RevocationReason::Superseded,
                        invalidity_date: None,
                    }
                } else {
                    ImportedStatus::Good
                },
            })
            .collect();
        self.ledger
            .import_certificates(issuer, &batch, "test")
            .await
            .unwrap();
    }

    pub(crate) async fn revoke(&self, issuer: &str, serial: Serial) {
        let request = RevocationRequest {
            issuer: issuer.to_owned(),
            serial,
            actor: "test".to_owned(),
            ground: Ground::Subscriber,
            case: None,
            reason: RevocationReason::KeyCompromise,
            invalidity_date: None,
        };
        self.ledger.revoke(&request).await.unwrap();
    }

    pub(crate) async fn worker(&self, issuer: &str) -> (Worker, Arc<Inbox>) {
        let inbox = Arc::new(Inbox::new(self.ledger.head().await.unwrap()));
        let issuer = self.ledger.issuer(issuer).await.unwrap().unwrap();
        let worker = Worker::open(Arc::clone(&self.shared), issuer, Arc::clone(&inbox))
            .await
            .unwrap();
        (worker, inbox)
    }

    /// Brings everything after `cursor` into the inbox.
    pub(crate) async fn feed(&self, inbox: &Inbox, cursor: &mut u64) {
        for change in self.ledger.changes_after(*cursor, 1_000_000).await.unwrap() {
            inbox.put(change.kind, change.serial);
            *cursor = change.seq;
        }
        inbox.read_up_to(*cursor);
    }

    /// Counted since the start of this world.
    pub(crate) fn signatures(&self, issuer: &str) -> u64 {
        self.shared
            .metrics
            .signatures
            .with_label_values(&[issuer])
            .get()
    }
}

/// The usual policy with no responder certificates in stock, whose answers would be counted with the others.
pub(crate) fn none_ahead() -> IssuerPolicy {
    let mut policy = IssuerPolicy::default();
    policy.ocsp.responder_ahead_days = Some(0);
    policy
}

pub(crate) fn serial(number: u64) -> Serial {
    Serial::from_be_bytes(&number.to_be_bytes()).unwrap()
}

/// What openssl makes of the published answer: `good` or `revoked`.
pub(crate) fn openssl_says(
    world: &World,
    worker: &Worker,
    issuer: &str,
    serial: Serial,
    hash: HashAlgorithm,
) -> String {
    let answer = worker.published().view().get(serial.as_bytes()).unwrap();
    let answer = answer.unwrap();
    fs::write(
        world.path().join("response.der"),
        answer.response(hash).unwrap(),
    )
    .unwrap();
    let option = if hash == HashAlgorithm::Sha1 {
        "-sha1"
    } else {
        "-sha256"
    };
    // It judges certificates at a time of our choice and answers by its own clock, which differs from the world's.
    let moved = SystemClock.now().seconds_until(world.now()).abs();
    let said = openssl(
        world.path(),
        &format!(
            "ocsp {option} -issuer {issuer}.pem -serial 0x{serial} -respin response.der -CAfile {issuer}.pem -no_nonce \
             -attime {} -validity_period {}",
            world.now().unix(),
            300 + moved
        ),
    );
    assert!(said.contains("Response verify OK"), "{said}");
    let line = said.lines().find(|line| line.starts_with("0x")).unwrap();
    line.split(": ").nth(1).unwrap().to_owned()
}

/// Every answer that the ledger wants is there, says what the ledger says, may be served now, and passes the verifier.
pub(crate) async fn assert_complete(
    world: &World,
    worker: &Worker,
    issuer: &str,
    ca: &Certificate,
) {
    let now = world.now();
    let rows = world
        .ledger
        .statuses(issuer, None, 1_000_000)
        .await
        .unwrap();
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|row| row.not_after.is_none_or(|end| end >= now))
        .collect();
    let view = worker.published().view();
    assert_eq!(all_answers(view).count(), rows.len());
    assert_eq!(view.totals().all(), rows.len() as u64);
    for (row, answer) in rows.iter().zip(all_answers(view)) {
        assert_eq!(row.serial, answer.serial());
        let said = match row.revoked {
            None => CertStatus::Good,
            Some((time, RevocationReason::Unspecified)) => {
                CertStatus::Revoked { time, reason: None }
            }
            Some((time, reason)) => CertStatus::Revoked {
                time,
                reason: Some(reason),
            },
        };
        assert_eq!(said, answer.status());
        assert!(answer.is_current(now), "{now} {answer:?}");
    }
    for answer in all_answers(view).step_by(1 + rows.len() / 20) {
        for hash in HASHES {
            let expected = Expected {
                ca,
                hash,
                serial: &answer.serial(),
                now,
                status: Some(answer.status()),
                rules: Rules::default(),
            };
            assert_eq!(
                violations(&answer.response(hash).unwrap(), &expected).unwrap(),
                []
            );
        }
    }
}

/// Everything published, by ascending serial number.
pub(crate) fn all_answers(view: &answers::Layered) -> impl Iterator<Item = answers::Answer<'_>> {
    let answers = view.answers_after(None).unwrap();
    answers.map(|answer| answer.unwrap())
}

pub(crate) fn put_issued(inbox: &Inbox, serial: Serial) {
    inbox.put(ChangeKind::Issued, Some(serial));
}

pub(crate) fn openssl(directory: &Path, arguments: &str) -> String {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "openssl {arguments}: {said}");
    said
}
