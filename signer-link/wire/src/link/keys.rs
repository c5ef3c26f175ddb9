//! The keys of a session, exchanged at the ceremony.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::Random;
use super::session;

/// What one end knows: its own X25519 private key, the peer's public key, and a secret of both.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionKeys {
    /// This end's X25519 private key.
    pub private: [u8; 32],
    /// The other end's X25519 public key.
    pub peer: [u8; 32],
    /// Known to both ends only; it keeps what was recorded secret even from who breaks X25519 later.
    pub psk: [u8; 32],
}

/// An X25519 key pair.
#[derive(Clone)]
pub struct KeyPair {
    /// Stays where it was made.
    pub private: Zeroizing<[u8; 32]>,
    /// Goes to the other end.
    pub public: [u8; 32],
}

impl KeyPair {
    /// A new one.
    pub fn generate(random: &mut dyn Random) -> Self {
        let mut private = Zeroizing::new([0; 32]);
        random.fill(&mut private[..]);
        Self::of(private)
    }

    /// The one with this private key.
    #[must_use]
    pub fn of(private: Zeroizing<[u8; 32]>) -> Self {
        let public = session::public_key(&private);
        Self { private, public }
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys").finish_non_exhaustive()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").finish_non_exhaustive()
    }
}
