//! CRLs that somebody else signs: watched as files or fetched over HTTP, verified, taken into the ledger, published.
//!
//! ```text
//! URL ──► fetch ──► judge ──► {issuer}.crl, {issuer}.delta.crl ──► judge ──► merge ──► ledger, then the publication
//!                             (or whoever puts files there)
//! ```
//!
//! - A `fetch` runs beside everything else, asks conditionally, and hands over only what verifies; what it brought is
//!   durable in a file before it is used, so that a restart needs no network.
//! - Files count when they change. A bad one never replaces a good one: the CRLs `held` stay in use until better ones
//!   are there, and the health of the issuer says exactly what is wrong.
//! - What complete CRL and delta say together (`merge`) goes into the ledger as far as it is new. Then it is recorded
//!   from which CRLs the statuses are; from that the presigner knows until when it may answer.
//!
//! Without `source.crl` in its policy an issuer's file is served as it is, and the ledger does not follow it.

mod fetch;
mod files;
#[cfg(test)]
mod fixtures;
mod follow;
mod held;
mod http;
mod judge;
mod merge;
mod metrics;
mod pace;

pub(crate) use follow::Follower;
pub(crate) use judge::imported_rules;
pub(crate) use metrics::SourceMetrics;

/// One of the two lists that an issuer may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum List {
    /// Everything that is revoked.
    Complete,
    /// What changed since a complete one (RFC 5280 section 5.2.4).
    Delta,
}

impl List {
    /// In metrics and messages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Delta => "delta",
        }
    }
}
