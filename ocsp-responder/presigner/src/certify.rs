//! Where responder certificates come from.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use issuance::{Issuance, IssuanceError, Signer};
use keystore::SigningKey;
use ledger::{Issuer, Ledger};
use pki::{Certificate, Clock, PublicKey, Serial};
use signer_client::SignerClient;

/// Who is recorded as the one that asked.
const ACTOR: &str = "ocsp-presigner";

/// Certifies responder keys.
pub trait Certify: fmt::Debug + Send + Sync {
    /// A certificate by which `issuer` lets this key sign its answers (OCSP-60 to OCSP-66).
    fn certify<'a>(&'a self, issuer: &'a Issuer, key: &'a SigningKey) -> Certifying<'a>;
}

/// A certificate on its way.
pub type Certifying<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Certificate>> + Send + 'a>>;

/// Has certificates issued like all others: reserved in the ledger, signed by the signer, recorded.
#[derive(Debug)]
pub struct IssuedHere<S> {
    issuance: Issuance<S>,
    ledger: Ledger,
    signer: Option<SignerClient>,
    /// Requests that the signer did not answer, by the key's fingerprint: they are finished when it is back, so asking
    /// again would only make more certificates.
    unanswered: Mutex<HashMap<[u8; 32], Serial>>,
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
        let issuance = Issuance::new(ledger.clone(), signer, clock);
        Self {
            issuance,
            ledger,
            signer: None,
            unanswered: Mutex::default(),
        }
    }

    async fn issue(&self, issuer: &Issuer, key: &PublicKey) -> anyhow::Result<Certificate> {
        let fingerprint = key.fingerprint();
        let unanswered = self.unanswered().get(&fingerprint).copied();
        if let Some(serial) = unanswered {
            if let Some(certificate) = self.finished(&issuer.name, &serial).await? {
                return Ok(certificate);
            }
            self.unanswered().remove(&fingerprint);
        }
        if let Some(signer) = &self.signer {
            // Nothing is reserved for a signer that is not there.
            signer.ping().await?;
        }
        let days = issuer.policy.ocsp.responder_validity_days;
        match self
            .issuance
            .issue_responder_certificate(&issuer.name, key, days, ACTOR)
            .await
        {
            Ok(issued) => Ok(issued.certificate),
            Err(error) => {
                if let IssuanceError::SignerAway { serial, .. } = &error {
                    self.unanswered().insert(fingerprint, *serial);
                }
                Err(error.into())
            }
        }
    }

    /// The certificate of a request that was not answered; `None` if it was refused, an error while it is open.
    async fn finished(&self, issuer: &str, serial: &Serial) -> anyhow::Result<Option<Certificate>> {
        // First what is open: what is finished between the two questions is found by the second.
        let open = self.ledger.pending_reservations().await?;
        let record = self.ledger.certificate(issuer, serial).await?;
        if let Some(der) = record.and_then(|record| record.certificate) {
            return Ok(Some(Certificate::from_der(&der)?));
        }
        let waiting = open
            .iter()
            .any(|open| open.issuer == issuer && open.serial == *serial);
        anyhow::ensure!(
            !waiting,
            "responder certificate {serial} waits for the signer"
        );
        Ok(None)
    }

    fn unanswered(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Serial>> {
        // Unwrap safety: nothing panics while the lock is held.
        self.unanswered.lock().unwrap()
    }
}

impl<S: Signer + fmt::Debug> Certify for IssuedHere<S> {
    fn certify<'a>(&'a self, issuer: &'a Issuer, key: &'a SigningKey) -> Certifying<'a> {
        Box::pin(self.issue(issuer, key.public_key()))
    }
}
