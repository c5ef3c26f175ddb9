//! Answers signed while somebody waits: those with the nonce of their request (RFC 9654), and those about several
//! certificates.
//!
//! ```text
//! edge ── live-link ──► endpoint (a Unix socket | TLS) ──► signers ──► answer: standings, sign, verify ──► edge
//! ```
//!
//! - A `Standing` is what an issuer says at this moment: what it has published, and who signs. The issuer's worker keeps
//!   it up to date, and takes it away while it is in trouble: a fresh signature says that the status is known *now*.
//! - What is said is never more than what is published (V7), never about an answer that has ended (V3), and never sent
//!   unverified (V9).
//! - The `signers` are few threads of their own with a short queue. Whatever does not fit is turned away at once, so that
//!   revocations and renewals, which have all cores, never wait for nonces.

mod answer;
mod config;
mod endpoint;
mod signers;
mod standing;
mod tls;

pub use config::{LiveConfig, TlsConfig};
pub use endpoint::{Endpoint, LiveMetrics};
pub use standing::Standings;
pub(crate) use standing::Told;
