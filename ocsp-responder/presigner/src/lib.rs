//! Signs OCSP answers ahead of time (RFC 9919 section 3.2) for every certificate that the ledger knows, and publishes
//! them as answer sets.
//!
//! ```text
//! ledger ── feed ──► inbox ──► worker ──► sign pool ──► assemble and verify ──► published ──► ocsp/{issuer}/manifest
//!                               │  ▲
//!                               └──┘ sweep: the ledger against what is published
//! ```
//!
//! - `feed` reads the ledger's events for all issuers; each issuer has a `worker` of its own (V12).
//! - Revocations and new certificates are signed and published at once (`urgent`), ahead of all else.
//! - A `sweep` holds all certificates of an issuer against what is published: at start, after large imports, when answers
//!   are due for renewal, and every hour. What it finds is signed in chunks (`background`) behind everything urgent.
//! - `schedule` says when answers end and are renewed (OCSP-35, OCSP-36, V8); `care` looks after the responder keys, `stock`
//!   says which certificates they need, those for the weeks to come included.
//! - `live` signs answers while somebody waits: with the nonce of the request, or about several certificates.
//! - Nothing is published unverified (`assemble`, V9).
//!
//! What is published is the only state: a restart reads it back and signs what is missing.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod assemble;
mod backends;
mod background;
mod basis;
mod care;
mod certify;
mod condition;
mod config;
mod feed;
mod inbox;
mod key_directory;
mod live;
mod metrics;
mod pool;
mod publication_key;
mod published;
mod responder;
mod schedule;
mod shared;
mod stock;
mod sweep;
mod urgent;
mod worker;

pub use backends::Backends;
pub use certify::{Certify, Certifying, IssuedHere, Wanted};
pub use config::Config;
pub use feed::follow;
pub use inbox::Inbox;
pub use live::{Endpoint, LiveConfig, LiveMetrics, Standings, TlsConfig};
pub use metrics::Metrics;
pub use pool::SignPool;
pub use publication_key::PublicationKey;
pub use published::Published;
pub use shared::{Progress, Shared};
pub use worker::{Step, Worker};
