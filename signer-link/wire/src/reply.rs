//! What the signer answers. Wire format: a change needs a new protocol version.

use std::fmt;

use minicbor::{Decode, Encode};
use pki::{KeyKind, Time};

use crate::codec::{self, Bounded, bound};
use crate::{RequestId, WireError, limits};

/// One answer of the signer.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Reply {
    /// The id of the request.
    #[n(0)]
    pub id: RequestId,
    /// What came of it.
    #[n(1)]
    pub outcome: Outcome,
    /// Where in the signer's journal this act stands; absent where nothing was written.
    #[n(2)]
    pub receipt: Option<Receipt>,
}

/// What came of a request.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Signed: the signature's octets, as they go into the BIT STRING.
    #[n(0)]
    Signed {
        /// The signature.
        #[cbor(n(0), with = "minicbor::bytes")]
        signature: Vec<u8>,
    },
    /// Judged and refused. The same request is never to be sent again.
    #[n(1)]
    Refused(#[n(0)] Refused),
    /// Not now; ask again after this time.
    #[n(2)]
    Busy {
        /// Milliseconds.
        #[n(0)]
        milliseconds: u32,
    },
    /// To `Ping`.
    #[n(3)]
    Pong {
        /// The signer's time.
        #[cbor(n(0), with = "codec::time")]
        time: Time,
    },
    /// To `Info`.
    #[n(4)]
    Info {
        /// [`crate::PROTOCOL_VERSION`] of the signer.
        #[n(0)]
        protocol: u16,
        /// The issuers that it signs for, by name.
        #[n(1)]
        issuers: Vec<IssuerInfo>,
    },
    /// To `GetResult`: one entry per id, in the order asked.
    #[n(5)]
    Results {
        /// The entries.
        #[n(0)]
        results: Vec<SignedResult>,
    },
}

/// What became of a request.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedResult {
    /// Never seen, or seen but not finished: send it (again).
    #[n(0)]
    Unknown,
    /// Signed.
    #[n(1)]
    Signed {
        /// The signature.
        #[cbor(n(0), with = "minicbor::bytes")]
        signature: Vec<u8>,
    },
    /// Refused.
    #[n(2)]
    Refused(#[n(0)] Refused),
}

/// One issuer that the signer signs for.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct IssuerInfo {
    /// The name to ask with.
    #[n(0)]
    pub name: String,
    /// The kind of its key.
    #[cbor(n(1), with = "codec::key_kind")]
    pub key_kind: KeyKind,
    /// Its CA certificate (DER).
    #[cbor(n(2), with = "minicbor::bytes")]
    pub certificate: Vec<u8>,
}

/// Where in the hash-chained journal an act stands.
#[derive(Clone, Copy, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Receipt {
    /// Number of the record, counted from 1.
    #[n(0)]
    pub sequence: u64,
    /// Hash of the chain up to and with that record.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub head: [u8; 32],
}

/// Why the signer does not sign.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Refused {
    /// The kind of reason.
    #[n(0)]
    pub code: RefusalCode,
    /// The part of the request that is refused, such as `tbs.validity.notAfter`.
    #[n(1)]
    pub field: String,
    /// What was found, and the rule.
    #[n(2)]
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.field, self.code, self.message)
    }
}

/// The kinds of reasons.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, PartialEq)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum RefusalCode {
    /// The octets are no message. Nothing was judged, and nothing is remembered.
    #[n(0)]
    Malformed,
    /// The signer has no key of that name.
    #[n(1)]
    UnknownIssuer,
    /// Its content breaks the signer's policy.
    #[n(2)]
    Policy,
    /// The serial number was used before.
    #[n(3)]
    SerialUsed,
    /// The CRL number or thisUpdate does not rise.
    #[n(4)]
    CrlNotNewer,
    /// The id was used for a request of other content.
    #[n(5)]
    IdReused,
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::UnknownIssuer => "unknown-issuer",
            Self::Policy => "policy",
            Self::SerialUsed => "serial-used",
            Self::CrlNotNewer => "crl-not-newer",
            Self::IdReused => "id-reused",
        })
    }
}

impl Reply {
    /// The canonical octets.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        codec::encode(self)
    }

    /// The reply in these octets, which must be canonical and within the limits.
    pub fn decode(octets: &[u8]) -> Result<Self, WireError> {
        codec::decode(octets)
    }
}

impl Bounded for Reply {
    fn check(&self) -> Result<(), WireError> {
        match &self.outcome {
            Outcome::Busy { .. } | Outcome::Pong { .. } => Ok(()),
            Outcome::Signed { signature } => bound("signature", signature.len(), limits::SIGNATURE),
            Outcome::Refused(refused) => check_refused(refused),
            Outcome::Info { issuers, .. } => {
                bound("issuers", issuers.len(), limits::LIST)?;
                issuers.iter().try_for_each(|issuer| {
                    bound("issuer name", issuer.name.len(), limits::NAME)?;
                    bound("certificate", issuer.certificate.len(), limits::CERTIFICATE)
                })
            }
            Outcome::Results { results } => {
                bound("results", results.len(), limits::LIST)?;
                results.iter().try_for_each(|result| match result {
                    SignedResult::Unknown => Ok(()),
                    SignedResult::Signed { signature } => {
                        bound("signature", signature.len(), limits::SIGNATURE)
                    }
                    SignedResult::Refused(refused) => check_refused(refused),
                })
            }
        }
    }
}

fn check_refused(refused: &Refused) -> Result<(), WireError> {
    bound("field", refused.field.len(), limits::TEXT)?;
    bound("message text", refused.message.len(), limits::TEXT)
}
