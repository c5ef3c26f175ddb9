//! Taking care of an issuer's responder: which key and certificate sign now, and its renewal.
//!
//! For an issuer whose CA key is in our signer, keys and certificates are made here; after two thirds of a certificate's
//! life a new key gets one, and both are good until the old one ends. Answers go over to the new one as they are renewed,
//! which is long before that: none outlives its responder certificate (V8). For an issuer that only came with a responder
//! certificate, that one is used while it lasts.

use std::sync::Arc;
use std::time::Duration;

use ledger::Issuer;
use pki::{Certificate, Time};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

use crate::key_directory::KeyDirectory;
use crate::responder::{Responder, default_key_kind};
use crate::shared::Shared;

/// How often the key directory is looked at without a reason.
const LOOK_EVERY: i64 = 60;
/// Pause after a certificate was not to be had.
const RETRY: Duration = Duration::from_secs(3);

/// The responders of one issuer.
#[derive(Debug)]
pub(crate) struct Care {
    keys: KeyDirectory,
    usable: Vec<Arc<Responder>>,
    looked_at: Option<Time>,
    renewal: Option<JoinHandle<anyhow::Result<()>>>,
    retry_at: Option<Instant>,
    problem: Option<String>,
    told: Vec<String>,
}

impl Care {
    /// For the issuer whose keys are in this directory.
    pub(crate) fn new(keys: KeyDirectory) -> Self {
        Self {
            keys,
            usable: Vec::new(),
            looked_at: None,
            renewal: None,
            retry_at: None,
            problem: None,
            told: Vec::new(),
        }
    }

    /// Who signs.
    pub(crate) fn responder(&self) -> Option<&Arc<Responder>> {
        self.usable.first()
    }

    /// The certificates (DER) whose answers may stay.
    pub(crate) fn certificates(&self) -> Vec<Vec<u8>> {
        self.usable
            .iter()
            .map(|responder| responder.certificate().der().to_vec())
            .collect()
    }

    /// Why there is no responder, or no successor.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Looks again at once at the next [`Care::attend`].
    pub(crate) fn look_again(&mut self) {
        self.looked_at = None;
        self.retry_at = None;
        self.problem = None;
    }

    /// Looks after the responders; true if one that signed before may not any more, so that its answers must go.
    pub(crate) async fn attend(
        &mut self,
        shared: &Arc<Shared>,
        issuer: &Issuer,
        ca: &Certificate,
    ) -> anyhow::Result<bool> {
        let now = shared.clock.now();
        let due = self
            .looked_at
            .is_none_or(|at| !(0..LOOK_EVERY).contains(&at.seconds_until(now)));
        let ended = self
            .responder()
            .is_some_and(|responder| responder.certificate().not_after() <= now);
        let mut lost = false;
        if due || ended {
            lost = self.look(shared, issuer, ca, now).await?;
            self.looked_at = Some(now);
        }
        self.renew_if_due(shared, issuer, ca, now);
        Ok(lost)
    }

    /// Whether a certificate is being asked for.
    pub(crate) fn is_renewing(&self) -> bool {
        self.renewal.is_some()
    }

    /// Waits for a renewal to end; for ever if there is none.
    pub(crate) async fn renewed(&mut self) {
        let Some(renewal) = &mut self.renewal else {
            return std::future::pending().await;
        };
        let result = match renewal.await {
            Ok(result) => result,
            Err(stopped) => Err(stopped.into()),
        };
        self.renewal = None;
        self.looked_at = None;
        match result {
            Ok(()) => self.problem = None,
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY);
                self.problem = Some(format!("no responder certificate could be had: {error:#}"));
            }
        }
    }

    async fn look(
        &mut self,
        shared: &Shared,
        issuer: &Issuer,
        ca: &Certificate,
        now: Time,
    ) -> anyhow::Result<bool> {
        let (keys, authority) = (self.keys.clone(), ca.clone());
        let found = spawn_blocking(move || {
            let found = keys.load(&authority, now);
            keys.remove_ended(now).and(found)
        });
        let mut found = found.await??;
        let mut usable = Vec::new();
        for responder in found.responders {
            let serial = responder.certificate().serial();
            let status = shared.ledger.status(&issuer.name, serial).await?;
            if status.is_some_and(|status| status.revoked.is_some()) {
                found.problems.push(format!(
                    "responder certificate {serial} is revoked and signs no more"
                ));
            } else {
                usable.push(Arc::new(responder));
            }
        }
        // The policy may have changed since the older ones were made.
        usable.sort_by_key(|responder| !responder.fits(&issuer.policy.ocsp));
        for responder in &usable {
            if let Some(shortcoming) = responder.shortcoming() {
                let serial = responder.certificate().serial();
                found.problems.push(format!(
                    "responder certificate {serial} is used as it is, though: {shortcoming}"
                ));
            }
        }
        for problem in found
            .problems
            .iter()
            .filter(|problem| !self.told.contains(problem))
        {
            tracing::warn!(issuer = issuer.name, "{problem}");
        }
        self.told = found.problems;
        let is_usable = |old: &Arc<Responder>| {
            usable
                .iter()
                .any(|new| new.certificate() == old.certificate())
        };
        let lost = self.usable.iter().any(|old| !is_usable(old));
        let before = self
            .responder()
            .map(|responder| *responder.certificate().serial());
        self.usable = usable;
        if let Some(responder) = self.responder() {
            let certificate = responder.certificate();
            if before != Some(*certificate.serial()) {
                let serial = certificate.serial();
                tracing::info!(
                    issuer = issuer.name,
                    "responder certificate {serial} signs, until {}",
                    certificate.not_after()
                );
            }
        }
        Ok(lost)
    }

    fn renew_if_due(&mut self, shared: &Arc<Shared>, issuer: &Issuer, ca: &Certificate, now: Time) {
        if !issuer.signs {
            self.problem = self.usable.is_empty().then(|| {
                format!(
                    "it has no usable responder certificate and its CA key is not here; give it one with `avouch import ca \
                     --name {} --cert … --responder-cert … --responder-key …`{}",
                    issuer.name,
                    self.told.first().map(|problem| format!(" ({problem})")).unwrap_or_default(),
                )
            });
            return;
        }
        let due = self.responder().is_none_or(|responder| {
            responder.renew_at() <= now || !responder.fits(&issuer.policy.ocsp)
        });
        let resting = self.retry_at.is_some_and(|at| Instant::now() < at);
        if due && !resting && self.renewal.is_none() {
            let task = renew(
                Arc::clone(shared),
                self.keys.clone(),
                issuer.clone(),
                ca.clone(),
            );
            self.renewal = Some(tokio::spawn(task));
        }
    }
}

impl Drop for Care {
    fn drop(&mut self) {
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
    }
}

/// A new key and its certificate.
async fn renew(
    shared: Arc<Shared>,
    keys: KeyDirectory,
    issuer: Issuer,
    ca: Certificate,
) -> anyhow::Result<()> {
    let kind = match issuer.policy.ocsp.responder_key {
        Some(kind) => kind,
        None => default_key_kind(ca.public_key().kind()?),
    };
    let (making, place) = (keys.clone(), issuer.policy.ocsp.responder_key_in);
    let key = spawn_blocking(move || making.key_without_certificate(kind, place)).await??;
    let certificate = shared.certifier.certify(&issuer, &key).await?;
    spawn_blocking(move || keys.save_certificate(&key, &certificate, &ca)).await?
}
