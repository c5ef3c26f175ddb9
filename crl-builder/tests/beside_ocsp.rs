//! A CRL is compared with the OCSP answers that are published of the same events (V7).

mod common;

use answers::{AnswerSet, Batch, Builder};
use common::{World, serial, until};
use pki::ocsp::response::{CertStatus, Template};
use pki::{Certificate, Clock, HashAlgorithm, RevocationReason, SignatureAlgorithm};
use publication::{NewManifest, NewObject, Source};

/// Publishes an answer about certificate 1 that claims to reflect every event up to `as_of`; the CA signs it itself.
fn publish(world: &World, ca: &Certificate, status: CertStatus, as_of: u64) {
    const HASH: HashAlgorithm = HashAlgorithm::Sha256;
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let now = world.clock.now();
    let next_update = now.plus_seconds(86_400);
    let mut builder = Builder::new(ca, &[HASH]).unwrap();
    let batch = builder
        .batch(Batch {
            this_update: now,
            next_update,
            refresh_at: now.plus_seconds(3600),
            responder: None,
            signature_algorithm: algorithm,
        })
        .unwrap();
    let data =
        Template::new(HASH, ca, ca, algorithm).response_data(&serial(1), status, now, next_update);
    let signature = world.signer.state().keys[0]
        .1
        .sign(algorithm, &data)
        .unwrap();
    builder
        .answer(serial(1), status, batch, &[signature])
        .unwrap();
    let octets = builder.finish().unwrap();
    let tail = AnswerSet::from_bytes(octets.clone(), ca)
        .unwrap()
        .tail_length();
    world
        .publisher("ocsp/member")
        .publish(NewManifest {
            as_of,
            issuer: "member".to_owned(),
            ocsp_paths: vec![],
            settings: [].into(),
            objects: vec![NewObject {
                role: answers::ROLE.to_owned(),
                name: "answers".to_owned(),
                content_type: "application/octet-stream".to_owned(),
                paths: vec![],
                this_update: None,
                next_update: None,
                details: [].into(),
                tail: Some(tail),
                source: Source::Bytes(octets),
            }],
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_crl_says_otherwise_than_ocsp() {
    let world = World::new().await;
    let ca = world.add_signing("member").await;
    world.certify("member", 1..=3).await;
    let running = world.start();
    let kept = until("a CRL", || world.crl("member")).await;
    running.stop().await;

    world.revoke("member", 1).await;
    let revoked = |seconds| CertStatus::Revoked {
        time: world.clock.now().plus_seconds(seconds),
        reason: Some(RevocationReason::KeyCompromise),
    };
    let head = world.ledger.head().await.unwrap();
    for wrong in [CertStatus::Good, revoked(-60)] {
        publish(&world, &ca, wrong, head);
        let running = world.start();
        let trouble = until("a refusal", || {
            running
                .trouble("member")
                .filter(|trouble| trouble.contains("V7"))
        })
        .await;
        assert!(
            trouble.contains("OCSP") && trouble.contains("nobody can allow"),
            "{trouble}"
        );
        assert_eq!(world.crl("member").unwrap().der(), kept.der());
        running.stop().await;
    }

    // Answers that are not that far say nothing about it, and those that agree are no hindrance.
    publish(&world, &ca, CertStatus::Good, head - 1);
    let running = world.start();
    until("the CRL", || {
        world.crl("member").filter(|crl| crl.len() == 1)
    })
    .await;
    running.stop().await;
    publish(&world, &ca, revoked(0), head + 1);
    world.revoke("member", 2).await;
    let running = world.start();
    until("the next", || {
        world.crl("member").filter(|crl| crl.len() == 2)
    })
    .await;
    running.stop().await;
}
