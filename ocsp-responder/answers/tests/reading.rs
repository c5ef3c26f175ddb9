//! What goes in comes out, and clients accept it.

mod common;

use std::sync::Arc;

use answers::{AnswerSet, Builder, Entry, Removals, SetWriter, Widths, merge_to_file};
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
            let answer = set.get(serial.as_bytes()).unwrap().unwrap();
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
    let found: Vec<_> = set.entries().map(|entry| entry.unwrap().serial()).collect();
    assert_eq!(found, [1, 2, 0x100, 0xffff].map(serial));
    assert!(matches!(set.entry(&[2]), Ok(Some(Entry::Removed(_)))));
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
        assert!(set.get(absent).unwrap().is_none(), "{absent:02x?}");
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
    assert!(
        set.entries()
            .map(|entry| entry.unwrap().serial())
            .eq(sorted)
    );
    assert!(
        serials
            .iter()
            .all(|serial| set.get(serial.as_bytes()).unwrap().is_some())
    );
}

#[test]
fn an_empty_set_is_a_set() {
    let authority = Authority::p256("Empty");
    let set = authority.set(0, &[], &[]);
    assert!(set.is_empty());
    assert_eq!(set.oldest_next_update(), None);
    assert_eq!(set.cert_ids().len(), 2);
    assert!(set.get(&[1]).unwrap().is_none());
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
        let Entry::Answer(answer) = answer.unwrap() else {
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
    let tag = |set: &AnswerSet| set.get(&[7]).unwrap().unwrap().etag(HashAlgorithm::Sha1);
    assert_eq!(tag(&copy), tag(&sets[0]));
}

/// What is written as a stream into a file is what a builder makes in memory, octet for octet.
#[test]
fn a_file_is_the_same_as_memory() {
    let authority = Authority::p256("Streams");
    let batch = authority.batch(0);
    // Every other certificate is in the older one of two batches; some have left.
    let older = authority.batch(-60 + 120);
    let mut builder = Builder::new(&authority.ca, &HASHES).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("set");
    let widths = Widths {
        serial: 2,
        signature: Widths::of_signature(authority.responder.public_key(), authority.algorithm)
            .unwrap(),
    };
    let mut writer = SetWriter::create(&path, &authority.ca, &HASHES, widths).unwrap();
    let in_memory = [&batch, &older].map(|batch| builder.batch(batch.clone()).unwrap());
    let in_file = [&batch, &older].map(|batch| writer.batch(batch.clone()).unwrap());
    for number in 1..=700 {
        let serial = serial(number);
        if number % 50 == 0 {
            builder.remove(serial);
            writer.remove(serial).unwrap();
            continue;
        }
        let which = (number % 2) as usize;
        let signatures = authority.sign([&batch, &older][which], serial, CertStatus::Good);
        let good = CertStatus::Good;
        builder
            .answer(serial, good, in_memory[which], &signatures)
            .unwrap();
        writer
            .answer(serial, good, in_file[which], &signatures)
            .unwrap();
    }
    let finished = writer.finish().unwrap();
    let octets = std::fs::read(&path).unwrap();
    assert_eq!(octets, builder.finish().unwrap());
    assert_eq!(octets.len() as u64, finished.size);
    let set = AnswerSet::map(&std::fs::File::open(&path).unwrap(), &authority.ca).unwrap();
    assert_eq!(set.tail_length(), finished.tail);
    assert_eq!(set.windows().len(), 2);

    // Folded into a file, too.
    let folded = directory.path().join("folded");
    let layers = [Arc::new(set)];
    merge_to_file(&folded, &layers, Removals::Keep).unwrap();
    assert_eq!(std::fs::read(folded).unwrap(), octets);
}

/// Serials that an issuer gave in sequence, or with equal beginnings or ends, are all found, and no others.
#[test]
fn serials_in_every_pattern_are_found() {
    let authority = Authority::p256("Patterns");
    let batch = authority.batch(0);
    let signatures = authority.sign(&batch, serial(1), CertStatus::Good);
    let patterns: [fn(u64) -> u64; 4] = [
        |number| number,
        |number| number << 40,
        |number| number * 0x1_0000_0001,
        |number| u64::MAX - number,
    ];
    for pattern in patterns {
        let mut builder = Builder::new(&authority.ca, &HASHES).unwrap();
        let id = builder.batch(batch.clone()).unwrap();
        for number in 1..=20_000 {
            // What is signed does not matter here.
            builder
                .answer(
                    serial(pattern(2 * number)),
                    CertStatus::Good,
                    id,
                    &signatures,
                )
                .unwrap();
        }
        let set = AnswerSet::from_bytes(builder.finish().unwrap(), &authority.ca).unwrap();
        for number in 1..=40_000 {
            let serial = serial(pattern(number));
            let found = set.get(serial.as_bytes()).unwrap();
            assert_eq!(
                found.map(|answer| answer.serial()),
                (number % 2 == 0).then_some(serial)
            );
        }
        // A search ends soon: hardly any index is needed beyond one bucket per ten records.
        assert!(set.as_bytes().len() < 20_000 * 153 + 20_000 * 7);
    }
}
