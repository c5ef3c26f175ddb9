//! The numbers of algorithms (RFC 9580 section 9).

use pki::{HashAlgorithm, KeyKind, SignatureAlgorithm};

use crate::PgpError;

pub(crate) const RSA: u8 = 1;
pub(crate) const ECDSA: u8 = 19;
/// Ed25519 as GnuPG wrote it before the standard did: with a curve's name and a point as a number.
pub(crate) const EDDSA_LEGACY: u8 = 22;
pub(crate) const ED25519: u8 = 27;

/// The content octets of the curves' object identifiers (section 9.2).
pub(crate) const P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
pub(crate) const P384: &[u8] = b"\x2b\x81\x04\x00\x22";
pub(crate) const P521: &[u8] = b"\x2b\x81\x04\x00\x23";
pub(crate) const ED25519_LEGACY: &[u8] = b"\x2b\x06\x01\x04\x01\xda\x47\x0f\x01";

/// The name of an algorithm that is not one for certifying, for people.
pub(crate) fn name(algorithm: u8) -> &'static str {
    match algorithm {
        RSA => "RSA",
        2 => "RSA for encryption only",
        3 => "RSA for signatures only (deprecated)",
        16 | 20 => "Elgamal",
        17 => "DSA",
        18 => "ECDH",
        ECDSA => "ECDSA",
        EDDSA_LEGACY | ED25519 => "Ed25519",
        25 => "X25519",
        26 => "X448",
        28 => "Ed448",
        _ => "an algorithm that is not known here",
    }
}

pub(crate) const fn hash_number(hash: HashAlgorithm) -> u8 {
    match hash {
        HashAlgorithm::Sha1 => 2,
        HashAlgorithm::Sha256 => 8,
        HashAlgorithm::Sha384 => 9,
        HashAlgorithm::Sha512 => 10,
    }
}

/// SHA-1 and what came before it are never enough (I6).
pub(crate) fn hash(number: u8) -> Result<HashAlgorithm, PgpError> {
    let name = match number {
        8 => return Ok(HashAlgorithm::Sha256),
        9 => return Ok(HashAlgorithm::Sha384),
        10 => return Ok(HashAlgorithm::Sha512),
        1 => "MD5",
        2 => "SHA-1",
        3 => "RIPEMD-160",
        11 => "SHA-224",
        12 | 14 => "SHA-3",
        _ => "a hash that is not known",
    };
    Err(PgpError::Unsupported(format!(
        "it was made with {name}; SHA-256, SHA-384 and SHA-512 count here"
    )))
}

/// How a key of this kind certifies: with the hash that goes with it; RSA with SHA-512, as OpenPGP programs do. Ed25519
/// does not: OpenPGP has it sign a hash, and the process that holds the keys signs nothing but what it hashes itself.
pub fn certification_algorithm(kind: KeyKind) -> Option<SignatureAlgorithm> {
    match kind {
        KeyKind::Rsa(3072..=4096) => Some(SignatureAlgorithm::RsaSha512),
        KeyKind::P256 => Some(SignatureAlgorithm::EcdsaSha256),
        KeyKind::P384 => Some(SignatureAlgorithm::EcdsaSha384),
        KeyKind::P521 => Some(SignatureAlgorithm::EcdsaSha512),
        _ => None,
    }
}
