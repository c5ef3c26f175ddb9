//! The keys, as the policy sees them: it knows which there are, and can have them sign.

use pki::SignatureAlgorithm;

use crate::ca::Ca;
use crate::pgp::key::PgpKey;

/// Whatever holds the keys.
pub trait Keys {
    /// The CAs whose keys are open; none while they are not.
    fn cas(&self) -> &[Ca];

    /// The CA of this name.
    fn ca(&self, name: &str) -> Option<&Ca> {
        self.cas().iter().find(|ca| ca.name == name)
    }

    /// The keys that certify OpenPGP keys; most signers have none.
    fn pgp_keys(&self) -> &[PgpKey] {
        &[]
    }

    /// The one of this name.
    fn pgp_key(&self, name: &str) -> Option<&PgpKey> {
        self.pgp_keys().iter().find(|key| key.name == name)
    }

    /// Looks for keys that are new in the store; gives those that cannot be used, and why.
    fn reload(&mut self) -> Result<Vec<(String, String)>, KeysGone>;

    /// Signs. The signature is verified before it is given.
    fn sign(
        &mut self,
        ca: &str,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeysGone>;

    /// Forgets all keys.
    fn wipe(&mut self);
}

/// The keys cannot be used: the process that has them is gone, or a signature did not verify. They must be opened anew.
#[derive(Debug, thiserror::Error)]
#[error("the keys cannot be used: {0}")]
pub struct KeysGone(pub String);
