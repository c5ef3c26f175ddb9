//! Certificate revocation lists (RFC 5280 section 5): building, reading, judging.
//!
//! [`build`] gives the bytes to sign and puts them together with the signature, so that the CA key
//! stays elsewhere; [`Entries`] keeps the encoded entries from one CRL to the next. [`parse::Crl`] reads a CRL leniently, so that [`verify`] can name the rule that a
//! bad one breaks.

pub mod build;
pub mod difference;
pub mod parse;
pub mod verify;

mod entries;
mod entry_checks;
mod extension_checks;
mod idp;
mod list_checks;
mod raw;

pub use entries::{Entries, EntryChange};
pub use parse::Crl;
