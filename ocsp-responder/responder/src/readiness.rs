//! Whether this edge can be trusted with requests (V3).
//!
//! Staleness is per issuer: `/readyz?issuer=NAME` fails. The edge as a whole is not ready only when no issuer can be
//! served, or when it lags behind the publication.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pki::{Clock, Time};
use telemetry::Readiness;

use crate::live::{Channel, Live};

/// Since when, and why, this edge is behind the publication.
#[derive(Debug, Default)]
pub(crate) struct Lag(Mutex<Option<(Instant, String)>>);

impl Lag {
    /// Notes why; the time of the first note counts. Returns whether it is the first.
    pub(crate) fn note(&self, why: String) -> bool {
        let mut lag = self.lock();
        let first = lag.is_none();
        let since = lag.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        *lag = Some((since, why));
        first
    }

    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    fn longer_than(&self, limit: Duration) -> Option<String> {
        let lag = self.lock();
        let (since, why) = lag.as_ref()?;
        (since.elapsed() >= limit).then(|| why.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, String)>> {
        // Unwrap safety: a panic while the lock is held aborts the process, so no lock is ever poisoned.
        self.0.lock().unwrap()
    }
}

/// The rule behind `/readyz`.
pub(crate) struct Rule {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lag: Arc<Lag>,
    pub(crate) lag_limit: Duration,
    pub(crate) live: Arc<ArcSwap<Live>>,
}

impl Rule {
    pub(crate) fn readiness(&self, issuer: Option<&str>) -> Readiness {
        let live = self.live.load_full();
        let mut issuers = faults_by_issuer(&live, self.clock.now());
        if let Some(issuer) = issuer {
            return match issuers.remove(issuer) {
                None => Readiness::UnknownIssuer,
                Some(faults) if faults.is_empty() => Readiness::Ready,
                Some(faults) => Readiness::NotReady(faults),
            };
        }
        if let Some(why) = self.lag.longer_than(self.lag_limit) {
            return Readiness::NotReady(vec![format!("behind the publication: {why}")]);
        }
        if issuers.is_empty() {
            return Readiness::NotReady(vec![
                "nothing was published yet that could be taken".to_owned(),
            ]);
        }
        if issuers.values().any(Vec::is_empty) {
            return Readiness::Ready;
        }
        Readiness::NotReady(issuers.into_values().flatten().collect())
    }
}

/// What is wrong with each issuer now.
fn faults_by_issuer(live: &Live, now: Time) -> BTreeMap<String, Vec<String>> {
    let mut issuers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, channel) in live.channels() {
        let faults = issuers.entry(channel.manifest.issuer.clone()).or_default();
        faults.extend(
            faults_of(channel, now)
                .into_iter()
                .map(|fault| format!("{name}: {fault}")),
        );
    }
    issuers
}

fn faults_of(channel: &Channel, now: Time) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(answers) = &channel.answers
        && let Some(end) = answers.layered.oldest_next_update()
        && end <= now
    {
        faults.push(format!("answers ended at {end}"));
    }
    if let Some(damaged) = channel.damage() {
        faults.push(damaged.to_string());
    }
    for (_, object) in &channel.objects {
        if let Some(freshness) = object.freshness
            && object.is_current()
            && !freshness.is_current(now)
        {
            faults.push(format!(
                "{} is valid from {} to {}",
                object.name, freshness.this_update, freshness.next_update
            ));
        }
    }
    faults
}
