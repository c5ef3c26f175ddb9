//! What goes in comes out, and clients accept it.

mod common;

use answers::{AnswerSet, Builder, Entry};
use common::{Authority, HASHES, openssl, revoked, serial};
use pki::ocsp::response::CertStatus;
use pki::ocsp::verify::{Expected, Rules, verify_response};
use pki::{HashAlgorithm, Serial, SignatureAlgorithm};

/// Every kind of key: each answer is judged by the whole verifier and by openssl.
#[test]
fn answers_are_accepted() {
    let kinds = [
        (
            "RSA -pkeyopt rsa_keygen_bits:2048",
            SignatureAlgorithm::RsaSha256,
        ),
        (
            "EC -pkeyopt ec_paramgen_curve:P-256",
            SignatureAlgorithm::EcdsaSha256,
        ),
        (
            "EC -pkeyopt ec_paramgen_curve:P-384",
            SignatureAlgorithm::EcdsaSha384,
        ),
        (
            "EC -pkeyopt ec_paramgen_curve:P-521",
            SignatureAlgorithm::EcdsaSha512,
        ),
        ("ED25519", SignatureAlgorithm::Ed25519),
    ];
    for (key, algorithm) in kinds {
        let authority = Authority::new("Kinds", key, algorithm);
        // Many, so that some of the numbers in ECDSA signatures are short.
        let answers: Vec<_> = (1..=600u64)
            .map(|number| {
                (
                    number,
                    if number % 3 == 0 {
                        revoked()
                    } else {
                        CertStatus::Good
                    },
                )
            })
            .collect();
        let set = authority.set(0, &answers, &[]);
        for (number, status) in &answers {
            let serial = serial(*number);
            let answer = set.get(serial.as_bytes()).unwrap();
            assert_eq!((answer.serial(), answer.status()), (serial, *status));
            for hash in HASHES {
                let response = answer.response(hash).unwrap();
                let expected = Expected {
                    ca: &authority.ca,
                    hash,
                    serial: &serial,
                    now: answer.this_update(),
                    status: Some(*status),
                    rules: Rules::default(),
                };
                let verified = verify_response(&response, &expected).unwrap();
                assert_eq!(verified.next_update, answer.next_update());
            }
            assert_eq!(answer.response(HashAlgorithm::Sha384), None);
            assert_eq!(answer.etag(HashAlgorithm::Sha384), None);
        }
        assert_openssl_accepts(&authority, &set, 4, "good");
        assert_openssl_accepts(&authority, &set, 3, "revoked");
    }
}

fn assert_openssl_accepts(authority: &Authority, set: &AnswerSet, number: u64, says: &str) {
    let path = authority.directory.path();
    let response = set
        .get(serial(number).as_bytes())
        .unwrap()
        .response(HashAlgorithm::Sha256);
    std::fs::write(path.join("response.der"), response.unwrap()).unwrap();
    let said = openssl(
        path,
        &format!(
            "ocsp -sha256 -issuer ca.pem -serial {number} -respin response.der -CAfile ca.pem -no_nonce"
        ),
    );
    assert!(said.contains("Response verify OK"), "{said}");
    assert!(said.contains(&format!("{number}: {says}")), "{said}");
}

#[test]
fn only_what_is_there_is_found() {
    let authority = Authority::p256("Found");
    let set = authority.set(
        0,
        &[
            (1, CertStatus::Good),
            (0x100, revoked()),
            (0xffff, CertStatus::Good),
        ],
        &[2],
    );
    let found: Vec<_> = set.entries().map(|entry| entry.serial()).collect();
    assert_eq!(found, [1, 2, 0x100, 0xffff].map(serial));
    assert!(matches!(set.entry(&[2]), Some(Entry::Removed(_))));
    for absent in [
        &[][..],
        &[0],
        &[0, 1],
        &[2],
        &[3],
        &[0xff],
        &[1, 1],
        &[0xff, 0xff, 0xff],
        &[1; 20],
        &[9; 21],
    ] {
        assert!(set.get(absent).is_none(), "{absent:02x?}");
    }
    assert_eq!(
        (set.len(), set.good(), set.revoked(), set.removed()),
        (4, 2, 1, 1)
    );
}

#[test]
fn serial_numbers_of_every_length() {
    let authority = Authority::p256("Lengths");
    let serials: Vec<Serial> = (1..=20)
        .flat_map(|length| [vec![1; length], vec![0xff; length]])
        .map(|octets| Serial::from_be_bytes(&octets).unwrap())
        .collect();
    let mut builder = Builder::new(&authority.ca, &HASHES).unwrap();
    let batch = authority.batch(0);
    let id = builder.batch(batch.clone()).unwrap();
    for serial in serials.iter().rev() {
        authority.add(&mut builder, id, &batch, *serial, CertStatus::Good);
    }
    let set = AnswerSet::from_bytes(builder.finish().unwrap(), &authority.ca).unwrap();
    let mut sorted = serials.clone();
    sorted.sort();
    assert!(set.entries().map(|entry| entry.serial()).eq(sorted));
    assert!(
        serials
            .iter()
            .all(|serial| set.get(serial.as_bytes()).is_some())
    );
}

#[test]
fn an_empty_set_is_a_set() {
    let authority = Authority::p256("Empty");
    let set = authority.set(0, &[], &[]);
    assert!(set.is_empty());
    assert_eq!(set.oldest_next_update(), None);
    assert_eq!(set.cert_ids().len(), 2);
    assert!(set.get(&[1]).is_none());
}

#[test]
fn unlike_answers_have_unlike_etags() {
    let authority = Authority::p256("Tags");
    let answers: Vec<_> = (1..=500).map(|number| (number, CertStatus::Good)).collect();
    let sets = [
        authority.set(0, &answers, &[]),
        authority.set(1, &answers, &[]),
    ];
    let mut tags = std::collections::HashSet::new();
    for answer in sets.iter().flat_map(|set| set.entries()) {
        let Entry::Answer(answer) = answer else {
            unreachable!()
        };
        for hash in HASHES {
            let tag = answer.etag(hash).unwrap();
            assert!(
                tag.as_str().starts_with('"')
                    && tag.as_str().ends_with('"')
                    && tag.as_str().is_ascii()
            );
            assert!(tags.insert(tag.to_string()));
        }
    }
    // The same octets have the same tag, wherever they are read.
    let copy = AnswerSet::from_bytes(sets[0].as_bytes().to_vec(), &authority.ca).unwrap();
    let tag = |set: &AnswerSet| set.get(&[7]).unwrap().etag(HashAlgorithm::Sha1);
    assert_eq!(tag(&copy), tag(&sets[0]));
}
