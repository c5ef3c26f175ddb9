//! CRLs of others that the ledger follows; files, so that nothing but the clock and the disk is in play.

mod common;

use common::{World, until};
use ledger::{IssuerPolicy, IssuerUpdate, SourcePolicy};
use pki::{Clock, RevocationReason, Serial};

const REVOKED: &str = "R\t351231235959Z\t250101000000Z,superseded\t1234\tunknown\t/CN=x\n";
const HELD: &str = "R\t351231235959Z\t250101000000Z,certificateHold\t5678\tunknown\t/CN=y\n";

/// A CRL as `openssl ca` makes it of this index, with this number in hexadecimal.
fn crl(world: &World, number: &str, index: &str) -> Vec<u8> {
    let config = "[ca]\ndefault_ca = ca\n[ca]\ndatabase = index.txt\ndefault_md = sha256\ndefault_crl_days = 30\n\
                  crlnumber = crlnumber\ncrl_extensions = ext\n[ext]\nauthorityKeyIdentifier = keyid\n";
    std::fs::write(world.path("ca.cnf"), config).unwrap();
    std::fs::write(world.path("index.txt"), index).unwrap();
    std::fs::write(world.path("crlnumber"), number).unwrap();
    let made = ["-out", "made.pem"];
    let mut arguments = vec!["ca", "-config", "ca.cnf", "-gencrl"];
    arguments.extend(["-cert", "old.pem", "-keyfile", "old.key"]);
    world.openssl(&[arguments, made.to_vec()].concat());
    world.openssl(&[
        "crl", "-in", "made.pem", "-outform", "DER", "-out", "made.der",
    ]);
    std::fs::read(world.path("made.der")).unwrap()
}

async fn world() -> World {
    let world = World::new().await;
    world.add_foreign("old").await;
    let policy = IssuerPolicy {
        source: SourcePolicy {
            crl: Some("file".to_owned()),
            ..SourcePolicy::default()
        },
        ..IssuerPolicy::default()
    };
    let update = IssuerUpdate {
        policy: Some(policy),
        ..IssuerUpdate::default()
    };
    world
        .ledger
        .update_issuer("old", update, "test")
        .await
        .unwrap();
    world
}

async fn reason(world: &World, serial: &[u8]) -> Option<RevocationReason> {
    let serial = Serial::from_be_bytes(serial).unwrap();
    let status = world.ledger.status("old", &serial).await.unwrap()?;
    status.revoked.map(|(_, reason)| reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_takes_nothing_in_again() {
    let world = world().await;
    let running = world.start();
    let der = crl(&world, "1000", &[REVOKED, HELD].concat());
    world.import_file("old", &der);
    until("the CRL", || {
        world.crl("old").filter(|crl| crl.der() == der)
    })
    .await;
    until("peace", || running.trouble("old").is_none().then_some(())).await;
    assert_eq!(
        reason(&world, &[0x12, 0x34]).await,
        Some(RevocationReason::Superseded)
    );
    assert_eq!(
        reason(&world, &[0x56, 0x78]).await,
        Some(RevocationReason::CertificateHold)
    );
    running.stop().await;

    let head = world.ledger.head().await.unwrap();
    let running = world.start();
    until("peace", || running.trouble("old").is_none().then_some(())).await;
    assert_eq!(world.ledger.head().await.unwrap(), head);

    // A hold that a complete CRL has no longer was released; any other revocation stays.
    let next = crl(&world, "1001", "");
    world.import_file("old", &next);
    until("the next CRL", || {
        world.crl("old").filter(|crl| crl.der() == next)
    })
    .await;
    assert_eq!(reason(&world, &[0x56, 0x78]).await, None);
    assert_eq!(
        reason(&world, &[0x12, 0x34]).await,
        Some(RevocationReason::Superseded)
    );
    world.ledger.verify_audit().await.unwrap();
    running.stop().await;
}

/// CRL-11: the publication is lost and an old file is there. The ledger knows better.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_file_over_a_lost_publication() {
    let world = world().await;
    let old = crl(&world, "1000", HELD);
    let new = crl(&world, "1001", REVOKED);
    let running = world.start();
    world.import_file("old", &new);
    until("the CRL", || {
        world.crl("old").filter(|crl| crl.der() == new)
    })
    .await;
    running.stop().await;

    std::fs::remove_dir_all(world.path("publication")).unwrap();
    world.import_file("old", &old);
    let running = world.start();
    until("CRL-11", || {
        running
            .trouble("old")
            .filter(|trouble| trouble.contains("older than what the ledger has taken in: CRL-11"))
    })
    .await;
    until("the CA certificate", || world.manifest("old")).await;
    assert!(world.crl("old").is_none());
    assert_eq!(reason(&world, &[0x56, 0x78]).await, None);
    world.import_file("old", &new);
    until("the CRL again", || {
        world.crl("old").filter(|crl| crl.der() == new)
    })
    .await;
    running.stop().await;
}

/// V3: one that has ended is never taken in; with the clock, the one in use becomes too old, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn too_old() {
    let world = world().await;
    let der = crl(&world, "1000", HELD);
    world.clock.advance(31 * 86_400);
    world.import_file("old", &der);
    let running = world.start();
    until("V3", || {
        running
            .trouble("old")
            .filter(|trouble| trouble.contains("V3: it has ended already"))
    })
    .await;
    assert_eq!(reason(&world, &[0x56, 0x78]).await, None);
    assert_eq!(world.ledger.source("old").await.unwrap(), None);
    running.stop().await;

    world.clock.advance(-2 * 86_400);
    let running = world.start();
    until("peace", || running.trouble("old").is_none().then_some(())).await;
    let source = world.ledger.source("old").await.unwrap().unwrap();
    assert!(source.complete.next_update > world.clock.now());
    world.clock.advance(2 * 86_400);
    until("too old", || {
        running
            .trouble("old")
            .filter(|trouble| trouble.contains("its CRLs are too old"))
    })
    .await;
    assert!(
        running
            .metric("avouch_crl_source_seconds_left", "old")
            .is_some_and(|left| left < 0.0)
    );
    running.stop().await;
}
