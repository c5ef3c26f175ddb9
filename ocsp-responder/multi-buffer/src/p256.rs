//! ECDSA on P-256 with SHA-256, eight at a time.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use keystore::{KeyError, Signatures, SigningKey};
use pki::SignatureAlgorithm;
use zeroize::Zeroizing;

use crate::der::{ecdsa_signature, inner_key, words};
use crate::{Again, LANES, Library};

/// The order of the base point (SEC 2 section 2.4.2), as little-endian words.
const ORDER: [u64; 4] = [
    0xf3b9_cac2_fc63_2551,
    0xbce6_faad_a717_9e84,
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_0000_0000,
];

/// What the library needs of a key.
pub(crate) struct P256Key {
    secret: Zeroizing<[u64; 4]>,
    /// The affine coordinates of the public point.
    point: [[u64; 4]; 2],
}

impl P256Key {
    pub(crate) const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;

    /// Of this key; `None` if it is no P-256 key that can be taken apart.
    pub(crate) fn of(key: &SigningKey) -> Option<Self> {
        let pkcs8 = key.to_pkcs8_der().ok()?;
        // ECPrivateKey (RFC 5915).
        let mut fields = inner_key(&pkcs8).ok()?;
        fields.integer("version").ok()?;
        let secret = four_words(fields.octet_string("privateKey").ok()?)?;
        let [4, coordinates @ ..] = key.public_key().key_bits() else {
            return None;
        };
        let (x, y) = coordinates.split_at_checked(32)?;
        Some(Self {
            secret,
            point: [*four_words(x)?, *four_words(y)?],
        })
    }

    /// Signs up to eight messages and verifies the signatures; `again` makes one when its lane failed.
    pub(crate) fn sign(
        &self,
        library: &Library,
        messages: &[&[u8]],
        signatures: &mut Signatures,
        again: Again<'_>,
    ) -> Result<(), KeyError> {
        // The lanes without a message sign the first one once more, with nonces of their own; nobody sees that.
        let digests = std::array::from_fn(|lane| {
            let mut octets = [0; 32];
            let message = messages.get(lane).unwrap_or(&messages[0]);
            octets.copy_from_slice(digest(&SHA256, message).as_ref());
            octets
        });
        let nonces = nonces()?;
        let mut numbers = [[[0; 32]; 2]; LANES];
        let signed = library
            .functions
            .p256_sign(&digests, &nonces, &self.secret, &mut numbers);
        drop(nonces);
        let verified = library
            .functions
            .p256_verify(&digests, &numbers, &self.point);
        let mut encoded = Vec::with_capacity(72);
        for (lane, message) in messages.iter().enumerate() {
            if signed.is_ok(lane) && verified.is_ok(lane) {
                encoded.clear();
                ecdsa_signature(&numbers[lane], &mut encoded);
                signatures.push(&encoded);
            } else {
                signatures.push(&again(message)?);
            }
        }
        Ok(())
    }

    /// This key with the public point of another one.
    #[cfg(test)]
    pub(crate) fn with_point_of(self, other: &Self) -> Self {
        Self {
            point: other.point,
            ..self
        }
    }
}

/// Eight numbers from 1 to the order less 1, each for one signature only. A nonce that is used twice, or that can be
/// guessed in part, gives the key away: so they come from the system's generator, and what is out of range is drawn
/// again instead of being reduced.
fn nonces() -> Result<Zeroizing<[[u64; 4]; LANES]>, KeyError> {
    let mut nonces = Zeroizing::new([[0; 4]; LANES]);
    let mut octets = Zeroizing::new([0; 32]);
    for nonce in nonces.iter_mut() {
        loop {
            rand::fill(&mut *octets).map_err(|_| KeyError::Crypto("drawing a random number"))?;
            for (word, eight) in nonce.iter_mut().zip(octets.chunks_exact(8)) {
                // Unwrap safety: chunks of eight octets.
                *word = u64::from_le_bytes(eight.try_into().unwrap());
            }
            if is_in_range(nonce) {
                break;
            }
        }
    }
    Ok(nonces)
}

fn is_in_range(nonce: &[u64; 4]) -> bool {
    let below_order = nonce.iter().rev().lt(ORDER.iter().rev());
    below_order && nonce.iter().any(|word| *word != 0)
}

fn four_words(big_endian: &[u8]) -> Option<Zeroizing<[u64; 4]>> {
    let words = words(big_endian, 4)?;
    let mut four = Zeroizing::new([0; 4]);
    four.copy_from_slice(&words);
    Some(four)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_ends_before_the_order() {
        let mut last = ORDER;
        last[0] -= 1;
        let mut beyond = ORDER;
        beyond[0] += 1;
        assert!(is_in_range(&[1, 0, 0, 0]));
        assert!(is_in_range(&last));
        assert!(!is_in_range(&ORDER));
        assert!(!is_in_range(&beyond));
        assert!(!is_in_range(&[u64::MAX; 4]));
        assert!(!is_in_range(&[0; 4]));
    }

    #[test]
    fn no_nonce_comes_twice() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            for nonce in nonces().unwrap().iter() {
                assert!(is_in_range(nonce));
                assert!(seen.insert(*nonce));
            }
        }
    }
}
