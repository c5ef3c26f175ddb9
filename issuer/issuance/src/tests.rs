//! The whole path over a real ledger, with a signer whose moods the tests choose.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use keystore::SigningKey;
use ledger::{ChangeKind, Issuer, IssuerPolicy, Ledger, Origin, Reservation, Subjects};
use pki::certificate_builder::{GeneralName, TbsCertificate, assemble, extension};
use pki::name_rules::{AttributeKind, SubjectAttribute};
use pki::profile::{Profile, ProfileDocument, RuleSet};
use pki::{
    Certificate, HashAlgorithm, KeyKind, KeyUsage, ManualClock, Name, PublicKey, RevocationReason,
    Serial, SignatureAlgorithm, Time, oid,
};
use signer_client::{IssueCertificate, RefusalCode, SignerError};
use tokio::sync::Barrier;

use super::*;

const DAY: i64 = 86_400;
const NOW: Time = Time::from_unix(1_795_262_400);
/// What the line of a signer needs to be full, by the window of the link many times over.
const TOGETHER: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Signs,
    Away,
    Refuses,
    /// Signs with another key.
    Errs,
    /// Refuses the serial number of the signer before it, once.
    WasPromoted,
    /// Signs as soon as so many ask at the same time.
    Together,
}

/// A signer that answers as its mood is, and counts.
#[derive(Clone, Debug)]
struct TestSigner {
    key: Arc<SigningKey>,
    other_key: Arc<SigningKey>,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicUsize>,
    together: Arc<Barrier>,
}

impl TestSigner {
    fn set(&self, mood: Mood) {
        *self.mood.lock().expect("not poisoned") = mood;
    }
}

impl Signer for TestSigner {
    async fn issue_certificate(
        &self,
        _id: [u8; 16],
        request: IssueCertificate,
    ) -> Result<Vec<u8>, SignerError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().expect("not poisoned");
        let key = match mood {
            Mood::Signs => &self.key,
            Mood::Together => {
                self.together.wait().await;
                &self.key
            }
            Mood::Errs => &self.other_key,
            Mood::Away => return Err(SignerError::Unavailable("away".to_owned())),
            Mood::Refuses => {
                return Err(SignerError::Refused {
                    code: RefusalCode::Policy,
                    field: "tbs.subject".to_owned(),
                    message: "not today".to_owned(),
                    above: None,
                });
            }
            Mood::WasPromoted => {
                self.set(Mood::Signs);
                return Err(SignerError::Refused {
                    code: RefusalCode::OtherSigner,
                    field: "tbs.serialNumber".to_owned(),
                    message: "another signer's to use".to_owned(),
                    above: None,
                });
            }
        };
        Ok(key
            .sign(request.signature_algorithm, &request.tbs)
            .expect("signed"))
    }

    async fn signer_id(&self) -> Result<u8, SignerError> {
        Ok(1)
    }
}

struct World {
    issuance: Issuance<TestSigner>,
    signer: TestSigner,
    ledger: Ledger,
    clock: ManualClock,
    ca: Certificate,
    _directory: tempfile::TempDir,
}

impl World {
    async fn new(kind: KeyKind) -> Self {
        Self::with(kind, 4000, |_| ()).await
    }

    async fn with(kind: KeyKind, ca_days: i64, change: impl FnOnce(&mut Issuer)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = ManualClock::new(NOW);
        let ledger = Ledger::open(
            &directory.path().join("ledger.sqlite"),
            Arc::new(clock.clone()),
        )
        .await
        .expect("a ledger");
        let key = SigningKey::generate(kind).expect("a key");
        let ca = ca_certificate(&key, ca_days);
        let mut issuer = Issuer {
            name: "member".to_owned(),
            certificate: ca.der().to_vec(),
            chain: Vec::new(),
            origin: Origin::Own,
            signs: true,
            ocsp_paths: Vec::new(),
            crl_paths: Vec::new(),
            certificate_paths: Vec::new(),
            policy: IssuerPolicy::default(),
        };
        change(&mut issuer);
        ledger.add_issuer(issuer, "test").await.expect("added");
        let signer = TestSigner {
            key: Arc::new(key),
            other_key: Arc::new(SigningKey::generate(kind).expect("a key")),
            mood: Arc::new(Mutex::new(Mood::Signs)),
            asked: Arc::default(),
            together: Arc::new(Barrier::new(TOGETHER)),
        };
        let issuance = Issuance::new(ledger.clone(), signer.clone(), Arc::new(clock.clone()))
            .with_base_url("http://status.example/");
        Self {
            issuance,
            signer,
            ledger,
            clock,
            ca,
            _directory: directory,
        }
    }

    async fn issue(&self, order: &Order) -> Result<Issued, IssuanceError> {
        self.issuance.issue(order, &profile("server")).await
    }

    async fn recover(&self) -> Vec<Recovered> {
        let found = self.issuance.recover(0).await.expect("looked up");
        assert_eq!(found.next, 0, "one step is enough");
        found.items
    }

    /// What is reserved and neither recorded nor given up.
    async fn open_reservations(&self) -> Vec<Reservation> {
        let open = self.ledger.pending_reservations(0, u32::MAX).await;
        let open = open.expect("looked up").into_iter();
        open.map(|(_, reservation)| reservation).collect()
    }
}

fn ca_certificate(key: &SigningKey, days: i64) -> Certificate {
    let subject: Vec<SubjectAttribute> = [
        (AttributeKind::CountryName, "CZ"),
        (AttributeKind::OrganizationName, "Test"),
        (AttributeKind::CommonName, "Test CA"),
    ]
    .into_iter()
    .map(|(kind, value)| SubjectAttribute::new(kind, value).expect("valid"))
    .collect();
    let name = Name::from_der(&pki::certificate_builder::subject_der(&subject)).expect("a name");
    let algorithm =
        SignatureAlgorithm::for_key(key.kind(), key.kind().default_hash()).expect("supported");
    let tbs = TbsCertificate {
        serial: Serial::random().expect("random"),
        signature_algorithm: algorithm,
        issuer: &name,
        not_before: NOW.plus_seconds(-DAY),
        not_after: NOW.plus_seconds(days * DAY),
        subject: &subject,
        public_key: key.public_key(),
        extensions: &[
            extension::subject_key_identifier(key.public_key()),
            extension::basic_constraints_ca(None),
            extension::key_usage(&[
                KeyUsage::DIGITAL_SIGNATURE,
                KeyUsage::KEY_CERT_SIGN,
                KeyUsage::CRL_SIGN,
            ]),
        ],
    }
    .to_der();
    let signature = key.sign(algorithm, &tbs).expect("signed");
    Certificate::from_der(&assemble(&tbs, algorithm, &signature)).expect("a certificate")
}

fn profile(name: &str) -> Profile {
    let text = match name {
        "server" => include_str!("../../profiles/server.toml"),
        "client" => include_str!("../../profiles/client.toml"),
        _ => panic!("no such profile"),
    };
    toml::from_str::<ProfileDocument>(text)
        .expect(name)
        .select(RuleSet::Community)
        .expect(name)
}

fn public_key() -> PublicKey {
    SigningKey::generate(KeyKind::P256)
        .expect("a key")
        .public_key()
        .clone()
}

fn order() -> Order {
    Order {
        issuer: "member".to_owned(),
        subject: vec![
            SubjectAttribute::new(AttributeKind::CommonName, "www.example.org").expect("CN"),
        ],
        alt_names: vec![GeneralName::Dns("www.example.org".to_owned())],
        public_key: public_key(),
        hash: None,
        begins: None,
        days: None,
        csr: Some(vec![0x30, 0]),
        evidence_sha256: None,
        actor: "anna".to_owned(),
    }
}

/// What the presigner orders.
fn responder(key: &PublicKey) -> ResponderOrder<'_> {
    ResponderOrder {
        issuer: "member",
        key,
        begins: None,
        days: 7,
        rule_set: RuleSet::Community,
        actor: "ocsp-presigner",
    }
}

fn rule(result: Result<Issued, IssuanceError>) -> String {
    match result {
        Err(IssuanceError::Refused(refusal)) => refusal.rule.into_owned(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_is_issued_verified_and_recorded() {
    for kind in [
        KeyKind::P256,
        KeyKind::P384,
        KeyKind::P521,
        KeyKind::Rsa(2048),
    ] {
        let world = World::new(kind).await;
        let issued = world.issue(&order()).await.expect("issued");
        let certificate = &issued.certificate;
        assert_eq!(certificate.verify_signed_by(world.ca.public_key()), Ok(()));
        assert_eq!(certificate.not_before(), NOW.plus_seconds(-300));
        assert_eq!(certificate.not_after(), NOW.plus_seconds(90 * DAY - 301));
        assert_eq!(issued.chain, [world.ca.der()]);

        let record = world
            .ledger
            .certificate("member", certificate.serial())
            .await
            .expect("looked up")
            .expect("recorded");
        assert_eq!(record.certificate.as_deref(), Some(certificate.der()));
        assert_eq!(record.requested_by, "anna");
        let change = world
            .ledger
            .changes_after(issued.seq - 1, 1)
            .await
            .expect("the feed");
        assert_eq!(change[0].kind, ChangeKind::Issued);
        assert!(world.open_reservations().await.is_empty());
    }
}

#[tokio::test]
async fn the_hash_is_exactly_the_one_asked_for() {
    let world = World::new(KeyKind::Rsa(2048)).await;
    for (hash, algorithm) in [
        (None, SignatureAlgorithm::RsaSha256),
        (Some(HashAlgorithm::Sha256), SignatureAlgorithm::RsaSha256),
        (Some(HashAlgorithm::Sha384), SignatureAlgorithm::RsaSha384),
        (Some(HashAlgorithm::Sha512), SignatureAlgorithm::RsaSha512),
    ] {
        let issued = world
            .issue(&Order { hash, ..order() })
            .await
            .expect("issued");
        assert_eq!(issued.certificate.signature_algorithm(), Ok(algorithm));
    }
    let sha1 = Order {
        hash: Some(HashAlgorithm::Sha1),
        ..order()
    };
    assert_eq!(rule(world.issue(&sha1).await), "I6");

    let world = World::new(KeyKind::P384).await;
    assert_eq!(
        world
            .issue(&order())
            .await
            .expect("issued")
            .certificate
            .signature_algorithm(),
        Ok(SignatureAlgorithm::EcdsaSha384)
    );
    let other = Order {
        hash: Some(HashAlgorithm::Sha256),
        ..order()
    };
    assert_eq!(rule(world.issue(&other).await), "I6");
}

#[tokio::test]
async fn days_are_exactly_those_asked_for() {
    let world = World::new(KeyKind::P256).await;
    let issued = world
        .issue(&Order {
            days: Some(730),
            ..order()
        })
        .await
        .expect("issued");
    let (from, to) = (
        issued.certificate.not_before(),
        issued.certificate.not_after(),
    );
    assert_eq!(from.seconds_until(to) + 1, 730 * DAY);
    for days in [0, 731, u32::MAX] {
        assert_eq!(
            rule(
                world
                    .issue(&Order {
                        days: Some(days),
                        ..order()
                    })
                    .await
            ),
            "CERT-05"
        );
    }
}

#[tokio::test]
async fn nothing_outlives_the_ca() {
    let world = World::with(KeyKind::P256, 30, |_| ()).await;
    let issued = world.issue(&order()).await.expect("issued");
    assert_eq!(issued.certificate.not_after(), world.ca.not_after());
    assert_eq!(
        rule(
            world
                .issue(&Order {
                    days: Some(31),
                    ..order()
                })
                .await
        ),
        "CERT-05"
    );

    world.clock.set(world.ca.not_after().plus_seconds(1));
    assert_eq!(rule(world.issue(&order()).await), "CERT-05");
}

#[tokio::test]
async fn who_may_issue() {
    let elsewhere = World::with(KeyKind::P256, 4000, |issuer| issuer.signs = false).await;
    assert_eq!(rule(elsewhere.issue(&order()).await), "I7");

    let root = World::with(KeyKind::P256, 4000, |issuer| {
        issuer.policy.subjects = Subjects::CaCertificates;
    })
    .await;
    assert_eq!(rule(root.issue(&order()).await), "I7");
    let responder = root
        .issuance
        .issue_responder_certificate(&responder(&public_key()))
        .await;
    assert!(responder.is_ok());

    let world = World::new(KeyKind::P256).await;
    let mut assured_only = profile("server");
    assured_only.issuers = Some(vec!["assured".to_owned()]);
    assert_eq!(
        rule(world.issuance.issue(&order(), &assured_only).await),
        "I7"
    );
    let mut no_roots = profile("server");
    no_roots.root_may_issue = false;
    assert_eq!(rule(world.issuance.issue(&order(), &no_roots).await), "I7");

    let unknown = Order {
        issuer: "nobody".to_owned(),
        ..order()
    };
    assert!(matches!(
        world.issue(&unknown).await,
        Err(IssuanceError::Ledger(_))
    ));
}

#[tokio::test]
async fn a_blocked_key_is_never_certified() {
    let world = World::new(KeyKind::P256).await;
    let order = order();
    world
        .ledger
        .block_key(&order.public_key.fingerprint(), "lost", "test")
        .await
        .expect("blocked");
    assert_eq!(rule(world.issue(&order).await), "I5");
    assert_eq!(world.signer.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_breaks_rules_never_reaches_the_signer() {
    let world = World::new(KeyKind::P256).await;
    let wrong = Order {
        alt_names: Vec::new(),
        ..order()
    };
    assert!(matches!(
        world.issue(&wrong).await,
        Err(IssuanceError::Lint(_))
    ));
    assert_eq!(world.signer.asked.load(Ordering::SeqCst), 0);
    assert!(world.open_reservations().await.is_empty());
}

#[tokio::test]
async fn an_absent_signer_leaves_a_reservation_that_is_finished_later() {
    let world = World::new(KeyKind::P256).await;
    world.signer.set(Mood::Away);
    let Err(IssuanceError::SignerAway { serial, .. }) = world.issue(&order()).await else {
        panic!("the signer is away");
    };
    assert_eq!(world.open_reservations().await.len(), 1);
    let still_away = world.recover().await;
    assert!(matches!(
        still_away[0].outcome,
        Err(IssuanceError::SignerAway { .. })
    ));

    world.signer.set(Mood::Signs);
    let recovered = world.recover().await;
    assert_eq!(recovered.len(), 1);
    assert_eq!(
        recovered[0]
            .outcome
            .as_ref()
            .expect("issued")
            .certificate
            .serial(),
        &serial
    );
    assert!(
        world
            .ledger
            .certificate("member", &serial)
            .await
            .expect("looked up")
            .is_some()
    );
    assert!(world.recover().await.is_empty());
}

/// After a long outage the line is full, and memory does not grow with what waits.
#[tokio::test]
async fn what_waits_is_asked_for_many_at_a_time_and_page_by_page() {
    let world = World::new(KeyKind::P256).await;
    world.signer.set(Mood::Away);
    for _ in 0..5 * TOGETHER {
        world.issue(&order()).await.expect_err("the signer is away");
    }
    assert_eq!(
        world.issuance.waiting().await.expect("counted"),
        5 * TOGETHER as u64
    );
    world.signer.set(Mood::Together);
    let first = world.issuance.recover(0).await.expect("looked up");
    assert_eq!(first.items.len(), 4 * TOGETHER);
    assert_ne!(first.next, 0);
    let rest = world.issuance.recover(first.next).await.expect("looked up");
    assert_eq!((rest.items.len(), rest.next), (TOGETHER, 0));
    let all = first.items.iter().chain(&rest.items);
    assert!(all.into_iter().all(|item| item.outcome.is_ok()));
    assert_eq!(world.issuance.waiting().await.expect("counted"), 0);
}

#[tokio::test]
async fn a_key_compromised_while_its_request_waits_is_revoked_at_once() {
    let world = World::new(KeyKind::P256).await;
    let order = order();
    world.signer.set(Mood::Away);
    world.issue(&order).await.expect_err("the signer is away");
    world
        .ledger
        .block_key(&order.public_key.fingerprint(), "lost", "test")
        .await
        .expect("blocked");
    world.signer.set(Mood::Signs);
    let recovered = world.recover().await;
    let issued = recovered[0].outcome.as_ref().expect("issued");
    let record = world
        .ledger
        .certificate("member", issued.certificate.serial())
        .await
        .expect("looked up")
        .expect("recorded");
    assert_eq!(
        record.revocation.expect("revoked").reason,
        RevocationReason::KeyCompromise
    );
}

#[tokio::test]
async fn a_refusal_ends_the_reservation() {
    for mood in [Mood::Refuses, Mood::Errs] {
        let world = World::new(KeyKind::P256).await;
        world.signer.set(mood);
        let error = world.issue(&order()).await.expect_err("no certificate");
        match mood {
            Mood::Refuses => assert!(matches!(error, IssuanceError::SignerRefused { .. })),
            _ => assert!(matches!(error, IssuanceError::WrongSignature { .. })),
        }
        assert!(world.open_reservations().await.is_empty());
        world.signer.set(Mood::Signs);
        assert!(world.issue(&order()).await.is_ok());
    }
}

/// G8: whoever asks does not see that another signer has taken over between the reservation and the signature.
#[tokio::test]
async fn a_promotion_costs_another_serial_number_and_nothing_else() {
    let world = World::new(KeyKind::P256).await;
    world.signer.set(Mood::WasPromoted);
    world.issue(&order()).await.expect("issued");
    assert_eq!(world.signer.asked.load(Ordering::SeqCst), 2);
    assert!(world.open_reservations().await.is_empty());
}

#[tokio::test]
async fn one_bad_reservation_never_stops_the_next() {
    let world = World::new(KeyKind::P256).await;
    world.signer.set(Mood::Away);
    for _ in 0..3 {
        assert!(world.issue(&order()).await.is_err());
    }
    world.signer.set(Mood::Refuses);
    let refused = world.recover().await;
    assert_eq!(refused.len(), 3);
    assert!(refused.iter().all(|item| item.outcome.is_err()));
    assert!(world.open_reservations().await.is_empty());
}

/// OCSP-60 to OCSP-66.
#[tokio::test]
async fn responder_certificates_have_exactly_what_they_may() {
    for kind in [KeyKind::P256, KeyKind::Rsa(2048)] {
        let world = World::new(kind).await;
        let key = SigningKey::generate(kind).expect("a key");
        let issued = world
            .issuance
            .issue_responder_certificate(&responder(key.public_key()))
            .await
            .expect("issued");
        let certificate = &issued.certificate;
        assert_eq!(
            certificate.subject().to_string(),
            "CN=Test CA OCSP responder,O=Test,C=CZ"
        );
        let found: Vec<_> = certificate
            .extensions()
            .iter()
            .map(|extension| (extension.oid, extension.critical))
            .collect();
        assert_eq!(
            found,
            [
                (oid::AUTHORITY_KEY_IDENTIFIER, false),
                (oid::SUBJECT_KEY_IDENTIFIER, false),
                (oid::KEY_USAGE, true),
                (oid::EXTENDED_KEY_USAGE, false),
                (oid::OCSP_NO_CHECK, false),
            ]
        );
        assert_eq!(
            certificate.key_usage().expect("keyUsage").bits(),
            [KeyUsage::DIGITAL_SIGNATURE]
        );
        assert_eq!(certificate.extended_key_usages(), [oid::OCSP_SIGNING]);
        let no_check = certificate.extension(oid::OCSP_NO_CHECK).expect("nocheck");
        assert_eq!(no_check.value, [5, 0]);
        let days = certificate
            .not_before()
            .seconds_until(certificate.not_after())
            + 1;
        assert_eq!(days, 7 * DAY);
        assert_eq!(
            pki::ocsp::verify::verify_responder_certificate(certificate, &world.ca, NOW),
            Ok(())
        );
    }
}

#[tokio::test]
async fn a_responder_certificate_ends_with_the_ca() {
    let world = World::with(KeyKind::P256, 3, |_| ()).await;
    let issued = world
        .issuance
        .issue_responder_certificate(&responder(&public_key()))
        .await
        .expect("issued");
    assert_eq!(issued.certificate.not_after(), world.ca.not_after());
}

/// S9: one that begins later, as long as the rule set lets it.
#[tokio::test]
async fn a_responder_certificate_is_issued_ahead() {
    let world = World::new(KeyKind::P256).await;
    let key = public_key();
    let begins = NOW.plus_seconds(28 * DAY);
    let ahead = ResponderOrder {
        begins: Some(begins),
        ..responder(&key)
    };
    let issued = world.issuance.issue_responder_certificate(&ahead).await;
    let certificate = issued.expect("issued").certificate;
    assert_eq!(certificate.not_before(), begins);
    assert_eq!(
        certificate.not_after(),
        begins.plus_seconds(7 * DAY - 1),
        "7 days to the second"
    );
    let found = world
        .issuance
        .find_responder_certificate("member", &key)
        .await;
    match found.expect("looked up") {
        Found::Issued(found) => assert_eq!(*found, certificate),
        other => panic!("{other:?}"),
    }

    let (later, cabf) = (
        ResponderOrder {
            begins: Some(begins.plus_seconds(DAY)),
            ..ahead
        },
        ResponderOrder {
            begins: Some(NOW.plus_seconds(DAY)),
            rule_set: RuleSet::Cabf,
            ..ahead
        },
    );
    for order in [later, cabf] {
        let refused = world.issuance.issue_responder_certificate(&order).await;
        assert!(
            matches!(&refused, Err(IssuanceError::Lint(why)) if why[0].rule == "CERT-04"),
            "{refused:?}"
        );
    }
    let at_once = ResponderOrder {
        rule_set: RuleSet::Cabf,
        ..responder(&key)
    };
    let issued = world.issuance.issue_responder_certificate(&at_once).await;
    assert!(issued.is_ok(), "{issued:?}");
}

/// What became of an order is in the ledger, also for a process that has forgotten that it asked.
#[tokio::test]
async fn an_order_is_found_by_its_key() {
    let world = World::new(KeyKind::P256).await;
    let key = public_key();
    let find = async || {
        let found = world.issuance.find_responder_certificate("member", &key);
        found.await.expect("looked up")
    };
    assert!(matches!(find().await, Found::Nothing));
    world.signer.set(Mood::Away);
    let order = responder(&key);
    let away = world.issuance.issue_responder_certificate(&order);
    let Err(IssuanceError::SignerAway { serial, .. }) = away.await else {
        panic!("the signer is away");
    };
    assert!(matches!(find().await, Found::Waiting(open) if open == serial));
    world.signer.set(Mood::Signs);
    world.recover().await;
    assert!(matches!(find().await, Found::Issued(found) if *found.serial() == serial));
}
