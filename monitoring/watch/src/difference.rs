//! What can differ, and how it is told.

use std::fmt;

use pki::crl::build::CrlEntry;
use pki::ocsp::response::CertStatus;
use pki::{RevocationReason, Violation};
use serde::{Deserialize, Serialize};

/// Which of the two products differs from the ledger.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Product {
    Crl,
    Ocsp,
}

impl Product {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Crl => "crl",
            Self::Ocsp => "ocsp",
        }
    }
}

/// How it differs: a label of metrics.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// Another revocation date.
    Date,
    /// Said to be revoked, and not so in the ledger.
    Extra,
    /// What is served breaks a rule: signature, validity, form.
    Invalid,
    /// An entry that should have left with its expired certificate.
    Lingers,
    /// Not there: no entry, or no answer.
    Missing,
    /// A signed answer about a certificate that was never issued (V6).
    NeverIssued,
    /// Another reason, or another invalidity date.
    Reason,
    /// Said to be good, and revoked in the ledger.
    Status,
    /// Two entries for one serial number.
    Twice,
    /// A CRL older than one that this edge has served before (V4).
    WentBack,
}

impl Kind {
    pub(crate) const ALL: [Self; 10] = [
        Self::Date,
        Self::Extra,
        Self::Invalid,
        Self::Lingers,
        Self::Missing,
        Self::NeverIssued,
        Self::Reason,
        Self::Status,
        Self::Twice,
        Self::WentBack,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Extra => "extra",
            Self::Invalid => "invalid",
            Self::Lingers => "lingers",
            Self::Missing => "missing",
            Self::NeverIssued => "never_issued",
            Self::Reason => "reason",
            Self::Status => "status",
            Self::Twice => "twice",
            Self::WentBack => "went_back",
        }
    }

    /// Whether it may come from the ledger being ahead of what is published.
    pub(crate) const fn may_be_delay(self) -> bool {
        matches!(self, Self::Missing | Self::Status)
    }
}

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    /// What the ledger says, for people.
    pub(crate) ledger: String,
    /// What is served.
    pub(crate) served: String,
}

impl Difference {
    pub(crate) fn new(kind: Kind, ledger: impl fmt::Display, served: impl fmt::Display) -> Self {
        Self {
            kind,
            ledger: ledger.to_string(),
            served: served.to_string(),
        }
    }

    pub(crate) fn invalid(ledger: impl fmt::Display, violation: &Violation) -> Self {
        Self::new(Kind::Invalid, ledger, violation)
    }
}

/// A status as people read it.
pub(crate) fn status_text(status: CertStatus) -> String {
    match status {
        CertStatus::Good => "good".to_owned(),
        CertStatus::Revoked { time, reason } => {
            let reason = reason.unwrap_or(RevocationReason::Unspecified);
            format!("revoked at {time}, {reason}")
        }
    }
}

/// An entry of a CRL as people read it.
pub(crate) fn entry_text(entry: Option<&CrlEntry>) -> String {
    let Some(entry) = entry else {
        return "no entry".to_owned();
    };
    let revoked = status_text(CertStatus::Revoked {
        time: entry.revocation_date,
        reason: entry.reason,
    });
    match entry.invalidity_date {
        None => revoked,
        Some(date) => format!("{revoked}, invalid since {date}"),
    }
}
