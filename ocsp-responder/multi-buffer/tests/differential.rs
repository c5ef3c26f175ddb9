//! What the library signs, judged by aws-lc-rs.
//!
//! `AVOUCH_CRYPTO_MB` names the library; without it, it is looked for where the system has its libraries. Where there is
//! none, or the CPU cannot, the same tests run over the fallback, and say so.

use std::sync::{Arc, OnceLock};

use keystore::{OneByOne, SignMany, SigningKey};
use multi_buffer::{Library, MultiBuffer, Search};
use pki::{KeyKind, SignatureAlgorithm};

fn library() -> Option<Arc<Library>> {
    static LIBRARY: OnceLock<Option<Arc<Library>>> = OnceLock::new();
    LIBRARY.get_or_init(load).clone()
}

fn load() -> Option<Arc<Library>> {
    let search = std::env::var("AVOUCH_CRYPTO_MB").map_or(Search::Auto, |path| {
        assert!(
            std::fs::exists(&path).unwrap(),
            "AVOUCH_CRYPTO_MB names {path}, which is not there"
        );
        Search::File(path.into())
    });
    match Library::load(&search) {
        Ok(library) => {
            println!("signing with {}", library.version());
            Some(library)
        }
        Err(why) => {
            println!("NO MULTI-BUFFER SIGNING IS TESTED, only the fallback: {why}");
            None
        }
    }
}

/// Signs these messages in jobs of every size up to `longest`, and verifies each signature with the other
/// implementation.
fn check(kind: KeyKind, algorithm: SignatureAlgorithm, messages: &[Vec<u8>], longest: usize) {
    let key = Arc::new(SigningKey::generate(kind).unwrap());
    let library = library();
    let signer: Box<dyn SignMany> = match &library {
        Some(library) => Box::new(MultiBuffer::new(library, &key, algorithm).expect("the trial")),
        None => Box::new(OneByOne::new(Arc::clone(&key), algorithm)),
    };
    let (mut next, mut size) = (0, 1);
    while next < messages.len() {
        let job: Vec<&[u8]> = messages[next..]
            .iter()
            .take(size)
            .map(Vec::as_slice)
            .collect();
        let signatures = signer.sign_many(&job).unwrap();
        assert_eq!(signatures.len(), job.len());
        for (number, message) in job.iter().enumerate() {
            let signature = signatures.get(number).unwrap();
            key.public_key()
                .verify(algorithm, message, signature)
                .unwrap_or_else(|error| panic!("{kind}, message {}: {error}", next + number));
        }
        next += job.len();
        size = size % longest + 1;
    }
    if let Some(library) = library {
        assert_eq!(library.fallbacks(), 0, "every lane signed by itself");
    }
}

/// Messages of many lengths: around the blocks of the hash, empty, long, and alike but for one bit.
fn messages(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| {
            let length = match number % 16 {
                0 => 0,
                1 => 55,
                2 => 56,
                3 => 63,
                4 => 64,
                5 => 65,
                6 => 4096,
                other => 160 + other,
            };
            let mut message = vec![(number / 16) as u8; length];
            if let Some(last) = message.last_mut() {
                *last ^= 1 << (number % 8);
            }
            message
        })
        .collect()
}

#[test]
fn p256() {
    check(
        KeyKind::P256,
        SignatureAlgorithm::EcdsaSha256,
        &messages(4000),
        130,
    );
}

#[test]
fn p256_keys_of_every_shape() {
    // Coordinates and private keys that begin with zero octets are one in some hundred.
    for _ in 0..300 {
        check(
            KeyKind::P256,
            SignatureAlgorithm::EcdsaSha256,
            &messages(9),
            9,
        );
    }
}

#[test]
fn rsa_2048() {
    check(
        KeyKind::Rsa(2048),
        SignatureAlgorithm::RsaSha256,
        &messages(2000),
        130,
    );
}

#[test]
fn rsa_3072_and_4096() {
    for bits in [3072, 4096] {
        check(
            KeyKind::Rsa(bits),
            SignatureAlgorithm::RsaSha256,
            &messages(60),
            20,
        );
    }
}

#[test]
fn the_same_message_never_has_the_same_nonce() {
    let Some(library) = library() else { return };
    let key = Arc::new(SigningKey::generate(KeyKind::P256).unwrap());
    let signer = MultiBuffer::new(&library, &key, SignatureAlgorithm::EcdsaSha256).unwrap();
    let message: &[u8] = b"over and over";
    let mut seen = std::collections::HashSet::new();
    for _ in 0..50 {
        let signatures = signer.sign_many(&[message; 20]).unwrap();
        for number in 0..20 {
            // r is the first half of the signature, and stands for the nonce.
            assert!(seen.insert(signatures.get(number).unwrap()[..36].to_vec()));
        }
    }
}

#[test]
fn other_keys_are_left_to_others() {
    let Some(library) = library() else { return };
    for (kind, algorithm) in [
        (KeyKind::P384, SignatureAlgorithm::EcdsaSha384),
        (KeyKind::Ed25519, SignatureAlgorithm::Ed25519),
        (KeyKind::Rsa(2048), SignatureAlgorithm::RsaSha384),
        (KeyKind::P256, SignatureAlgorithm::RsaSha256),
    ] {
        let key = Arc::new(SigningKey::generate(kind).unwrap());
        assert!(
            MultiBuffer::new(&library, &key, algorithm).is_none(),
            "{kind} {algorithm}"
        );
    }
}
