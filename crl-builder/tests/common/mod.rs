//! A CA made by openssl, a ledger, a publication and a signer that does as it is told.
#![allow(dead_code)] // Each test file uses its own part.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crl_builder::{Metrics, PublicationKey, Shared, Signer, follow};
use keystore::SigningKey;
use ledger::{
    CrlAllowance, CrlPolicy, Ground, ImportedCertificate, ImportedStatus, Issuer, IssuerPolicy,
    IssuerUpdate, Ledger, LedgerError, Operator, Origin, Reservation, RevocationRequest,
};
use pki::crl::Crl;
use pki::{
    Certificate, Clock, KeyKind, ManualClock, RevocationReason, Serial, SignatureAlgorithm, Time,
};
use publication::{Directory, Manifest, Publisher, Trust};
use signer::lists::List;
use signer::memory::Authority;
use signer::revoked::Known;
use signer_client::{RefusalCode, Revocation, Revoke, SignCrl, SignerError};
use telemetry::{Health, Readiness, Stopper};
use tokio::task::JoinHandle;

pub(crate) struct World {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) ledger: Ledger,
    ledger_directory: PathBuf,
    pub(crate) signer: FakeSigner,
    key: Arc<PublicationKey>,
}

/// A running builder.
pub(crate) struct Running {
    pub(crate) health: Health,
    pub(crate) registry: prometheus::Registry,
    stop: Stopper,
    task: JoinHandle<anyhow::Result<()>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // The certificates that openssl makes are valid from now on.
        let clock = ManualClock::new(pki::SystemClock.now().plus_seconds(600));
        let ledger = open_ledger(directory.path(), &clock).await;
        let key = SigningKey::generate(KeyKind::Ed25519).unwrap();
        Self {
            signer: FakeSigner::default(),
            key: Arc::new(PublicationKey::new(key).unwrap()),
            clock,
            ledger_directory: directory.path().to_owned(),
            directory,
            ledger,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Adds an issuer whose key the signer has.
    pub(crate) async fn add_signing(&self, name: &str) -> Certificate {
        let (certificate, key) = self.make_ca(name);
        self.signer.state().keys.push((name.to_owned(), key));
        self.add(name, &certificate, true).await;
        certificate
    }

    /// Adds an issuer whose key is elsewhere.
    pub(crate) async fn add_foreign(&self, name: &str) -> Certificate {
        let (certificate, _) = self.make_ca(name);
        self.add(name, &certificate, false).await;
        certificate
    }

    async fn add(&self, name: &str, certificate: &Certificate, signs: bool) {
        let issuer = Issuer {
            name: name.to_owned(),
            certificate: certificate.der().to_vec(),
            chain: vec![],
            origin: if signs { Origin::Own } else { Origin::Imported },
            signs,
            ocsp_paths: vec![],
            crl_paths: vec![format!("/old/{name}.crl")],
            certificate_paths: vec![format!("/old/{name}.crt")],
            policy: IssuerPolicy {
                crl: CrlPolicy {
                    min_interval_ms: 300,
                    ..CrlPolicy::default()
                },
                ..IssuerPolicy::default()
            },
        };
        self.ledger.add_issuer(issuer, "test").await.unwrap();
    }

    /// From now on it has deltas as well.
    pub(crate) async fn with_deltas(&self, issuer: &str) {
        let mut policy = self.ledger.issuer(issuer).await.unwrap().unwrap().policy;
        policy.crl.deltas = true;
        let update = IssuerUpdate {
            policy: Some(policy),
            ..IssuerUpdate::default()
        };
        let updated = self.ledger.update_issuer(issuer, update, "test").await;
        updated.unwrap();
    }

    fn make_ca(&self, name: &str) -> (Certificate, Arc<SigningKey>) {
        self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            &format!("/O=Test/CN={name}"),
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout",
            &format!("{name}.key"),
            "-out",
            &format!("{name}.pem"),
        ]);
        let read = |file: String| std::fs::read_to_string(self.path(&file)).unwrap();
        let key = SigningKey::from_pem(&read(format!("{name}.key"))).unwrap();
        let certificate = Certificate::from_pem(&read(format!("{name}.pem"))).unwrap();
        (certificate, Arc::new(key))
    }

    /// Does something to the ledger's database behind everybody's back.
    pub(crate) fn tamper(&self, statement: &str) {
        self.tampers(statement)();
    }

    /// What does that when it is called.
    pub(crate) fn tampers(&self, statement: &str) -> impl FnOnce() + Send + use<> {
        let script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db: db.executescript(sys.argv[2])";
        let mut command = Command::new("python3");
        command
            .args(["-c", script])
            .arg(self.database())
            .arg(statement);
        move || {
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
        }
    }

    /// Has certificates name a part of the CRL, as if they had been issued so.
    pub(crate) fn put_into_part(
        &self,
        issuer: &str,
        serials: impl IntoIterator<Item = u32>,
        uri: &str,
    ) {
        let issuer = format!("(SELECT id FROM issuer WHERE name = '{issuer}')");
        let serials = serials
            .into_iter()
            .map(|number| format!("x'04{}'", serial(number)));
        let serials: Vec<_> = serials.collect();
        self.tamper(&format!(
            "INSERT INTO crl_partition (issuer, uri) VALUES ({issuer}, '{uri}'); \
             UPDATE certificate SET crl_partition = (SELECT id FROM crl_partition WHERE uri = '{uri}') \
             WHERE issuer = {issuer} AND serial IN ({});",
            serials.join(", ")
        ));
    }

    fn database(&self) -> PathBuf {
        self.ledger_directory.join("ledger.sqlite")
    }

    /// A copy of the ledger as it is now.
    pub(crate) fn back_up(&self, name: &str) -> PathBuf {
        let copy = self.path(name);
        std::fs::create_dir(&copy).unwrap();
        let file = copy.join("ledger.sqlite");
        self.tamper(&format!("VACUUM INTO '{}'", file.display()));
        copy
    }

    /// Goes on with such a copy.
    pub(crate) async fn restore(&mut self, copy: PathBuf) {
        self.ledger = open_ledger(&copy, &self.clock).await;
        self.ledger_directory = copy;
    }

    pub(crate) async fn add_operator(&self, name: &str) -> SigningKey {
        let key = SigningKey::generate(KeyKind::Ed25519).unwrap();
        let operator = Operator {
            name: name.to_owned(),
            public_key: key.public_key().spki_der().to_vec(),
        };
        self.ledger.add_operator(&operator, "test").await.unwrap();
        key
    }

    /// An operator allows what was refused, signing with this key.
    pub(crate) async fn allow(
        &self,
        refusal: &str,
        operator: &str,
        key: &SigningKey,
    ) -> Result<usize, LedgerError> {
        let mut allowance = CrlAllowance {
            issuer: "member".to_owned(),
            refusal: refusal.to_owned(),
            operator: operator.to_owned(),
            why: "case 4711".to_owned(),
            time: self.clock.now(),
            signature: Vec::new(),
        };
        let statement = allowance.statement();
        allowance.signature = key
            .sign(SignatureAlgorithm::Ed25519, statement.as_bytes())
            .unwrap();
        self.ledger.allow_crl(&allowance).await
    }

    pub(crate) fn openssl(&self, arguments: &[&str]) -> String {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.directory)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "openssl {arguments:?}: {said}");
        said
    }

    /// Makes certificates known, valid for a year.
    pub(crate) async fn certify(&self, issuer: &str, serials: impl IntoIterator<Item = u32>) {
        let batch: Vec<_> = serials
            .into_iter()
            .map(|number| ImportedCertificate {
                serial: serial(number),
                not_after: Some(self.clock.now().plus_seconds(365 * 86_400)),
                subject: None,
                certificate: None,
                status: ImportedStatus::Good,
            })
            .collect();
        self.ledger
            .import_certificates(issuer, &batch, "test")
            .await
            .unwrap();
    }

    /// A certificate that names a part of the CRL is about to be signed.
    pub(crate) async fn reserve_in_part(&self, issuer: &str, uri: &str) {
        let reservation = Reservation {
            issuer: issuer.to_owned(),
            serial: serial(0),
            request_id: [7; 16],
            profile: "server".to_owned(),
            tbs: vec![0x30, 0],
            signature_algorithm: "ecdsa-sha256".to_owned(),
            csr: None,
            not_after: self.clock.now().plus_seconds(86_400),
            spki_sha256: [7; 32],
            crl_partition: Some(uri.to_owned()),
            evidence_sha256: None,
            actor: "test".to_owned(),
        };
        self.ledger.reserve_serial(&reservation).await.unwrap();
    }

    pub(crate) async fn revoke(&self, issuer: &str, number: u32) {
        let request = RevocationRequest {
            issuer: issuer.to_owned(),
            serial: serial(number),
            actor: "test".to_owned(),
            ground: Ground::Subscriber,
            case: None,
            reason: RevocationReason::KeyCompromise,
            invalidity_date: None,
        };
        self.ledger.revoke(&request).await.unwrap();
    }

    /// A publisher with the key that the builder has.
    pub(crate) fn publisher(&self, channel: &str) -> Publisher {
        let clock = Arc::new(self.clock.clone());
        let (public_key, signer) = (self.key.public(), self.key.signer());
        Publisher::open(self.path("publication"), channel, public_key, signer, clock).unwrap()
    }

    pub(crate) fn start(&self) -> Running {
        let registry = prometheus::Registry::new();
        let health = Health::new();
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let shared = Shared {
            accept_sha1: false,
            base_url: Some("http://status.example".parse().unwrap()),
            clock: Arc::clone(&clock),
            health: health.clone(),
            imported: self.path("imported"),
            ledger: self.ledger.clone(),
            metrics: Metrics::new(&registry, clock).unwrap(),
            ocsp_trust: Some(Trust {
                prefix: "ocsp/".to_owned(),
                public_key: self.key.public(),
            }),
            publication: self.path("publication"),
            publication_key: Arc::clone(&self.key),
            signer: self.signer.clone(),
        };
        let stop = Stopper::new();
        let task = tokio::spawn(follow(Arc::new(shared), stop.clone()));
        Running {
            health,
            registry,
            stop,
            task,
        }
    }

    pub(crate) fn manifest(&self, issuer: &str) -> Option<Manifest> {
        let trust = Trust {
            prefix: "crl/".to_owned(),
            public_key: self.key.public(),
        };
        self.directory_store()
            .manifest(&format!("crl/{issuer}"), &[trust])
            .ok()
            .flatten()
    }

    pub(crate) fn crl(&self, issuer: &str) -> Option<Crl> {
        let manifest = self.manifest(issuer)?;
        let der = self
            .directory_store()
            .object(&manifest.channel, manifest.object("crl")?)
            .ok()?;
        Some(Crl::from_der(&der).unwrap())
    }

    /// The published part at this URI.
    pub(crate) fn part(&self, issuer: &str, uri: &str) -> Option<Crl> {
        let manifest = self.manifest(issuer)?;
        let mut parts = manifest.objects_of("crl-partition");
        let part = parts.find(|part| part.details.get("uri").is_some_and(|of| of == uri))?;
        let der = self.directory_store().object(&manifest.channel, part);
        Some(Crl::from_der(&der.ok()?).unwrap())
    }

    pub(crate) fn number(&self, issuer: &str) -> Option<u64> {
        self.crl(issuer)?.number()?.to_string().parse().ok()
    }

    pub(crate) fn import_file(&self, issuer: &str, der: &[u8]) {
        std::fs::create_dir_all(self.path("imported")).unwrap();
        let file = self.path(&format!("imported/{issuer}.crl"));
        std::fs::write(self.path("new.crl"), der).unwrap();
        std::fs::rename(self.path("new.crl"), file).unwrap();
    }

    fn directory_store(&self) -> Directory {
        Directory::new(self.path("publication"))
    }
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.stop();
        self.task.await.unwrap().unwrap();
    }

    /// Why an issuer is not ready, if it is not.
    pub(crate) fn trouble(&self, issuer: &str) -> Option<String> {
        match self.health.readiness(Some(issuer)) {
            Readiness::Ready => None,
            other => Some(format!("{other:?}")),
        }
    }

    pub(crate) fn metric(&self, name: &str, issuer: &str) -> Option<f64> {
        let family = self
            .registry
            .gather()
            .into_iter()
            .find(|family| family.name() == name)?;
        let metric = family
            .get_metric()
            .iter()
            .find(|metric| {
                metric
                    .get_label()
                    .iter()
                    .any(|label| label.value() == issuer)
            })?
            .clone();
        let gauge = metric.get_gauge().get_value();
        Some(if gauge == 0.0 {
            metric.get_counter().get_value()
        } else {
            gauge
        })
    }
}

pub(crate) fn serial(number: u32) -> Serial {
    Serial::from_be_bytes(&(0x4000_0000 + number).to_be_bytes()).unwrap()
}

/// Waits for something that happens soon.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("in vain: {what}")
}

pub(crate) async fn open_ledger(directory: &Path, clock: &ManualClock) -> Ledger {
    Ledger::open(&directory.join("ledger.sqlite"), Arc::new(clock.clone()))
        .await
        .unwrap()
}

/// Signs in this process, or not.
#[derive(Clone, Default)]
pub(crate) struct FakeSigner(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) keys: Vec<(String, Arc<SigningKey>)>,
    /// The issuers it gives no answer for.
    pub(crate) away: Vec<String>,
    /// The issuers it gives garbage for.
    pub(crate) mad: Vec<String>,
    /// The last number it claims to have signed.
    pub(crate) last_number: u64,
    /// What happens while it signs the next time.
    pub(crate) meanwhile: Option<Box<dyn FnOnce() + Send>>,
    /// What it was asked to sign: issuer, number, thisUpdate.
    pub(crate) asked: Vec<(String, String, Time)>,
    /// The revocations it was told.
    pub(crate) told: usize,
    /// How often it was asked for what it was told.
    pub(crate) compared: usize,
    /// What it remembers, as the real one does.
    pub(crate) memory: HashMap<String, Authority>,
}

/// The TBSCertList that the signer puts together for this request, from what it remembers of the issuer.
fn put_together(memory: &mut Authority, crl: &SignCrl) -> Result<Vec<u8>, SignerError> {
    let diverged = |message: String| SignerError::Refused {
        code: RefusalCode::Diverged,
        field: "entries".to_owned(),
        message,
        above: None,
    };
    let entries = memory
        .changed(&crl.scope, &crl.entries, crl.this_update)
        .map_err(|error| diverged(error.to_string()))?;
    let mut tbs = crl.before.clone();
    entries
        .pieces()
        .for_each(|piece| tbs.extend_from_slice(piece));
    tbs.extend_from_slice(&crl.after);
    if *pki::HashAlgorithm::Sha256.digest(&tbs) != crl.tbs_hash {
        return Err(diverged("another CRL".to_owned()));
    }
    let whole = pki::crl::build::assemble(&tbs, crl.signature_algorithm, &[0]);
    if let Some(base) = Crl::from_der(&whole).unwrap().base_number() {
        memory
            .check_delta(base, &crl.number, &entries)
            .map_err(|error| diverged(error.to_string()))?;
    }
    let list = List {
        number: crl.number.clone(),
        this_update: crl.this_update,
        entries,
        count: memory.revoked.count(),
    };
    memory.keep(&crl.scope, list);
    Ok(tbs)
}

impl FakeSigner {
    pub(crate) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Signer for FakeSigner {
    async fn sign_crl(&self, _: [u8; 16], crl: SignCrl) -> Result<Vec<u8>, SignerError> {
        let mut state = self.state();
        state
            .asked
            .push((crl.issuer.clone(), crl.number.to_string(), crl.this_update));
        if state.away.contains(&crl.issuer) {
            return Err(SignerError::Unavailable("it is away".to_owned()));
        }
        if crl.number <= state.last_number.into() {
            return Err(SignerError::Refused {
                code: RefusalCode::CrlNotNewer,
                field: "number".to_owned(),
                message: "not above the last one".to_owned(),
                above: None,
            });
        }
        let memory = state.memory.entry(crl.issuer.clone()).or_default();
        let tbs = put_together(memory, &crl)?;
        let key = state
            .keys
            .iter()
            .find(|(name, _)| *name == crl.issuer)
            .unwrap()
            .1
            .clone();
        let mad = state.mad.contains(&crl.issuer);
        let meanwhile = state.meanwhile.take();
        drop(state);
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        let signed = if mad { &tbs[1..] } else { &tbs };
        Ok(key.sign(crl.signature_algorithm, signed).unwrap())
    }

    async fn revoke(&self, _: [u8; 16], revoke: Revoke) -> Result<(), SignerError> {
        let mut state = self.state();
        if state.away.contains(&revoke.issuer) {
            return Err(SignerError::Unavailable("it is away".to_owned()));
        }
        state.told += revoke.revocations.len();
        let memory = state.memory.entry(revoke.issuer).or_default();
        for revocation in &revoke.revocations {
            memory.revoked.add(Known::read(revocation).unwrap());
        }
        Ok(())
    }

    async fn revoked(&self, issuer: &str) -> Result<(u64, Vec<u64>), SignerError> {
        let mut state = self.state();
        if state.away.iter().any(|away| away == issuer) {
            return Err(SignerError::Unavailable("it is away".to_owned()));
        }
        let revoked = &state.memory.entry(issuer.to_owned()).or_default().revoked;
        Ok((revoked.count(), revoked.digest().buckets().to_vec()))
    }

    async fn revoked_in(&self, issuer: &str, bucket: u8) -> Result<Vec<Revocation>, SignerError> {
        let mut state = self.state();
        state.compared += 1;
        let revoked = &state.memory.entry(issuer.to_owned()).or_default().revoked;
        Ok(revoked.bucket(bucket, None, usize::MAX).0)
    }
}
