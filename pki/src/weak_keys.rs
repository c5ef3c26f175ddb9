//! Public keys that must not be certified (I5; CERT-20, CERT-21, CERT-22; BR section 6.1.1.3, section 6.1.5, section 6.1.6).
//!
//! | kind | checks |
//! | --- | --- |
//! | RSA | size, exponent, small factors, powers, close primes (Fermat), ROCA, Debian's list |
//! | ECDSA | the curve is allowed, the point is uncompressed and lies on it |
//! | Ed25519 | the point exists and is not of small order |
//!
//! Everything works on the public key alone.

mod debian;
mod ed25519;
mod roca;
mod rsa;

use num_bigint::BigUint;
use serde::Deserialize;

use crate::refusal::Refusal;
use crate::{KeyKind, PublicKey, der_encode};

pub use debian::{DebianWeakKeys, ListError};

/// The field that refusals of this module name.
const FIELD: &str = "publicKey";

/// Checks `key` against `rules` and against everything known about weak keys.
pub fn check(
    key: &PublicKey,
    rules: &KeyRules,
    debian: Option<&DebianWeakKeys>,
) -> Result<(), Refusal> {
    let kind = key
        .kind()
        .map_err(|error| refuse("I5", error.to_string()))?;
    let family = KeyFamily::of(kind);
    if !rules.kinds.contains(&family) {
        return Err(Refusal {
            remedy: format!("Make a key of one of these kinds: {}.", rules.names()),
            ..refuse("I5", format!("a key of kind {kind} is not allowed here"))
        });
    }
    check_encoding(key, family)?;
    if let Some((modulus, exponent)) = key.rsa_parts() {
        let modulus = BigUint::from_bytes_be(modulus);
        rsa::check(&modulus, &BigUint::from_bytes_be(exponent), rules)?;
        roca::check(&modulus)?;
        if let Some(list) = debian {
            list.check(&modulus)?;
        }
    }
    if family == KeyFamily::Ed25519 {
        ed25519::check(key.key_bits())?;
    }
    key.check_usable()
        .map_err(|error| refuse("CERT-22", error.to_string()))
}

/// CERT-30: the SubjectPublicKeyInfo enters the certificate as it is, so it must have the one form
/// that is allowed, byte for byte; points of the NIST curves uncompressed (RFC 5480 section 2.2).
pub fn check_encoding(key: &PublicKey, family: KeyFamily) -> Result<(), Refusal> {
    let algorithm = family.algorithm_identifier();
    let canonical = der_encode::sequence(&[algorithm, &der_encode::bit_string(key.key_bits())]);
    if canonical != key.spki_der() {
        return Err(refuse(
            "CERT-30",
            format!(
                "the {} key is not encoded as a certificate must hold it",
                family.name()
            ),
        ));
    }
    let uncompressed = key.key_bits().first() == Some(&4);
    if family.is_nist_curve() && !uncompressed {
        return Err(Refusal {
            remedy:
                "Write the key with an uncompressed point (openssl ec -conv_form uncompressed)."
                    .to_owned(),
            ..refuse(
                "CERT-22",
                "the elliptic curve point is not in uncompressed form",
            )
        });
    }
    Ok(())
}

/// Which keys a profile accepts.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct KeyRules {
    /// The kinds of key allowed.
    pub kinds: Vec<KeyFamily>,
    /// The shortest RSA modulus; never below 2048 bits.
    #[serde(default = "KeyRules::default_rsa_min_bits")]
    pub rsa_min_bits: u32,
    /// The longest RSA modulus; longer ones cost everybody who verifies.
    #[serde(default = "KeyRules::default_rsa_max_bits")]
    pub rsa_max_bits: u32,
    /// The smallest RSA exponent (BR section 6.1.6: 2^16+1 or more).
    #[serde(default = "KeyRules::default_rsa_min_exponent")]
    pub rsa_min_exponent: u32,
}

impl KeyRules {
    /// Every kind of key, within the bounds that no profile may leave.
    pub fn any() -> Self {
        Self {
            kinds: vec![
                KeyFamily::Rsa,
                KeyFamily::P256,
                KeyFamily::P384,
                KeyFamily::P521,
                KeyFamily::Ed25519,
            ],
            rsa_min_bits: Self::default_rsa_min_bits(),
            rsa_max_bits: Self::default_rsa_max_bits(),
            rsa_min_exponent: Self::default_rsa_min_exponent(),
        }
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.kinds.iter().map(|kind| kind.name()).collect();
        names.join(", ")
    }

    const fn default_rsa_min_bits() -> u32 {
        2048
    }

    const fn default_rsa_max_bits() -> u32 {
        8192
    }

    const fn default_rsa_min_exponent() -> u32 {
        65_537
    }
}

/// A kind of key without its size.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum KeyFamily {
    /// Ed25519 (RFC 8410).
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ML-DSA-65 (RFC 9881): no profile but that of OCSP responders may name it.
    #[serde(rename = "ml-dsa-65")]
    MlDsa65,
    /// ECDSA on P-256.
    #[serde(rename = "p-256")]
    P256,
    /// ECDSA on P-384.
    #[serde(rename = "p-384")]
    P384,
    /// ECDSA on P-521.
    #[serde(rename = "p-521")]
    P521,
    /// RSA of any size that the other rules allow.
    #[serde(rename = "rsa")]
    Rsa,
}

impl KeyFamily {
    /// The family of a kind.
    pub const fn of(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Rsa(_) => Self::Rsa,
            KeyKind::P256 => Self::P256,
            KeyKind::P384 => Self::P384,
            KeyKind::P521 => Self::P521,
            KeyKind::Ed25519 => Self::Ed25519,
            KeyKind::MlDsa65 => Self::MlDsa65,
        }
    }

    /// Whether it is one of the curves P-256, P-384, P-521.
    pub const fn is_nist_curve(self) -> bool {
        matches!(self, Self::P256 | Self::P384 | Self::P521)
    }

    /// The whole DER of its AlgorithmIdentifier, byte for byte as CERT-30 has it.
    pub const fn algorithm_identifier(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => b"\x30\x05\x06\x03\x2b\x65\x70",
            Self::MlDsa65 => b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12",
            Self::P256 => {
                b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
            }
            Self::P384 => b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
            Self::P521 => b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23",
            Self::Rsa => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::MlDsa65 => "ML-DSA-65",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Rsa => "RSA",
        }
    }
}

fn refuse(rule: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(
        rule,
        FIELD,
        message,
        "Make a new key with a current tool (openssl genpkey) and send a new request.",
    )
}

#[cfg(test)]
mod tests;
