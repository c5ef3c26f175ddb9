//! Reading an OCSP request, beside a reader that decodes everything into owned values.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use der::Decode as _;
use pki::ocsp::IssuerHashes;
use pki::ocsp::request::{OcspRequest, build};
use pki::{HashAlgorithm, Serial};

fn requests(criterion: &mut Criterion) {
    let hashes = IssuerHashes {
        hash: HashAlgorithm::Sha1,
        name_hash: vec![0x11; 20],
        key_hash: vec![0x22; 20],
    };
    let serial = Serial::from_be_bytes(&[0x5a; 16]).expect("a serial number");
    let plain = build(&hashes, &[serial], None);
    let with_nonce = build(&hashes, &[serial], Some(&[0x77; 32]));
    for (name, der) in [("plain", plain), ("with nonce", with_nonce)] {
        let mut group = criterion.benchmark_group(format!("read a request, {name}"));
        group.bench_function("pki", |bencher| {
            bencher.iter(|| {
                let request = OcspRequest::parse(black_box(&der)).expect("a request");
                black_box(request.first().serial_number())
            });
        });
        group.bench_function("x509-ocsp", |bencher| {
            bencher.iter(|| x509_ocsp::OcspRequest::from_der(black_box(&der)).expect("a request"));
        });
        group.finish();
    }
}

criterion_group!(benches, requests);
criterion_main!(benches);
