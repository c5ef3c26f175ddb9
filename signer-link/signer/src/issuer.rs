//! One CA: its key and its certificate.

use keystore::SigningKey;
use pki::{Certificate, KeyUsage};

/// A CA that the signer signs for.
#[derive(Debug)]
pub struct Issuer {
    name: String,
    certificate: Certificate,
    key: SigningKey,
}

/// Why a key and a certificate are no CA.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// The certificate is not one of a CA.
    #[error("the certificate of {0} is not a CA's: basicConstraints does not say cA TRUE")]
    NotCa(String),
    /// keyUsage forbids what the key is for.
    #[error("the certificate of {0} has a keyUsage without keyCertSign or without cRLSign")]
    KeyUsage(String),
    /// The certificate is of another key.
    #[error("the certificate of {0} does not belong to the key: their public keys differ")]
    OtherKey(String),
}

impl Issuer {
    /// A CA, if key and certificate belong together and the certificate makes it one.
    ///
    /// Certificates without keyUsage are let pass: a CA that is taken over may have none (CRL-27).
    pub fn new(name: &str, certificate: Certificate, key: SigningKey) -> Result<Self, IssuerError> {
        if certificate.public_key() != key.public_key() {
            return Err(IssuerError::OtherKey(name.to_owned()));
        }
        let self_signed_v1 =
            certificate.version() == 0 && certificate.issuer() == certificate.subject();
        if !certificate.is_ca() && !self_signed_v1 {
            return Err(IssuerError::NotCa(name.to_owned()));
        }
        if certificate.key_usage().is_some_and(|usage| {
            !usage.has(KeyUsage::KEY_CERT_SIGN) || !usage.has(KeyUsage::CRL_SIGN)
        }) {
            return Err(IssuerError::KeyUsage(name.to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            certificate,
            key,
        })
    }

    /// The name that requests ask with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its key.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }
}
