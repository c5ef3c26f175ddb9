//! OCSP (RFC 6960, RFC 9919, RFC 9654): reading requests, composing responses, judging responses.
//!
//! A response is composed in two steps so that the private key stays elsewhere:
//! [`response::Template::response_data`] gives the bytes to sign, [`response::Template::response`] puts
//! them together with the signature. [`fresh_response`] does the former for a response that is signed while
//! somebody waits for it. [`verify`] judges the result by every rule that can be checked on
//! the object, before it is published and again before it is served.

pub mod fresh_response;
pub mod request;
pub mod response;
pub mod verify;

mod cert_id;
mod parse;
mod responder_certificate;
mod response_checks;

pub use cert_id::{CertId, IssuerHashes};
