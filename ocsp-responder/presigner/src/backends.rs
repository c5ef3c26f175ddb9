//! What signs: software one by one or eight at a time, or a token.

use std::sync::Arc;

use keystore::{OneByOne, SignMany, SigningKey, Token};
use multi_buffer::{Library, LoadError, MultiBuffer, Search};
use pki::SignatureAlgorithm;
use prometheus::{PullingGauge, Registry};

/// The ways of signing that this machine has.
#[derive(Clone, Debug, Default)]
pub struct Backends {
    multi_buffer: Option<Arc<Library>>,
    token: Option<Token>,
}

impl Backends {
    /// Looks for what there is. A library that is asked for by its path must work; one that is merely installed need not.
    pub fn find(multi_buffer: &Search, token: Option<Token>) -> anyhow::Result<Self> {
        let multi_buffer = match Library::load(multi_buffer) {
            Ok(library) => {
                tracing::info!(
                    "RSA and P-256 are signed eight at a time by {}",
                    library.version()
                );
                Some(library)
            }
            Err(error) if matches!(multi_buffer, Search::File(_)) => {
                return Err(anyhow::Error::from(error).context(
                    "multi_buffer names a library that cannot be used; \"auto\" does without",
                ));
            }
            Err(LoadError::Off | LoadError::NotFound) => None,
            Err(error) => {
                tracing::warn!("signing one by one: {error}");
                None
            }
        };
        Ok(Self {
            multi_buffer,
            token,
        })
    }

    /// The token, if there is one.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// The quickest way for this key.
    pub(crate) fn signer(
        &self,
        key: &Arc<SigningKey>,
        algorithm: SignatureAlgorithm,
    ) -> Box<dyn SignMany> {
        let eight = self
            .multi_buffer
            .as_ref()
            .and_then(|library| MultiBuffer::new(library, key, algorithm));
        match eight {
            Some(eight) => Box::new(eight),
            None => Box::new(OneByOne::new(Arc::clone(key), algorithm)),
        }
    }

    /// Counts what had to be signed again one by one, where there is anything to count.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        let Some(library) = self.multi_buffer.clone() else {
            return Ok(());
        };
        let fallbacks = PullingGauge::new(
            "avouch_presigner_multi_buffer_fallbacks",
            "Signatures that the multi-buffer library got wrong and that were made again one by one",
            // A loss of precision above 2^53 hurts nobody.
            Box::new(move || library.fallbacks() as f64),
        )?;
        registry.register(Box::new(fallbacks))
    }
}
