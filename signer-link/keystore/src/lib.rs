//! Private keys, in software and in PKCS#11 tokens.
//!
//! - [`SigningKey`]: one private key that signs with exactly the algorithm it is asked for and verifies each
//!   signature before it lets go of it.
//! - [`SigningKey::from_pem`] and [`SigningKey::from_encrypted_pem`]: every unencrypted or PBES2-encrypted form
//!   that openssl writes.
//! - [`SignMany`]: the seam behind which many messages are signed at once, by whatever is quickest.
//! - [`Token`]: keys that are made in a PKCS#11 token and stay there.
//! - [`EncryptedStore`]: a directory of keys under one random key, of which only shares exist ([`SealedShare`]: Shamir,
//!   each under its holder's passphrase); [`Unlocking`] opens it, [`TokenEntry`] is what it keeps of a key in a token.
//! - [`LinkKeys`]: what the two ends of the signer's cable recognise each other by.
//! - [`write_atomically`]: how a secret, or anything else that must survive a power cut, reaches the disk.
//!
//! CA keys are held by the `signer` only. The presigner and the publishers use [`SigningKey`] for the keys that
//! are theirs: delegated responder keys and publication keys.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod armour;
mod atomic_file;
mod encrypted_store;
mod error;
mod header;
mod link_keys;
mod passphrase_key;
mod pem_blocks;
mod private_key_pem;
mod sealing;
mod shamir;
mod share;
mod sign_many;
mod signatures;
mod signing_key;
mod token;
mod token_entry;
mod token_key;
mod unlocking;

pub use atomic_file::{Access, write_atomically};
pub use encrypted_store::{EncryptedStore, NewStore};
pub use error::{KeyError, StoreError};
pub use link_keys::{LinkEnd, LinkKeys, LinkKeysError, LinkPair, SignerId};
pub use passphrase_key::Cost;
pub use secrecy::{ExposeSecret, SecretString};
pub use share::{Holder, OpenShare, Purpose, SealedShare, SetId, ShareError, Sharing};
pub use sign_many::{OneByOne, SignMany};
pub use signatures::Signatures;
pub use signing_key::SigningKey;
pub use token::{Token, TokenPlace};
pub use token_entry::TokenEntry;
pub use unlocking::Unlocking;
