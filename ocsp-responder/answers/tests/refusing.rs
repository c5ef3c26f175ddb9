//! Nothing but a whole, consistent set for the right CA is opened.

mod common;

use std::sync::LazyLock;

use answers::{AnswerSet, AnswerSetError, Batch, BuildError, Builder};
use common::{Authority, HASHES, openssl, revoked, serial, with_checksum};
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
    #[test]
    fn every_flipped_bit_is_refused(at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let mut octets = OCTETS.clone();
        let at = at.index(octets.len());
        octets[at] ^= 1 << bit;
        assert!(open(octets).is_err());
    }

    /// A writer at fault: the checksum is right, the content is not. It is refused, or whatever it says can be asked for
    /// without harm and only within what the tables allow.
    #[test]
    fn wrong_content_under_a_right_checksum_does_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in 0..64usize,
    ) {
        let mut octets = OCTETS.clone();
        octets.drain(octets.len() - 32 - cut..octets.len() - 32);
        for (at, value) in changes {
            let at = at.index(octets.len());
            octets[at] = value;
        }
        if let Ok(set) = open(with_checksum(octets)) {
            for number in 0..600 {
                if let Some(answer) = set.get(serial(number + 1).as_bytes()) {
                    assert!(answer.next_update() <= AUTHORITY.responder.not_after());
                    for hash in HASHES {
                        assert!(answer.response(hash).is_some() && answer.etag(hash).is_some());
                    }
                }
            }
        }
    }
}

#[test]
fn reasons_are_given() {
    let says = |octets: Vec<u8>| open(octets).unwrap_err().to_string();
    assert_eq!(
        open(b"hello".to_vec()).unwrap_err(),
        AnswerSetError::NotAnAnswerSet
    );
    assert_eq!(
        open(OCTETS[..40].to_vec()).unwrap_err(),
        AnswerSetError::TooShort(40)
    );
    let mut newer = OCTETS.clone();
    newer[9] = 2;
    assert_eq!(open(newer).unwrap_err(), AnswerSetError::Version(2));
    let mut flipped = OCTETS.clone();
    flipped[100] ^= 1;
    assert_eq!(open(flipped).unwrap_err(), AnswerSetError::Checksum);
    let mut swapped = OCTETS.clone();
    // The first record's serial number becomes greater than the second's.
    swapped[33] = 0xff;
    assert!(says(with_checksum(swapped)).contains("do not ascend"));
    let mut status = OCTETS.clone();
    status[34] = 3;
    assert!(says(with_checksum(status)).contains("unknown status"));
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
