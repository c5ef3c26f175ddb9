//! Following the CRLs of one issuer: what is due, in its order.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use ledger::{Followed, SourceCrl, SourcePolicy, SourceRecord};
use pki::crl::Crl;
use pki::{CrlNumber, Serial, Time};
use tokio::task::block_in_place;

use super::List;
use super::fetch::Fetcher;
use super::held::{Held, Look};
use super::http::{FetchError, Fetched};
use super::judge::{Fit, Judge, Place, fit};
use super::merge::{Differences, Union, named};
use super::metrics::FetchResult;
use crate::failure::Failure;
use crate::feed::News;
use crate::live::{self, Live, sha256};
use crate::metrics::Metrics;
use crate::publish::{self, publish};
use crate::signer::Signer;
use crate::worker::Worker;

/// How often files are looked at, and fetches that have ended.
const LOOK: Duration = Duration::from_secs(1);
/// Statuses in one transaction of the ledger.
const BATCH: usize = 5000;
/// A delta with more entries is compared as the complete CRL is.
const SMALL_DELTA: usize = 5000;
/// In the ledger's audit.
const ACTOR: &str = "crl-builder";

/// The CRLs of an issuer whose key is elsewhere.
#[derive(Debug)]
pub(crate) struct Follower {
    policy: SourcePolicy,
    complete: Held,
    delta: Held,
    fetch_complete: Fetcher,
    fetch_delta: Fetcher,
    /// The delta that fits the complete CRL in use: the newest one, or the one before while that waits.
    applied: Option<Crl>,
    /// Why the newest delta is not applied.
    unfit: Option<String>,
    /// Something was taken up that the ledger may not have.
    news: bool,
    /// What the ledger has, once that was read.
    recorded: Option<SourceRecord>,
    /// The delta among what this process has taken in last.
    recorded_delta: Option<(SourceRecord, Option<Crl>)>,
    /// Why what is in use is not taken in.
    not_taken_in: Option<String>,
    begun: bool,
}

impl Follower {
    pub(crate) fn new(directory: &Path, issuer: &str) -> Self {
        Self {
            policy: SourcePolicy::default(),
            complete: Held::new(directory, issuer, List::Complete),
            delta: Held::new(directory, issuer, List::Delta),
            fetch_complete: Fetcher::default(),
            fetch_delta: Fetcher::default(),
            applied: None,
            unfit: None,
            news: false,
            recorded: None,
            recorded_delta: None,
            not_taken_in: None,
            begun: false,
        }
    }

    /// The number of the imported CRL, which ours must be above once the key is here.
    pub(crate) fn imported_number(&self) -> Option<CrlNumber> {
        self.complete.file().number()
    }

    fn list(&mut self, list: List) -> (&mut Held, &mut Fetcher) {
        match list {
            List::Complete => (&mut self.complete, &mut self.fetch_complete),
            List::Delta => (&mut self.delta, &mut self.fetch_delta),
        }
    }

    /// Begins fetches that are due and takes what others have brought.
    async fn fetch(
        &mut self,
        list: List,
        judge: Judge<'_>,
        before: Option<Place<'_>>,
        metrics: &Metrics,
        issuer: &str,
    ) {
        let (held, fetcher) = self.list(list);
        if let Some(fetched) = fetcher.ended().await {
            let result = take(fetched, held, fetcher, list, judge, before);
            metrics.source.fetched(issuer, list, result);
            if matches!(result, FetchResult::Failed | FetchResult::Refused) {
                metrics.failed(issuer, "fetching");
            }
            let in_use = held
                .crl()
                .and_then(|crl| Some((crl.this_update(), crl.next_update()?)));
            fetcher.rest(judge.now, in_use);
        }
        fetcher.begin_if_due(held.sha256());
    }

    /// Which delta is applied to the complete CRL in use.
    fn choose_delta(&mut self) {
        self.unfit = None;
        let (Some(complete), Some(delta)) = (self.complete.crl(), self.delta.crl()) else {
            return;
        };
        let why = match fit(delta, complete) {
            Ok(Fit::Fits) => {
                self.applied = Some(delta.clone());
                return;
            }
            Ok(Fit::Outdated) => {
                self.applied = None;
                return;
            }
            Ok(Fit::Waits(why)) => format!("the newest delta CRL waits: {why}"),
            Err(violation) => format!("the newest delta CRL is not used: {violation}"),
        };
        self.unfit = Some(why);
        let still_fits = |delta: &Crl| fit(delta, complete) == Ok(Fit::Fits);
        self.applied = self.applied.take().filter(still_fits);
    }

    fn record(&self) -> Option<SourceRecord> {
        Some(SourceRecord {
            complete: source_crl(self.complete.crl()?)?,
            delta: match &self.applied {
                Some(delta) => Some(source_crl(delta)?),
                None => None,
            },
        })
    }

    /// The certificates that a new delta on the same complete CRL can change; `None` if that is not all that is new, or
    /// they are many.
    fn touched(&self, record: &SourceRecord) -> Option<HashSet<Serial>> {
        let (last, last_delta) = self.recorded_delta.as_ref()?;
        let same_base = last.complete == record.complete && self.recorded.as_ref() == Some(last);
        let deltas = [last_delta.as_ref(), self.applied.as_ref()];
        let entries: usize = deltas.into_iter().flatten().map(Crl::len).sum();
        (same_base && entries <= SMALL_DELTA)
            .then(|| deltas.into_iter().flatten().flat_map(named).collect())
    }

    /// Everything that is wrong, in words.
    fn troubles(&self, now: Time) -> Vec<String> {
        let mut troubles = Vec::new();
        if self.policy.is_followed() {
            match &self.recorded {
                None => troubles.push("no CRL has been taken in yet".to_owned()),
                Some(recorded) if recorded.ends(&self.policy) <= now => troubles.push(format!(
                    "its CRLs are too old, and OCSP says tryLater: the newest, {}, is relied on until {}",
                    place(recorded.newest()).describe(),
                    recorded.ends(&self.policy)
                )),
                Some(_) => {}
            }
        }
        let reasons = [
            self.fetch_complete.trouble(),
            self.complete.trouble(),
            self.fetch_delta.trouble(),
            self.delta.trouble(),
            self.unfit.as_deref(),
            self.not_taken_in.as_deref(),
        ];
        troubles.extend(reasons.into_iter().flatten().map(str::to_owned));
        troubles
    }
}

/// Judges what a fetch brought and keeps it durably if it is good.
fn take(
    fetched: Result<Fetched, FetchError>,
    held: &Held,
    fetcher: &mut Fetcher,
    list: List,
    judge: Judge<'_>,
    before: Option<Place<'_>>,
) -> FetchResult {
    let (octets, validators) = match fetched {
        Ok(Fetched::Body(octets, validators)) => (octets, validators),
        Ok(Fetched::NotModified) => {
            fetcher.succeeded(None);
            return FetchResult::NotModified;
        }
        Err(error) => {
            fetcher.failed(&error.to_string());
            return FetchResult::Failed;
        }
    };
    let hash = sha256(&octets);
    if held.sha256() == Some(hash) {
        fetcher.succeeded(Some((hash, validators)));
        return FetchResult::Same;
    }
    let judged = block_in_place(|| judge.verified_news(&octets, list))
        .and_then(|crl| held.check_follows(&crl, before));
    if let Err(violation) = judged {
        fetcher.failed(&format!("what is there is not used: {violation}"));
        return FetchResult::Refused;
    }
    match block_in_place(|| held.file().save(&octets)) {
        Ok(()) => {
            fetcher.succeeded(Some((hash, validators)));
            FetchResult::New
        }
        Err(failure) => {
            fetcher.failed(&failure.to_string());
            FetchResult::Failed
        }
    }
}

impl<S: Signer> Worker<S> {
    /// The work for an issuer whose key is elsewhere.
    pub(crate) async fn source_turn(
        &mut self,
        news: News,
        reread: bool,
    ) -> Result<Duration, Failure> {
        if !self.follower.begun || self.follower.policy != self.issuer.policy.source {
            self.take_over_policy().await?;
        }
        self.fetch().await;
        let changed = self.look_at_files()?;
        if changed {
            self.follower.choose_delta();
            self.follower.news = true;
        }
        let mut as_of = news.head;
        if self.follower.news && self.follower.policy.is_followed() {
            as_of = self.take_in().await?.unwrap_or(as_of);
        }
        self.follower.news = false;
        if changed || reread || self.failed.is_some() || self.publisher.current().is_none() {
            self.publish_lists(as_of)?;
        }
        self.failed = None;
        self.tell_source();
        Ok(LOOK)
    }

    async fn take_over_policy(&mut self) -> Result<(), Failure> {
        let recorded = self.shared.ledger.source(&self.issuer.name).await?;
        let follower = &mut self.follower;
        follower.policy = self.issuer.policy.source.clone();
        follower.recorded = recorded;
        for list in [List::Complete, List::Delta] {
            let policy = follower.policy.clone();
            follower.list(list).1.set(&policy, list);
        }
        // What is in use may not have been taken in under the policy before.
        follower.news = true;
        follower.begun = true;
        Ok(())
    }

    async fn fetch(&mut self) {
        let judge = judge(&self.ca, self.shared.accept_sha1, self.shared.clock.now());
        let before = self.live.as_ref().map(published_place);
        let (metrics, name) = (&self.shared.metrics, self.issuer.name.as_str());
        let follower = &mut self.follower;
        follower
            .fetch(List::Complete, judge, before, metrics, name)
            .await;
        follower
            .fetch(List::Delta, judge, None, metrics, name)
            .await;
    }

    /// True if something was taken up or found wrong.
    fn look_at_files(&mut self) -> Result<bool, Failure> {
        let follower = &mut self.follower;
        let mut known: Vec<[u8; 32]> = Vec::new();
        if let Some(recorded) = &follower.recorded {
            known.push(recorded.complete.sha256);
            known.extend(recorded.delta.as_ref().map(|delta| delta.sha256));
        }
        let mut look = Look {
            judge: judge(&self.ca, self.shared.accept_sha1, self.shared.clock.now()),
            limit: u64::from(follower.policy.max_megabytes) << 20,
            ended_too: !follower.policy.is_followed(),
            known: &known,
            before: self.live.as_ref().map(published_place),
        };
        let mut changed = follower.complete.look(&look)?;
        if follower.complete.crl().is_none()
            && self.fit
            && let Some((published, _)) = live::read(&self.publisher)?
        {
            follower.complete.keep(published);
            changed = true;
        }
        if follower.policy.is_followed() {
            look.before = None;
            changed |= follower.delta.look(&look)?;
        }
        Ok(changed)
    }

    /// Brings the ledger up to what the CRLs in use say; the event after which it is, if there was anything to do.
    async fn take_in(&mut self) -> Result<Option<u64>, Failure> {
        self.follower.not_taken_in = None;
        let Some(record) = self.follower.record() else {
            return Ok(None);
        };
        if self.follower.recorded.as_ref() == Some(&record) {
            return Ok(None);
        }
        if let Some(recorded) = &self.follower.recorded
            && let Err(violation) = place(record.newest()).check_follows(&place(recorded.newest()))
        {
            self.follower.not_taken_in = Some(format!(
                "the CRLs here are older than what the ledger has taken in: {violation}"
            ));
            return Ok(None);
        }
        let differences = self.differences(&record).await?;
        self.write(&differences).await?;
        let (ledger, name) = (&self.shared.ledger, &self.issuer.name);
        let seq = ledger.record_source(name, &record, ACTOR).await?;
        self.follower.recorded_delta = Some((record.clone(), self.follower.applied.clone()));
        self.follower.recorded = Some(record);
        Ok(Some(seq))
    }

    /// Where the ledger says otherwise than the CRLs in use.
    async fn differences(&self, record: &SourceRecord) -> Result<Differences, Failure> {
        let (ledger, name) = (&self.shared.ledger, self.issuer.name.as_str());
        let follower = &self.follower;
        let Some(complete) = follower.complete.crl() else {
            return Ok(Differences::default());
        };
        let touched = follower.touched(record);
        let rows = match &touched {
            None => ledger.revoked_entries(name).await?,
            Some(touched) => {
                let mut rows = Vec::new();
                for serial in touched {
                    rows.extend(ledger.status(name, serial).await?);
                }
                rows
            }
        };
        let at = record.newest().this_update;
        let differences = block_in_place(|| {
            let union = Union::of(complete, follower.applied.as_ref(), touched.as_ref());
            if union.odd > 0 {
                tracing::warn!(
                    issuer = name,
                    "{} entries of its CRLs name no certificate that there can be; they are left out",
                    union.odd
                );
            }
            union.against(&rows, at)
        });
        if touched.is_none() || !differences.vanished.is_empty() {
            let vanished = &differences.vanished;
            self.shared.metrics.source.vanished(name, vanished.len());
            if let Some(first) = vanished.first() {
                tracing::warn!(
                    issuer = name,
                    "{} unexpired certificates that were revoked are no longer on its CRL, {first} among them; they stay \
                     revoked here (RFC 5280 section 3.3): ask that CA",
                    vanished.len()
                );
            }
        }
        Ok(differences)
    }

    async fn write(&self, differences: &Differences) -> Result<(), Failure> {
        let (ledger, name) = (&self.shared.ledger, self.issuer.name.as_str());
        for batch in differences.items.chunks(BATCH) {
            let done = ledger.follow_crl(name, batch, ACTOR).await?;
            let metrics = &self.shared.metrics.source;
            metrics.taken_in(name, "revoked", done.revoked);
            metrics.taken_in(name, "changed", done.changed);
            metrics.taken_in(name, "released", done.released);
            metrics.taken_in(name, "conflict", done.conflicts.len() as u64);
            if let Some(first) = done.conflicts.first() {
                tracing::warn!(
                    issuer = name,
                    "the ledger knows better than its CRLs about {} certificates, {first} among them",
                    done.conflicts.len()
                );
            }
        }
        let released = |item: &&Followed| matches!(item, Followed::Released { .. });
        let released = differences.items.iter().filter(released).count();
        tracing::info!(
            issuer = name,
            revoked = differences.items.len() - released,
            released,
            "CRLs taken in"
        );
        Ok(())
    }

    fn publish_lists(&mut self, as_of: u64) -> Result<(), Failure> {
        let too_old = self.follower.not_taken_in.is_some();
        if too_old && self.publisher.current().is_some() {
            return Ok(());
        }
        let shown = self.follower.complete.crl().filter(|_| !too_old);
        let lists = publish::Lists {
            complete: shown,
            delta: self.follower.applied.as_ref().filter(|_| !too_old),
            ..publish::Lists::default()
        };
        if publish(&mut self.publisher, &self.issuer, lists, as_of)? {
            tracing::info!(issuer = self.issuer.name, "imported CRL published");
        }
        if let Some(shown) = shown {
            self.live = Some(Live::of(shown, as_of));
            self.fit = true;
            self.show(shown);
        }
        Ok(())
    }

    /// Health and the metrics that change with time.
    fn tell_source(&self) {
        let (follower, name) = (&self.follower, self.issuer.name.as_str());
        let (now, metrics) = (self.shared.clock.now(), &self.shared.metrics.source);
        if let Some(recorded) = follower
            .recorded
            .as_ref()
            .filter(|_| follower.policy.is_followed())
        {
            metrics.left(name, now.seconds_until(recorded.ends(&follower.policy)));
        }
        let complete = [
            follower.fetch_complete.trouble(),
            follower.complete.trouble(),
        ];
        let delta = [
            follower.fetch_delta.trouble(),
            follower.delta.trouble(),
            follower.unfit.as_deref(),
        ];
        metrics.trouble(name, List::Complete, complete.iter().any(Option::is_some));
        metrics.trouble(name, List::Delta, delta.iter().any(Option::is_some));
        let troubles = follower.troubles(now);
        if troubles.is_empty() {
            self.part.set_ready();
        } else {
            self.part.set_failed(troubles.join("; "));
        }
    }
}

fn judge(ca: &pki::Certificate, accept_sha1: bool, now: Time) -> Judge<'_> {
    Judge {
        ca,
        accept_sha1,
        now,
    }
}

fn published_place(live: &Live) -> Place<'_> {
    Place {
        number: live.number.as_ref(),
        this_update: live.this_update,
        sha256: live.sha256,
    }
}

fn place(crl: &SourceCrl) -> Place<'_> {
    Place {
        number: crl.number.as_ref(),
        this_update: crl.this_update,
        sha256: crl.sha256,
    }
}

/// `None` without a nextUpdate, which the verifier has demanded (CRL-05).
fn source_crl(crl: &Crl) -> Option<SourceCrl> {
    Some(SourceCrl {
        number: crl.number().cloned(),
        this_update: crl.this_update(),
        next_update: crl.next_update()?,
        sha256: sha256(crl.der()),
        size: crl.der().len() as u64,
        entries: crl.len() as u64,
    })
}
