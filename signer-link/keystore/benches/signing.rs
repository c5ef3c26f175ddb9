//! Signing as the presigner does it (sign, then verify), beside the bare library.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use criterion::{Criterion, criterion_group, criterion_main};
use keystore::SigningKey;
use pki::{KeyKind, SignatureAlgorithm};

/// About as long as a ResponseData.
const MESSAGE: [u8; 150] = [0x5a; 150];

fn p256(criterion: &mut Criterion) {
    let key = SigningKey::generate(KeyKind::P256).expect("a key");
    let der = key.to_pkcs8_der().expect("its DER");
    let bare = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der).expect("a key");
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bare.public_key().as_ref());
    let random = SystemRandom::new();
    let mut group = criterion.benchmark_group("sign and verify, P-256");
    group.bench_function("keystore", |bencher| {
        bencher.iter(|| key.sign(SignatureAlgorithm::EcdsaSha256, black_box(&MESSAGE)));
    });
    group.bench_function("aws-lc-rs", |bencher| {
        bencher.iter(|| {
            let signature = bare.sign(&random, black_box(&MESSAGE)).expect("signed");
            public.verify(&MESSAGE, signature.as_ref())
        });
    });
    group.bench_function("aws-lc-rs, not verified", |bencher| {
        bencher.iter(|| bare.sign(&random, black_box(&MESSAGE)));
    });
    group.finish();
}

fn rsa(criterion: &mut Criterion) {
    let key = SigningKey::generate(KeyKind::Rsa(2048)).expect("a key");
    let der = key.to_pkcs8_der().expect("its DER");
    let bare = RsaKeyPair::from_pkcs8(&der).expect("a key");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bare.public_key().as_ref());
    let random = SystemRandom::new();
    let mut signature = vec![0; bare.public_modulus_len()];
    let mut group = criterion.benchmark_group("sign and verify, RSA-2048");
    group.bench_function("keystore", |bencher| {
        bencher.iter(|| key.sign(SignatureAlgorithm::RsaSha256, black_box(&MESSAGE)));
    });
    group.bench_function("aws-lc-rs", |bencher| {
        bencher.iter(|| {
            bare.sign(
                &RSA_PKCS1_SHA256,
                &random,
                black_box(&MESSAGE),
                &mut signature,
            )
            .expect("signed");
            public.verify(&MESSAGE, &signature)
        });
    });
    group.finish();
}

criterion_group!(benches, p256, rsa);
criterion_main!(benches);
