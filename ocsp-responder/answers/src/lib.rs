//! Pre-signed OCSP answers of one issuer, as they travel from the presigner to the edge.
//!
//! A response (RFC 6960 section 4.2.1) differs from certificate to certificate in its serial number, status, times and
//! signature; all else is the same for everything that one responder certificate signed under one CertID hash. An
//! answer set stores the former per certificate and the latter once, and puts each response together when it is asked
//! for, through [`pki::ocsp::response::Template`]; the bytes are the same wherever that happens.
//!
//! - [`AnswerSet`] reads one object, [`Builder`] makes one, [`merge()`] folds several into one.
//! - [`Layered`] is what is served: a base under small deltas, of which the newest decides.
//!
//! The format is written down octet by octet in `docs/answer-set.md`.
//!
//! [`AnswerSet::from_bytes`] believes nothing: structure, order, checksum, the issuer's CertID hashes, the responder
//! certificates (OCSP-51, OCSP-60) and every validity window (V8) are checked before the first answer. It does not
//! check the signatures: the presigner verifies each one before it publishes, and the manifest names the object's hash.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod answer;
mod batch;
mod builder;
mod delegation;
mod error;
mod format;
mod layered;
mod merge;
mod open;
mod record;
mod set;
mod signature;
mod writer;

pub use answer::{Answer, Entry, Etag};
pub use batch::Batch;
pub use builder::{BatchId, Builder};
pub use delegation::check_delegation;
pub use error::{AnswerSetError, BuildError};
pub use format::{CONTENT_TYPE, ROLE};
pub use layered::{Contribution, Layered, Totals};
pub use merge::{Removals, merge};
pub use pki::ocsp::IssuerHashes;
pub use set::AnswerSet;
