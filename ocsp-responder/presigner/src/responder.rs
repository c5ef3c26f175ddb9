//! The key and certificate that sign the answers of one issuer.

use std::sync::Arc;

use keystore::{KeyError, SignMany, Signatures, SigningKey};
use ledger::{KeyPlace, OcspPolicy};
use pki::ocsp::response::Template;
use pki::ocsp::verify::verify_responder_certificate;
use pki::{Certificate, HashAlgorithm, KeyKind, SignatureAlgorithm, Time};

use crate::backends::Backends;

/// The CertID hashes that every answer is signed for (OCSP-18).
pub(crate) const HASHES: [HashAlgorithm; 2] = [HashAlgorithm::Sha1, HashAlgorithm::Sha256];

/// A delegated responder, ready to sign for one CA.
#[derive(Debug)]
pub(crate) struct Responder {
    signer: Box<dyn SignMany>,
    kind: KeyKind,
    place: KeyPlace,
    certificate: Certificate,
    algorithm: SignatureAlgorithm,
    templates: [Template; 2],
    shortcoming: Option<String>,
}

impl Responder {
    /// Pairs a key with its certificate; refused unless the certificate lets this key speak for `ca` at `now`
    /// (RFC 6960 section 4.2.2.2).
    pub(crate) fn new(
        key: SigningKey,
        certificate: Certificate,
        ca: &Certificate,
        now: Time,
        backends: &Backends,
    ) -> Result<Self, ResponderError> {
        if key.public_key().spki_der() != certificate.public_key().spki_der() {
            return Err(ResponderError::OtherKey);
        }
        answers::check_delegation(&certificate, ca)
            .map_err(|violation| ResponderError::Unfit(violation.to_string()))?;
        if now < certificate.not_before() || certificate.not_after() < now {
            return Err(ResponderError::OutOfTime(
                certificate.not_before(),
                certificate.not_after(),
            ));
        }
        let strict = verify_responder_certificate(&certificate, ca, now);
        let shortcoming = strict.err().map(|violation| violation.to_string());
        let algorithm = algorithm_for(key.kind());
        let place = if key.is_in_token() {
            KeyPlace::Pkcs11
        } else {
            KeyPlace::Software
        };
        let templates = HASHES.map(|hash| Template::new(hash, ca, &certificate, algorithm));
        Ok(Self {
            kind: key.kind(),
            place,
            signer: backends.signer(&Arc::new(key), algorithm),
            certificate,
            algorithm,
            templates,
            shortcoming,
        })
    }

    /// Its certificate.
    pub(crate) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// A rule for today's certificates that it breaks, as one that came with a CA taken over may (OCSP-61 to OCSP-66).
    pub(crate) fn shortcoming(&self) -> Option<&str> {
        self.shortcoming.as_deref()
    }

    /// Whether its key is of the kind, and lives in the place, that the policy asks for.
    pub(crate) fn fits(&self, policy: &OcspPolicy) -> bool {
        key_fits(self.kind, self.place, policy)
    }

    /// With what it signs.
    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// One template per hash of [`HASHES`].
    pub(crate) fn templates(&self) -> &[Template; 2] {
        &self.templates
    }

    /// Signs, and verifies every signature before it returns it (V9). The key is the one in the certificate:
    /// [`Responder::new`] has compared them.
    pub(crate) fn sign_many(&self, response_data: &[&[u8]]) -> Result<Signatures, KeyError> {
        self.signer.sign_many(response_data)
    }

    /// Whether it began long enough ago for clients whose clocks are slow, as a certificate does that is asked for at
    /// once: one from the stock begins to the second.
    pub(crate) fn is_settled(&self, now: Time) -> bool {
        const SLOW_CLOCKS: i64 = 300;
        self.certificate.not_before().plus_seconds(SLOW_CLOCKS) <= now
    }
}

/// Whether a key of this kind and place is what the policy asks for.
pub(crate) fn key_fits(kind: KeyKind, place: KeyPlace, policy: &OcspPolicy) -> bool {
    policy.responder_key.is_none_or(|wanted| wanted == kind) && policy.responder_key_in == place
}

/// The kind of responder key for a CA key, unless the policy names one: of the CA key's kind, but no larger than
/// needed. Some clients refuse ECDSA answers, and those of an RSA CA must be read by all of them.
pub(crate) fn default_key_kind(ca: KeyKind) -> KeyKind {
    match ca {
        KeyKind::Rsa(_) => KeyKind::Rsa(2048),
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => KeyKind::P256,
        KeyKind::Ed25519 => KeyKind::Ed25519,
        KeyKind::MlDsa65 => KeyKind::MlDsa65,
    }
}

fn algorithm_for(key: KeyKind) -> SignatureAlgorithm {
    match key {
        KeyKind::Rsa(_) => SignatureAlgorithm::RsaSha256,
        KeyKind::P256 => SignatureAlgorithm::EcdsaSha256,
        KeyKind::P384 => SignatureAlgorithm::EcdsaSha384,
        KeyKind::P521 => SignatureAlgorithm::EcdsaSha512,
        KeyKind::Ed25519 => SignatureAlgorithm::Ed25519,
        KeyKind::MlDsa65 => SignatureAlgorithm::MlDsa65,
    }
}

/// Why a key and a certificate are no responder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResponderError {
    /// They do not belong together.
    #[error("the certificate is for another key than the one beside it")]
    OtherKey,
    /// It has ended or has not begun.
    #[error("the certificate is valid from {0} to {1}, not now")]
    OutOfTime(Time, Time),
    /// The certificate does not delegate.
    #[error("the certificate may not sign answers for this issuer: {0}")]
    Unfit(String),
}
