//! Signing with the library, behind the seam of all signing backends.

use std::fmt;
use std::sync::Arc;

use keystore::{KeyError, SignMany, Signatures, SigningKey};
use pki::SignatureAlgorithm;

use crate::p256::P256Key;
use crate::rsa::RsaKey;
use crate::{Again, LANES, Library};

/// Fewer messages than this are quicker signed one by one.
const LEAST: usize = 3;

/// Signs eight messages at a time with one key.
pub struct MultiBuffer {
    library: Arc<Library>,
    key: Arc<SigningKey>,
    numbers: Numbers,
}

enum Numbers {
    P256(P256Key),
    Rsa(Box<RsaKey>),
}

impl MultiBuffer {
    /// For this key; `None` if the library has nothing for such keys and algorithms, or does not pass a trial.
    pub fn new(
        library: &Arc<Library>,
        key: &Arc<SigningKey>,
        algorithm: SignatureAlgorithm,
    ) -> Option<Self> {
        let numbers = match algorithm {
            P256Key::ALGORITHM => Numbers::P256(P256Key::of(key)?),
            RsaKey::ALGORITHM => Numbers::Rsa(Box::new(RsaKey::of(key)?)),
            _ => return None,
        };
        let signer = Self {
            library: Arc::clone(library),
            key: Arc::clone(key),
            numbers,
        };
        signer.passes_a_trial().then_some(signer)
    }

    /// Eight signatures without a fallback, judged by another implementation than the one that made them.
    fn passes_a_trial(&self) -> bool {
        let messages: [[u8; 1]; LANES] = std::array::from_fn(|lane| [lane as u8]);
        let messages = messages.each_ref().map(|message| &message[..]);
        let refuse = |_: &[u8]| Err(KeyError::SelfCheck);
        let mut signatures = Signatures::default();
        if self
            .sign_eight(&messages, &mut signatures, &refuse)
            .is_err()
        {
            return false;
        }
        let public = self.key.public_key();
        (0..LANES).all(|lane| {
            let signature = signatures.get(lane).unwrap_or_default();
            public
                .verify(self.algorithm(), messages[lane], signature)
                .is_ok()
        })
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.numbers {
            Numbers::P256(_) => P256Key::ALGORITHM,
            Numbers::Rsa(_) => RsaKey::ALGORITHM,
        }
    }

    fn sign_eight(
        &self,
        messages: &[&[u8]],
        signatures: &mut Signatures,
        again: Again<'_>,
    ) -> Result<(), KeyError> {
        match &self.numbers {
            Numbers::P256(key) => key.sign(&self.library, messages, signatures, again),
            Numbers::Rsa(key) => key.sign(&self.library, messages, signatures, again),
        }
    }
}

impl SignMany for MultiBuffer {
    fn sign_many(&self, messages: &[&[u8]]) -> Result<Signatures, KeyError> {
        let alone = |message: &[u8]| self.key.sign(self.algorithm(), message);
        let again = |message: &[u8]| {
            self.library.count_fallback();
            alone(message)
        };
        let length = match self.numbers {
            Numbers::P256(_) => 72,
            Numbers::Rsa(_) => self.key.public_key().key_bits().len(),
        };
        let mut signatures = Signatures::with_capacity(messages.len(), length);
        for eight in messages.chunks(LANES) {
            if eight.len() < LEAST {
                for message in eight {
                    signatures.push(&alone(message)?);
                }
            } else {
                self.sign_eight(eight, &mut signatures, &again)?;
            }
        }
        Ok(signatures)
    }
}

impl fmt::Debug for MultiBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiBuffer")
            .field("library", &self.library)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use pki::KeyKind;

    use super::*;
    use crate::Search;

    const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;

    #[test]
    fn signatures_that_do_not_verify_are_made_again() {
        let search = std::env::var("AVOUCH_CRYPTO_MB")
            .map_or(Search::Auto, |path| Search::File(path.into()));
        let library = match Library::load(&search) {
            Ok(library) => library,
            Err(why) => {
                println!("NO MULTI-BUFFER SIGNING IS TESTED: {why}");
                return;
            }
        };
        let key = Arc::new(SigningKey::generate(KeyKind::P256).unwrap());
        let other = SigningKey::generate(KeyKind::P256).unwrap();
        // Signs with one key and verifies with the other, as a fault in either number would.
        let spoilt = P256Key::of(&key)
            .unwrap()
            .with_point_of(&P256Key::of(&other).unwrap());
        let signer = MultiBuffer {
            library: Arc::clone(&library),
            key: Arc::clone(&key),
            numbers: Numbers::P256(spoilt),
        };
        assert!(!signer.passes_a_trial());
        let messages: [&[u8]; 13] = [b"message"; 13];
        let signatures = signer.sign_many(&messages).unwrap();
        for (number, message) in messages.iter().enumerate() {
            let signature = signatures.get(number).unwrap();
            assert_eq!(
                key.public_key().verify(ALGORITHM, message, signature),
                Ok(())
            );
        }
        assert_eq!(library.fallbacks(), 13);
    }
}
