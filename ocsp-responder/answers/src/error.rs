//! What can be wrong with an answer set.

use pki::{HashAlgorithm, Serial, SignatureAlgorithm};

/// Why an answer set is refused. Whoever meets one keeps what it had (V9); the publisher must publish anew.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AnswerSetError {
    /// The octets changed on their way or on disk.
    #[error(
        "the checksum of the answer set does not match its octets: it was cut off or changed; fetch or publish it again"
    )]
    Checksum,
    /// A field that contradicts another, or the format.
    #[error("the answer set is malformed at octet {offset}: {what}")]
    Malformed {
        /// Where, from the start of the object.
        offset: usize,
        /// Which rule of the format is broken.
        what: &'static str,
    },
    /// Something else than an answer set.
    #[error("this is not an answer set (it does not begin with \"AVOUCHAS\")")]
    NotAnAnswerSet,
    /// A responder certificate that may not speak for the issuer.
    #[error("responder certificate {index} of the answer set may not sign for {issuer}: {why}")]
    Responder {
        /// Which one, counted from 0.
        index: usize,
        /// The CA, as RFC 4514 text.
        issuer: String,
        /// The rule it breaks.
        why: String,
    },
    /// Fewer octets than even an empty set has.
    #[error("the answer set is cut off: {0} octets")]
    TooShort(usize),
    /// Written by a newer Avouch.
    #[error("the answer set has format version {0}, this program reads version 1; update it")]
    Version(u16),
    /// Times that no response may carry.
    #[error("batch {index} of the answer set has impossible times: {why}")]
    Window {
        /// Which one, counted from 0.
        index: usize,
        /// The rule it breaks.
        why: &'static str,
    },
    /// The set of another CA.
    #[error("the answer set is for another issuer than {0}")]
    WrongIssuer(String),
}

/// Why an answer set cannot be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// A key whose signatures the format cannot hold.
    #[error("a {algorithm:?} signature does not fit the key of its responder certificate")]
    Algorithm {
        /// The algorithm of the batch.
        algorithm: SignatureAlgorithm,
    },
    /// One serial number twice.
    #[error("serial number {0} was added twice")]
    Duplicate(Serial),
    /// No CertID hash, or more than the two that the format knows.
    #[error(
        "an answer set answers for SHA-1 or SHA-256 CertIDs or both, each once; asked for: {0:?}"
    )]
    Hashes(Vec<HashAlgorithm>),
    /// A revocation reason that no response carries.
    #[error(
        "serial number {0}: a revocation for an unspecified reason carries no reason (OCSP-44)"
    )]
    Reason(Serial),
    /// A signature that is no DER of its algorithm, or not one per CertID hash.
    #[error("serial number {serial}: {why}")]
    Signature {
        /// The certificate.
        serial: Serial,
        /// What is wrong.
        why: &'static str,
    },
    /// More than the format can count.
    #[error("an answer set holds at most {0}")]
    TooMany(&'static str),
}
