//! The little of OpenPGP (RFC 9580) that a CA needs to certify user ids (I13): version 4 keys, the user ids on them, the
//! signatures that bind the two, and certifications by somebody else. No I/O.
//!
//! - [`TransferableKey`]: what people upload: a key, its user ids and subkeys, with their signatures.
//! - [`PublicKey`]: one key packet, with the key as [`pki`] knows keys, so that its rules for weak keys hold here too.
//! - [`UserId`]: a user id, taken apart into name and mail address.
//! - [`Signature`]: a signature that somebody made, to be verified.
//! - [`Unsigned`]: one that is to be made: the octets to sign, and the packet that a signature makes of them. Whoever
//!   holds the key hashes and signs the octets by itself.
//! - [`armour`]: the form in which keys are mailed.
//!
//! Why there is own code for this: the OpenPGP libraries bring their own implementations of every algorithm that OpenPGP
//! ever had, RSA with RUSTSEC-2023-0071 among them, and here every process has one cryptographic library. What is not
//! needed for certifying (encryption, secret keys, versions before 4, compression) is refused, not read.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod armour;

mod algorithm;
mod error;
mod mpi;
mod packet;
mod public_key;
mod signature;
mod subpacket;
mod transferable;
mod unsigned;
mod user_id;

pub use algorithm::certification_algorithm;
pub use error::PgpError;
pub use public_key::PublicKey;
pub use signature::{Signature, SignatureKind};
pub use subpacket::KEY_FLAG_CERTIFY;
pub use transferable::{Identity, TransferableKey};
pub use unsigned::{Unsigned, certification, own_user_id};
pub use user_id::UserId;
