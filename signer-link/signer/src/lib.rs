//! The isolated signer: the one process that holds CA keys (G1 to G6).
//!
//! From outside to inside:
//! - [`server`] takes messages from a Unix socket (later the serial link) and gives replies;
//! - [`engine`] does each request once: judge, write the intent, sync, sign, verify, write the result, sync, reply;
//! - [`judge`] decides what may be signed, a pure function; [`policy`] is what its configuration allows;
//! - [`state`] remembers requests, serial numbers and CRL numbers; [`journal`] keeps all of it on disk;
//! - [`keyring`] has the keys, from an encrypted store.
//!
//! [`ceremony`] makes a hierarchy of CAs, [`import`] takes over a CA that exists; both work at the signer's own console,
//! never over the link.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod ca_certificate;
pub mod ceremony;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod import;
pub mod issuer;
pub mod journal;
pub mod journal_record;
pub mod judge;
pub mod keyring;
pub mod metrics;
pub mod passphrase;
pub mod policy;
pub mod server;
pub mod state;
pub mod transcript;
