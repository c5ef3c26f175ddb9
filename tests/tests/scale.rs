//! A CA with 100,000 certificates is taken over from its index.txt and answered in full.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use e2e::ocsp_load::Connection;
use e2e::system::{EC, path};
use e2e::{System, program, wait_for};
use pki::{Certificate, HashAlgorithm, Serial};
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspResponse, OcspResponseStatus};

const LINES: u32 = 100_000;

/// Every tenth is revoked.
const REVOKED_EVERY: u32 = 10;

#[test]
fn an_index_of_100_000_lines() {
    let system = System::start(EC);
    let (key, ca) = (
        system.folder().join("old.key"),
        system.folder().join("old.pem"),
    );
    let arguments = [
        "req",
        "-x509",
        "-nodes",
        "-days",
        "3650",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-subj",
        "/O=Old/CN=Old CA",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
        "-keyout",
        path(&key),
        "-out",
        path(&ca),
    ];
    program(system.folder(), "openssl", arguments).ok();
    let index = system.folder().join("index.txt");
    fs::write(&index, index_txt()).expect("written");

    let start = Instant::now();
    let imported = system
        .avouch(&[
            "import",
            "ca",
            "--name",
            "old",
            "--cert",
            path(&ca),
            "--key",
            path(&key),
            "--index",
            path(&index),
        ])
        .ok();
    println!(
        "imported {LINES} lines in {:?}\n{}",
        start.elapsed(),
        imported.output()
    );

    let start = Instant::now();
    let ca = Certificate::from_pem(&fs::read_to_string(&ca).expect("the certificate"))
        .expect("a certificate");
    let mut connection = Connection::open(system.status_url(), &ca, HashAlgorithm::Sha256);
    wait_for(|| status(&connection.ask(&serial(LINES - 1))).is_some());
    println!("signed and served after {:?}", start.elapsed());
    for hash in [HashAlgorithm::Sha1, HashAlgorithm::Sha256] {
        let mut connection = Connection::open(system.status_url(), &ca, hash);
        for number in 0..LINES {
            // The last may come first: each is waited for.
            let mut revoked = None;
            wait_for(|| {
                revoked = status(&connection.ask(&serial(number)));
                revoked.is_some()
            });
            assert_eq!(
                revoked,
                Some(number % REVOKED_EVERY == 0),
                "{number} by {hash}"
            );
        }
        assert_eq!(
            status(&connection.ask(&serial(LINES))),
            None,
            "never issued, so never good"
        );
    }
}

fn serial(number: u32) -> Serial {
    Serial::from_be_bytes(&[&[0x77][..], &number.to_be_bytes()].concat()).expect("a serial")
}

fn index_txt() -> String {
    let mut text = String::new();
    for number in 0..LINES {
        let serial = serial(number);
        let status = if number % REVOKED_EVERY == 0 {
            "R\t361231235959Z\t251105101010Z,keyCompromise"
        } else {
            "V\t361231235959Z\t"
        };
        writeln!(
            text,
            "{status}\t{serial}\tunknown\t/CN=host{number}.example.org"
        )
        .expect("a string grows");
    }
    text
}

/// Whether the one answer says revoked; `None` for anything but good and revoked. Read by a parser that
/// is not ours.
fn status(response: &[u8]) -> Option<bool> {
    use der::Decode as _;
    let response = OcspResponse::from_der(response).expect("DER");
    if response.response_status != OcspResponseStatus::Successful {
        return None;
    }
    let basic = response.response_bytes.expect("a body").response;
    let basic = BasicOcspResponse::from_der(basic.as_bytes()).expect("DER");
    let [single] = &basic.tbs_response_data.responses[..] else {
        panic!("exactly one answer")
    };
    match single.cert_status {
        CertStatus::Good(_) => Some(false),
        CertStatus::Revoked(_) => Some(true),
        CertStatus::Unknown(_) => None,
    }
}
