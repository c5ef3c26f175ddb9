//! RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2), eight at a time.

use aws_lc_rs::digest::{SHA256, digest};
use keystore::{KeyError, Signatures, SigningKey};
use pki::{KeyKind, SignatureAlgorithm};
use zeroize::Zeroizing;

use crate::der::{inner_key, words};
use crate::functions::RsaPrivateNumbers;
use crate::{Again, LANES, Library};

/// The sizes that the library knows and that are used here.
const SIZES: [u32; 3] = [2048, 3072, 4096];
/// The only public exponent that its verification knows.
const EXPONENT: [u8; 3] = [1, 0, 1];
/// DigestInfo of SHA-256 up to the hash (RFC 8017 section 9.2 note 1).
const SHA256_INFO: &[u8] =
    b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

type Words = Zeroizing<Vec<u64>>;

/// What the library needs of a key.
pub(crate) struct RsaKey {
    bits: u32,
    modulus: Vec<u64>,
    p: Words,
    q: Words,
    dp: Words,
    dq: Words,
    q_inverse: Words,
}

impl RsaKey {
    pub(crate) const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::RsaSha256;

    /// Of this key; `None` if the library cannot work with it.
    pub(crate) fn of(key: &SigningKey) -> Option<Self> {
        let KeyKind::Rsa(bits) = key.kind() else {
            return None;
        };
        let (modulus, exponent) = key.public_key().rsa_parts()?;
        if !SIZES.contains(&bits) || exponent != EXPONENT {
            return None;
        }
        let pkcs8 = key.to_pkcs8_der().ok()?;
        // RSAPrivateKey (RFC 8017 appendix A.1.2): version, n, e, d, then what is wanted.
        let mut fields = inner_key(&pkcs8).ok()?;
        for unwanted in ["version", "modulus", "publicExponent", "privateExponent"] {
            fields.integer(unwanted).ok()?;
        }
        // Lossless: some thousand bits.
        let half = bits as usize / 128;
        let mut number = |name| words(fields.integer(name).ok()?, half);
        Some(Self {
            bits,
            p: number("prime1")?,
            q: number("prime2")?,
            dp: number("exponent1")?,
            dq: number("exponent2")?,
            q_inverse: number("coefficient")?,
            modulus: words(modulus, 2 * half)?.to_vec(),
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
        let length = self.bits as usize / 8;
        let mut encoded = vec![0; LANES * length];
        for (lane, encoded) in encoded.chunks_exact_mut(length).enumerate() {
            // The lanes without a message sign the first one once more.
            encode(messages.get(lane).unwrap_or(&messages[0]), encoded);
        }
        let numbers = RsaPrivateNumbers {
            p: &self.p,
            q: &self.q,
            dp: &self.dp,
            dq: &self.dq,
            q_inverse: &self.q_inverse,
        };
        let mut made = vec![0; LANES * length];
        let signed = library
            .functions
            .rsa_private(&encoded, &numbers, self.bits, &mut made);
        let mut recovered = vec![0; LANES * length];
        let raised = library
            .functions
            .rsa_public(&made, &self.modulus, self.bits, &mut recovered);
        for (lane, message) in messages.iter().enumerate() {
            let octets = lane * length..(lane + 1) * length;
            let verified =
                raised.is_ok(lane) && recovered[octets.clone()] == encoded[octets.clone()];
            if signed.is_ok(lane) && verified {
                signatures.push(&made[octets]);
            } else {
                // A signature spoilt in the half of one prime would give the key away: it goes no further than here.
                signatures.push(&again(message)?);
            }
        }
        Ok(())
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2).
fn encode(message: &[u8], out: &mut [u8]) {
    let hash = digest(&SHA256, message);
    let (padding, info) = out.split_at_mut(out.len() - SHA256_INFO.len() - 32);
    padding.fill(0xff);
    padding[..2].copy_from_slice(&[0, 1]);
    let end = padding.len() - 1;
    padding[end] = 0;
    info[..SHA256_INFO.len()].copy_from_slice(SHA256_INFO);
    info[SHA256_INFO.len()..].copy_from_slice(hash.as_ref());
}
