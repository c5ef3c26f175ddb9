//! CRLs of CAs whose key is elsewhere.

mod common;

use common::{World, until};
use pki::Clock;

/// A CRL as `openssl ca` makes it: with this number and an authority key identifier, or with neither.
fn openssl_crl(world: &World, ca: &str, number: Option<&str>) -> Vec<u8> {
    let config = format!(
        "[ca]\ndefault_ca = ca\n[ca]\ndatabase = index.txt\ndefault_md = sha256\n\
         default_crl_days = 30\n{}[ext]\nauthorityKeyIdentifier = keyid\n",
        if number.is_some() {
            "crlnumber = crlnumber\ncrl_extensions = ext\n"
        } else {
            ""
        }
    );
    std::fs::write(world.path("ca.cnf"), config).unwrap();
    std::fs::write(
        world.path("index.txt"),
        "R\t351231235959Z\t250101000000Z\t1234\tunknown\t/CN=x\n",
    )
    .unwrap();
    std::fs::write(world.path("crlnumber"), number.unwrap_or_default()).unwrap();
    world.openssl(&[
        "ca",
        "-config",
        "ca.cnf",
        "-gencrl",
        "-cert",
        &format!("{ca}.pem"),
        "-keyfile",
        &format!("{ca}.key"),
        "-out",
        "made.pem",
    ]);
    world.openssl(&[
        "crl", "-in", "made.pem", "-outform", "DER", "-out", "made.der",
    ]);
    std::fs::read(world.path("made.der")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn served_as_they_are() {
    let world = World::new().await;
    world.add_foreign("old").await;
    let running = world.start();
    // Before there is one: the CA certificate alone.
    let manifest = until("the CA certificate", || world.manifest("old")).await;
    assert_eq!(manifest.objects.len(), 1);

    let der = openssl_crl(&world, "old", Some("1000"));
    world.import_file("old", &der);
    let crl = until("the CRL", || world.crl("old")).await;
    assert_eq!(crl.der(), der);
    assert_eq!(crl.len(), 1);
    let object = world
        .manifest("old")
        .unwrap()
        .object("crl")
        .unwrap()
        .clone();
    assert_eq!(
        object.paths,
        ["/crl/old.crl", "/old/old.crl", "/crl/old/4096.crl"]
    );
    assert_eq!(object.next_update, crl.next_update());

    let newer = openssl_crl(&world, "old", Some("1001"));
    world.import_file("old", &newer);
    until("the newer CRL", || {
        world.crl("old").filter(|crl| crl.der() == newer)
    })
    .await;

    // CRL-11: never back.
    world.import_file("old", &der);
    until("CRL-11", || {
        running
            .trouble("old")
            .filter(|trouble| trouble.contains("CRL-11"))
    })
    .await;
    assert_eq!(world.crl("old").unwrap().der(), newer);
    running.stop().await;
}

/// As `openssl ca` writes them unless it is told otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn version_1() {
    let world = World::new().await;
    world.add_foreign("old").await;
    let der = openssl_crl(&world, "old", None);
    world.import_file("old", &der);
    let running = world.start();
    let crl = until("the CRL", || world.crl("old")).await;
    assert_eq!((crl.der(), crl.number()), (&der[..], None));
    running.stop().await;
}

/// An expired CRL is served with its times.
#[tokio::test(flavor = "multi_thread")]
async fn expired() {
    let world = World::new().await;
    world.add_foreign("old").await;
    let der = openssl_crl(&world, "old", Some("1000"));
    world.import_file("old", &der);
    world.clock.advance(31 * 86_400);
    let running = world.start();
    let crl = until("the CRL", || world.crl("old")).await;
    assert!(crl.next_update().unwrap() < world.clock.now());
    running.stop().await;
}

/// V9: refused with its rule; the other issuers go on.
#[tokio::test(flavor = "multi_thread")]
async fn of_another_ca() {
    let world = World::new().await;
    world.add_foreign("old").await;
    world.add_foreign("other").await;
    world.add_signing("member").await;
    let der = openssl_crl(&world, "other", Some("1000"));
    world.import_file("old", &der);
    let running = world.start();
    let trouble = until("trouble", || {
        running
            .trouble("old")
            .filter(|trouble| trouble.contains("CRL-"))
    })
    .await;
    assert!(trouble.contains("CRL-03"), "{trouble}");
    until("the others' CRLs", || world.crl("member")).await;
    until("the CA certificate", || world.manifest("old")).await;
    assert!(world.crl("old").is_none());
    running.stop().await;
}
