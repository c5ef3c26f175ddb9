//! What the signer can be asked. Wire format: a change needs a new protocol version.

use std::fmt;

use minicbor::{Decode, Encode};
use pki::{CrlNumber, SignatureAlgorithm, Time};

use crate::codec::{self, Bounded, bound};
use crate::{Receipt, SignPgpUid, WireError, limits, sign_pgp_uid};

/// Chosen by the sender, written to its own record before it sends, and never used for anything else.
#[derive(Clone, Copy, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct RequestId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// One question to the signer.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Request {
    /// Repeated in the reply.
    #[n(0)]
    pub id: RequestId,
    /// What is asked.
    #[n(1)]
    pub operation: Operation,
}

/// All that can be asked.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// The host is there, and this is its time; how is the signer?
    #[n(0)]
    Ping {
        /// The host's time.
        #[cbor(n(0), with = "codec::time")]
        time: Time,
    },
    /// Which issuers and profiles does it have?
    #[n(1)]
    Info,
    /// Sign one certificate.
    #[n(2)]
    IssueCertificate(#[n(0)] IssueCertificate),
    /// Sign one CRL, which the signer puts together itself.
    #[n(3)]
    SignCrl(#[n(0)] SignCrl),
    /// What became of these requests?
    #[n(4)]
    GetResult {
        /// At most [`limits::LIST`].
        #[n(0)]
        ids: Vec<RequestId>,
    },
    /// Remember revocations, for the CRLs to come.
    #[n(5)]
    Revoke(#[n(0)] Revoke),
    /// How many revocations of this issuer are remembered, and which, as digests?
    #[n(6)]
    GetRevoked {
        /// The name of the issuer's key in the signer.
        #[n(0)]
        issuer: String,
    },
    /// The revocations of one bucket of the digest: what heals a divergence (F8).
    #[n(7)]
    GetBucket {
        /// The name of the issuer's key in the signer.
        #[n(0)]
        issuer: String,
        /// Which of the 256.
        #[n(1)]
        bucket: u8,
        /// Only serial numbers after this one; from the first if absent.
        #[cbor(n(2), with = "minicbor::bytes")]
        after: Option<Vec<u8>>,
    },
    /// The signer's log after this record.
    #[n(8)]
    GetLog {
        /// The number of the last record that the host has.
        #[n(0)]
        after: u64,
    },
    /// The log is archived up to here.
    #[n(9)]
    AckLog {
        /// The last record that is safe.
        #[n(0)]
        archived: Receipt,
    },
    /// To a standby only: what the active signer's log says next, as [`Outcome::Log`](crate::Outcome::Log) gave it.
    #[n(10)]
    Replicate {
        /// The number of the record before the first of `records`.
        #[n(0)]
        after: u64,
        /// The records, as they stand in the active signer's journal.
        #[n(1)]
        records: Vec<LogRecord>,
    },
    /// The host will be silent for so long, on purpose. Once until the next unlock.
    #[n(11)]
    Maintenance {
        /// Seconds from now.
        #[n(0)]
        seconds: u32,
    },
    /// Wipe the keys. Only the console brings them back.
    #[n(12)]
    Lock {
        /// For the log.
        #[n(0)]
        reason: String,
    },
    /// Certify a user id of an OpenPGP key.
    #[n(13)]
    SignPgpUid(#[n(0)] SignPgpUid),
}

impl Operation {
    /// Its name, as in metrics and in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ping { .. } => "ping",
            Self::Info => "info",
            Self::IssueCertificate(_) => "issue-certificate",
            Self::SignCrl(_) => "sign-crl",
            Self::GetResult { .. } => "get-result",
            Self::Revoke(_) => "revoke",
            Self::GetRevoked { .. } => "get-revoked",
            Self::GetBucket { .. } => "get-bucket",
            Self::GetLog { .. } => "get-log",
            Self::AckLog { .. } => "ack-log",
            Self::Replicate { .. } => "replicate",
            Self::Maintenance { .. } => "maintenance",
            Self::Lock { .. } => "lock",
            Self::SignPgpUid(_) => "sign-pgp-uid",
        }
    }

    /// Whether the signer keeps what came of it under the request's id: an act, done once.
    pub const fn is_act(&self) -> bool {
        matches!(
            self,
            Self::IssueCertificate(_) | Self::SignCrl(_) | Self::Revoke(_) | Self::SignPgpUid(_)
        )
    }
}

/// A certificate to sign. The signer judges all of it.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct IssueCertificate {
    /// The name of the issuer's key in the signer.
    #[n(0)]
    pub issuer: String,
    /// The name of the profile that the certificate follows.
    #[n(1)]
    pub profile: String,
    /// The algorithm to sign with, the one that `tbs` names.
    #[cbor(n(2), with = "codec::signature_algorithm")]
    pub signature_algorithm: SignatureAlgorithm,
    /// The complete DER of the TBSCertificate.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub tbs: Vec<u8>,
    /// The certification request whose key is certified; absent where the host made the key itself, as for its
    /// responders.
    #[n(4)]
    pub csr: Option<CsrAroundKey>,
    /// SHA-256 of what the host has as evidence that the names were verified; the signer cannot judge it and keeps it in
    /// its log. Absent where nothing was verified by somebody else.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub evidence: Option<[u8; 32]>,
}

/// A certification request without its subjectPublicKeyInfo: the key stands in the TBSCertificate already, and a key
/// crosses the cable once.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct CsrAroundKey {
    /// What stands before the key.
    #[cbor(n(0), with = "minicbor::bytes")]
    before: Vec<u8>,
    /// What stands after it.
    #[cbor(n(1), with = "minicbor::bytes")]
    after: Vec<u8>,
}

impl CsrAroundKey {
    /// Takes the subjectPublicKeyInfo `key` out of the request `csr` (both DER). Where it is not in it, nothing is
    /// taken out, and the signer will refuse the request.
    pub fn cut(csr: &[u8], key: &[u8]) -> Self {
        let at = csr
            .windows(key.len().max(1))
            .position(|window| window == key);
        let (before, after) = match at {
            Some(at) => (&csr[..at], &csr[at + key.len()..]),
            None => (csr, &[][..]),
        };
        Self {
            before: before.to_vec(),
            after: after.to_vec(),
        }
    }

    /// The request as it was, with the key put back.
    pub fn with_key(&self, key: &[u8]) -> Vec<u8> {
        [&self.before, key, &self.after].concat()
    }
}

/// A CRL to sign. The signer puts the entries between `before` and `after` from what it remembers, and judges all of it.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct SignCrl {
    /// The name of the issuer's key in the signer.
    #[n(0)]
    pub issuer: String,
    /// What it covers.
    #[n(1)]
    pub scope: CrlScope,
    /// The CRL number, above every earlier one of this issuer and scope.
    #[cbor(n(2), with = "codec::crl_number")]
    pub number: CrlNumber,
    /// thisUpdate of the TBSCertList.
    #[cbor(n(3), with = "codec::time")]
    pub this_update: Time,
    /// nextUpdate of the TBSCertList.
    #[cbor(n(4), with = "codec::time")]
    pub next_update: Time,
    /// The algorithm to sign with, the one that the TBSCertList names.
    #[cbor(n(5), with = "codec::signature_algorithm")]
    pub signature_algorithm: SignatureAlgorithm,
    /// The TBSCertList up to the first entry.
    #[cbor(n(6), with = "minicbor::bytes")]
    pub before: Vec<u8>,
    /// Which entries.
    #[n(7)]
    pub entries: ListChange,
    /// The TBSCertList after the last entry.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub after: Vec<u8>,
    /// SHA-256 of the TBSCertList as the host has built it.
    #[cbor(n(9), with = "minicbor::bytes")]
    pub tbs_hash: [u8; 32],
}

/// What a CRL covers; each has its own last number.
#[derive(Clone, Debug, Decode, Encode, Eq, Hash, PartialEq)]
pub enum CrlScope {
    /// Every certificate of the issuer.
    #[n(0)]
    Complete,
    /// What changed since a complete CRL.
    #[n(1)]
    Delta,
    /// The certificates whose distribution point has this URI.
    #[n(2)]
    Partition(#[n(0)] String),
}

/// The entries of a CRL, told by how they differ from those of an earlier CRL of the same issuer and scope.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct ListChange {
    /// The number of the earlier CRL; the change is from no entries if absent.
    #[cbor(n(0), with = "codec::optional_crl_number")]
    pub from: Option<CrlNumber>,
    /// Which revocations are added.
    #[n(1)]
    pub added: Added,
    /// Serial numbers (magnitudes) whose entries leave, ascending.
    #[n(2)]
    pub removed: Vec<SerialOctets>,
}

/// Revocations that are added to a list.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub enum Added {
    /// All that the signer was told after the earlier CRL; all it was ever told, with none.
    #[n(0)]
    All,
    /// These serial numbers (magnitudes), ascending.
    #[n(1)]
    Serials(#[n(0)] Vec<SerialOctets>),
}

/// The magnitude of a serial number, at most 20 octets.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq, PartialOrd, Ord)]
#[cbor(transparent)]
pub struct SerialOctets(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

/// Revocations, of one actor on one ground.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Revoke {
    /// The name of the issuer's key in the signer.
    #[n(0)]
    pub issuer: String,
    /// Who revoked.
    #[n(1)]
    pub actor: String,
    /// On what ground: `subscriber`, `support`, `arbitrator` or `imported` (S7).
    #[n(2)]
    pub ground: String,
    /// The case, if there is one.
    #[n(3)]
    pub case: Option<String>,
    /// What is revoked; at most [`limits::REVOCATIONS`].
    #[n(4)]
    pub revocations: Vec<Revocation>,
}

/// One revocation, as it stands in CRLs.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Revocation {
    /// The magnitude of the serial number.
    #[n(0)]
    pub serial: SerialOctets,
    /// revocationDate.
    #[cbor(n(1), with = "codec::time")]
    pub date: Time,
    /// The CRLReason, its code; 0 where a CRL names none.
    #[n(2)]
    pub reason: u8,
    /// When the certificate ends; absent where that is not known: then its entry never leaves a CRL.
    #[cbor(n(3), with = "codec::optional_time", has_nil)]
    pub not_after: Option<Time>,
    /// invalidityDate.
    #[cbor(n(4), with = "codec::optional_time", has_nil)]
    pub invalidity_date: Option<Time>,
}

/// One record of a signer's log: the octets that its journal's chain is made of.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[cbor(transparent)]
pub struct LogRecord(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

impl Request {
    /// The canonical octets.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        codec::encode(self)
    }

    /// The request in these octets, which must be canonical and within the limits.
    pub fn decode(octets: &[u8]) -> Result<Self, WireError> {
        codec::decode(octets)
    }
}

impl Bounded for Request {
    fn check(&self) -> Result<(), WireError> {
        match &self.operation {
            Operation::Info
            | Operation::Ping { .. }
            | Operation::GetLog { .. }
            | Operation::AckLog { .. }
            | Operation::Maintenance { .. } => Ok(()),
            Operation::IssueCertificate(issue) => {
                bound("issuer", issue.issuer.len(), limits::NAME)?;
                bound("profile", issue.profile.len(), limits::NAME)?;
                bound("tbs", issue.tbs.len(), limits::CERTIFICATE)?;
                let csr = issue.csr.as_ref();
                let csr = csr.map_or(0, |csr| csr.before.len() + csr.after.len());
                bound("csr", csr, limits::CSR)
            }
            Operation::SignCrl(crl) => {
                bound("issuer", crl.issuer.len(), limits::NAME)?;
                if let CrlScope::Partition(uri) = &crl.scope {
                    bound("scope", uri.len(), limits::TEXT)?;
                }
                bound("before", crl.before.len(), limits::AROUND_ENTRIES)?;
                bound("after", crl.after.len(), limits::AROUND_ENTRIES)?;
                if let Added::Serials(serials) = &crl.entries.added {
                    check_serials("added", serials)?;
                }
                check_serials("removed", &crl.entries.removed)
            }
            Operation::GetResult { ids } => bound("ids", ids.len(), limits::LIST),
            Operation::Revoke(revoke) => {
                bound("issuer", revoke.issuer.len(), limits::NAME)?;
                bound("actor", revoke.actor.len(), limits::TEXT)?;
                bound("ground", revoke.ground.len(), limits::NAME)?;
                bound(
                    "case",
                    revoke.case.as_ref().map_or(0, String::len),
                    limits::TEXT,
                )?;
                check_revocations(&revoke.revocations)
            }
            Operation::GetRevoked { issuer } => bound("issuer", issuer.len(), limits::NAME),
            Operation::GetBucket { issuer, after, .. } => {
                bound("issuer", issuer.len(), limits::NAME)?;
                bound("after", after.as_ref().map_or(0, Vec::len), limits::SERIAL)
            }
            Operation::Replicate { records, .. } => check_log(records),
            Operation::Lock { reason } => bound("reason", reason.len(), limits::TEXT),
            Operation::SignPgpUid(sign) => sign_pgp_uid::check(sign),
        }
    }
}

fn check_serials(field: &'static str, serials: &[SerialOctets]) -> Result<(), WireError> {
    bound(field, serials.len(), limits::SERIALS)?;
    serials
        .iter()
        .try_for_each(|serial| bound("serial", serial.0.len(), limits::SERIAL))
}

pub(crate) fn check_revocations(revocations: &[Revocation]) -> Result<(), WireError> {
    bound("revocations", revocations.len(), limits::REVOCATIONS)?;
    revocations
        .iter()
        .try_for_each(|revocation| bound("serial", revocation.serial.0.len(), limits::SERIAL))
}

pub(crate) fn check_log(records: &[LogRecord]) -> Result<(), WireError> {
    bound("records", records.len(), limits::LOG_RECORDS)?;
    let octets = records.iter().map(|record| record.0.len()).sum();
    bound("records", octets, limits::MESSAGE - limits::OVERHEAD)
}
