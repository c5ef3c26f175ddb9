//! One private key.

use std::fmt;
use std::fs;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, ML_DSA_65_SIGNING, PqdsaKeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
};
use pkcs8::{ObjectIdentifier, PrivateKeyInfo};
use pki::{KeyKind, PublicKey, SignatureAlgorithm, Verifier};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::token_key::TokenKey;
use crate::{Access, KeyError, private_key_pem, write_atomically};

/// A private key that signs with exactly the algorithm asked for, and verifies every signature before it is
/// released: a signature spoilt by a faulty machine can give an RSA key away.
///
/// The library that holds the key wipes its memory when the key is dropped.
pub struct SigningKey {
    secret: Secret,
    kind: KeyKind,
    public: PublicKey,
    /// One for each algorithm that the key signs with.
    verifiers: Vec<Verifier>,
}

enum Secret {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
    Rsa(RsaKeyPair),
    Token(TokenKey),
}

impl SigningKey {
    /// A new key. RSA-4096 takes seconds.
    pub fn generate(kind: KeyKind) -> Result<Self, KeyError> {
        const WHILE: KeyError = KeyError::Crypto("making a key");
        let secret = match kind {
            KeyKind::Rsa(bits) => {
                Secret::Rsa(RsaKeyPair::generate(rsa_size(bits)?).map_err(|_| WHILE)?)
            }
            KeyKind::P256 => generate_ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING)?,
            KeyKind::P384 => generate_ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING)?,
            KeyKind::P521 => generate_ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING)?,
            KeyKind::Ed25519 => Secret::Ed25519(Ed25519KeyPair::generate().map_err(|_| WHILE)?),
            KeyKind::MlDsa65 => {
                Secret::MlDsa(PqdsaKeyPair::generate(&ML_DSA_65_SIGNING).map_err(|_| WHILE)?)
            }
        };
        Self::new(secret)
    }

    /// From PKCS#8 DER (RFC 5958, `PrivateKeyInfo`).
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
        const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
        const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
        const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");

        let info = PrivateKeyInfo::try_from(der)
            .map_err(|error| KeyError::Malformed(format!("PKCS#8: {error}")))?;
        let secret = match info.algorithm.oid {
            RSA => Secret::Rsa(RsaKeyPair::from_pkcs8(der).map_err(rejected("RSA"))?),
            EC => {
                let curve = info.algorithm.parameters_oid().map_err(|_| {
                    KeyError::Unsupported("an EC key whose curve is not given by name".to_owned())
                })?;
                Secret::Ecdsa(
                    EcdsaKeyPair::from_pkcs8(curve_by_oid(&curve)?, der).map_err(rejected("EC"))?,
                )
            }
            ED25519 => {
                Secret::Ed25519(Ed25519KeyPair::from_pkcs8(der).map_err(rejected("Ed25519"))?)
            }
            ML_DSA_65 => Secret::MlDsa(
                PqdsaKeyPair::from_pkcs8(&ML_DSA_65_SIGNING, der).map_err(rejected("ML-DSA-65"))?,
            ),
            other => return Err(KeyError::Unsupported(format!("algorithm {other}"))),
        };
        Self::new(secret)
    }

    /// From unencrypted PEM: "PRIVATE KEY", "RSA PRIVATE KEY" or "EC PRIVATE KEY".
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        private_key_pem::read(text, None)
    }

    /// From PEM that may be encrypted ("ENCRYPTED PRIVATE KEY"); the passphrase is not used when it is not.
    pub fn from_encrypted_pem(text: &str, passphrase: &SecretString) -> Result<Self, KeyError> {
        private_key_pem::read(text, Some(passphrase))
    }

    /// From a file that [`Self::save_plain`] wrote, or any unencrypted PEM of a private key.
    pub fn load_plain(path: &Path) -> Result<Self, KeyError> {
        let text = Zeroizing::new(fs::read_to_string(path).map_err(KeyError::file(path))?);
        Self::from_pem(&text)
    }

    /// The key's kind.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` with `algorithm`, verifies the signature, and returns it.
    ///
    /// ECDSA is done with the curve's own hash only, and nothing is ever substituted (mission I6).
    pub fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        const WHILE: KeyError = KeyError::Crypto("signing");
        let verifier = self
            .verifiers
            .iter()
            .find(|verifier| verifier.algorithm() == algorithm);
        let Some(verifier) = verifier else {
            return Err(KeyError::AlgorithmMismatch {
                key: self.kind,
                algorithm,
            });
        };
        let signature = match (&self.secret, self.kind, algorithm) {
            (Secret::Rsa(key), _, SignatureAlgorithm::RsaSha256) => {
                sign_rsa(key, &RSA_PKCS1_SHA256, message)?
            }
            (Secret::Rsa(key), _, SignatureAlgorithm::RsaSha384) => {
                sign_rsa(key, &RSA_PKCS1_SHA384, message)?
            }
            (Secret::Rsa(key), _, SignatureAlgorithm::RsaSha512) => {
                sign_rsa(key, &RSA_PKCS1_SHA512, message)?
            }
            (Secret::Ecdsa(key), KeyKind::P256, SignatureAlgorithm::EcdsaSha256)
            | (Secret::Ecdsa(key), KeyKind::P384, SignatureAlgorithm::EcdsaSha384)
            | (Secret::Ecdsa(key), KeyKind::P521, SignatureAlgorithm::EcdsaSha512) => key
                .sign(&SystemRandom::new(), message)
                .map_err(|_| WHILE)?
                .as_ref()
                .to_vec(),
            (Secret::Ed25519(key), _, SignatureAlgorithm::Ed25519) => {
                key.try_sign(message).map_err(|_| WHILE)?.as_ref().to_vec()
            }
            (Secret::Token(key), _, algorithm) => key.sign(algorithm, message)?,
            (Secret::MlDsa(key), _, SignatureAlgorithm::MlDsa65) => {
                let mut signature = vec![0; key.algorithm().signature_len()];
                key.sign(message, &mut signature).map_err(|_| WHILE)?;
                signature
            }
            (_, key, algorithm) => return Err(KeyError::AlgorithmMismatch { key, algorithm }),
        };
        verifier
            .verify(message, &signature)
            .map_err(|_| KeyError::SelfCheck)?;
        Ok(signature)
    }

    /// The key as unencrypted PKCS#8 DER, in memory that is wiped.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        const WHILE: KeyError = KeyError::Crypto("encoding a key");
        let der = match &self.secret {
            Secret::Rsa(key) => {
                let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| WHILE)?;
                der.as_ref().to_vec()
            }
            Secret::Ecdsa(key) => key.to_pkcs8v1().map_err(|_| WHILE)?.as_ref().to_vec(),
            Secret::Ed25519(key) => key.to_pkcs8v1().map_err(|_| WHILE)?.as_ref().to_vec(),
            Secret::MlDsa(key) => key.to_pkcs8v1().map_err(|_| WHILE)?.as_ref().to_vec(),
            Secret::Token(_) => return Err(KeyError::StaysInToken),
        };
        Ok(Zeroizing::new(der))
    }

    /// Writes the key unencrypted (PKCS#8 PEM, mode 0600, synced). For keys that a service must read unattended.
    pub fn save_plain(&self, path: &Path) -> Result<(), KeyError> {
        let pem = Zeroizing::new(pem_of(&self.to_pkcs8_der()?));
        write_atomically(path, pem.as_bytes(), Access::Secret).map_err(KeyError::file(path))
    }

    pub(crate) fn from_pkcs1_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::new(Secret::Rsa(
            RsaKeyPair::from_der(der).map_err(rejected("RSA"))?,
        ))
    }

    /// SEC 1 DER (RFC 5915) may leave the curve out; then the one that fits the key is taken.
    pub(crate) fn from_sec1_der(der: &[u8]) -> Result<Self, KeyError> {
        const CURVES: [&EcdsaSigningAlgorithm; 3] = [
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &ECDSA_P384_SHA384_ASN1_SIGNING,
            &ECDSA_P521_SHA512_ASN1_SIGNING,
        ];
        CURVES
            .into_iter()
            .find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok())
            .map_or_else(
                || {
                    Err(KeyError::Unsupported(
                        "an EC key that is damaged or of another curve".to_owned(),
                    ))
                },
                |key| Self::new(Secret::Ecdsa(key)),
            )
    }

    fn new(secret: Secret) -> Result<Self, KeyError> {
        const WHILE: KeyError = KeyError::Crypto("encoding a public key");
        let spki: PublicKeyX509Der<'_> = match &secret {
            Secret::Rsa(key) => key.public_key().as_der(),
            Secret::Ecdsa(key) => key.public_key().as_der(),
            Secret::Ed25519(key) => key.public_key().as_der(),
            Secret::MlDsa(key) => key.public_key().as_der(),
            Secret::Token(_) => return Err(KeyError::StaysInToken),
        }
        .map_err(|_| WHILE)?;
        let public = PublicKey::from_spki_der(spki.as_ref())
            .map_err(|error| KeyError::Unsupported(error.to_string()))?;
        Self::with(secret, public)
    }

    /// A key in a token and its public half.
    pub(crate) fn in_token(key: TokenKey, public: PublicKey) -> Result<Self, KeyError> {
        Self::with(Secret::Token(key), public)
    }

    /// CKA_ID, if the key is in a token.
    pub fn token_id(&self) -> Option<&[u8]> {
        match &self.secret {
            Secret::Token(key) => Some(key.id()),
            _ => None,
        }
    }

    /// Whether the key is in a PKCS#11 token.
    pub const fn is_in_token(&self) -> bool {
        matches!(self.secret, Secret::Token(_))
    }

    fn with(secret: Secret, public: PublicKey) -> Result<Self, KeyError> {
        let kind = public
            .kind()
            .map_err(|error| KeyError::Unsupported(error.to_string()))?;
        let verifiers = algorithms_of(kind)
            .iter()
            .map(|algorithm| public.verifier(*algorithm))
            .collect::<Result<_, _>>()
            .map_err(|error| KeyError::Unsupported(error.to_string()))?;
        Ok(Self {
            secret,
            kind,
            public,
            verifiers,
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What a key of this kind signs with.
const fn algorithms_of(kind: KeyKind) -> &'static [SignatureAlgorithm] {
    match kind {
        KeyKind::Ed25519 => &[SignatureAlgorithm::Ed25519],
        KeyKind::MlDsa65 => &[SignatureAlgorithm::MlDsa65],
        KeyKind::P256 => &[SignatureAlgorithm::EcdsaSha256],
        KeyKind::P384 => &[SignatureAlgorithm::EcdsaSha384],
        KeyKind::P521 => &[SignatureAlgorithm::EcdsaSha512],
        KeyKind::Rsa(_) => &[
            SignatureAlgorithm::RsaSha256,
            SignatureAlgorithm::RsaSha384,
            SignatureAlgorithm::RsaSha512,
        ],
    }
}

fn rsa_size(bits: u32) -> Result<KeySize, KeyError> {
    Ok(match bits {
        2048 => KeySize::Rsa2048,
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        8192 => KeySize::Rsa8192,
        _ => {
            return Err(KeyError::Unsupported(format!(
                "RSA of {bits} bits cannot be made here (2048, 3072, 4096 or 8192 can)"
            )));
        }
    })
}

fn generate_ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> Result<Secret, KeyError> {
    EcdsaKeyPair::generate(algorithm)
        .map(Secret::Ecdsa)
        .map_err(|_| KeyError::Crypto("making a key"))
}

fn curve_by_oid(oid: &ObjectIdentifier) -> Result<&'static EcdsaSigningAlgorithm, KeyError> {
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
    match *oid {
        P256 => Ok(&ECDSA_P256_SHA256_ASN1_SIGNING),
        P384 => Ok(&ECDSA_P384_SHA384_ASN1_SIGNING),
        P521 => Ok(&ECDSA_P521_SHA512_ASN1_SIGNING),
        other => Err(KeyError::Unsupported(format!("an EC key on curve {other}"))),
    }
}

fn sign_rsa(
    key: &RsaKeyPair,
    padding: &'static dyn aws_lc_rs::signature::RsaEncoding,
    message: &[u8],
) -> Result<Vec<u8>, KeyError> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(padding, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| KeyError::Crypto("signing"))?;
    Ok(signature)
}

fn rejected(what: &'static str) -> impl FnOnce(aws_lc_rs::error::KeyRejected) -> KeyError {
    move |reason| KeyError::Unsupported(format!("{what} key rejected ({reason})"))
}

fn pem_of(pkcs8: &[u8]) -> String {
    pki::pem::encode("PRIVATE KEY", pkcs8)
}
