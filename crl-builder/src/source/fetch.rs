//! Fetching one list, beside everything else that the issuer's worker does.

use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use ledger::SourcePolicy;
use pki::Time;
use tokio_util::task::AbortOnDropHandle;

use super::List;
use super::http::{self, FetchError, Fetched, Validators};
use super::pace::Situation;

const MEBIBYTE: usize = 1 << 20;

/// Asks one URL, again and again.
#[derive(Debug, Default)]
pub(crate) struct Fetcher {
    url: Option<String>,
    interval: Duration,
    deadline: Duration,
    limit: usize,
    task: Option<AbortOnDropHandle<Result<Fetched, FetchError>>>,
    /// What the server said of the CRL with this hash.
    known: Option<([u8; 32], Validators)>,
    /// When it is asked next; at once if that is not set.
    due: Option<Instant>,
    failures: u32,
    trouble: Option<String>,
}

impl Fetcher {
    /// Takes over the settings; asks at once when they are new.
    pub(crate) fn set(&mut self, policy: &SourcePolicy, list: List) {
        let url = match list {
            List::Complete => policy.crl_url(),
            List::Delta => policy.delta.as_deref(),
        };
        let same_place = self.url.as_deref() == url;
        *self = Self {
            url: url.map(str::to_owned),
            interval: Duration::from_secs(u64::from(policy.interval_seconds)),
            deadline: Duration::from_secs(u64::from(policy.timeout_seconds)),
            limit: policy.max_megabytes as usize * MEBIBYTE,
            known: self.known.take().filter(|_| same_place),
            ..Self::default()
        };
    }

    /// Why the last fetch brought nothing usable.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Begins to fetch if it is time; `held` is the hash of what is here already.
    pub(crate) fn begin_if_due(&mut self, held: Option<[u8; 32]>) {
        let Some(url) = self.url.clone() else {
            return;
        };
        let due = self.due.is_none_or(|due| due <= Instant::now());
        if self.task.is_some() || !due {
            return;
        }
        let known = self
            .known
            .clone()
            .filter(|(sha256, _)| Some(*sha256) == held)
            .map_or_else(Validators::default, |(_, validators)| validators);
        let (limit, deadline) = (self.limit, self.deadline);
        let task = tokio::spawn(async move { http::get(&url, &known, limit, deadline).await });
        self.task = Some(AbortOnDropHandle::new(task));
    }

    /// What came, once it has.
    pub(crate) async fn ended(&mut self) -> Option<Result<Fetched, FetchError>> {
        if !self.task.as_ref()?.is_finished() {
            return None;
        }
        // A panic has aborted the daemon, and nobody cancels a task that is still here.
        self.task.take()?.await.ok()
    }

    /// It brought what is good: a CRL with that hash, or the news that there is none.
    pub(crate) fn succeeded(&mut self, known: Option<([u8; 32], Validators)>) {
        self.known = known.or_else(|| self.known.take());
        self.failures = 0;
        self.trouble = None;
    }

    /// It brought nothing that is good.
    pub(crate) fn failed(&mut self, why: &str) {
        self.failures = self.failures.saturating_add(1);
        self.trouble = Some(format!(
            "{}: {why}",
            self.url.as_deref().unwrap_or_default()
        ));
    }

    /// Says when it is asked next, given from when to when the CRL in use is valid.
    pub(crate) fn rest(&mut self, now: Time, in_use: Option<(Time, Time)>) {
        let situation = Situation {
            interval: self.interval,
            failures: self.failures,
            in_use,
        };
        let mut spread = [0; 2];
        // Without randomness it is the shortest pause, which does no harm.
        let _ = rand::fill(&mut spread);
        self.due = Some(Instant::now() + situation.pause(now, u16::from_be_bytes(spread)));
    }
}
