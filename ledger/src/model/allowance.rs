//! What only two operators together may allow.

use pki::{PublicKey, SignatureAlgorithm, Time};

use crate::LedgerError;

/// How long a permission lasts, in seconds.
const LASTS: i64 = 86_400;

/// A person whose signature counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The name: lower-case letters, digits, hyphens.
    pub name: String,
    /// SubjectPublicKeyInfo of the Ed25519 key, DER.
    pub public_key: Vec<u8>,
}

/// One operator's signed permission to publish a CRL although the gate refuses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlAllowance {
    /// Name of the issuer.
    pub issuer: String,
    /// What the refusal is called: it covers this refusal and no other.
    pub refusal: String,
    /// Who allows it.
    pub operator: String,
    /// Why.
    pub why: String,
    /// When it was signed.
    pub time: Time,
    /// Ed25519 over [`CrlAllowance::statement`].
    pub signature: Vec<u8>,
}

impl CrlAllowance {
    /// What is signed: one line each, ended by LF.
    pub fn statement(&self) -> String {
        format!(
            "avouch: publish this CRL all the same\nissuer: {}\nrefusal: {}\noperator: {}\nwhy: {}\ntime: {}\n",
            self.issuer, self.refusal, self.operator, self.why, self.time
        )
    }

    /// Whether it is signed by the operator and counts at `now`.
    pub fn verify(&self, operator: &Operator, now: Time) -> Result<(), LedgerError> {
        if self.why.trim().is_empty() || self.why.contains('\n') {
            return Err(LedgerError::refused("why", "say why, in one line"));
        }
        let age = self.time.seconds_until(now);
        if !(-300..LASTS).contains(&age) {
            return Err(LedgerError::refused(
                "time",
                format!(
                    "the permission of {} is of {}; it lasts for a day",
                    self.operator, self.time
                ),
            ));
        }
        let signed = PublicKey::from_spki_der(&operator.public_key).is_ok_and(|key| {
            let statement = self.statement();
            key.verify(
                SignatureAlgorithm::Ed25519,
                statement.as_bytes(),
                &self.signature,
            )
            .is_ok()
        });
        if signed && operator.name == self.operator {
            return Ok(());
        }
        Err(LedgerError::refused(
            "signature",
            format!("it is not signed by the key of {}", self.operator),
        ))
    }
}

impl Operator {
    /// Checks the name and that the key is an Ed25519 one.
    pub fn validate(&self) -> Result<(), LedgerError> {
        let plain =
            |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
        if !(1..=32).contains(&self.name.len()) || !self.name.bytes().all(plain) {
            return Err(LedgerError::refused(
                "name",
                format!(
                    "{:?} cannot name an operator; use up to 32 lower-case letters, digits and hyphens",
                    self.name
                ),
            ));
        }
        let kind = PublicKey::from_spki_der(&self.public_key)
            .ok()
            .and_then(|key| key.kind().ok());
        if kind == Some(pki::KeyKind::Ed25519) {
            return Ok(());
        }
        Err(LedgerError::refused(
            "public_key",
            "an operator has an Ed25519 key; `openssl genpkey -algorithm ed25519` makes one",
        ))
    }
}
