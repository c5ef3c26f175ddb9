//! Responder certificates issued ahead, through the whole system: the signer certifies them, everybody who compares is
//! content with them, and operators see for how long they last (S9).
#![forbid(unsafe_code)]

use std::fs;
use std::path::PathBuf;

use e2e::clients::pkilint;
use e2e::system::EC;
use e2e::{System, wait_for};
use pki::{Certificate, Clock, SystemClock};

const ISSUERS: [&str; 4] = ["root", "member", "assured", "organisation"];
const DAY: i64 = 86_400;
/// One in use, and nine that begin in the four weeks to come.
const FULL: usize = 10;

#[test]
fn it_is_filled_shown_and_audited() {
    let mut system = System::start(EC);
    let left = |system: &System, issuer: &str| {
        let line = format!("avouch_presigner_responder_stock_seconds_left{{issuer=\"{issuer}\"}} ");
        let page = system.metrics("ocsp-presigner");
        let value = page.lines().find_map(|found| found.strip_prefix(&line));
        value.and_then(|value| value.parse().ok()).unwrap_or(0_i64)
    };
    for issuer in ISSUERS {
        wait_for(|| left(&system, issuer) > 32 * DAY);
        let certificates = certificates(&system, issuer);
        assert_eq!(certificates.len(), FULL, "{issuer}");
        let begins: Vec<_> = certificates.iter().map(Certificate::not_before).collect();
        for pair in begins.windows(2) {
            let turn = pair[0].seconds_until(pair[1]);
            assert!((70 * 3600..=72 * 3600).contains(&turn), "{issuer}: {turn}");
        }
        for certificate in &certificates {
            let seconds = certificate
                .not_before()
                .seconds_until(certificate.not_after());
            assert_eq!(seconds, 7 * DAY - 1);
        }
    }

    let last = files(&system, "member").pop().expect("a certificate");
    let findings = pkilint(&system, "lint_pkix_cert", &[], &last);
    assert_eq!(findings, Vec::<String>::new());

    // Whoever asks about one gets an answer before it begins, and all that was signed is in the books.
    let verified = system.avouch(&["audit", "verify", "--json"]).ok().json();
    assert_eq!(verified["holds"], true, "{verified}");
    let status = system.avouch(&["status", "--json"]).ok().json();
    let now = SystemClock.now();
    for issuer in status["issuers"].as_array().expect("issuers") {
        let until = certificates(&system, issuer["name"].as_str().expect("a name"));
        let until = until.last().expect("a stock").not_after();
        assert_eq!(issuer["responder_until"], until.to_string(), "{status}");
        assert!(now.seconds_until(until) > 32 * DAY);
        assert_eq!(issuer["problems"].as_array().map(Vec::len), Some(0));
    }
    let text = system.avouch(&["status"]).ok().stdout;
    assert!(text.contains("without signer"), "{text}");

    // A restart asks for no more.
    let listen = system.address();
    system.stop();
    system.up(&listen);
    wait_for(|| left(&system, "organisation") > 32 * DAY);
    for issuer in ISSUERS {
        assert_eq!(certificates(&system, issuer).len(), FULL, "{issuer}");
    }
}

/// In the presigner's directory, by their beginning.
fn certificates(system: &System, issuer: &str) -> Vec<Certificate> {
    files(system, issuer).iter().map(read).collect()
}

fn files(system: &System, issuer: &str) -> Vec<PathBuf> {
    let folder = system.data().join("ocsp-presigner/keys").join(issuer);
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the presigner's keys")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == "cer"))
        .collect();
    files.sort_by_key(|path| read(path).not_before());
    files
}

fn read(path: &PathBuf) -> Certificate {
    Certificate::from_der(&fs::read(path).expect("a certificate")).expect("a certificate")
}
