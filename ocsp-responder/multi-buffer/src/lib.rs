//! Eight signatures at a time.
//!
//! Signing OCSP answers ahead is the rare place where many signatures by one key are wanted at once. Intel's
//! `libcrypto_mb` makes eight of them in the lanes of AVX-512 registers (the IFMA instructions), several times as many
//! per second as one after the other. It is loaded at run time; nothing depends on its being there.
//!
//! - [`Library::load`] finds it and asks it whether it can work on this CPU.
//! - [`MultiBuffer`] signs with it: RSA of 2048, 3072 and 4096 bits (PKCS#1 v1.5 with SHA-256) and ECDSA on P-256. Each
//!   signature is verified before it is given back, also eight at a time. A lane that reports an error, or whose
//!   signature does not verify, is done again by the [`SigningKey`](keystore::SigningKey), and counted.
//!
//! The library wants the nonces of ECDSA from its caller: each is drawn from the system's generator for one signature,
//! by rejection, and wiped after it.
//!
//! `functions` holds the only unsafe code: the calls into the library.
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod der;
mod functions;
mod library;
mod p256;
mod rsa;
mod signer;

pub use library::{Library, LoadError, Search};
pub use signer::MultiBuffer;

/// Lanes of the library.
pub(crate) const LANES: usize = 8;

/// Makes the signature of a message whose lane failed.
pub(crate) type Again<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<u8>, keystore::KeyError>;
