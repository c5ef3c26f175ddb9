//! Pre-signed OCSP answers of one issuer, as they travel from the presigner to the edge.
//!
//! A response (RFC 6960 section 4.2.1) differs from certificate to certificate in its serial number, status, times and
//! signature; all else is the same for everything that one responder certificate signed under one CertID hash. An
//! answer set stores the former per certificate and the latter once, and puts each response together when it is asked
//! for, through [`pki::ocsp::response::Template`]; the bytes are the same wherever that happens.
//!
//! - [`AnswerSet`] reads one object, from memory or from a mapped file; [`Builder`] makes a small one in memory,
//!   [`SetWriter`] a large one as a file; [`merge()`] and [`merge_to_file`] fold several into one.
//! - [`Layered`] is what is served: a base under small deltas, of which the newest decides.
//!
//! The format is written down octet by octet in `docs/answer-set.md`.
//!
//! An [`AnswerSet`] believes nothing. When it is opened, its tables are checked: the issuer's CertID hashes, the responder
//! certificates (OCSP-51, OCSP-60) and every validity window (V8). Each chunk of records and index is checked before its
//! first use, against its hash in the tables and against the rules of the format; what fails is an error for whoever
//! asks, never an answer. The signatures are not checked: the presigner verifies each one before it publishes, and the
//! manifest names the hash of the tables.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod answer;
mod batch;
mod builder;
mod chunk;
mod declared;
mod delegation;
mod error;
mod format;
mod index;
mod input;
mod layered;
mod map;
mod merge;
mod merged;
mod octets;
mod open;
mod record;
mod set;
mod set_writer;
mod signature;
mod tables;
mod verified;
mod writer;

pub use answer::{Answer, Entry, Etag};
pub use batch::{Batch, Window};
pub use builder::Builder;
pub use declared::BatchId;
pub use delegation::check_delegation;
pub use error::{AnswerSetError, BuildError, Damaged};
pub use format::{CONTENT_TYPE, ROLE, ROLE_AHEAD};
pub use layered::{Contribution, Layered, Totals};
pub use merge::{Removals, merge, merge_to_file};
pub use pki::ocsp::IssuerHashes;
pub use set::AnswerSet;
pub use set_writer::{SetWriter, Widths};
pub use writer::Finished;
