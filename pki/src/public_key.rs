//! Public keys (SubjectPublicKeyInfo, RFC 5280 section 4.1.2.7) and the verifying of signatures.

use aws_lc_rs::signature::{self as aws, ParsedPublicKey, VerificationAlgorithm};

use crate::der_encode::tag;
use crate::der_read::{DerError, Reader, single};
use crate::{AlgorithmError, HashAlgorithm, KeyKind, SignatureAlgorithm, oid};

/// A well-formed public key; of a kind that is not supported, perhaps, which [`PublicKey::kind`] tells.
#[derive(Clone, Debug)]
pub struct PublicKey {
    spki: Vec<u8>,
    key_bits: Vec<u8>,
    kind: Result<KeyKind, AlgorithmError>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, DerError> {
        const WHAT: &str = "SubjectPublicKeyInfo";
        let mut fields = single(der, WHAT)?.expect(tag::SEQUENCE, WHAT)?.reader();
        let mut algorithm = fields.sequence("public key algorithm")?;
        let key_bits = fields.bit_string("subjectPublicKey")?;
        fields.finish(WHAT)?;
        let algorithm_oid = algorithm.oid("public key algorithm")?;
        let kind = match algorithm_oid {
            oid::RSA_ENCRYPTION => {
                let (modulus, _) = rsa_parts(key_bits)?;
                Ok(KeyKind::Rsa(bit_length(modulus)))
            }
            oid::EC_PUBLIC_KEY => match algorithm.oid("named curve") {
                Ok(oid::P256) => Ok(KeyKind::P256),
                Ok(oid::P384) => Ok(KeyKind::P384),
                Ok(oid::P521) => Ok(KeyKind::P521),
                Ok(curve) => Err(AlgorithmError::UnknownKey(format!("curve {curve}"))),
                Err(_) => Err(AlgorithmError::UnknownKey(
                    "a curve without a name".to_owned(),
                )),
            },
            oid::ED25519 => Ok(KeyKind::Ed25519),
            oid::ML_DSA_65 => Ok(KeyKind::MlDsa65),
            oid::DSA => Err(AlgorithmError::UnknownKey("DSA".to_owned())),
            other => Err(AlgorithmError::UnknownKey(other.to_string())),
        };
        Ok(Self {
            spki: der.to_vec(),
            key_bits: key_bits.to_vec(),
            kind,
        })
    }

    /// The whole SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The octets of the subjectPublicKey BIT STRING, which key hashes are made over (RFC 6960
    /// section 4.1.1).
    pub fn key_bits(&self) -> &[u8] {
        &self.key_bits
    }

    /// Its kind, or why it cannot be used.
    pub fn kind(&self) -> Result<KeyKind, AlgorithmError> {
        self.kind.clone()
    }

    /// The key identifier: SHA-1 of the key bits (RFC 5280 section 4.2.1.2 method 1).
    pub fn key_id(&self) -> [u8; 20] {
        let mut id = [0; 20];
        id.copy_from_slice(&HashAlgorithm::Sha1.digest(&self.key_bits));
        id
    }

    /// SHA-256 of the whole SubjectPublicKeyInfo, by which keys are told apart in records.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(&HashAlgorithm::Sha256.digest(&self.spki));
        fingerprint
    }

    /// Modulus and public exponent as big-endian magnitudes, if it is an RSA key.
    pub fn rsa_parts(&self) -> Option<(&[u8], &[u8])> {
        if !self.kind.as_ref().is_ok_and(|kind| kind.is_rsa()) {
            return None;
        }
        rsa_parts(&self.key_bits).ok()
    }

    /// Whether the key is one that can be used at all: for the curves, that its point is on the curve
    /// and not at infinity.
    pub fn check_usable(&self) -> Result<(), BadSignature> {
        let kind = self.kind()?;
        let algorithm = SignatureAlgorithm::for_key(kind, kind.default_hash())?;
        let algorithm =
            verification(kind, algorithm).ok_or(BadSignature::NotForKey(kind, algorithm))?;
        ParsedPublicKey::new(algorithm, &self.spki)
            .map(drop)
            .map_err(|_| BadSignature::BadKey)
    }

    /// Verifies that `signature` over `message` was made by this key with exactly this algorithm.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        self.verifier(algorithm)?.verify(message, signature)
    }

    /// For verifying many signatures of this key: its value is read and checked once.
    pub fn verifier(&self, algorithm: SignatureAlgorithm) -> Result<Verifier, BadSignature> {
        let kind = self.kind()?;
        let verification =
            verification(kind, algorithm).ok_or(BadSignature::NotForKey(kind, algorithm))?;
        let key =
            ParsedPublicKey::new(verification, &self.spki).map_err(|_| BadSignature::BadKey)?;
        Ok(Verifier { algorithm, key })
    }
}

/// Verifies signatures of one key, made with one algorithm.
#[derive(Clone, Debug)]
pub struct Verifier {
    algorithm: SignatureAlgorithm,
    key: ParsedPublicKey,
}

impl Verifier {
    /// The algorithm.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Verifies that `signature` over `message` was made by the key with exactly the algorithm.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.key
            .verify_sig(message, signature)
            .map_err(|_| BadSignature::DoesNotVerify)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

/// What verifies this algorithm with a key of this kind; ECDSA with any of the hashes, since requests
/// and imported objects are free in that.
fn verification(
    kind: KeyKind,
    algorithm: SignatureAlgorithm,
) -> Option<&'static dyn VerificationAlgorithm> {
    use KeyKind as K;
    use SignatureAlgorithm as S;
    Some(match (kind, algorithm) {
        (K::P256, S::EcdsaSha256) => &aws::ECDSA_P256_SHA256_ASN1,
        (K::P256, S::EcdsaSha384) => &aws::ECDSA_P256_SHA384_ASN1,
        (K::P256, S::EcdsaSha512) => &aws::ECDSA_P256_SHA512_ASN1,
        (K::P384, S::EcdsaSha256) => &aws::ECDSA_P384_SHA256_ASN1,
        (K::P384, S::EcdsaSha384) => &aws::ECDSA_P384_SHA384_ASN1,
        (K::P384, S::EcdsaSha512) => &aws::ECDSA_P384_SHA512_ASN1,
        (K::P521, S::EcdsaSha256) => &aws::ECDSA_P521_SHA256_ASN1,
        (K::P521, S::EcdsaSha384) => &aws::ECDSA_P521_SHA384_ASN1,
        (K::P521, S::EcdsaSha512) => &aws::ECDSA_P521_SHA512_ASN1,
        (K::Ed25519, S::Ed25519) => &aws::ED25519,
        (K::MlDsa65, S::MlDsa65) => &aws::ML_DSA_65,
        (K::Rsa(2048..=8192), S::RsaSha1) => &aws::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (K::Rsa(2048..=8192), S::RsaSha256) => &aws::RSA_PKCS1_2048_8192_SHA256,
        (K::Rsa(2048..=8192), S::RsaSha384) => &aws::RSA_PKCS1_2048_8192_SHA384,
        (K::Rsa(2048..=8192), S::RsaSha512) => &aws::RSA_PKCS1_2048_8192_SHA512,
        (K::Rsa(1024..2048), S::RsaSha1) => &aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (K::Rsa(1024..2048), S::RsaSha256) => &aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        (K::Rsa(1024..2048), S::RsaSha512) => &aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        _ => return None,
    })
}

/// RSAPublicKey (RFC 8017 appendix A.1.1): modulus and public exponent.
fn rsa_parts(key_bits: &[u8]) -> Result<(&[u8], &[u8]), DerError> {
    const WHAT: &str = "RSAPublicKey";
    let mut fields = single(key_bits, WHAT)?
        .expect(tag::SEQUENCE, WHAT)?
        .reader();
    let modulus = positive(&mut fields, "modulus")?;
    let exponent = positive(&mut fields, "publicExponent")?;
    fields.finish(WHAT)?;
    Ok((modulus, exponent))
}

fn positive<'a>(fields: &mut Reader<'a>, what: &'static str) -> Result<&'a [u8], DerError> {
    match fields.integer(what)? {
        [first, ..] if first & 0x80 != 0 => Err(DerError::BadValue(what)),
        [0, magnitude @ ..] | magnitude => Ok(magnitude),
    }
}

fn bit_length(magnitude: &[u8]) -> u32 {
    let Some(first) = magnitude.first() else {
        return 0;
    };
    let bits = magnitude.len() * 8 - first.leading_zeros() as usize;
    u32::try_from(bits).unwrap_or(u32::MAX)
}

/// Why a signature does not count.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadSignature {
    /// The key is of no supported kind.
    #[error(transparent)]
    Algorithm(#[from] AlgorithmError),
    /// The key's value is not one of its kind, such as a point off its curve.
    #[error(
        "the public key is not a valid key of its kind (a point off its curve, an even exponent)"
    )]
    BadKey,
    /// It was made by another key, or over other bytes.
    #[error("the signature does not verify")]
    DoesNotVerify,
    /// The algorithm is not one for this key.
    #[error("a key of kind {0} does not make signatures with {1}")]
    NotForKey(KeyKind, SignatureAlgorithm),
}
