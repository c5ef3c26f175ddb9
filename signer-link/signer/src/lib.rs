//! The isolated signer: the one machine that holds CA keys (G1 to G6).
//!
//! It runs as three processes of one program. From outside to inside:
//! - `link` has the cable: frames and the session with the host ([`link`]);
//! - `policy` decides, remembers and writes the journal, and has the console ([`run`], [`console`]);
//! - `key` has the keys and signs what `policy` hands it.
//!
//! What decides is the [`core`], a state machine without surroundings. It stands on
//! - [`judge`]: what may be signed, a pure function; [`policy`] is what its configuration allows;
//! - [`pgp`]: the same for certifications of OpenPGP keys;
//! - [`memory`]: requests, serial numbers, [`revoked`] certificates and the [`lists`] of CRLs, all from the [`log`];
//! - [`clock`]: the signer's own;
//! - [`keys`]: what it knows of the keys.
//!
//! [`ceremony`] makes a hierarchy of CAs, [`import`] takes over a CA that exists; both work at the signer's own console,
//! never over the link.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod ca;
pub mod ca_certificate;
pub mod ceremony;
pub mod checkpoint;
pub mod clock;
pub mod complete_history;
pub mod config;
pub mod confine;
pub mod console;
pub mod core;
pub mod import;
pub mod issuer;
pub mod journal_record;
pub mod judge;
pub mod key;
pub mod key_process;
pub mod keyring;
pub mod keys;
pub mod link;
pub mod lists;
pub mod log;
pub mod memory;
pub mod next_list;
pub mod passphrase;
pub mod pgp;
pub mod pipe;
pub mod policy;
pub mod revoked;
pub mod run;
pub mod settings;
pub mod standby;
pub mod transcript;
