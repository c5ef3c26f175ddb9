//! Taking care of an issuer's responders: which key and certificate sign now, and who comes after.
//!
//! For an issuer whose CA key is in our signer, keys and certificates are made here: one to sign now, and those in stock
//! for the weeks to come ([`Stock`]), each with a key of its own. Who begins takes over: the one that ends last signs, and
//! the ones before stay until they end, as long as their answers do. Answers go over to the new one as they are renewed,
//! which is long before that: none outlives its responder certificate (V8). For an issuer that only came with a responder
//! certificate, that one is used while it lasts.
//!
//! What is on the disk is all the state there is. A key is saved before anybody is asked for its certificate; after a crash
//! the ledger tells what came of it ([`crate::certify`]).

use std::sync::Arc;
use std::time::Duration;

use issuance::IssuanceError;
use ledger::Issuer;
use pki::ocsp::verify::covered_until;
use pki::{Certificate, Clock, Time};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

use crate::certify::Wanted;
use crate::key_directory::{InStock, KeyDirectory};
use crate::responder::{Responder, default_key_kind};
use crate::shared::Shared;
use crate::stock::{Span, Stock};

/// How often the key directory is looked at without a reason.
const LOOK_EVERY: i64 = 60;
/// Pause after a certificate was not to be had that is needed at once.
const RETRY: Duration = Duration::from_secs(3);
/// The same after the signer refused it: it counts refusals, and locks after too many.
const RETRY_REFUSED: Duration = Duration::from_secs(3600);
/// After so many seconds the stock is filled for the first time: a machine that starts has other things to do.
const STOCK_LATER: i64 = 10;
/// Pause after a certificate for the stock was not to be had, in seconds.
const RETRY_STOCK: i64 = 60;
/// The same after the signer refused it.
const RETRY_REFUSED_STOCK: i64 = 86_400;

/// The responders of one issuer.
#[derive(Debug)]
pub(crate) struct Care {
    keys: KeyDirectory,
    usable: Vec<Arc<Responder>>,
    stock: Vec<InStock>,
    looked_at: Option<Time>,
    supply: Option<Supply>,
    retry_at: Option<Instant>,
    retry_stock_at: Option<Time>,
    problem: Option<String>,
    stock_problem: Option<String>,
    told: Vec<String>,
}

/// Certificates being asked for.
#[derive(Debug)]
struct Supply {
    task: JoinHandle<anyhow::Result<()>>,
    /// For one that is needed at once; otherwise for the stock.
    at_once: bool,
}

impl Care {
    /// For the issuer whose keys are in this directory.
    pub(crate) fn new(keys: KeyDirectory, now: Time) -> Self {
        Self {
            keys,
            usable: Vec::new(),
            stock: Vec::new(),
            looked_at: None,
            supply: None,
            retry_at: None,
            retry_stock_at: Some(now.plus_seconds(STOCK_LATER)),
            problem: None,
            stock_problem: None,
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

    /// Why the stock is not what the policy wants.
    pub(crate) fn stock_problem(&self) -> Option<&str> {
        self.stock_problem.as_deref()
    }

    /// Until when answers can be signed, one certificate after the other, if no more are to be had.
    pub(crate) fn covered_until(&self, now: Time) -> Option<Time> {
        let in_use = self.usable.iter().map(|responder| responder.certificate());
        let all = in_use.chain(self.stock.iter().map(|one| &one.certificate));
        covered_until(
            all.map(|certificate| (certificate.not_before(), certificate.not_after())),
            now,
        )
    }

    /// Looks again at once at the next [`Care::attend`].
    pub(crate) fn look_again(&mut self) {
        self.looked_at = None;
        self.retry_at = None;
        self.retry_stock_at = None;
        self.problem = None;
        self.stock_problem = None;
    }

    /// Looks after the responders; true if one that signed before may not any more, so that its answers must go. The
    /// stock is filled while it is `calm`.
    pub(crate) async fn attend(
        &mut self,
        shared: &Arc<Shared>,
        issuer: &Issuer,
        ca: &Certificate,
        stock: Stock,
        calm: bool,
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
        if issuer.signs {
            let missing = self.missing(issuer, stock, now);
            if missing.first() != Some(&now) {
                self.problem = None;
            }
            if missing.is_empty() {
                self.stock_problem = None;
                self.discard_others(issuer).await?;
            } else {
                self.ask(shared, issuer, ca, &missing, now, calm);
            }
        } else {
            self.problem = self.why_nobody_signs(issuer);
        }
        Ok(lost)
    }

    /// Whether certificates are being asked for.
    pub(crate) fn is_asking(&self) -> bool {
        self.supply.is_some()
    }

    /// Waits until those are there that are being asked for, or are not to be had; for ever if none are.
    pub(crate) async fn supplied(&mut self, clock: &dyn Clock) {
        let Some(supply) = &mut self.supply else {
            return std::future::pending().await;
        };
        let at_once = supply.at_once;
        let result = match (&mut supply.task).await {
            Ok(result) => result,
            Err(stopped) => Err(stopped.into()),
        };
        self.supply = None;
        // Whatever came of it, some may be there.
        self.looked_at = None;
        match result {
            Ok(()) if at_once => self.problem = None,
            Ok(()) => self.stock_problem = None,
            Err(error) => self.rest(&error, at_once, clock.now()),
        }
    }

    fn rest(&mut self, error: &anyhow::Error, at_once: bool, now: Time) {
        let refused = matches!(
            error.downcast_ref(),
            Some(IssuanceError::SignerRefused { .. })
        );
        if at_once {
            let pause = if refused { RETRY_REFUSED } else { RETRY };
            self.retry_at = Some(Instant::now() + pause);
            self.problem = Some(format!("no responder certificate could be had: {error:#}"));
            return;
        }
        let pause = match refused {
            true => RETRY_REFUSED_STOCK,
            false => RETRY_STOCK,
        };
        self.retry_stock_at = Some(now.plus_seconds(pause));
        let problem = format!("no responder certificate could be had for the stock: {error:#}");
        if self.stock_problem.as_ref() != Some(&problem) {
            tracing::warn!("{problem}");
        }
        self.stock_problem = Some(problem);
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
        let mut stock = Vec::new();
        for one in found.stock {
            let serial = one.certificate.serial();
            let status = shared.ledger.status(&issuer.name, serial).await?;
            if status.is_none_or(|status| status.revoked.is_none()) {
                stock.push(one);
            }
        }
        self.stock = stock;
        // The policy may have changed since the older ones were made.
        usable.sort_by_key(|responder| {
            (
                !responder.fits(&issuer.policy.ocsp),
                !responder.is_settled(now),
            )
        });
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

    /// When the certificates begin that are missing. Those of keys that the policy does not want any more do not count.
    fn missing(&self, issuer: &Issuer, stock: Stock, now: Time) -> Vec<Time> {
        let policy = &issuer.policy.ocsp;
        let in_use = self.usable.iter().filter(|one| one.fits(policy));
        let later = self.stock.iter().filter(|one| one.fits(policy));
        let held: Vec<_> = in_use
            .map(|one| Span::of(one.certificate()))
            .chain(later.map(|one| Span::of(&one.certificate)))
            .collect();
        stock.missing(&held, now)
    }

    /// Asks for them: for one that is needed now at once, and first; for the others when there is nothing else to do.
    fn ask(
        &mut self,
        shared: &Arc<Shared>,
        issuer: &Issuer,
        ca: &Certificate,
        missing: &[Time],
        now: Time,
        calm: bool,
    ) {
        let at_once = missing.first() == Some(&now);
        let rests = match at_once {
            true => self.retry_at.is_some_and(|at| Instant::now() < at),
            // Longer than that: the clock was set back.
            false => self
                .retry_stock_at
                .is_some_and(|at| (1..=RETRY_REFUSED_STOCK).contains(&now.seconds_until(at))),
        };
        if self.supply.is_some() || rests || !(at_once || calm) {
            return;
        }
        let begins = match at_once {
            true => vec![None],
            false => missing.iter().copied().map(Some).collect(),
        };
        let task = obtain(
            Arc::clone(shared),
            self.keys.clone(),
            issuer.clone(),
            ca.clone(),
            begins,
        );
        self.supply = Some(Supply {
            task: tokio::spawn(task),
            at_once,
        });
    }

    /// Removes from the stock what the policy does not want, once there is enough of what it wants.
    async fn discard_others(&mut self, issuer: &Issuer) -> anyhow::Result<()> {
        let policy = &issuer.policy.ocsp;
        let (wanted, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.stock)
            .into_iter()
            .partition(|one| one.fits(policy));
        self.stock = wanted;
        if !others.is_empty() {
            let keys = self.keys.clone();
            spawn_blocking(move || keys.discard(&others)).await??;
        }
        Ok(())
    }

    /// For an issuer whose certificates are not made here.
    fn why_nobody_signs(&self, issuer: &Issuer) -> Option<String> {
        self.usable.is_empty().then(|| {
            format!(
                "it has no usable responder certificate and its CA key is not here; give it one with `avouch import ca \
                 --name {} --cert … --responder-cert … --responder-key …`{}",
                issuer.name,
                self.told
                    .first()
                    .map(|problem| format!(" ({problem})"))
                    .unwrap_or_default(),
            )
        })
    }
}

impl Drop for Care {
    fn drop(&mut self) {
        if let Some(supply) = &self.supply {
            supply.task.abort();
        }
    }
}

/// Keys and their certificates, one after the other; those that come before a failure stay.
async fn obtain(
    shared: Arc<Shared>,
    keys: KeyDirectory,
    issuer: Issuer,
    ca: Certificate,
    begins: Vec<Option<Time>>,
) -> anyhow::Result<()> {
    let kind = match issuer.policy.ocsp.responder_key {
        Some(kind) => kind,
        None => default_key_kind(ca.public_key().kind()?),
    };
    let place = issuer.policy.ocsp.responder_key_in;
    for begins in begins {
        let making = keys.clone();
        let free = spawn_blocking(move || making.key_without_certificate(kind, place)).await??;
        let wanted = Wanted {
            key: &free.key,
            key_is_new: free.is_new,
            begins,
            rule_set: shared.rule_set,
        };
        let certificate = shared.certifier.certify(&issuer, wanted).await?;
        let (saving, ca) = (keys.clone(), ca.clone());
        spawn_blocking(move || saving.save_certificate(&free.key, &certificate, &ca)).await??;
    }
    Ok(())
}
