//! The values of the trade: names, serial numbers, times, algorithms, certificates, CRLs and OCSP
//! messages, their exact DER encodings, and the verifiers that judge them. No I/O.
//!
//! Everything here follows RFC 5280 (certificates and CRLs), RFC 6960 and RFC 9919 (OCSP); each item
//! names its section.
#![forbid(unsafe_code)]

pub mod certificate;
pub mod certificate_builder;
pub mod crl;
pub mod csr;
pub mod der_encode;
pub mod der_read;
pub mod lint;
pub mod name_rules;
pub mod ocsp;
pub mod oid;
pub mod pem;
pub mod profile;
pub mod refusal;
pub mod violation;
pub mod weak_keys;

mod algorithm;
mod crl_number;
mod name;
mod public_key;
mod raw_extension;
mod revocation_reason;
mod serial;
mod signature_rules;
#[cfg(test)]
mod test_ca;
mod time;
mod time_rules;

pub use algorithm::{AlgorithmError, HashAlgorithm, KeyKind, SignatureAlgorithm};
pub use certificate::{Certificate, Extension, KeyUsage};
pub use crl_number::{CrlNumber, CrlNumberError};
pub use name::{Attribute, Name};
pub use public_key::{BadSignature, PublicKey, Verifier};
pub use revocation_reason::{RevocationReason, UnknownReason};
pub use serial::{Serial, SerialError};
pub use time::{Clock, ManualClock, SystemClock, Time, TimeError, two_digits};
pub use violation::Violation;

pub use const_oid::ObjectIdentifier;
pub use der_read::DerError;
