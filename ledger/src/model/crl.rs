//! CRLs that were signed, and what stands on them.

use std::fmt;
use std::str::FromStr;

use pki::{CrlNumber, Time};

use super::StatusRow;

/// One CRL as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlRecord {
    /// What it covers.
    pub scope: CrlScope,
    /// cRLNumber, from [`crate::Ledger::reserve_crl_number`]; CRLs of several scopes that were made together share it.
    pub number: CrlNumber,
    /// thisUpdate.
    pub this_update: Time,
    /// nextUpdate.
    pub next_update: Time,
    /// SHA-256 of the CRL, DER.
    pub sha256: [u8; 32],
    /// Its size in octets.
    pub size: u64,
    /// How many entries it has.
    pub entries: u64,
    /// The change it contains everything up to.
    pub as_of: u64,
}

/// What a CRL covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrlScope {
    /// Every certificate of the issuer.
    Complete,
    /// What changed since a complete CRL (RFC 5280 section 5.2.4).
    Delta,
    /// The certificates that name this URI as their distribution point (RFC 5280 section 5.2.5).
    Partition(String),
}

impl fmt::Display for CrlScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Delta => "delta",
            Self::Partition(uri) => uri,
        })
    }
}

impl FromStr for CrlScope {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "complete" => Self::Complete,
            "delta" => Self::Delta,
            uri => Self::Partition(uri.to_owned()),
        })
    }
}

/// A certificate as CRLs see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlRow {
    /// Its status.
    pub status: StatusRow,
    /// The URI of its partition; `None` if it only stands on the complete CRL.
    pub partition: Option<String>,
}
