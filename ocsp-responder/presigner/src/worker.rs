//! The work for one issuer: urgent answers first, everything else behind them.
//!
//! One task per issuer, so that none waits for another's trouble (V12). It goes step by step ([`Worker::step`]); what
//! takes long (signing in the background, folding layers, getting a responder certificate) runs beside it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ledger::{Issuer, Origin, Subjects};
use pki::ocsp::verify::Rules;
use pki::{Certificate, Serial, Time};
use publication::Publisher;
use telemetry::{Part, Stopper};
use tokio::time::Instant;

use crate::background::{Background, Chunk};
use crate::basis::Basis;
use crate::care::Care;
use crate::inbox::Inbox;
use crate::key_directory::KeyDirectory;
use crate::live::Told;
use crate::published::Published;
use crate::schedule::Schedule;
use crate::shared::Shared;
use crate::stock::Stock;
use crate::sweep::{Criteria, Sweep};

/// Without any other reason, an issuer is looked through this often: expired certificates leave then.
const SWEEP_EVERY: i64 = 3600;
/// What cannot be answered is tried again this often.
const UNFIT_AGAIN: i64 = 2;
/// Renewals of some minutes are collected into one sweep.
const RENEW_EVERY: i64 = 60;
/// How often an idle worker looks at the clock.
const TICK: Duration = Duration::from_secs(1);
/// Pause after something failed.
const REST: Duration = Duration::from_secs(1);
const MOST_ROWS: usize = 16_384;
/// More new certificates than this at a time are no longer urgent, each for itself.
const MOST_URGENT: usize = 1024;

/// The presigner of one issuer.
#[derive(Debug)]
pub struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) issuer: Issuer,
    pub(crate) ca: Certificate,
    pub(crate) basis: Basis,
    pub(crate) schedule: Schedule,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) published: Published,
    pub(crate) care: Care,
    pub(crate) part: Part,
    pub(crate) pending: Pending,
    /// Every event up to this one is taken from the inbox.
    pub(crate) taken: u64,
    /// Every event up to this one is done, as far as this issuer goes.
    pub(crate) settled: u64,
    pub(crate) sweep: Option<(Sweep, u64)>,
    pub(crate) sweep_wanted: bool,
    last_sweep: Option<Time>,
    /// When the first published answer is to be renewed.
    renew_from: Option<Time>,
    /// Nothing is published that outlives what the statuses rest on.
    pub(crate) withdrawn: bool,
    pub(crate) chunk: Chunk,
    pub(crate) background: Option<Background>,
    pub(crate) rows_at_once: usize,
    /// A sweep has been through, so nothing is missing.
    pub(crate) complete: bool,
    pub(crate) trouble: Option<String>,
    /// Certificates that cannot be answered, and why.
    pub(crate) unfit: BTreeMap<Serial, String>,
    /// When they are looked at again.
    pub(crate) unfit_again: Time,
    /// How the issuer stands, as far as it was told.
    pub(crate) told: Told,
    rest_until: Option<Instant>,
}

/// Certificates that the feed named.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) revoked: VecDeque<Serial>,
    pub(crate) others: VecDeque<Serial>,
}

/// What a step found to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something; there may be more.
    Done,
    /// Nothing, until something arrives or time passes.
    Idle,
}

impl Worker {
    /// Takes up the work for an issuer.
    pub async fn open(
        shared: Arc<Shared>,
        issuer: Issuer,
        inbox: Arc<Inbox>,
    ) -> anyhow::Result<Self> {
        let ca = Certificate::from_der(&issuer.certificate)
            .context("the CA certificate cannot be read")?;
        let publisher = Publisher::open(
            &shared.publication,
            &format!("ocsp/{}", issuer.name),
            shared.publication_key.public(),
            shared.publication_key.signer(),
            Arc::clone(&shared.clock),
        )?;
        let published = Published::open(issuer.clone(), ca.clone(), publisher).await?;
        let part = shared.health.part(&format!("issuer {}", issuer.name));
        let keys = KeyDirectory::new(&shared.keys, &issuer.name, shared.backends.clone());
        let care = Care::new(keys, shared.clock.now());
        let rows_at_once = 64 * shared.pool.threads();
        let basis = Basis::read(&shared.ledger, &issuer).await?;
        let mut worker = Self {
            schedule: Schedule::new(&issuer.policy.ocsp, issuer.policy.subjects)
                .ending(basis.ends()),
            settled: published.as_of(),
            taken: 0,
            sweep: None,
            sweep_wanted: true,
            last_sweep: None,
            renew_from: None,
            withdrawn: false,
            pending: Pending::default(),
            chunk: Chunk::default(),
            background: None,
            complete: false,
            trouble: None,
            unfit: BTreeMap::new(),
            unfit_again: shared.clock.now(),
            told: Told::default(),
            rest_until: None,
            shared,
            issuer,
            ca,
            basis,
            inbox,
            published,
            care,
            part,
            rows_at_once,
        };
        worker.after_publication();
        Ok(worker)
    }

    /// Works until the daemon stops.
    pub async fn run(mut self, stop: &Stopper) {
        while !stop.is_stopped() {
            // After work, too, what has become ready beside it is taken: urgent work may never end.
            let longest = match self.step().await {
                Step::Done => Duration::ZERO,
                Step::Idle => TICK,
            };
            self.wait(stop, longest).await;
        }
    }

    /// Does one piece of work, the most urgent one. What fails is tried again later.
    pub async fn step(&mut self) -> Step {
        if self.rest_until.is_some_and(|until| Instant::now() < until) {
            return Step::Idle;
        }
        self.rest_until = None;
        let step = match self.try_step().await {
            Ok(Step::Done) => Step::Done,
            Ok(Step::Idle) => {
                self.trouble = None;
                Step::Idle
            }
            Err(Failed { step, error }) => {
                self.shared
                    .metrics
                    .failures
                    .with_label_values(&[&self.issuer.name, step])
                    .inc();
                let trouble = format!("{step} failed and is tried again: {error:#}");
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::error!(issuer = self.issuer.name, "{trouble}");
                }
                self.trouble = Some(trouble);
                self.rest();
                Step::Idle
            }
        };
        self.tell();
        self.tell_standing();
        step
    }

    /// Works until nothing is left to do, what runs beside it included. For tests, whose clock stands still meanwhile: so
    /// nothing is signed while a responder certificate is being asked for, which could be unfit and be looked at again later.
    pub async fn settle(&mut self) {
        let stop = Stopper::new();
        loop {
            let longest = match self.step().await {
                Step::Idle if !self.is_waiting() => return,
                Step::Done if !self.care.is_asking() => Duration::ZERO,
                Step::Done | Step::Idle => TICK,
            };
            self.wait(&stop, longest).await;
        }
    }

    /// What is published.
    pub fn published(&self) -> &Published {
        &self.published
    }

    /// The certificate of the key that signs.
    pub fn responder(&self) -> Option<&Certificate> {
        self.care
            .responder()
            .map(|responder| responder.certificate())
    }

    async fn try_step(&mut self) -> Result<Step, Failed> {
        self.take_news()
            .await
            .map_err(Failed::at("reading the ledger"))?;
        self.look_again_at_unfit();
        // The stock is for later: first everything is answered.
        let calm = self.complete && self.sweep.is_none() && self.background.is_none();
        let stock = self.stock();
        let lost = self
            .care
            .attend(&self.shared, &self.issuer, &self.ca, stock, calm)
            .await;
        if lost.map_err(Failed::at("looking after the responder"))? {
            self.sweep_wanted = true;
        }
        if self.basis.hindrance(self.shared.clock.now()).is_some() {
            return self.hold_back().await;
        }
        if self.care.responder().is_none() {
            return Ok(Step::Idle);
        }
        // A sweep goes on a page at a time also while urgent work keeps coming: only it finds what was missed.
        let urgent = self.publish_urgent().await?;
        self.begin_sweep_if_due().await?;
        if self.sweep_on().await? || self.start_background() || self.end_sweep().await? || urgent {
            return Ok(Step::Done);
        }
        Ok(Step::Idle)
    }

    /// Empties the inbox.
    pub(crate) async fn take_news(&mut self) -> anyhow::Result<()> {
        let news = self.inbox.take();
        self.taken = news.up_to;
        self.pending.revoked.extend(news.revoked);
        self.pending.others.extend(news.others);
        if self.pending.others.len() > MOST_URGENT {
            // An import: quicker looked through as a whole than one by one. Revocations stay urgent.
            self.pending.others.clear();
            self.sweep_wanted = true;
        }
        if news.overflow {
            // From the beginning, where the revoked ones are.
            self.sweep = None;
            self.sweep_wanted = true;
        }
        if news.issuer {
            self.reload()
                .await
                .inspect_err(|_| self.inbox.put(ledger::ChangeKind::IssuerChanged, None))?;
        }
        Ok(())
    }

    /// What broke a rule may fit soon: a revocation that another machine's clock dated a little ahead
    /// of ours cannot be answered before that moment (OCSP-34), and must be then.
    fn look_again_at_unfit(&mut self) {
        let now = self.shared.clock.now();
        // Longer than that: the clock was set back.
        let waiting = (1..=UNFIT_AGAIN).contains(&now.seconds_until(self.unfit_again));
        if !self.unfit.is_empty() && !waiting {
            self.unfit_again = now.plus_seconds(UNFIT_AGAIN);
            let serials = self.unfit.keys().take(MOST_URGENT);
            self.pending.revoked.extend(serials);
        }
    }

    /// The issuer, or what its statuses rest on, changed in the ledger.
    async fn reload(&mut self) -> anyhow::Result<()> {
        let issuer = self.shared.ledger.issuer(&self.issuer.name).await?;
        // Whatever changed, a responder may have been put into the key directory with it.
        self.care.look_again();
        let Some(issuer) = issuer else {
            return Ok(());
        };
        self.rest_on(Basis::read(&self.shared.ledger, &issuer).await?);
        if issuer == self.issuer {
            return Ok(());
        }
        self.ca = Certificate::from_der(&issuer.certificate)
            .context("the CA certificate cannot be read")?;
        self.schedule =
            Schedule::new(&issuer.policy.ocsp, issuer.policy.subjects).ending(self.basis.ends());
        self.published.set_issuer(issuer.clone(), self.ca.clone());
        self.issuer = issuer;
        self.told.outdate();
        // Also publishes the new paths.
        self.sweep_wanted = true;
        self.complete = false;
        Ok(())
    }

    async fn begin_sweep_if_due(&mut self) -> Result<(), Failed> {
        let now = self.shared.clock.now();
        let lead = self.schedule.lead();
        // Negative: the clock was set back.
        let since_last = self
            .last_sweep
            .map_or(SWEEP_EVERY, |at| at.seconds_until(now));
        let due = !(0..SWEEP_EVERY).contains(&since_last)
            || (since_last >= RENEW_EVERY && self.renewal_is_due(now));
        if self.sweep.is_some() || !(due || self.sweep_wanted) {
            return Ok(());
        }
        let counts = self.shared.ledger.counts(&self.issuer.name).await;
        let counts = counts.map_err(|error| Failed::at("reading the ledger")(error.into()))?;
        let criteria = Criteria {
            renew_before: now.plus_seconds(2 * lead),
            renew_clamped_before: now.plus_seconds(2 * RENEW_EVERY),
            responder_ends: self.responder().map_or(now, Certificate::not_after),
            basis_ends: self.basis.ends(),
            exhausted_at: self.exhausted_at(now),
            responders: self.care.certificates(),
        };
        self.sweep_wanted = false;
        self.last_sweep = Some(now);
        let sweep = Sweep::new(criteria, counts.issued, self.taken);
        self.sweep = Some((sweep, self.taken));
        Ok(())
    }

    /// Whether an answer is to be renewed, and can become valid for longer by that.
    pub(crate) fn renewal_is_due(&self, now: Time) -> bool {
        let soon = now.plus_seconds(self.schedule.lead());
        let ends = self.published.view().oldest_next_update();
        let exhausted = self
            .exhausted_at(now)
            .is_some_and(|last| ends.is_some_and(|ends| ends >= last));
        !exhausted && self.renew_from.is_some_and(|at| at <= soon)
    }

    /// An answer that ends then gains nothing by being renewed at `now`: with what it rests on, or with the last
    /// responder certificate, whose last hours are too short for another answer (OCSP-35).
    fn exhausted_at(&self, now: Time) -> Option<Time> {
        let last = self.last_hours(now);
        self.basis.ends().into_iter().chain(last).min()
    }

    /// When the responder certificate ends, if that is too soon for another answer.
    fn last_hours(&self, now: Time) -> Option<Time> {
        let ends = self.responder().map(Certificate::not_after);
        ends.filter(|ends| now.seconds_until(*ends) < self.schedule.least())
    }

    /// Everything that follows from a new generation.
    pub(crate) fn after_publication(&mut self) {
        let view = self.published.view();
        self.renew_from = view.earliest_refresh();
        let totals = view.totals();
        let metrics = &self.shared.metrics;
        let name = self.issuer.name.as_str();
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        metrics
            .answers
            .with_label_values(&[name, "good"])
            .set(number(totals.good));
        metrics
            .answers
            .with_label_values(&[name, "revoked"])
            .set(number(totals.revoked));
        metrics
            .layers
            .with_label_values(&[name])
            .set(number(view.layers().len() as u64));
        self.unfit
            .retain(|serial, _| !matches!(view.get(serial.as_bytes()), Ok(Some(_))));
        self.told.outdate();
        self.tell_standing();
    }

    /// The rules by which answers of this issuer are judged.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            ca_certificate: self.issuer.policy.subjects == Subjects::CaCertificates,
            keeps_holds: self.issuer.origin == Origin::Imported,
            bounded_by_crl: self.basis.is_of_others(),
            bounded_by_responder: false,
            browser_forum: false,
        }
    }

    /// The rules for what is published now. A fresh answer that would be too short is not given, since there is the
    /// published one; instead of that there would be none.
    pub(crate) fn publication_rules(&self) -> Rules {
        Rules {
            bounded_by_responder: self.last_hours(self.shared.clock.now()).is_some(),
            ..self.rules()
        }
    }

    /// Which responder certificates there ought to be.
    pub(crate) fn stock(&self) -> Stock {
        Stock::new(
            &self.issuer.policy,
            self.shared.rule_set,
            self.ca.not_after(),
        )
    }

    /// How many certificates are signed in one go, so that it takes about half a second.
    pub(crate) fn adapt(&mut self, rows: usize, took: Duration) {
        let least = 64 * self.shared.pool.threads();
        if took < Duration::from_millis(300) && rows >= self.rows_at_once {
            self.rows_at_once = (2 * self.rows_at_once).min(MOST_ROWS);
        } else if took > Duration::from_secs(1) {
            self.rows_at_once = (self.rows_at_once / 2).max(least);
        }
    }

    /// Does nothing for a moment: what failed now would fail again.
    pub(crate) fn rest(&mut self) {
        self.rest_until = Some(Instant::now() + REST);
    }

    /// The event to name in the manifest: nothing up to it is missing.
    pub(crate) fn settle_events(&mut self) -> u64 {
        let caught_up = self.complete
            && self.sweep.is_none()
            && !self.sweep_wanted
            && self.pending.is_empty()
            && self.background.is_none();
        if caught_up {
            self.settled = self.taken;
        }
        self.settled
    }

    async fn wait(&mut self, stop: &Stopper, longest: Duration) {
        let rest = self
            .rest_until
            .map(|until| until.saturating_duration_since(Instant::now()));
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = self.care.supplied(&*self.shared.clock) => {}
            signed = Background::signed(&mut self.background) => self.finish_background(signed).await,
            set = self.published.folded() => {
                if let Err(error) = self.published.publish_folded(set).await {
                    self.shared.metrics.failures.with_label_values(&[&self.issuer.name, "folding"]).inc();
                    tracing::error!(issuer = self.issuer.name, "folding layers failed: {error}");
                }
                self.after_publication();
            }
            () = self.inbox.arrived(), if rest.is_none() => {}
            () = pause(rest.unwrap_or(longest)) => {}
        }
    }

    /// Whether something runs beside that will end by itself.
    fn is_waiting(&self) -> bool {
        self.background.is_some() || self.published.is_folding() || self.care.is_asking()
    }
}

/// A pause of no length lets others go first, no more: a timer would take a millisecond.
async fn pause(length: Duration) {
    if length.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(length).await;
    }
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.revoked.is_empty() && self.others.is_empty()
    }
}

/// What went wrong, and where.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) step: &'static str,
    pub(crate) error: anyhow::Error,
}

impl Failed {
    pub(crate) fn at(step: &'static str) -> impl Fn(anyhow::Error) -> Self {
        move |error| Self { step, error }
    }
}
