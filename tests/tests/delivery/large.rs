//! The CRL that cost 130 GB a day: 6.5 MB, of which hourly clients need kilobytes (S5).

use std::fmt::Write as _;
use std::fs;

use e2e::clients::curl;
use e2e::program::binary;
use e2e::system::{EC, path};
use e2e::{System, program, wait_for};
use pki::crl::Crl;

const REVOKED: u32 = 180_000;
const NEW: u32 = 100;

#[test]
fn a_hundred_revocations_move_less_than_ten_kilobytes() {
    let system = System::start(EC);
    let [key, ca, index] =
        ["old.key", "old.pem", "index.txt"].map(|name| system.folder().join(name));
    let curve = "ec_paramgen_curve:P-256";
    let usage = "keyUsage=critical,keyCertSign,cRLSign";
    let mut arguments = vec!["req", "-x509", "-nodes", "-days", "3650", "-newkey", "ec"];
    arguments.extend([
        "-pkeyopt",
        curve,
        "-subj",
        "/O=Old/CN=Old CA",
        "-addext",
        usage,
    ]);
    arguments.extend(["-keyout", path(&key), "-out", path(&ca)]);
    program(system.folder(), "openssl", arguments).ok();
    fs::write(&index, index_txt()).expect("written");
    let mut arguments = vec!["import", "ca", "--name", "old", "--cert", path(&ca)];
    arguments.extend(["--key", path(&key), "--index", path(&index)]);
    system.avouch(&arguments).ok();

    let url = format!("{}crl/old.crl", system.status_url());
    let entries = || {
        let response = curl(&system, &url, &["--compressed"]);
        (response.status == 200).then(|| Crl::from_der(&response.body).expect("a CRL").len())
    };
    wait_for(|| entries() == Some(REVOKED as usize));
    let out = system.folder().join("old.crl");
    let fetch = || {
        let arguments = [
            "fetch-crl",
            &url,
            "--ca",
            path(&ca),
            "--out",
            path(&out),
            "--json",
        ];
        program(system.folder(), binary("avouch"), arguments)
            .ok()
            .json()
    };
    let whole = fetch();
    let octets = whole["octets"].as_u64().expect("a number");
    assert!((6_400_000..6_600_000).contains(&octets), "{whole}");
    assert!(
        whole["received"].as_u64() < Some(octets / 3),
        "it came compressed: {whole}"
    );

    for number in 0..NEW {
        revoke(&system, number);
    }
    wait_for(|| entries() == Some((REVOKED + NEW) as usize));
    let difference = fetch();
    println!("{difference}");
    assert_eq!(difference["how"], "difference");
    assert_eq!(difference["entries"], u64::from(REVOKED + NEW));
    assert!(
        difference["received"].as_u64() < Some(10_000),
        "{difference}"
    );
    assert_eq!(
        fs::read(&out).expect("the CRL"),
        curl(&system, &url, &[]).body
    );
    let unchanged = fetch();
    println!("{unchanged}");
    assert!(unchanged["received"].as_u64() < Some(600), "{unchanged}");
}

/// Three octets each, as a CA of 2005 gave them; the last ones are not revoked.
fn index_txt() -> String {
    let mut text = String::new();
    for number in 0..REVOKED + NEW {
        let status = match number < REVOKED {
            true => "R\t361231235959Z\t251105101010Z,keyCompromise",
            false => "V\t361231235959Z\t",
        };
        let serial = 0x10_0000 + number;
        writeln!(
            text,
            "{status}\t{serial:06X}\tunknown\t/CN=host{number}.example.org"
        )
        .expect("a string grows");
    }
    text
}

fn revoke(system: &System, number: u32) {
    let serial = format!("{:06X}", 0x10_0000 + REVOKED + number);
    let mut arguments = vec![
        "revoke", "--serial", &serial, "--issuer", "old", "--ground", "support",
    ];
    arguments.extend(["--case", "s20261122.1", "--reason", "keyCompromise"]);
    system.avouch(&arguments).ok();
}
