//! The key that signs manifests.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use keystore::SigningKey;
use pki::{KeyKind, SignatureAlgorithm};
use publication::SignManifest;

/// An Ed25519 key in a file of its own; the edges pin its public half.
#[derive(Debug)]
pub struct PublicationKey {
    key: SigningKey,
    public: [u8; 32],
}

impl PublicationKey {
    /// Reads it.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let key = SigningKey::load_plain(path).with_context(|| {
            format!(
                "no publication key in {}; `avouch init` makes one",
                path.display()
            )
        })?;
        Self::new(key).with_context(|| format!("{} is no publication key", path.display()))
    }

    /// Takes this key.
    pub fn new(key: SigningKey) -> anyhow::Result<Self> {
        anyhow::ensure!(
            key.kind() == KeyKind::Ed25519,
            "it is {}, not ed25519",
            key.kind()
        );
        let public = key.public_key().key_bits().try_into()?;
        Ok(Self { key, public })
    }

    /// Its public half.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs with it, as a publisher wants it.
    pub fn signer(self: &Arc<Self>) -> SignManifest {
        let key = Arc::clone(self);
        Box::new(move |octets| Ok(key.key.sign(SignatureAlgorithm::Ed25519, octets)?))
    }
}
