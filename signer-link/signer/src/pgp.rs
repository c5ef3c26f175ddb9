//! Certifying user ids of OpenPGP keys (I13).
//!
//! - [`key`]: the signer's own keys for that, as they lie in the store;
//! - [`judge`]: what may be certified, a pure function; [`user_id`] is the table of I13.
//!
//! The host sends the key, the user id and the owner's signature on both, never something to sign: what is signed is put
//! together here.

pub mod judge;
pub mod key;
pub mod user_id;
