//! Carries an edge's requests for fresh OCSP answers to a presigner on another machine.
//!
//! ```text
//! ocsp-responder ── Unix socket ──► ocsp-forwarder ── TLS 1.3, both sides with certificates ──► ocsp-presigner
//! ```
//!
//! The edge faces the internet and holds no key at all; this process runs beside it, talks to nobody but the edge and the
//! presigner, and holds the key that the presigner knows it by. It understands nothing of what it carries: each
//! connection of the edge becomes one to the presigner. When that one cannot be had or breaks, the edge's ends too, and
//! the edge gives answers that were signed ahead.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod config;
mod forward;
mod presigner;

pub use config::Config;
pub use forward::Forwarder;
