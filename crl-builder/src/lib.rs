//! Builds, has signed, verifies and publishes the CRL of every issuer.
//!
//! One reader follows the ledger's change feed ([`follow`]) and tells each issuer's worker that there is
//! something new; each worker goes its own pace, so that an issuer that fails never holds up another (V12):
//!
//! 1. `schedule` says when: at once after a revocation, then at most every `min_interval_ms`, and daily.
//! 2. `build` takes the revoked certificates from the ledger, leaves out those that have expired long enough
//!    (CRL-18), reserves a number (V5), has the signer sign, and verifies the result with everything that
//!    `pki::crl::verify` knows and entry by entry against the ledger (V7, V9).
//! 3. The CRL is recorded in the ledger, then `publish`ed in channel `crl/{issuer}` with the CA certificate, and
//!    with what makes fetching it cheap (`delivery`): compressed variants, differences, the CRLs before it.
//!
//! CRLs of CAs whose key is elsewhere are verified and served as they are; where the issuer's policy says so, they are
//! also fetched, and what they revoke goes into the ledger (`source`).
//!
//! When the signer is away the last CRL stays, the health says why, and the attempt is repeated. A number that
//! was reserved before a crash is simply skipped.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod config;
mod delivery;
mod failure;
mod feed;
mod live;
mod metrics;
mod own;
mod publication_key;
mod publish;
mod schedule;
mod shared;
mod signer;
mod source;
mod worker;

pub use config::Config;
pub use feed::follow;
pub use metrics::Metrics;
pub use publication_key::PublicationKey;
pub use shared::Shared;
pub use signer::Signer;
