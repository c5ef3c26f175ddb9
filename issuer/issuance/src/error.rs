//! Why there is no certificate.

use ledger::LedgerError;
use pki::refusal::Refusal;
use pki::{BadSignature, DerError, Serial, Violation};
use signer_client::RefusalCode;

/// Why there is no certificate, or not yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuanceError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The certificate would break rules, so it was not sent to the signer. This is a fault of the
    /// profile or of Avouch, not of who asked.
    #[error("the certificate would break rules: {}; correct the profile or report this", list(.0))]
    Lint(Vec<Violation>),
    /// The order breaks a rule.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something in the ledger cannot be read.
    #[error("the ledger holds {what} of {issuer} that cannot be read: {source}")]
    Unreadable {
        /// The issuer.
        issuer: String,
        /// What it is.
        what: &'static str,
        /// What is wrong with it.
        source: DerError,
    },
    /// The signer gave no answer. The request is kept and finished by itself when the signer is back.
    #[error(
        "{why}; the request is kept and certificate {serial} of {issuer} is issued when the signer is back"
    )]
    SignerAway {
        /// The issuer.
        issuer: String,
        /// The serial number under which the certificate can be fetched later.
        serial: Serial,
        /// What the signer's client said.
        why: String,
    },
    /// The signer was not heard of since this program was started, so nobody knows what its serial numbers begin with
    /// (I18). Nothing was reserved.
    #[error(
        "no certificate of {issuer} can be begun before the signer was heard of once ({why}); ask again when it is there"
    )]
    SignerUnseen {
        /// The issuer.
        issuer: String,
        /// What the signer's client said.
        why: String,
    },
    /// The signer refused. The serial number stays used.
    #[error("the signer refused certificate {serial} of {issuer}: {field} ({code}): {message}")]
    SignerRefused {
        /// The issuer.
        issuer: String,
        /// The serial number that was reserved.
        serial: Serial,
        /// The kind of reason.
        code: RefusalCode,
        /// The part of the request that was refused.
        field: String,
        /// What was found, and the rule.
        message: String,
    },
    /// The signer's answer is not a signature of the CA. The serial number stays used.
    #[error(
        "the signature that the signer gave for certificate {serial} of {issuer} is not the CA's: {source}; check that \
         ledger and signer hold the same CA certificate"
    )]
    WrongSignature {
        /// The issuer.
        issuer: String,
        /// The serial number that was reserved.
        serial: Serial,
        /// What is wrong.
        source: BadSignature,
    },
}

fn list(findings: &[Violation]) -> String {
    let texts: Vec<String> = findings.iter().map(Violation::to_string).collect();
    texts.join("; ")
}
