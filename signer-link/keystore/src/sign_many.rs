//! The seam at which many messages are signed at once.

use std::fmt;
use std::sync::Arc;

use pki::SignatureAlgorithm;

use crate::{KeyError, Signatures, SigningKey};

/// Signs slices of messages with one key and one algorithm. What it gives back has been verified, every signature
/// of it (V9).
pub trait SignMany: fmt::Debug + Send + Sync {
    /// One signature per message, in their order, as [`SigningKey::sign`] would make them; an error if any message could
    /// not be signed.
    fn sign_many(&self, messages: &[&[u8]]) -> Result<Signatures, KeyError>;
}

/// One message after the other with a [`SigningKey`]: for every kind of key.
#[derive(Debug)]
pub struct OneByOne {
    key: Arc<SigningKey>,
    algorithm: SignatureAlgorithm,
}

impl OneByOne {
    /// Signs with this key and algorithm.
    pub fn new(key: Arc<SigningKey>, algorithm: SignatureAlgorithm) -> Self {
        Self { key, algorithm }
    }
}

impl SignMany for OneByOne {
    fn sign_many(&self, messages: &[&[u8]]) -> Result<Signatures, KeyError> {
        let mut signatures = Signatures::with_capacity(messages.len(), 256);
        for message in messages {
            signatures.push(&self.key.sign(self.algorithm, message)?);
        }
        Ok(signatures)
    }
}
