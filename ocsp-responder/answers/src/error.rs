//! What can be wrong with an answer set.

use std::io;

use pki::{HashAlgorithm, Serial, SignatureAlgorithm};

/// Why an answer set is refused. Whoever meets one keeps what it had (V9); the publisher must publish anew.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AnswerSetError {
    /// Part of what is read at first use.
    #[error(transparent)]
    Damaged(#[from] Damaged),
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
    /// The system does not let us read it.
    #[error("the answer set cannot be mapped: {0}")]
    Unreadable(String),
    /// Written by another version of Avouch.
    #[error(
        "the answer set has format version {0}, this program reads version 2; publish it again with this version"
    )]
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

/// A part of an answer set that is not what its tables say: it changed on disk or on its way.
///
/// Nothing is answered from such a part. Whoever meets one publishes or fetches the set again.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the answer set is damaged at octet {offset}: {what}; publish or fetch it again")]
pub struct Damaged {
    /// Where, from the start of the object.
    pub offset: usize,
    /// What is wrong there.
    pub what: &'static str,
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
    /// A layer that cannot be read.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// One serial number twice.
    #[error("serial number {0} was added twice")]
    Duplicate(Serial),
    /// No CertID hash, or more than the two that the format knows.
    #[error(
        "an answer set answers for SHA-1 or SHA-256 CertIDs or both, each once; asked for: {0:?}"
    )]
    Hashes(Vec<HashAlgorithm>),
    /// Serial numbers that do not ascend.
    #[error(
        "serial number {0} comes after a greater one; a set is written by ascending serial numbers"
    )]
    Order(Serial),
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
    /// A serial number or signature that the widths of the set have no room for.
    #[error("a {what} of {found} octets does not fit: the set was begun for {room}")]
    TooWide {
        /// Serial number or signature.
        what: &'static str,
        /// Its octets.
        found: usize,
        /// The octets there are.
        room: usize,
    },
    /// More than the format can count.
    #[error("an answer set holds at most {0}")]
    TooMany(&'static str),
    /// The file cannot be written.
    #[error("the answer set cannot be written: {0}")]
    Write(String),
}

impl From<io::Error> for BuildError {
    fn from(error: io::Error) -> Self {
        Self::Write(error.to_string())
    }
}
