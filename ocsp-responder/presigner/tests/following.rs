//! Issuers whose statuses come from CRLs of others: no answer outlives those.

mod common;

use std::fs;

use common::{World, all_answers, openssl, openssl_says, serial};
use ledger::{Followed, IssuerPolicy, IssuerUpdate, Ledger, SourceCrl, SourcePolicy, SourceRecord};
use ocsp_presigner::Worker;
use pki::ocsp::response::CertStatus;
use pki::{HashAlgorithm, RevocationReason, Time};
use telemetry::Readiness;

const EC: &str = "EC -pkeyopt ec_paramgen_curve:P-256";
const HOUR: i64 = 3600;

/// `old`, which follows CRLs, with 19 certificates and a responder of its own.
async fn world() -> World {
    let world = World::new().await;
    world.add_issuer("old", EC, false, policy(None)).await;
    world.import("old", 1..20, None).await;
    let path = world.path();
    fs::create_dir_all(path.join("keys/old")).unwrap();
    openssl(
        path,
        &format!("genpkey -out keys/old/given.key -algorithm {EC}"),
    );
    openssl(
        path,
        "req -new -key keys/old/given.key -out given.csr -subj /O=Test/CN=Given",
    );
    fs::write(
        path.join("given.ext"),
        "basicConstraints = CA:FALSE\nextendedKeyUsage = OCSPSigning\n",
    )
    .unwrap();
    openssl(
        path,
        "x509 -req -in given.csr -CA old.pem -CAkey old.key -days 300 -extfile given.ext -set_serial 900 \
         -out keys/old/given.cer",
    );
    // The responder's certificate begins now.
    world.clock.advance(60);
    world
}

fn policy(max_age_hours: Option<u32>) -> IssuerPolicy {
    IssuerPolicy {
        source: SourcePolicy {
            crl: Some("file".to_owned()),
            max_age_hours,
            ..SourcePolicy::default()
        },
        ..IssuerPolicy::default()
    }
}

async fn take_in(ledger: &Ledger, this_update: Time, next_update: Time) {
    let complete = SourceCrl {
        number: None,
        this_update,
        next_update,
        sha256: [7; 32],
        size: 1,
        entries: 1,
    };
    let source = SourceRecord {
        complete,
        delta: None,
    };
    ledger.record_source("old", &source, "test").await.unwrap();
}

fn condition(world: &World) -> String {
    match world.health.readiness(Some("old")) {
        Readiness::NotReady(why) => why.join("; "),
        other => format!("{other:?}"),
    }
}

/// How many answers may be served now; none ends after `ends`.
fn current(world: &World, worker: &Worker, ends: Time) -> usize {
    let now = world.now();
    assert!(all_answers(worker.published().view()).all(|answer| answer.next_update() <= ends));
    all_answers(worker.published().view())
        .filter(|answer| answer.is_current(now))
        .count()
}

/// What is published; openssl's client judges by its own clock, which does not follow the test's.
fn is_revoked(worker: &Worker, number: u64) -> bool {
    let answer = worker.published().view().get(serial(number).as_bytes());
    let answer = answer.unwrap().expect("it is answered");
    matches!(answer.status(), CertStatus::Revoked { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_outlives_its_crl() {
    let world = world().await;
    let (mut worker, inbox) = world.worker("old").await;
    let mut cursor = world.ledger.head().await.unwrap();
    worker.settle().await;
    assert_eq!(worker.published().view().totals().all(), 0);
    assert!(
        condition(&world).contains("before its first CRL"),
        "{}",
        condition(&world)
    );

    let ends = world.now().plus_seconds(3 * HOUR);
    take_in(&world.ledger, world.now(), ends).await;
    world.feed(&inbox, &mut cursor).await;
    worker.settle().await;
    assert_eq!(condition(&world), "Ready");
    assert_eq!(current(&world, &worker, ends), 19);
    for (number, says) in [(3, "good"), (10, "revoked")] {
        assert_eq!(
            openssl_says(&world, &worker, "old", serial(number), HashAlgorithm::Sha1),
            says
        );
    }
    let signed = world.signatures("old");

    // Up to its end nothing is gained by signing anew, and after it nothing is signed.
    for _ in 0..18 {
        world.clock.advance(HOUR / 6);
        worker.settle().await;
        let expected = if world.now() < ends { 19 } else { 0 };
        assert_eq!(current(&world, &worker, ends), expected);
    }
    assert_eq!(world.signatures("old"), signed);
    assert!(
        condition(&world).contains("nothing is signed any more"),
        "{}",
        condition(&world)
    );
    let revoked = Followed::Revoked {
        serial: serial(3),
        time: world.now(),
        reason: RevocationReason::Superseded,
        invalidity_date: None,
    };
    world
        .ledger
        .follow_crl("old", &[revoked], "test")
        .await
        .unwrap();
    world.feed(&inbox, &mut cursor).await;
    worker.settle().await;
    assert_eq!(world.signatures("old"), signed);

    // A restart in between changes nothing.
    drop(worker);
    let (mut worker, inbox) = world.worker("old").await;
    worker.settle().await;
    assert_eq!(world.signatures("old"), signed);

    // The next one is there: so is the service, with what it says.
    let next = world.now().plus_seconds(30 * HOUR);
    take_in(&world.ledger, world.now(), next).await;
    world.feed(&inbox, &mut cursor).await;
    worker.settle().await;
    assert_eq!(condition(&world), "Ready");
    assert_eq!(current(&world, &worker, next), 19);
    assert!(is_revoked(&worker, 3));

    // Released again.
    let hold = |reason| Followed::Revoked {
        serial: serial(4),
        time: world.now(),
        reason,
        invalidity_date: None,
    };
    for (item, revoked) in [
        (hold(RevocationReason::CertificateHold), true),
        (Followed::Released { serial: serial(4) }, false),
    ] {
        world
            .ledger
            .follow_crl("old", &[item], "test")
            .await
            .unwrap();
        world.feed(&inbox, &mut cursor).await;
        worker.settle().await;
        assert_eq!(is_revoked(&worker, 4), revoked);
    }
}

/// CRLs that come often move the end on; answers are renewed when it is their time, not with each of them.
#[tokio::test(flavor = "multi_thread")]
async fn weeks_of_crls() {
    let world = world().await;
    let (mut worker, inbox) = world.worker("old").await;
    let mut cursor = world.ledger.head().await.unwrap();
    for _ in 0..(14 * 24) {
        take_in(
            &world.ledger,
            world.now(),
            world.now().plus_seconds(24 * HOUR),
        )
        .await;
        world.feed(&inbox, &mut cursor).await;
        worker.settle().await;
        let ends = world.now().plus_seconds(24 * HOUR);
        assert_eq!(current(&world, &worker, ends), 19);
        assert_eq!(condition(&world), "Ready");
        world.clock.advance(HOUR);
    }
    // Renewed 8 hours before their end, 16 hours after they were signed (OCSP-36): 21 times in 14 days, and no more than
    // once an hour earlier.
    let rounds = world.signatures("old") / (2 * 19);
    assert!((21..=28).contains(&rounds), "{rounds}");
}

/// The operator lets CRLs grow less old: answers that would be older are shortened, or taken out when it is too late.
#[tokio::test(flavor = "multi_thread")]
async fn a_lower_age_holds_at_once() {
    let world = world().await;
    let (mut worker, inbox) = world.worker("old").await;
    let mut cursor = world.ledger.head().await.unwrap();
    let begins = world.now();
    take_in(&world.ledger, begins, begins.plus_seconds(90 * HOUR)).await;
    world.feed(&inbox, &mut cursor).await;
    worker.settle().await;
    assert_eq!(current(&world, &worker, begins.plus_seconds(90 * HOUR)), 19);

    world.clock.advance(2 * HOUR);
    for (hours, answers) in [(24, 19), (1, 0)] {
        let update = IssuerUpdate {
            policy: Some(policy(Some(hours))),
            ..IssuerUpdate::default()
        };
        world
            .ledger
            .update_issuer("old", update, "test")
            .await
            .unwrap();
        world.feed(&inbox, &mut cursor).await;
        worker.settle().await;
        let ends = begins.plus_seconds(i64::from(hours) * HOUR);
        assert_eq!(current(&world, &worker, ends), answers, "{hours} h");
    }
}
