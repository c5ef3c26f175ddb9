use std::process::Command;

use x509_parser::prelude::FromDer as _;

use super::*;
use crate::crl::verify::{Expected, OwnRules, Profile, Scope, verify_crl};
use crate::test_ca::{DAY, NOW, TestCa, TestKey};

fn entries(count: u32) -> impl Iterator<Item = CrlEntry> {
    (1..=count).map(|index| CrlEntry {
        serial: Serial::from_be_bytes(&(index * 97).to_be_bytes()).unwrap(),
        revocation_date: NOW.plus_seconds(-i64::from(index)),
        reason: match index % 4 {
            0 => None,
            1 => Some(RevocationReason::KeyCompromise),
            2 => Some(RevocationReason::Unspecified),
            _ => Some(RevocationReason::Superseded),
        },
        invalidity_date: (index % 3 == 0).then(|| NOW.plus_seconds(-DAY)),
    })
}

fn build(ca: &TestCa, number: &CrlNumber, entries: impl IntoIterator<Item = CrlEntry>) -> Vec<u8> {
    let contents = CrlContents {
        issuer: ca.subject(),
        authority_key_id: &ca.certificate.key_id(),
        number,
        this_update: NOW.plus_seconds(-120),
        next_update: NOW.plus_seconds(7 * DAY),
        signature_algorithm: ca.key.algorithm(),
        scope: Scope::Complete,
        freshest: None,
    };
    let tbs = contents.tbs(entries);
    assemble(&tbs, ca.key.algorithm(), &ca.key.sign(&tbs))
}

fn expected(ca: &TestCa) -> Expected<'_> {
    Expected {
        ca: &ca.certificate,
        now: NOW,
        scope: Scope::Complete,
        previous: None,
        profile: Profile::Own(OwnRules::default()),
    }
}

#[test]
fn passes_our_verifier_and_is_read_back() {
    for ca in [TestCa::new(), TestCa::with(TestKey::rsa(), |_| ())] {
        for count in [0, 1, 2, 3, 5, 300, 20_000] {
            let number = CrlNumber::from(u64::MAX).next().unwrap();
            let der = build(&ca, &number, entries(count));
            let crl = verify_crl(&der, &expected(&ca)).unwrap().crl;
            assert_eq!(crl.number(), Some(&number));
            assert_eq!(crl.this_update(), NOW.plus_seconds(-120));
            assert_eq!(crl.next_update(), Some(NOW.plus_seconds(7 * DAY)));
            assert_eq!(crl.issuer(), ca.subject());
            assert_eq!((crl.len(), crl.is_empty()), (count as usize, count == 0));
            let stated = |entry: CrlEntry| CrlEntry {
                reason: entry
                    .reason
                    .filter(|&reason| reason != RevocationReason::Unspecified),
                ..entry
            };
            assert!(
                crl.entries()
                    .map(Result::unwrap)
                    .eq(entries(count).map(stated))
            );
            for entry in entries(count.min(5)) {
                assert_eq!(crl.find(&entry.serial), Some(stated(entry)));
            }
            assert_eq!(crl.find(&Serial::from_be_bytes(&[1]).unwrap()), None);
        }
    }
}

#[test]
fn x509_parser_reads_the_same() {
    let ca = TestCa::new();
    let der = build(&ca, &CrlNumber::from(258), entries(100));
    let (rest, crl) =
        x509_parser::revocation_list::CertificateRevocationList::from_der(&der).unwrap();
    assert!(rest.is_empty());
    assert_eq!(crl.version().unwrap().0, 1);
    assert_eq!(crl.crl_number().unwrap().to_bytes_be(), [1, 2]);
    assert_eq!(crl.last_update().timestamp(), NOW.unix() - 120);
    assert_eq!(crl.next_update().unwrap().timestamp(), NOW.unix() + 7 * DAY);
    for (theirs, ours) in crl.iter_revoked_certificates().zip(entries(100)) {
        assert_eq!(
            theirs.user_certificate.to_bytes_be(),
            ours.serial.as_bytes()
        );
        assert_eq!(
            theirs.revocation_date.timestamp(),
            ours.revocation_date.unix()
        );
        let reason = ours.reason.unwrap_or(RevocationReason::Unspecified);
        assert_eq!(
            theirs.reason_code().map_or(0, |(_, code)| code.0),
            reason.code()
        );
    }
    assert_eq!(crl.iter_revoked_certificates().count(), 100);
}

#[test]
fn webpki_finds_the_entries() {
    use webpki::{BorrowedCertRevocationList, CertRevocationList};

    let ca = TestCa::new();
    let der = build(&ca, &CrlNumber::from(7), entries(50));
    let crl = CertRevocationList::from(BorrowedCertRevocationList::from_der(&der).unwrap());
    for entry in entries(50) {
        // They compare the content of the INTEGER, with its leading zero octet.
        let integer = der_encode::integer(entry.serial.as_bytes());
        let found = crl.find_serial(&integer[2..]).unwrap().unwrap();
        assert_eq!(found.serial_number, &integer[2..]);
    }
    assert!(crl.find_serial(&[1]).unwrap().is_none());
}

#[test]
fn openssl_verifies_it() {
    let directory = tempfile::tempdir().unwrap();
    for ca in [TestCa::new(), TestCa::with(TestKey::rsa(), |_| ())] {
        std::fs::write(directory.path().join("ca.pem"), ca.certificate.to_pem()).unwrap();
        std::fs::write(
            directory.path().join("crl.der"),
            build(&ca, &CrlNumber::from(31), entries(4)),
        )
        .unwrap();
        let output = Command::new("openssl")
            .args([
                "crl", "-inform", "DER", "-in", "crl.der", "-CAfile", "ca.pem", "-text", "-noout",
            ])
            .current_dir(&directory)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("verify OK"), "{said}");
        for text in [
            "Version 2 (0x1)",
            "X509v3 CRL Number: \n                31",
            "Key Compromise",
            "Superseded",
            "Invalidity Date",
        ] {
            assert!(said.contains(text), "{text}: {said}");
        }
        assert_eq!(said.matches("Serial Number").count(), 4);
    }
}

/// CRL-04: dates from 2050 on are GeneralizedTime.
#[test]
fn across_the_year_2050() {
    let ca = TestCa::with(TestKey::p256(), |spec| {
        spec.not_after = NOW.plus_seconds(40 * 366 * DAY)
    });
    let this_update: Time = "2049-12-31T23:00:00Z".parse().unwrap();
    let contents = CrlContents {
        issuer: ca.subject(),
        authority_key_id: &ca.certificate.key_id(),
        number: &CrlNumber::from(1),
        this_update,
        next_update: this_update.plus_seconds(DAY),
        signature_algorithm: ca.key.algorithm(),
        scope: Scope::Complete,
        freshest: None,
    };
    let tbs = contents.tbs(entries(1));
    let der = assemble(&tbs, ca.key.algorithm(), &ca.key.sign(&tbs));
    verify_crl(
        &der,
        &Expected {
            now: this_update.plus_seconds(7200),
            ..expected(&ca)
        },
    )
    .unwrap();
}
