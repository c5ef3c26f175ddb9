//! Hashes, kinds of keys and signature algorithms, with their exact AlgorithmIdentifiers.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use const_oid::ObjectIdentifier;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::oid;

/// A hash function.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum HashAlgorithm {
    /// SHA-1: for CertIDs and key identifiers only, never in a signature that we make.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// Every hash.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The hash of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes).as_ref().to_vec()
    }

    /// Its object identifier.
    pub const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => oid::SHA1,
            Self::Sha256 => oid::SHA256,
            Self::Sha384 => oid::SHA384,
            Self::Sha512 => oid::SHA512,
        }
    }

    /// The hash with this object identifier.
    pub fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.oid() == *oid)
    }

    /// Its name as in configurations and on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for HashAlgorithm {
    type Err = AlgorithmError;

    fn from_str(text: &str) -> Result<Self, AlgorithmError> {
        Self::ALL
            .into_iter()
            .find(|hash| hash.name() == text)
            .ok_or_else(|| AlgorithmError::UnknownHash(text.to_owned()))
    }
}

/// A kind of key pair.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KeyKind {
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// ML-DSA-65 (FIPS 204, RFC 9881): for OCSP responders only.
    MlDsa65,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// RSA with a modulus of this many bits.
    Rsa(u32),
}

impl KeyKind {
    /// Whether it is an RSA key.
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa(_))
    }

    /// The hash that goes with it unless another is asked for.
    pub const fn default_hash(self) -> HashAlgorithm {
        match self {
            Self::P384 => HashAlgorithm::Sha384,
            Self::P521 | Self::Ed25519 | Self::MlDsa65 => HashAlgorithm::Sha512,
            Self::P256 | Self::Rsa(_) => HashAlgorithm::Sha256,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519 => f.write_str("ed25519"),
            Self::MlDsa65 => f.write_str("ml-dsa-65"),
            Self::P256 => f.write_str("p-256"),
            Self::P384 => f.write_str("p-384"),
            Self::P521 => f.write_str("p-521"),
            Self::Rsa(bits) => write!(f, "rsa-{bits}"),
        }
    }
}

impl FromStr for KeyKind {
    type Err = AlgorithmError;

    fn from_str(text: &str) -> Result<Self, AlgorithmError> {
        let unknown = || AlgorithmError::UnknownKeyKind(text.to_owned());
        Ok(match text {
            "ed25519" => Self::Ed25519,
            "ml-dsa-65" => Self::MlDsa65,
            "p-256" => Self::P256,
            "p-384" => Self::P384,
            "p-521" => Self::P521,
            _ => {
                let bits = text.strip_prefix("rsa-").ok_or_else(unknown)?;
                Self::Rsa(bits.parse().map_err(|_| unknown())?)
            }
        })
    }
}

/// A signature algorithm: what CERT-31 allows, and SHA-1 only for reading what others signed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SignatureAlgorithm {
    /// ecdsa-with-SHA256.
    EcdsaSha256,
    /// ecdsa-with-SHA384.
    EcdsaSha384,
    /// ecdsa-with-SHA512.
    EcdsaSha512,
    /// Ed25519.
    Ed25519,
    /// ML-DSA-65 with an empty context string (RFC 9881 section 2): in OCSP answers only.
    MlDsa65,
    /// sha1WithRSAEncryption: verified in what is taken over, never made.
    RsaSha1,
    /// sha256WithRSAEncryption.
    RsaSha256,
    /// sha384WithRSAEncryption.
    RsaSha384,
    /// sha512WithRSAEncryption.
    RsaSha512,
}

impl SignatureAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 9] = [
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::Ed25519,
        Self::MlDsa65,
        Self::RsaSha1,
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
    ];

    /// The algorithm for exactly this key and hash. Nothing is ever substituted: an ECDSA key goes with
    /// the hash of its curve's size (CERT-31), Ed25519 and ML-DSA bring their own, SHA-1 is refused.
    pub fn for_key(key: KeyKind, hash: HashAlgorithm) -> Result<Self, AlgorithmError> {
        match (key, hash) {
            (KeyKind::P256, HashAlgorithm::Sha256) => Ok(Self::EcdsaSha256),
            (KeyKind::P384, HashAlgorithm::Sha384) => Ok(Self::EcdsaSha384),
            (KeyKind::P521, HashAlgorithm::Sha512) => Ok(Self::EcdsaSha512),
            (KeyKind::Ed25519, HashAlgorithm::Sha512) => Ok(Self::Ed25519),
            (KeyKind::MlDsa65, HashAlgorithm::Sha512) => Ok(Self::MlDsa65),
            (KeyKind::Rsa(_), HashAlgorithm::Sha256) => Ok(Self::RsaSha256),
            (KeyKind::Rsa(_), HashAlgorithm::Sha384) => Ok(Self::RsaSha384),
            (KeyKind::Rsa(_), HashAlgorithm::Sha512) => Ok(Self::RsaSha512),
            _ => Err(AlgorithmError::NotForKey { key, hash }),
        }
    }

    /// The whole DER of its AlgorithmIdentifier, byte for byte as CERT-31 has it.
    pub const fn algorithm_identifier(self) -> &'static [u8] {
        match self {
            Self::EcdsaSha256 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02",
            Self::EcdsaSha384 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03",
            Self::EcdsaSha512 => b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04",
            Self::Ed25519 => b"\x30\x05\x06\x03\x2b\x65\x70",
            Self::MlDsa65 => b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12",
            Self::RsaSha1 => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00",
            Self::RsaSha256 => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00",
            Self::RsaSha384 => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00",
            Self::RsaSha512 => b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00",
        }
    }

    /// The algorithm with exactly this AlgorithmIdentifier.
    pub fn from_algorithm_identifier(der: &[u8]) -> Result<Self, AlgorithmError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.algorithm_identifier() == der)
            .ok_or_else(|| AlgorithmError::UnknownSignature(hex::encode(der)))
    }

    /// The hash that it signs; for Ed25519 and ML-DSA, which hash by themselves, the one that
    /// [`SignatureAlgorithm::for_key`] knows them by.
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::RsaSha1 => HashAlgorithm::Sha1,
            Self::EcdsaSha256 | Self::RsaSha256 => HashAlgorithm::Sha256,
            Self::EcdsaSha384 | Self::RsaSha384 => HashAlgorithm::Sha384,
            Self::EcdsaSha512 | Self::Ed25519 | Self::MlDsa65 | Self::RsaSha512 => {
                HashAlgorithm::Sha512
            }
        }
    }

    /// Its name as in configurations and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaSha256 => "ecdsa-sha256",
            Self::EcdsaSha384 => "ecdsa-sha384",
            Self::EcdsaSha512 => "ecdsa-sha512",
            Self::Ed25519 => "ed25519",
            Self::MlDsa65 => "ml-dsa-65",
            Self::RsaSha1 => "rsa-sha1",
            Self::RsaSha256 => "rsa-sha256",
            Self::RsaSha384 => "rsa-sha384",
            Self::RsaSha512 => "rsa-sha512",
        }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = AlgorithmError;

    fn from_str(text: &str) -> Result<Self, AlgorithmError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
            .ok_or_else(|| AlgorithmError::UnknownSignature(text.to_owned()))
    }
}

macro_rules! serde_as_text {
    ($($type:ty),*) => {
        $(impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        })*
    };
}

serde_as_text!(HashAlgorithm, KeyKind, SignatureAlgorithm);

/// Why an algorithm cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AlgorithmError {
    /// A hash that does not go with the key.
    #[error(
        "{hash} cannot be used with a key of kind {key}: an ECDSA key takes the hash of its curve's \
         size (p-256 sha256, p-384 sha384, p-521 sha512), ed25519 and ml-dsa-65 sha512, RSA sha256, sha384 or sha512"
    )]
    NotForKey {
        /// The key.
        key: KeyKind,
        /// The hash that was asked for.
        hash: HashAlgorithm,
    },
    /// A hash that is not known.
    #[error("{0:?} is not one of sha1, sha256, sha384, sha512")]
    UnknownHash(String),
    /// A public key of a kind that is not supported.
    #[error(
        "the public key is of a kind that is not supported ({0}); RSA, P-256, P-384, P-521, Ed25519 and ML-DSA-65 are"
    )]
    UnknownKey(String),
    /// A text that names no kind of key.
    #[error(
        "{0:?} is not a kind of key: rsa-2048, rsa-3072, rsa-4096, p-256, p-384, p-521, ed25519, ml-dsa-65"
    )]
    UnknownKeyKind(String),
    /// A signature algorithm that is not supported, or not in its exact form (CERT-31).
    #[error("signature algorithm {0} is not supported (CERT-31 lists what is, byte for byte)")]
    UnknownSignature(String),
}
