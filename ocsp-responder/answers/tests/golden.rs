//! The stored format, octet for octet: a file of each version must stay readable and mean the same.
//!
//! `tests/golden/v1.answers` was written by this crate when version 1 was made; `v1.ca.pem` is its CA. With
//! `AVOUCH_MAKE_GOLDEN=1` the test writes new ones, for a new version of the format.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use answers::{AnswerSet, Entry, Removals, merge};
use common::{Authority, HASHES, revoked, serial};
use pki::ocsp::response::CertStatus;
use pki::ocsp::verify::{Expected, Rules, verify_response};
use pki::{Certificate, HashAlgorithm, Time};

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file)
}

fn make() {
    let authority = Authority::p256("Golden");
    let without_reason = CertStatus::Revoked {
        time: Time::from_unix(1_600_000_000),
        reason: None,
    };
    let answers = [
        (5, CertStatus::Good),
        (0xfedc_ba98_7654, revoked()),
        (6, without_reason),
    ];
    fs::create_dir_all(golden("")).unwrap();
    fs::write(golden("v1.answers"), authority.octets(60, &answers, &[7])).unwrap();
    fs::write(golden("v1.ca.pem"), authority.ca.to_pem()).unwrap();
}

#[test]
fn version_1() {
    if std::env::var_os("AVOUCH_MAKE_GOLDEN").is_some() {
        make();
    }
    let octets = fs::read(golden("v1.answers")).unwrap();
    let ca = Certificate::from_pem(&fs::read_to_string(golden("v1.ca.pem")).unwrap()).unwrap();

    // As docs/answer-set.md says, read without this crate.
    assert_eq!(&octets[..8], b"AVOUCHAS");
    assert_eq!(
        &octets[8..32],
        [&[0, 1, 6, 2, 1, 2, 0, 64][..], &[0; 16]].concat()
    );
    let records: Vec<_> = octets[32..].chunks(6 + 13 + 128).take(4).collect();
    let heads = [
        [0, 0, 0, 0, 0, 5, 0],
        [0, 0, 0, 0, 0, 6, 1],
        [0, 0, 0, 0, 0, 7, 2],
        [0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x81],
    ];
    assert!(
        records
            .iter()
            .map(|record| &record[..7])
            .eq(heads.iter().map(|head| &head[..]))
    );
    assert_eq!(records[1][7..15], 1_600_000_000i64.to_be_bytes());
    assert_eq!(records[2][7..19], [&[0; 8][..], &[0xff; 4]].concat());
    let tables = &octets[32 + 4 * 147..];
    assert_eq!(
        tables[..20],
        HashAlgorithm::Sha1.digest(ca.subject().as_der())
    );
    assert_eq!(tables[20..40], ca.public_key().key_id());
    assert_eq!(
        tables[40..72],
        HashAlgorithm::Sha256.digest(ca.subject().as_der())
    );
    let end = octets.len();
    assert_eq!(octets[end - 40..end - 32], 4u64.to_be_bytes());
    assert_eq!(
        octets[end - 32..],
        HashAlgorithm::Sha256.digest(&octets[..end - 32])
    );

    // With it.
    let set = AnswerSet::from_bytes(octets.clone(), &ca).unwrap();
    let statuses: Vec<_> = set
        .entries()
        .map(|entry| match entry {
            Entry::Answer(answer) => (answer.serial(), Some(answer.status())),
            Entry::Removed(serial) => (serial, None),
        })
        .collect();
    let without_reason = CertStatus::Revoked {
        time: Time::from_unix(1_600_000_000),
        reason: None,
    };
    assert_eq!(
        statuses,
        [
            (serial(5), Some(CertStatus::Good)),
            (serial(6), Some(without_reason)),
            (serial(7), None),
            (serial(0xfedc_ba98_7654), Some(revoked())),
        ]
    );
    for entry in set.entries() {
        let Entry::Answer(answer) = entry else {
            continue;
        };
        for hash in HASHES {
            let expected = Expected {
                ca: &ca,
                hash,
                serial: &answer.serial(),
                now: answer.this_update(),
                status: Some(answer.status()),
                rules: Rules::default(),
            };
            verify_response(&answer.response(hash).unwrap(), &expected).unwrap();
        }
    }

    // And written again by it.
    assert_eq!(merge(&[Arc::new(set)], Removals::Keep).unwrap(), octets);
}
