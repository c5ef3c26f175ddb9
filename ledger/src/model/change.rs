//! The change feed: one event for everything that changes what is published, numbered without a gap.

use pki::{Serial, Time};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// 1, 2, 3, … without a gap, in the order of commitment.
    pub seq: u64,
    /// When.
    pub time: Time,
    /// Name of the issuer it concerns.
    pub issuer: String,
    /// What happened.
    pub kind: ChangeKind,
    /// The certificate it concerns.
    pub serial: Option<Serial>,
}

/// What happened. More kinds may come: a consumer that meets one it does not know looks at the issuer anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// An issuer was added.
    IssuerAdded,
    /// Its certificate, paths or policy changed, or its CRL has a part more.
    IssuerChanged,
    /// A certificate was issued.
    Issued,
    /// A certificate was revoked.
    Revoked,
    /// A certificate was taken over, or more became known about one. It may carry a revocation.
    Imported,
    /// A certificate is no longer on hold: the CRL of a CA whose key is elsewhere said so.
    Released,
    /// The CRLs of a CA whose key is elsewhere were taken in; what they changed are events before this one.
    SourceFollowed,
}

impl ChangeKind {
    /// The number stored in the ledger. Stored state: numbers are never reused.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::IssuerAdded => 1,
            Self::IssuerChanged => 2,
            Self::Issued => 3,
            Self::Revoked => 4,
            Self::Imported => 5,
            Self::Released => 6,
            Self::SourceFollowed => 7,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        [
            Self::IssuerAdded,
            Self::IssuerChanged,
            Self::Issued,
            Self::Revoked,
            Self::Imported,
            Self::Released,
            Self::SourceFollowed,
        ]
        .into_iter()
        .find(|kind| kind.code() == code)
    }
}
