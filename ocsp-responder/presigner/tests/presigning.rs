//! From the ledger to published answers that openssl accepts.

mod common;

use std::fs;
use std::sync::Arc;

use common::{
    HASHES, World, all_answers, assert_complete, none_ahead, openssl, openssl_says, serial,
};
use ledger::IssuerPolicy;
use ocsp_presigner::{Step, follow};
use pki::{Clock, HashAlgorithm, Time};
use publication::{Directory, Trust};
use telemetry::{Readiness, Stopper};

const EC: &str = "EC -pkeyopt ec_paramgen_curve:P-256";
const RSA: &str = "RSA -pkeyopt rsa_keygen_bits:2048";

#[tokio::test(flavor = "multi_thread")]
async fn everything_the_ledger_knows_is_answered() {
    for key in [EC, RSA] {
        let world = World::new().await;
        let ca = world.add_issuer("member", key, true, none_ahead()).await;
        world.import("member", 1..300, None).await;
        let (mut worker, inbox) = world.worker("member").await;
        let mut cursor = world.ledger.head().await.unwrap();
        worker.settle().await;
        world.feed(&inbox, &mut cursor).await;
        worker.settle().await;

        // The responder certificate is one of the issuer's own and is answered as well.
        assert_eq!(world.ledger.counts("member").await.unwrap().issued, 300);
        assert_complete(&world, &worker, "member", &ca).await;
        for hash in HASHES {
            assert_eq!(
                openssl_says(&world, &worker, "member", serial(7), hash),
                "good"
            );
            assert_eq!(
                openssl_says(&world, &worker, "member", serial(20), hash),
                "revoked"
            );
        }
        assert_eq!(world.signatures("member"), 600);
        assert_eq!(
            worker.published().as_of(),
            world.ledger.head().await.unwrap()
        );
        assert_eq!(world.health.readiness(Some("member")), Readiness::Ready);

        world.revoke("member", serial(7)).await;
        world.feed(&inbox, &mut cursor).await;
        assert_eq!(worker.step().await, Step::Done);
        assert_eq!(
            openssl_says(&world, &worker, "member", serial(7), HashAlgorithm::Sha1),
            "revoked"
        );
        assert_complete(&world, &worker, "member", &ca).await;
        assert_eq!(world.signatures("member"), 602);
        assert_eq!(
            worker.published().as_of(),
            world.ledger.head().await.unwrap()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manifest_names_ca_paths_and_layers() {
    let world = World::new().await;
    let ca = world.add_issuer("member", EC, true, none_ahead()).await;
    world.import("member", 1..6000, None).await;
    let (mut worker, _) = world.worker("member").await;
    worker.settle().await;
    let trust = Trust {
        prefix: "ocsp/".to_owned(),
        public_key: world.shared.publication_key.public(),
    };
    let directory = Directory::new(world.path().join("publication"));
    let manifest = directory
        .manifest("ocsp/member", &[trust])
        .unwrap()
        .unwrap();
    assert_eq!(manifest.ocsp_paths, ["/", "/old"]);
    let certificate = directory
        .object("ocsp/member", manifest.object("ca-certificate").unwrap())
        .unwrap();
    assert_eq!(certificate, ca.der());
    let layers: Vec<_> = manifest
        .objects_of(answers::ROLE)
        .map(|object| {
            let octets = directory.object("ocsp/member", object).unwrap();
            Arc::new(answers::AnswerSet::from_bytes(octets, &ca).unwrap())
        })
        .collect();
    assert!(layers.len() < 12, "{}", layers.len());
    let mut layers = layers;
    layers.reverse();
    let base = layers.pop().unwrap();
    let layered = answers::Layered::new(base, layers).unwrap();
    assert_eq!(layered.totals(), worker.published().view().totals());
    assert_eq!(layered.totals().all(), 6000);
}

/// Nothing is signed twice because of a restart, and nothing that changed meanwhile is missed.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let world = World::new().await;
    let ca = world.add_issuer("member", EC, true, none_ahead()).await;
    world.import("member", 1..500, None).await;
    {
        let (mut worker, _) = world.worker("member").await;
        worker.settle().await;
        // The certificate of the responder itself.
        let (mut worker, _) = {
            drop(worker);
            world.worker("member").await
        };
        worker.settle().await;
    }
    let before = world.signatures("member");
    assert_eq!(before, 1000);
    world.import("member", 500..510, None).await;
    world.revoke("member", serial(3)).await;
    let (mut worker, _) = world.worker("member").await;
    worker.settle().await;
    assert_eq!(world.signatures("member") - before, 2 * 11);
    assert_complete(&world, &worker, "member", &ca).await;
    drop(worker);

    // A damaged object counts as nothing: all is signed anew.
    let objects = world.path().join("publication/ocsp/member/objects");
    let largest = fs::read_dir(objects)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    let mut octets = fs::read(&largest).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    fs::write(&largest, octets).unwrap();
    let (mut worker, _) = world.worker("member").await;
    worker.settle().await;
    assert_complete(&world, &worker, "member", &ca).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_certificates_leave() {
    let world = World::new().await;
    let ca = world
        .add_issuer("member", EC, true, IssuerPolicy::default())
        .await;
    world
        .import("member", 1..50, Some(world.now().plus_seconds(3 * 86_400)))
        .await;
    world.import("member", 50..60, None).await;
    let (mut worker, inbox) = world.worker("member").await;
    let mut cursor = world.ledger.head().await.unwrap();
    worker.settle().await;
    assert!(worker.published().view().get(&[5]).unwrap().is_some());
    for _ in 0..4 {
        world.clock.advance(86_400);
        worker.settle().await;
        // New responder certificates among others.
        world.feed(&inbox, &mut cursor).await;
        worker.settle().await;
        assert_complete(&world, &worker, "member", &ca).await;
    }
    assert!(worker.published().view().get(&[5]).unwrap().is_none());
    assert!(worker.published().view().get(&[55]).unwrap().is_some());
}

/// More events than are listed one by one, with revocations among them.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_events_is_worked_off() {
    let world = World::new().await;
    let ca = world.add_issuer("member", EC, true, none_ahead()).await;
    let (mut worker, inbox) = world.worker("member").await;
    worker.settle().await;
    let mut cursor = 0;
    world.import("member", 1..9000, None).await;
    world.revoke("member", serial(8999)).await;
    world.feed(&inbox, &mut cursor).await;
    worker.settle().await;
    assert_complete(&world, &worker, "member", &ca).await;
    assert_eq!(
        worker.published().as_of(),
        world.ledger.head().await.unwrap()
    );
    // A listed handful is signed at once and counted once.
    let before = world.signatures("member");
    for number in [11, 12, 13, 12, 11] {
        world.revoke("member", serial(number)).await;
    }
    world.feed(&inbox, &mut cursor).await;
    worker.settle().await;
    assert_eq!(world.signatures("member") - before, 6);
    assert_complete(&world, &worker, "member", &ca).await;
}

/// V12: an issuer that nobody can sign for is told about; the others go on. A responder that may not sign is not used.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_without_its_key_uses_the_responder_it_is_given() {
    let world = World::new().await;
    world
        .add_issuer("old", RSA, false, IssuerPolicy::default())
        .await;
    world
        .add_issuer("member", EC, true, IssuerPolicy::default())
        .await;
    world.import("old", 1..20, None).await;
    let stop = Stopper::new();
    let running = tokio::spawn(follow(Arc::clone(&world.shared), stop.clone()));
    until("member is ready", || {
        world.health.readiness(Some("member")) == Readiness::Ready
    })
    .await;
    until("old is told about", || {
        why(&world, "old").contains("avouch import ca --name old")
    })
    .await;
    stop.stop();
    running.await.unwrap().unwrap();

    let (mut worker, _) = world.worker("old").await;
    let keys = world.path().join("keys/old");
    fs::create_dir_all(&keys).unwrap();
    let path = world.path();
    openssl(
        path,
        "genpkey -out keys/old/given.key -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
    );
    openssl(
        path,
        "req -new -key keys/old/given.key -out given.csr -subj /O=Test/CN=Given",
    );
    let certify = |extensions: &str, days: u32| {
        fs::write(path.join("given.ext"), extensions).unwrap();
        openssl(
            path,
            &format!(
                "x509 -req -in given.csr -CA old.pem -CAkey old.key -days {days} -extfile given.ext -set_serial 900 \
                 -out keys/old/given.cer"
            ),
        );
    };
    certify("extendedKeyUsage = serverAuth\n", 100);
    world.clock.advance(61);
    worker.settle().await;
    assert!(
        why(&world, "old").contains("OCSP-60"),
        "{}",
        why(&world, "old")
    );
    assert_eq!(worker.published().view().totals().all(), 0);

    // As openssl's own documentation makes one: less than today's rules ask for, but a responder.
    certify(
        "basicConstraints = CA:FALSE\nextendedKeyUsage = OCSPSigning\n",
        100,
    );
    world.clock.advance(61);
    worker.settle().await;
    assert_eq!(world.health.readiness(Some("old")), Readiness::Ready);
    for hash in HASHES {
        assert_eq!(
            openssl_says(&world, &worker, "old", serial(3), hash),
            "good"
        );
        assert_eq!(
            openssl_says(&world, &worker, "old", serial(10), hash),
            "revoked"
        );
    }

    // Near its end, answers end with it (V8), and the operator is told.
    world.clock.advance(99 * 86_400);
    worker.settle().await;
    let ends = worker.responder().unwrap().not_after();
    let now = world.now();
    assert!(
        all_answers(worker.published().view())
            .all(|answer| answer.is_current(now) && answer.next_update() <= ends)
    );
    assert!(
        why(&world, "old").contains("its responder certificate ends"),
        "{}",
        why(&world, "old")
    );
    world.clock.set(ends.plus_seconds(1));
    worker.settle().await;
    assert!(
        why(&world, "old").contains("answers have ended"),
        "{}",
        why(&world, "old")
    );
}

/// A responder certificate that was revoked signs no more, and what it signed is replaced.
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_responder_is_replaced() {
    let world = World::new().await;
    let ca = world
        .add_issuer("member", EC, true, IssuerPolicy::default())
        .await;
    world.import("member", 1..100, None).await;
    let (mut worker, inbox) = world.worker("member").await;
    worker.settle().await;
    let first = worker.responder().unwrap().clone();
    world.revoke("member", *first.serial()).await;
    let mut cursor = 0;
    world.feed(&inbox, &mut cursor).await;
    world.clock.advance(61);
    worker.settle().await;
    let second = worker.responder().unwrap().clone();
    assert_ne!(
        first.public_key().spki_der(),
        second.public_key().spki_der()
    );
    worker.settle().await;
    let view = worker.published().view();
    assert!(all_answers(view).all(|answer| answer.responder().unwrap().der() == second.der()));
    world.feed(&inbox, &mut cursor).await;
    worker.settle().await;
    assert_complete(&world, &worker, "member", &ca).await;
}

/// Five weeks by the hour: never a gap, OCSP-35, OCSP-36 and V8 kept, the responder renewed with a new key in time.
#[tokio::test(flavor = "multi_thread")]
async fn weeks_pass() {
    let world = World::new().await;
    let ca = world
        .add_issuer("member", EC, true, IssuerPolicy::default())
        .await;
    world.import("member", 1..400, None).await;
    let (mut worker, inbox) = world.worker("member").await;
    let mut cursor = world.ledger.head().await.unwrap();
    let mut responders = std::collections::BTreeSet::new();
    for hour in 0..5 * 7 * 24 {
        worker.settle().await;
        world.feed(&inbox, &mut cursor).await;
        worker.settle().await;
        let now = world.now();
        let responder = worker.responder().unwrap();
        responders.insert(hex::encode(responder.public_key().fingerprint()));
        assert!(
            now.seconds_until(responder.not_after()) >= 96 * 3600,
            "room for a whole answer"
        );
        for answer in all_answers(worker.published().view()) {
            let validity = answer.this_update().seconds_until(answer.next_update());
            assert!(
                (84 * 3600..=96 * 3600).contains(&validity),
                "OCSP-35, and never cut short by the responder: {validity}"
            );
            assert!(
                answer.next_update() <= answer.responder().unwrap().not_after(),
                "V8"
            );
            assert!(now < answer.refresh_at(), "OCSP-36: renewed as planned");
            assert!(
                now.seconds_until(answer.next_update()) >= 8 * 3600,
                "OCSP-36"
            );
        }
        if hour % 24 == 0 {
            assert_complete(&world, &worker, "member", &ca).await;
        }
        world.clock.advance(3600);
        // What was published an hour ago still holds while nobody has looked.
        let now = world.now();
        assert!(all_answers(worker.published().view()).all(|answer| answer.is_current(now)));
    }
    // A turn is 71 hours.
    assert_eq!(responders.len(), 5 * 7 * 24 / 71 + 1);
    assert_eq!(world.signer.asked(), (5 + 4) * 7 * 24 / 71 + 1);
    let ends: std::collections::BTreeSet<Time> = all_answers(worker.published().view())
        .map(|answer| answer.next_update())
        .collect();
    assert!(ends.len() > 3, "nextUpdate is spread: {ends:?}");
    // About 35 days / 1.75 days a turn, for each of 400 certificates and two hashes.
    let turns = world.signatures("member") / 800;
    assert!((17..=30).contains(&turns), "{turns}");
}

/// With all the parts running: a revocation during a long import is published long before the import is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_overtakes_an_import() {
    let world = World::new().await;
    let ca = world.add_issuer("member", RSA, true, none_ahead()).await;
    let stop = Stopper::new();
    let running = tokio::spawn(follow(Arc::clone(&world.shared), stop.clone()));
    world.import("member", 1..5, None).await;
    until("the first are answered", || {
        published(&world, &ca).is_some_and(|view| view.get(&[2]).unwrap().is_some())
    })
    .await;
    world.import("member", 5..8000, None).await;
    world.revoke("member", serial(2)).await;
    until("revoked", || {
        let view = published(&world, &ca).unwrap();
        view.get(&[2])
            .unwrap()
            .is_some_and(|answer| answer.status() != pki::ocsp::response::CertStatus::Good)
    })
    .await;
    assert!(
        published(&world, &ca).unwrap().totals().all() < 8000,
        "not after everything else"
    );
    until("all are answered", || {
        published(&world, &ca).unwrap().totals().all() == 8000
    })
    .await;
    let view = published(&world, &ca).unwrap();
    assert_eq!(view.totals().revoked, 800);
    stop.stop();
    running.await.unwrap().unwrap();
    let now = world.clock.now();
    assert!(all_answers(&view).all(|answer| answer.is_current(now)));
}

/// The size of the takeover in issue 2; prints how long it took.
#[ignore = "takes a minute; run with --ignored"]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand() {
    for (key, certificates) in [(EC, 100_000), (RSA, 100_000)] {
        let world = World::new().await;
        let ca = world
            .add_issuer("member", key, true, IssuerPolicy::default())
            .await;
        for start in (1..certificates).step_by(5000) {
            world.import("member", start..start + 5000, None).await;
        }
        let (mut worker, _) = world.worker("member").await;
        let begun = std::time::Instant::now();
        worker.settle().await;
        let took = begun.elapsed();
        println!("{key}: {certificates} certificates in {took:?}");
        assert!(worker.published().view().totals().all() >= certificates);
        drop(worker);
        let begun = std::time::Instant::now();
        let (mut worker, inbox) = world.worker("member").await;
        worker.settle().await;
        println!("restart in {:?}", begun.elapsed());
        assert_complete(&world, &worker, "member", &ca).await;
        let mut cursor = world.ledger.head().await.unwrap();
        for number in 1..6 {
            let begun = std::time::Instant::now();
            world.revoke("member", serial(number)).await;
            let recorded = begun.elapsed();
            world.feed(&inbox, &mut cursor).await;
            worker.settle().await;
            println!(
                "recorded after {recorded:?}, published after {:?}",
                begun.elapsed()
            );
        }
    }
}

/// What an edge would see now.
fn published(world: &World, ca: &pki::Certificate) -> Option<answers::Layered> {
    let trust = Trust {
        prefix: "ocsp/".to_owned(),
        public_key: world.shared.publication_key.public(),
    };
    let directory = Directory::new(world.path().join("publication"));
    loop {
        let manifest = directory
            .manifest("ocsp/member", std::slice::from_ref(&trust))
            .unwrap()?;
        let layers: Result<Vec<_>, _> = manifest
            .objects_of(answers::ROLE)
            .map(|object| directory.object("ocsp/member", object))
            .collect();
        // Collected meanwhile: a newer manifest is there.
        let Ok(layers) = layers else { continue };
        let mut layers: Vec<_> = layers
            .into_iter()
            .map(|octets| Arc::new(answers::AnswerSet::from_bytes(octets, ca).unwrap()))
            .collect();
        layers.reverse();
        let base = layers.pop().unwrap();
        return Some(answers::Layered::new(base, layers).unwrap());
    }
}

fn why(world: &World, issuer: &str) -> String {
    match world.health.readiness(Some(issuer)) {
        Readiness::NotReady(reasons) => reasons.join("; "),
        other => format!("{other:?}"),
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(
            begun.elapsed().as_secs() < 120,
            "waited two minutes: {what}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
