//! What the signer can be asked, and what it answers.
//!
//! A [`Request`] carries one [`Operation`] and a 16-octet id that its sender keeps; the [`Reply`] repeats the id.
//! The same id with the same content always gets the same answer, so a request whose answer was lost is simply
//! sent again; the same id with other content is refused.
//!
//! Missing on purpose: signing of bytes or digests as such, OCSP answers, CA certificates, making, importing or
//! exporting keys, setting clock or policy, running anything. A CA key enters at the signer's own console only.
//!
//! Messages are CBOR with numbered fields in one canonical encoding: what does not re-encode to the same octets is
//! refused, and so are unknown fields, duplicate fields and trailing octets. Sizes are bounded ([`limits`]).
//!
//! On a Unix socket each message goes after its length in four octets ([`frame`]). The serial cable carries the same
//! messages in an authenticated session over frames of its own ([`link`]).

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod frame;
pub mod limits;
pub mod link;
pub mod local;

mod codec;
mod error;
mod hello;
mod reply;
mod request;
mod revoked_digest;
mod sign_pgp_uid;

pub use error::WireError;
pub use hello::{FromHost, FromSigner, Hello};
pub use reply::{
    IssuerInfo, Mode, Outcome, ProfileInfo, Receipt, RefusalCode, Refused, Reply, SignedResult,
    Status,
};
pub use request::{
    Added, CrlScope, CsrAroundKey, IssueCertificate, ListChange, LogRecord, Operation, Request,
    RequestId, Revocation, Revoke, SerialOctets, SignCrl,
};
pub use revoked_digest::RevokedDigest;
pub use sign_pgp_uid::{Level, PgpIssuerInfo, SignPgpUid};

/// Version of the messages; both sides say theirs in `Info`.
pub const PROTOCOL_VERSION: u16 = 4;
