//! CRLs that were signed.

use pki::{CrlNumber, Time};

/// One CRL as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlRecord {
    /// cRLNumber, from [`crate::Ledger::reserve_crl_number`].
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
