//! Finding an answer among a million, beside a hash table in memory; and putting a response together, beside copying
//! one that is there.

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;

use answers::{AnswerSet, Batch, Builder};
use common::{Authority, HASHES};
use criterion::{Criterion, criterion_group, criterion_main};
use hashbrown::HashMap;
use pki::ocsp::response::CertStatus;
use pki::{HashAlgorithm, Serial, Time};

const COUNT: u64 = 1_000_000;
/// Octets of a record, as they are in the set.
const RECORD: usize = 154;

/// A million answers with one and the same signature: nobody verifies it here.
fn set() -> AnswerSet {
    let authority = Authority::p256("Bench");
    let signature = authority
        .key
        .sign(authority.algorithm, b"any")
        .expect("signed");
    let now = Time::from_unix(1_800_000_000);
    let mut builder = Builder::new(&authority.ca, &HASHES).expect("hashes");
    let batch = builder
        .batch(Batch {
            this_update: now,
            next_update: now.plus_seconds(96 * 3600),
            refresh_at: now.plus_seconds(48 * 3600),
            responder: Some(authority.responder.clone()),
            signature_algorithm: authority.algorithm,
        })
        .expect("a batch");
    for number in 0..COUNT {
        builder
            .answer(
                serial(number),
                CertStatus::Good,
                batch,
                &[&signature, &signature],
            )
            .expect("an answer");
    }
    let octets = builder.finish().expect("a set");
    AnswerSet::from_bytes(octets, &authority.ca).expect("a good set")
}

/// Sixteen octets that differ everywhere from one number to the next.
fn serial(number: u64) -> Serial {
    let high = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1 | 1 << 62;
    let low = number.wrapping_mul(0xd6e8_feb8_6659_fd93);
    let octets = [high.to_be_bytes(), low.to_be_bytes()].concat();
    Serial::from_be_bytes(&octets).expect("16 octets")
}

fn lookup(criterion: &mut Criterion) {
    let set = set();
    let mut map: HashMap<Serial, u32> = HashMap::new();
    map.extend((0..COUNT).map(|number| (serial(number), number as u32)));
    let records = vec![1_u8; RECORD * COUNT as usize];

    let mut group = criterion.benchmark_group("find one of a million");
    let mut draw = 0_u64;
    let mut next = move || {
        draw = draw
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % COUNT
    };
    group.bench_function("answer set", |bencher| {
        bencher.iter(|| {
            set.get(black_box(serial(next())).as_bytes())
                .is_ok_and(|found| found.is_some())
        });
    });
    group.bench_function("answer set, absent", |bencher| {
        bencher.iter(|| {
            set.get(black_box(serial(COUNT + next())).as_bytes())
                .is_ok_and(|found| found.is_none())
        });
    });
    group.bench_function("hashbrown with foldhash, and its record", |bencher| {
        bencher.iter(|| {
            let number = map
                .get(&black_box(serial(next())))
                .copied()
                .unwrap_or_default();
            black_box(records[number as usize * RECORD])
        });
    });
    group.finish();

    let answer = set
        .get(serial(5).as_bytes())
        .expect("undamaged")
        .expect("there");
    let response = answer.response(HashAlgorithm::Sha1).expect("a response");
    let mut group = criterion.benchmark_group("put a response together");
    group.bench_function("answer set", |bencher| {
        bencher.iter(|| black_box(&answer).response(HashAlgorithm::Sha1));
    });
    group.bench_function("copying one", |bencher| {
        bencher.iter(|| black_box(&response).clone());
    });
    group.finish();
}

criterion_group!(benches, lookup);
criterion_main!(benches);
