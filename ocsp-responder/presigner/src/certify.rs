//! Where responder certificates come from.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use issuance::{Found, Issuance, ResponderOrder, Signer};
use keystore::SigningKey;
use ledger::{Issuer, Ledger};
use pki::ocsp::verify::verify_responder_certificate;
use pki::profile::RuleSet;
use pki::{Certificate, Clock, Time};
use signer_client::SignerClient;

/// Who is recorded as the one that asked.
const ACTOR: &str = "ocsp-presigner";

/// Certifies responder keys.
pub trait Certify: fmt::Debug + Send + Sync {
    /// A certificate by which `issuer` lets this key sign its answers (OCSP-60 to OCSP-66).
    fn certify<'a>(&'a self, issuer: &'a Issuer, wanted: Wanted<'a>) -> Certifying<'a>;
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The responder's key.
    pub key: &'a SigningKey,
    /// Whether nobody can have asked for a certificate for it before.
    pub key_is_new: bool,
    /// When the certificate begins; `None`: at once.
    pub begins: Option<Time>,
    /// Whose rules it keeps.
    pub rule_set: RuleSet,
}

/// A certificate on its way.
pub type Certifying<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Certificate>> + Send + 'a>>;

/// Has certificates issued like all others: reserved in the ledger, signed by the signer, recorded.
#[derive(Debug)]
pub struct IssuedHere<S> {
    issuance: Issuance<S>,
    clock: Arc<dyn Clock>,
    signer: Option<SignerClient>,
}

impl IssuedHere<SignerClient> {
    /// By the signer behind this client.
    pub fn new(ledger: Ledger, signer: SignerClient, clock: Arc<dyn Clock>) -> Self {
        Self {
            signer: Some(signer.clone()),
            ..Self::by(ledger, signer, clock)
        }
    }
}

impl<S: Signer> IssuedHere<S> {
    /// By any signer, as tests have one.
    pub fn by(ledger: Ledger, signer: S, clock: Arc<dyn Clock>) -> Self {
        Self {
            issuance: Issuance::new(ledger, signer, Arc::clone(&clock)),
            clock,
            signer: None,
        }
    }

    async fn issue(&self, issuer: &Issuer, wanted: Wanted<'_>) -> anyhow::Result<Certificate> {
        if let Some(signer) = &self.signer {
            // Nothing is reserved for a signer that is not there.
            signer.ping().await?;
        }
        if !wanted.key_is_new
            && let Some(certificate) = self.issued_before(issuer, wanted.key).await?
        {
            return Ok(certificate);
        }
        let order = ResponderOrder {
            issuer: &issuer.name,
            key: wanted.key.public_key(),
            begins: wanted.begins,
            days: issuer.policy.responder_days(),
            rule_set: wanted.rule_set,
            actor: ACTOR,
        };
        let issued = self.issuance.issue_responder_certificate(&order).await?;
        Ok(issued.certificate)
    }

    /// The certificate of an order that was not answered, or whose answer a crash has lost: it is finished without us, so
    /// asking again would only make more certificates. An error while the signer has not answered it.
    async fn issued_before(
        &self,
        issuer: &Issuer,
        key: &SigningKey,
    ) -> anyhow::Result<Option<Certificate>> {
        let found = self
            .issuance
            .find_responder_certificate(&issuer.name, key.public_key());
        match found.await? {
            Found::Nothing => Ok(None),
            Found::Waiting(serial) => {
                anyhow::bail!("responder certificate {serial} waits for the signer")
            }
            Found::Issued(certificate) => {
                let ca = Certificate::from_der(&issuer.certificate)?;
                let at = self.clock.now().max(certificate.not_before());
                let is_good = verify_responder_certificate(&certificate, &ca, at).is_ok();
                Ok(is_good.then_some(*certificate))
            }
        }
    }
}

impl<S: Signer + fmt::Debug> Certify for IssuedHere<S> {
    fn certify<'a>(&'a self, issuer: &'a Issuer, wanted: Wanted<'a>) -> Certifying<'a> {
        Box::pin(self.issue(issuer, wanted))
    }
}
