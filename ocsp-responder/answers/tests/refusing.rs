//! Nothing but a whole, consistent set for the right CA is opened.

mod common;

use std::sync::{Arc, LazyLock};

use answers::{
    AnswerSet, AnswerSetError, Batch, BuildError, Builder, Damaged, Removals, SetWriter, Widths,
    merge,
};
use common::{Authority, HASHES, Places, openssl, revoked, serial, with_hashes};
use pki::ocsp::response::CertStatus;
use pki::{Certificate, HashAlgorithm, Time};
use proptest::prelude::{any, prop, proptest};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::p256("Refusing"));
static OCTETS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let answers: Vec<_> = (0..40u64)
        .map(|number| {
            (
                3 * number + 1,
                if number % 4 == 0 {
                    revoked()
                } else {
                    CertStatus::Good
                },
            )
        })
        .collect();
    AUTHORITY.octets(0, &answers, &[2, 500])
});

fn open(octets: Vec<u8>) -> Result<AnswerSet, AnswerSetError> {
    AnswerSet::from_bytes(octets, &AUTHORITY.ca)
}

#[test]
fn every_shorter_object_is_refused() {
    for length in 0..OCTETS.len() {
        assert!(open(OCTETS[..length].to_vec()).is_err(), "{length}");
    }
    assert!(open([OCTETS.as_slice(), &[0]].concat()).is_err());
}

proptest! {
    /// The tail itself is held by the name of the object.
    #[test]
    fn every_flipped_bit_before_the_tail_is_refused(at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let mut octets = OCTETS.clone();
        let at = at.index(Places::of(&OCTETS).tail);
        octets[at] ^= 1 << bit;
        assert!(open(octets).is_err());
    }

    /// A writer at fault: the hashes are right, the content is not. It is refused, or whatever it says can be asked for
    /// without harm and only within what the tables allow.
    #[test]
    fn wrong_content_under_right_hashes_does_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut octets = OCTETS.clone();
        let places = Places::of(&OCTETS);
        for (at, value) in changes {
            // Not what the places of everything else rest on: that has a test of its own.
            let at = 32 + at.index(places.chunk_heads - 32);
            let fixed = [
                places.tail..places.tail + 80,
                places.responders..places.responders + 6,
                places.batches..places.batches + 4,
            ];
            if !fixed.iter().any(|fixed| fixed.contains(&at)) {
                octets[at] = value;
            }
        }
        if let Ok(set) = open(with_hashes(octets)) {
            assert_harmless(&set);
        }
    }

    /// A file that changes after it was verified, or was never right: a mapped set answers, or says that it is damaged.
    #[test]
    fn a_mapped_file_with_changes_does_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut octets = OCTETS.clone();
        for (at, value) in changes {
            let at = at.index(octets.len());
            octets[at] = value;
        }
        let file = file(&octets);
        if let Ok(set) = AnswerSet::map(file.as_file(), &AUTHORITY.ca) {
            assert_harmless(&set);
            assert_eq!(set.damage().is_some(), set.verify_all(|_| {}).is_err());
        }
    }
}

fn assert_harmless(set: &AnswerSet) {
    for number in 1..=600 {
        if let Ok(Some(answer)) = set.get(serial(number).as_bytes()) {
            assert_eq!(answer.serial(), serial(number));
            assert!(answer.next_update() <= AUTHORITY.responder.not_after());
            for hash in HASHES {
                assert!(answer.response(hash).is_some() && answer.etag(hash).is_some());
            }
        }
    }
}

fn file(octets: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), octets).unwrap();
    file
}

#[test]
fn reasons_are_given() {
    assert_eq!(
        open(b"hello".to_vec()).unwrap_err(),
        AnswerSetError::NotAnAnswerSet
    );
    assert_eq!(
        open(OCTETS[..40].to_vec()).unwrap_err(),
        AnswerSetError::TooShort(40)
    );
    let mut older = OCTETS.clone();
    older[9] = 1;
    assert_eq!(open(older).unwrap_err(), AnswerSetError::Version(1));
}

/// Each field, made wrong under right hashes.
#[test]
fn every_wrong_field_is_named() {
    let places = Places::of(&OCTETS);
    let (index, tail, batches) = (places.index, places.tail, places.batches);
    let record = |number: usize| 32 + number * places.record_length;
    let end = OCTETS.len();
    // The first certificate is revoked, the second one is removed, the third one is good; the serials have 2 octets.
    let (time, batch, signature) = (3, 8, 12);
    let full = (0..places.buckets)
        .find(|bucket| OCTETS[index + 64 * bucket + 12] < 12)
        .unwrap();
    let cases: [(usize, &[u8], &str); 34] = [
        (10, &[0], "serial width"),
        (10, &[21], "serial width"),
        (11, &[3], "CertID hashes"),
        (12, &[2, 1], "CertID hashes"),
        (14, &[0x10, 0x01], "signature width"),
        (16, &[1], "rest of the header"),
        (record(0), &[0, 0], "do not ascend"),
        (record(1), &[0, 1], "do not ascend"),
        (record(1) + 2, &[3], "unknown status"),
        (record(0) + 2, &[0x80], "unknown status"),
        (
            record(0) + 2,
            &[0],
            "good certificate has a revocation time",
        ),
        (record(0) + time, &[0x7f], "GeneralizedTime"),
        (record(1) + time + 4, &[1], "removal carries more"),
        (record(1) + batch, &[0], "removal carries more"),
        (record(1) + signature, &[1], "removal carries more"),
        (record(2) + batch + 3, &[1], "batch that is not there"),
        (record(places.records), &[1], "fills up the records"),
        (index + 12, &[13], "more than 12 records"),
        (index + 13, &[1], "unused part of a bucket"),
        (index + 64 * full + 11, &[1], "unused part of a bucket"),
        (index + 64 * full + 60, &[1], "unused part of a bucket"),
        (index + 16, &[1, 0, 0, 0], "record that is not there"),
        (tail + 39, &[1], "counts"),
        (tail + 47, &[0], "counts"),
        (tail + 71, &[1], "home bucket"),
        (tail + 79, &[0], "home bucket"),
        (tail + 79, &[200], "do not fill"),
        (tail + 80 + 1, &[0, 0], "another issuer"),
        (places.responders + 2, &[0xff], "beyond"),
        (batches + 4 + 24, &[0, 1], "responder that is not there"),
        (batches + 4 + 26, &[7], "no such signatures"),
        (batches + 4 + 27, &[1], "after the algorithm"),
        (batches + 4 + 28, &[0, 0, 0, 0, 0, 0, 0, 0], "no answers"),
        (end - 8, &[1], "the tail is longer"),
    ];
    for (at, octets, why) in cases {
        let mut wrong = OCTETS.clone();
        wrong[at..at + octets.len()].copy_from_slice(octets);
        let has_places = at < tail && !(10..=16).contains(&at);
        let wrong = if has_places {
            with_hashes(wrong)
        } else {
            wrong
        };
        let error = open(wrong).unwrap_err().to_string();
        assert!(error.contains(why), "{at}: {error}, not {why}");
    }
    let mut narrow = OCTETS.clone();
    narrow[batches + 4 + 35] -= 1;
    assert!(
        open(narrow)
            .unwrap_err()
            .to_string()
            .contains("not as many answers")
    );
}

/// What is not there is found by the hash over what should be.
#[test]
fn only_the_damaged_part_is_not_answered() {
    let numbers: Vec<_> = (1..=1000u64)
        .map(|number| (number, CertStatus::Good))
        .collect();
    let mut octets = AUTHORITY.octets(0, &numbers, &[]);
    let places = Places::of(&octets);
    // In the signature of serial number 300, in the second chunk.
    octets[32 + 299 * places.record_length + 50] ^= 1;
    let file = file(&octets);
    let set = AnswerSet::map(file.as_file(), &AUTHORITY.ca).unwrap();
    assert_eq!(set.damage(), None);
    for number in 1..=1000 {
        let found = set.get(serial(number).as_bytes());
        if (257..=512).contains(&number) {
            let Err(Damaged { offset, what }) = found else {
                panic!("{number} is answered")
            };
            assert_eq!(offset, 32 + 256 * places.record_length);
            assert!(what.contains("hash"));
        } else {
            assert!(found.unwrap().is_some());
        }
    }
    assert!(set.damage().is_some() && !set.is_verified());
    assert!(set.verify_all(|_| {}).is_err());
    assert!(set.entries().any(|entry| entry.is_err()));
    let layers = [Arc::new(set)];
    assert!(matches!(
        merge(&layers, Removals::Drop),
        Err(BuildError::Damaged(_))
    ));
    assert!(AnswerSet::from_bytes(octets, &AUTHORITY.ca).is_err());
}

#[test]
fn a_mapped_set_is_verified_ahead_and_given_back() {
    let file = file(&OCTETS);
    let set = AnswerSet::map(file.as_file(), &AUTHORITY.ca).unwrap();
    std::fs::remove_file(file.path()).unwrap();
    assert!(!set.is_verified());
    let mut chunks = 0;
    set.verify_all(|_| chunks += 1).unwrap();
    assert_eq!(chunks, 2, "records and index");
    assert!(set.is_verified());
    set.release(|_| {});
    let before = set.get(&[4]).unwrap().unwrap().response(HASHES[0]);
    assert!(before.is_some());
    let again = set.reopen(&AUTHORITY.ca).unwrap();
    assert_eq!(
        again.get(&[4]).unwrap().unwrap().response(HASHES[0]),
        before
    );
    assert_eq!(set.as_bytes(), OCTETS.as_slice());
    let other = Authority::p256("Other");
    assert!(set.reopen(&other.ca).is_err());
}

#[test]
fn another_issuer_is_refused() {
    let other = Authority::p256("Other");
    let error = AnswerSet::from_bytes(OCTETS.clone(), &other.ca).unwrap_err();
    assert!(matches!(error, AnswerSetError::WrongIssuer(_)), "{error}");
}

/// V8: nothing signed by a delegate is valid beyond its certificate.
#[test]
fn times_outside_the_responder_certificate_are_refused() {
    let ends = AUTHORITY.responder.not_after();
    let begins = AUTHORITY.responder.not_before();
    let cases = [
        (begins, ends.plus_seconds(1), begins.plus_seconds(9), "V8"),
        (
            begins.plus_seconds(-1),
            ends,
            begins.plus_seconds(9),
            "before its responder",
        ),
        (begins, begins, begins, "not after thisUpdate"),
        (begins, ends, begins, "planned renewal"),
        (begins, ends, ends.plus_seconds(1), "planned renewal"),
        (Time::from_unix(-1), ends, begins, "before 1970"),
    ];
    for (this_update, next_update, refresh_at, why) in cases {
        let batch = Batch {
            this_update,
            next_update,
            refresh_at,
            ..AUTHORITY.batch(0)
        };
        let mut builder = Builder::new(&AUTHORITY.ca, &HASHES).unwrap();
        let id = builder.batch(batch.clone()).unwrap();
        AUTHORITY.add(&mut builder, id, &batch, serial(1), CertStatus::Good);
        let error = open(builder.finish().unwrap()).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn who_may_not_speak_for_the_ca_is_refused() {
    let path = AUTHORITY.directory.path();
    std::fs::write(path.join("plain.ext"), "extendedKeyUsage = serverAuth\n").unwrap();
    openssl(
        path,
        "x509 -req -in responder.csr -CA ca.pem -CAkey ca.key -days 3000 -extfile plain.ext -set_serial 78 -out plain.pem",
    );
    let plain =
        Certificate::from_pem(&std::fs::read_to_string(path.join("plain.pem")).unwrap()).unwrap();
    let elsewhere = Authority::p256("Refusing");
    for (responder, rule) in [(plain, "OCSP-60"), (elsewhere.responder, "OCSP-51")] {
        let batch = Batch {
            responder: Some(responder),
            ..AUTHORITY.batch(60)
        };
        let mut builder = Builder::new(&AUTHORITY.ca, &HASHES).unwrap();
        let id = builder.batch(batch.clone()).unwrap();
        AUTHORITY.add(&mut builder, id, &batch, serial(1), CertStatus::Good);
        let error = open(builder.finish().unwrap()).unwrap_err().to_string();
        assert!(error.contains(rule), "{error}");
    }
}

#[test]
fn a_builder_takes_only_what_can_be_read_again() {
    let mut builder = Builder::new(&AUTHORITY.ca, &HASHES).unwrap();
    let batch = AUTHORITY.batch(0);
    let id = builder.batch(batch.clone()).unwrap();
    let good = AUTHORITY.sign(&batch, serial(1), CertStatus::Good);
    let mut add =
        |status, signatures: &[Vec<u8>]| builder.answer(serial(1), status, id, signatures);
    assert!(matches!(
        add(CertStatus::Good, &good[..1]),
        Err(BuildError::Signature { .. })
    ));
    let long = vec![[good[0].as_slice(), &[0]].concat(), good[1].clone()];
    assert!(matches!(
        add(CertStatus::Good, &long),
        Err(BuildError::Signature { .. })
    ));
    let unspecified = CertStatus::Revoked {
        time: batch.this_update,
        reason: Some(pki::RevocationReason::Unspecified),
    };
    assert_eq!(add(unspecified, &good), Err(BuildError::Reason(serial(1))));
    add(CertStatus::Good, &good).unwrap();
    add(CertStatus::Good, &good).unwrap();
    assert_eq!(builder.finish(), Err(BuildError::Duplicate(serial(1))));
    for hashes in [
        &[][..],
        &[HashAlgorithm::Sha384],
        &[HashAlgorithm::Sha1, HashAlgorithm::Sha1],
    ] {
        assert!(matches!(
            Builder::new(&AUTHORITY.ca, hashes),
            Err(BuildError::Hashes(_))
        ));
    }
}

#[test]
fn a_set_writer_takes_only_what_fits_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let create = |name: &str, widths| {
        SetWriter::create(&directory.path().join(name), &AUTHORITY.ca, &HASHES, widths)
    };
    let widths = Widths {
        serial: 2,
        signature: 64,
    };
    assert!(
        create(
            "wide",
            Widths {
                serial: 21,
                ..widths
            }
        )
        .is_err()
    );
    let batch = AUTHORITY.batch(0);
    let good = |number| AUTHORITY.sign(&batch, serial(number), CertStatus::Good);

    let mut writer = create("set", widths).unwrap();
    assert!(matches!(create("set", widths), Err(BuildError::Write(_))));
    let id = writer.batch(batch.clone()).unwrap();
    let mut add = |number| writer.answer(serial(number), CertStatus::Good, id, &good(number));
    add(5).unwrap();
    assert_eq!(add(5), Err(BuildError::Duplicate(serial(5))));
    assert_eq!(add(4), Err(BuildError::Order(serial(4))));
    assert!(matches!(add(0x1_0000), Err(BuildError::TooWide { .. })));

    let mut writer = create(
        "narrow",
        Widths {
            signature: 63,
            ..widths
        },
    )
    .unwrap();
    let id = writer.batch(batch.clone()).unwrap();
    let added = writer.answer(serial(1), CertStatus::Good, id, &good(1));
    assert!(matches!(added, Err(BuildError::TooWide { .. })));
}
