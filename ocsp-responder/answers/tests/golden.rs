//! The stored format, octet for octet: a file of each version must stay readable and mean the same.
//!
//! `tests/golden/v2.answers` was written by this crate when version 2 was made; `v2.ca.pem` is its CA. With
//! `AVOUCH_MAKE_GOLDEN=1` the test writes new ones, for a new version of the format.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use answers::{AnswerSet, Entry, Removals, merge};
use common::{Authority, HASHES, Places, revoked, serial};
use pki::ocsp::response::CertStatus;
use pki::ocsp::verify::{Expected, Rules, verify_response};
use pki::{Certificate, HashAlgorithm, Time};
use xxhash_rust::xxh3::xxh3_64_with_seed;

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file)
}

fn without_reason() -> CertStatus {
    CertStatus::Revoked {
        // Before 1970: times are signed.
        time: Time::from_unix(-1),
        reason: None,
    }
}

fn make() {
    let authority = Authority::p256("Golden");
    let mut answers = vec![
        (5, CertStatus::Good),
        (0xfedc_ba98_7654, revoked()),
        (6, without_reason()),
    ];
    // More than one chunk of records.
    answers.extend((1000..1300).map(|number| (number, CertStatus::Good)));
    fs::create_dir_all(golden("")).unwrap();
    fs::write(golden("v2.answers"), authority.octets(60, &answers, &[7])).unwrap();
    fs::write(golden("v2.ca.pem"), authority.ca.to_pem()).unwrap();
}

#[test]
fn version_2() {
    if std::env::var_os("AVOUCH_MAKE_GOLDEN").is_some() {
        make();
    }
    let octets = fs::read(golden("v2.answers")).unwrap();
    let ca = Certificate::from_pem(&fs::read_to_string(golden("v2.ca.pem")).unwrap()).unwrap();
    read_by_the_book(&octets, &ca);

    // With the crate.
    let set = AnswerSet::from_bytes(octets.clone(), &ca).unwrap();
    let statuses: Vec<_> = set
        .entries()
        .map(|entry| match entry.unwrap() {
            Entry::Answer(answer) => (answer.serial(), Some(answer.status())),
            Entry::Removed(serial) => (serial, None),
        })
        .filter(|(found, _)| !(serial(1000)..serial(1300)).contains(found))
        .collect();
    assert_eq!(
        statuses,
        [
            (serial(5), Some(CertStatus::Good)),
            (serial(6), Some(without_reason())),
            (serial(7), None),
            (serial(0xfedc_ba98_7654), Some(revoked())),
        ]
    );
    assert_eq!(
        (set.len(), set.good(), set.revoked(), set.removed()),
        (304, 301, 2, 1)
    );
    for entry in set.entries() {
        let Entry::Answer(answer) = entry.unwrap() else {
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

/// As docs/answer-set.md says, without this crate.
fn read_by_the_book(octets: &[u8], ca: &Certificate) {
    assert_eq!(&octets[..8], b"AVOUCHAS");
    let header = [&[0, 2, 6, 2, 1, 2, 0, 64][..], &[0; 16]].concat();
    assert_eq!(&octets[8..32], header);
    let length = 6 + 10 + 128;
    let records: Vec<_> = octets[32..].chunks(length).take(304).collect();
    let heads = [
        (0, [0, 0, 0, 0, 0, 5, 0]),
        (1, [0, 0, 0, 0, 0, 6, 1]),
        (2, [0, 0, 0, 0, 0, 7, 2]),
        (3, [0, 0, 0, 0, 0x03, 0xe8, 0]),
        (303, [0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x81]),
    ];
    for (record, head) in heads {
        assert_eq!(records[record][..7], head);
    }
    assert_eq!(
        records[1][7..16],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]
    );
    assert_eq!(records[2][7..16], [0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(records[2][16..], [0; 128]);
    assert_eq!(records[303][7..12], 1_700_000_000_i64.to_be_bytes()[3..]);

    let tail = octets.len() - number(&octets[octets.len() - 8..]);
    let end = 32 + 304 * length;
    let index = end.next_multiple_of(64);
    assert!(octets[end..index].iter().all(|&octet| octet == 0));
    assert_eq!(octets[tail..tail + 32], octets[..32]);
    let counts: Vec<_> = octets[tail + 32..tail + 80].chunks(8).map(number).collect();
    assert_eq!(counts[..5], [304, 301, 2, 1, 31]);
    let buckets = counts[5];
    assert_eq!(index + 64 * buckets, tail);
    for (number, record) in records.iter().enumerate() {
        assert!(finds(octets, index, &record[..6], number, ca), "{number}");
    }

    let names = &octets[tail + 80..];
    let name = ca.subject().as_der();
    assert_eq!(names[..20], HashAlgorithm::Sha1.digest(name));
    assert_eq!(names[20..40], ca.public_key().key_id());
    assert_eq!(names[40..72], HashAlgorithm::Sha256.digest(name));
    let places = Places::of(octets);
    let batch = &octets[places.batches..];
    assert_eq!(number(&batch[..4]), 1);
    assert_eq!(number(&batch[12..20]) - number(&batch[4..12]), 96 * 3600);
    assert_eq!(batch[28..32], [0, 0, 4, 0]);
    assert_eq!(number(&batch[32..40]), 303);
    let heads = &octets[places.chunk_heads..];
    for (chunk, head) in heads.chunks(6 + 32).take(2).enumerate() {
        let records = &octets[32..end][256 * length * chunk..];
        let records = &records[..records.len().min(256 * length)];
        assert_eq!(head[..6], records[..6]);
        assert_eq!(head[6..], HashAlgorithm::Sha256.digest(records));
    }
    assert_eq!(
        octets[places.index_hashes..octets.len() - 8],
        HashAlgorithm::Sha256.digest(&octets[index..tail])
    );
}

/// Looks a padded serial number up, as the document says.
fn finds(octets: &[u8], index: usize, padded: &[u8], record: usize, ca: &Certificate) -> bool {
    let key = HashAlgorithm::Sha256.digest(ca.public_key().key_bits());
    let seed = u64::from_be_bytes(key[..8].try_into().unwrap());
    let zeros = padded.iter().take_while(|&&octet| octet == 0).count();
    let hash = xxh3_64_with_seed(&padded[zeros..], seed);
    let mut bucket = ((u128::from(hash) * 31) >> 64) as usize;
    loop {
        let octets = &octets[index + 64 * bucket..][..64];
        let used = usize::from(octets[12]);
        for slot in 0..used {
            let same = octets[slot] == hash as u8;
            if same && number(&octets[16 + 4 * slot..][..4]) == record {
                return true;
            }
        }
        if used < 12 {
            return false;
        }
        bucket += 1;
    }
}

fn number(octets: &[u8]) -> usize {
    octets
        .iter()
        .fold(0, |number, &octet| number << 8 | usize::from(octet))
}
