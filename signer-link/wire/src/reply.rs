//! What the signer answers. Wire format: a change needs a new protocol version.

use std::fmt;

use minicbor::{Decode, Encode};
use pki::{CrlNumber, KeyKind, Time};

use crate::codec::{self, Bounded, bound};
use crate::request::{check_log, check_revocations};
use crate::{LogRecord, PgpIssuerInfo, RequestId, Revocation, WireError, limits, sign_pgp_uid};

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
    /// Signed: the signature's octets, as they go into the BIT STRING; of a certification of a user id, the body of its
    /// signature packet.
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
    Pong(#[n(0)] Status),
    /// To `Info`.
    #[n(4)]
    Info {
        /// [`crate::PROTOCOL_VERSION`] of the signer.
        #[n(0)]
        protocol: u16,
        /// What its serial numbers begin with.
        #[n(1)]
        signer_id: u8,
        /// The issuers that it signs for, by name.
        #[n(2)]
        issuers: Vec<IssuerInfo>,
        /// The profiles that it knows, by name.
        #[n(3)]
        profiles: Vec<ProfileInfo>,
        /// The keys with which it certifies OpenPGP keys, by name.
        #[n(4)]
        openpgp: Vec<PgpIssuerInfo>,
    },
    /// To `GetResult`: one entry per id, in the order asked.
    #[n(5)]
    Results {
        /// The entries.
        #[n(0)]
        results: Vec<SignedResult>,
    },
    /// To `Revoke`: all of them are remembered.
    #[n(6)]
    Remembered {
        /// How many revocations of the issuer there are now.
        #[n(0)]
        count: u64,
        /// [`RevokedDigest::summary`](crate::RevokedDigest::summary) of them.
        #[cbor(n(1), with = "minicbor::bytes")]
        summary: [u8; 32],
    },
    /// To `GetRevoked`.
    #[n(7)]
    Revoked {
        /// How many revocations of the issuer there are.
        #[n(0)]
        count: u64,
        /// [`RevokedDigest`](crate::RevokedDigest): its 256 buckets.
        #[n(1)]
        buckets: Vec<u64>,
    },
    /// To `GetBucket`.
    #[n(8)]
    Bucket {
        /// The revocations, by ascending serial number.
        #[n(0)]
        revocations: Vec<Revocation>,
        /// Whether there are more after the last of these.
        #[n(1)]
        more: bool,
    },
    /// To `GetLog`: the records after the one named, as many as fit.
    #[n(9)]
    Log {
        /// The records.
        #[n(0)]
        records: Vec<LogRecord>,
        /// Where the log stands now.
        #[n(1)]
        head: Receipt,
    },
    /// To `AckLog`, `Replicate`, `Maintenance` and `Lock`: done.
    #[n(10)]
    Done,
}

/// How the signer is.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Status {
    /// Its time.
    #[cbor(n(0), with = "codec::time")]
    pub time: Time,
    /// What it is ready for.
    #[n(1)]
    pub mode: Mode,
    /// Why it is not active, for people; empty when it is.
    #[n(2)]
    pub reason: String,
    /// Where its log stands.
    #[n(3)]
    pub head: Receipt,
    /// The last record of its log that the host has said is safe.
    #[n(4)]
    pub archived: u64,
    /// How far the host's clock is before its own, in milliseconds.
    #[n(5)]
    pub host_ahead_milliseconds: i64,
    /// Signatures until it must be unlocked again.
    #[n(6)]
    pub signatures_left: u64,
    /// Refusals since it was unlocked.
    #[n(7)]
    pub strikes: u32,
    /// The promotion epoch: the higher one is the active signer's.
    #[n(8)]
    pub epoch: u32,
    /// Of a standby: how many records of the active signer's log it has.
    #[n(9)]
    pub replicated: u64,
    /// What its serial numbers begin with.
    #[n(10)]
    pub signer_id: u8,
    /// Whether it winds down: it issues no certificate to subscribers any more.
    #[n(11)]
    pub winding_down: bool,
}

/// What the signer is ready for.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, PartialEq)]
#[cbor(index_only)]
pub enum Mode {
    /// Started; its keys are not open.
    #[n(0)]
    Sealed,
    /// It follows the active signer's log and signs nothing.
    #[n(1)]
    Standby,
    /// It signs.
    #[n(2)]
    Active,
    /// It signs nothing until the reason is gone.
    #[n(3)]
    Suspended,
    /// The keys are wiped; only the console brings them back.
    #[n(4)]
    Locked,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed => "sealed",
            Self::Standby => "standby",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Locked => "locked",
        })
    }
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
    /// Revocations are remembered.
    #[n(3)]
    Remembered,
}

/// One profile that the signer knows.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct ProfileInfo {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// SHA-256 of its document.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub hash: [u8; 32],
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
#[derive(Clone, Copy, Debug, Decode, Default, Encode, PartialEq, Eq)]
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
    /// Of a CRL whose number does not rise: the number that it must be above.
    #[cbor(n(3), with = "codec::optional_crl_number")]
    pub above: Option<CrlNumber>,
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
    /// The CRL that the signer has put together is another one than the host's, or rests on a list that it does not have.
    #[n(6)]
    Diverged,
    /// Nobody may ask for this here, or now.
    #[n(7)]
    NotAllowed,
    /// The serial number is another signer's to use (I18), as it is after a promotion: reserve one of this signer's.
    #[n(8)]
    OtherSigner,
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
            Self::Diverged => "diverged",
            Self::NotAllowed => "not-allowed",
            Self::OtherSigner => "other-signer",
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
            Outcome::Busy { .. } | Outcome::Remembered { .. } | Outcome::Done => Ok(()),
            Outcome::Pong(status) => bound("reason", status.reason.len(), limits::TEXT),
            Outcome::Signed { signature } => bound("signature", signature.len(), limits::SIGNATURE),
            Outcome::Refused(refused) => check_refused(refused),
            Outcome::Info {
                issuers,
                profiles,
                openpgp,
                ..
            } => {
                bound("openpgp", openpgp.len(), limits::LIST)?;
                openpgp.iter().try_for_each(sign_pgp_uid::check_info)?;
                bound("issuers", issuers.len(), limits::LIST)?;
                bound("profiles", profiles.len(), limits::LIST)?;
                profiles
                    .iter()
                    .try_for_each(|profile| bound("profile", profile.name.len(), limits::NAME))?;
                issuers.iter().try_for_each(|issuer| {
                    bound("issuer name", issuer.name.len(), limits::NAME)?;
                    bound("certificate", issuer.certificate.len(), limits::CERTIFICATE)
                })
            }
            Outcome::Results { results } => {
                bound("results", results.len(), limits::LIST)?;
                results.iter().try_for_each(|result| match result {
                    SignedResult::Unknown | SignedResult::Remembered => Ok(()),
                    SignedResult::Signed { signature } => {
                        bound("signature", signature.len(), limits::SIGNATURE)
                    }
                    SignedResult::Refused(refused) => check_refused(refused),
                })
            }
            Outcome::Revoked { buckets, .. } => bound("buckets", buckets.len(), 256),
            Outcome::Bucket { revocations, .. } => check_revocations(revocations),
            Outcome::Log { records, .. } => check_log(records),
        }
    }
}

fn check_refused(refused: &Refused) -> Result<(), WireError> {
    bound("field", refused.field.len(), limits::TEXT)?;
    bound("message text", refused.message.len(), limits::TEXT)
}
