//! The work for one issuer: a loop that never gives up and never holds up another issuer (V12).

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ledger::{Issuer, Ledger, LedgerError};
use pki::crl::Crl;
use pki::crl::verify::{Expected, Scope, verify_crl};
use pki::{Certificate, CrlNumber, Time};
use publication::Publisher;
use telemetry::{Part, Stopper};
use tokio::sync::watch;
use tokio::task::block_in_place;

use crate::failure::Failure;
use crate::feed::{News, last_concerning};
use crate::live::{self, Live};
use crate::metrics::Figures;
use crate::own::{Answers, Bases, Build, Built, Lists, Told, own_rules, recover};
use crate::publish::{self, publish};
use crate::schedule::{Due, Occasion, Situation};
use crate::shared::Shared;
use crate::signer::Signer;
use crate::source::{Follower, imported_rules};

/// After a failure nothing is tried sooner than this; the schedule may let more time pass.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Works for one issuer until the daemon stops; taken up again whenever it cannot begin.
pub(crate) async fn work<S: Signer>(
    shared: Arc<Shared<S>>,
    name: String,
    news: watch::Receiver<News>,
    stop: Stopper,
) {
    while !stop.is_stopped() {
        match Worker::open(Arc::clone(&shared), &name, news.clone()).await {
            Ok(worker) => return worker.run(&stop).await,
            Err(error) => {
                shared.metrics.failed(&name, "opening");
                shared
                    .health
                    .part(&format!("issuer {name}"))
                    .set_failed(format!("{error:#}"));
            }
        }
        // None: stopping, which the loop sees.
        let _ = stop.run_until_stopped(tokio::time::sleep(TRY_AGAIN)).await;
    }
}

pub(crate) struct Worker<S> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) issuer: Issuer,
    pub(crate) ca: Certificate,
    pub(crate) publisher: Publisher,
    pub(crate) live: Option<Live>,
    /// Whether `live` may stay as it is.
    pub(crate) fit: bool,
    /// What stands on our own published CRLs; `None` until it is needed first.
    lists: Option<Lists>,
    bases: Bases,
    told: Told,
    opened_at: Time,
    /// Whether `lists` began with every part: what is not published is not known.
    parts_are_published: bool,
    /// When all was last read anew.
    thorough_at: Option<Time>,
    /// The ledger knows less than what is published.
    restored: bool,
    /// What is done for an issuer whose key is elsewhere.
    pub(crate) follower: Follower,
    news: watch::Receiver<News>,
    /// The last event of the ledger, read at the start, that concerns this issuer.
    concerned: u64,
    /// The last event at which the issuer itself was read again.
    read_at: u64,
    /// Every number of ours is above this one.
    floor: CrlNumber,
    built: Option<Instant>,
    pub(crate) failed: Option<(u32, Instant)>,
    pub(crate) part: Part,
}

impl<S: Signer> Worker<S> {
    async fn open(
        shared: Arc<Shared<S>>,
        name: &str,
        news: watch::Receiver<News>,
    ) -> anyhow::Result<Self> {
        let found = shared.ledger.issuer(name).await?;
        let issuer = found.context("the ledger has no issuer of this name")?;
        let ca = Certificate::from_der(&issuer.certificate)?;
        let publisher = Publisher::open(
            &shared.publication,
            &format!("crl/{name}"),
            shared.publication_key.public(),
            shared.publication_key.signer(),
            Arc::clone(&shared.clock),
        )?;
        let published = live::read(&publisher).unwrap_or_else(|refusal| {
            tracing::warn!(
                "the published CRL of {name} cannot be read and will be replaced: {refusal}"
            );
            None
        });
        let (live, fit) = match &published {
            Some((crl, as_of)) => (
                Some(Live::of(crl, *as_of)),
                is_fit(crl, &issuer, &ca, &shared),
            ),
            None => (None, false),
        };
        let restored = was_restored(&shared.ledger, &issuer, live.as_ref()).await?;
        let fit = fit && !restored;
        let as_of = live.as_ref().map_or(0, |live| live.as_of);
        let follower = Follower::new(&shared.imported, name);
        let floor = live.as_ref().and_then(|live| live.number.clone());
        let worker = Self {
            concerned: last_concerning(&shared.ledger, name, as_of).await?,
            read_at: 0,
            floor: floor.unwrap_or_else(CrlNumber::zero),
            built: None,
            failed: None,
            part: shared.health.part(&format!("issuer {name}")),
            ca,
            fit,
            follower,
            issuer,
            lists: None,
            parts_are_published: true,
            bases: Bases::default(),
            told: Told::default(),
            opened_at: shared.clock.now(),
            thorough_at: None,
            restored,
            live,
            news,
            publisher,
            shared,
        };
        if let Some((crl, _)) = published.filter(|_| worker.fit) {
            worker.show(&crl);
            // Of CRLs of others that are followed, their age is still to be looked at.
            if !worker.issuer.policy.source.is_followed() {
                worker.part.set_ready();
            }
        }
        Ok(worker)
    }

    async fn run(mut self, stop: &Stopper) {
        while !stop.is_stopped() {
            // Dropped in the middle when the daemon stops: a number that was reserved is skipped.
            let Some(result) = stop.run_until_stopped(self.turn()).await else {
                return;
            };
            let wait = match result {
                Ok(wait) => wait,
                Err(failure) => self.failed(&failure),
            };
            let news = &mut self.news;
            let woken = async {
                tokio::select! {
                    changed = news.changed() => if changed.is_err() {
                        // The reader has ended: so does the daemon.
                        tokio::time::sleep(wait).await;
                    },
                    () = tokio::time::sleep(wait) => {}
                }
            };
            // None: stopping, which the loop sees.
            let _ = stop.run_until_stopped(woken).await;
        }
    }

    /// Does what is due; says how long to wait for an event then.
    async fn turn(&mut self) -> Result<Duration, Failure> {
        let news = *self.news.borrow_and_update();
        let reread = news.concerned > self.read_at;
        if reread {
            if let Some(issuer) = self.shared.ledger.issuer(&self.issuer.name).await? {
                self.ca = Certificate::from_der(&issuer.certificate)?;
                self.issuer = issuer;
            }
            self.read_at = news.concerned;
        }
        if self.issuer.signs {
            self.own_turn(news).await
        } else {
            self.source_turn(news, reread).await
        }
    }

    async fn own_turn(&mut self, news: News) -> Result<Duration, Failure> {
        let situation = Situation {
            published: self
                .live
                .as_ref()
                .filter(|_| self.fit)
                .and_then(Live::window),
            concerned: news.concerned.max(self.concerned),
            head: news.head,
            since_built: self.built.map(|at| at.elapsed()),
            failed: self.failed.map(|(times, at)| (times, at.elapsed())),
        };
        let occasion = match situation.due(&self.issuer.policy.crl, self.shared.clock.now()) {
            Due::In(wait) => return Ok(wait),
            Due::Now(occasion) => occasion,
        };
        if occasion == Occasion::LedgerWentBack {
            tracing::warn!(
                "the ledger knows less than the published CRL of {}: it was restored; a new CRL is built from it",
                self.issuer.name
            );
        }
        let started = Instant::now();
        if let Some(imported) = self.follower.imported_number() {
            self.floor = self.floor.clone().max(imported);
        }
        self.take_up(occasion).await?;
        let now = self.shared.clock.now();
        let thorough = self.is_time_to_be_thorough(occasion, now);
        let Shared {
            ledger,
            signer,
            clock,
            base_url,
            ocsp_trust,
            publication,
            ..
        } = &*self.shared;
        let name = &self.issuer.name;
        let answers = ocsp_trust
            .as_ref()
            .and_then(|trust| block_in_place(|| Answers::open(publication, trust, name, &self.ca)));
        let build = Build {
            ledger,
            signer,
            clock: &**clock,
            issuer: &self.issuer,
            ca: &self.ca,
            floor: &self.floor,
            delta_url: base_url
                .as_ref()
                .map(|base_url| format!("{base_url}/crl/{name}.delta.crl")),
            before: self.lists.as_ref(),
            bases: &self.bases,
            answers: answers.as_ref(),
            thorough,
        };
        let built = build.run(&mut self.told).await?;
        let partitions = built.partitions();
        if let Err(error) = publish(
            &mut self.publisher,
            &self.issuer,
            built.to_publish(&partitions),
            built.lists.as_of,
        ) {
            // A part that was to be kept may be lost: make all of them.
            self.thorough_at = None;
            return Err(error.into());
        }
        let Built {
            lists,
            crls,
            lost_base,
        } = built;
        if lost_base {
            self.bases = Bases::default();
        }
        let as_of = lists.as_of;
        let crl = &crls[0].crl;
        if thorough {
            self.thorough_at = Some(now);
            let number = crl.number().cloned().unwrap_or_else(|| self.floor.clone());
            self.bases.add(number, lists.complete.clone());
        }
        self.lists = Some(lists);
        self.restored = false;
        self.shared
            .metrics
            .built(&self.issuer.name, started.elapsed());
        tracing::info!(
            issuer = self.issuer.name,
            number = crl.number().map(ToString::to_string),
            entries = crl.len(),
            octets = crl.der().len(),
            as_of,
            "CRL published ({occasion:?})"
        );
        self.floor = crl.number().cloned().unwrap_or_else(|| self.floor.clone());
        self.built = Some(started);
        // A ledger that was restored ends before events that once concerned this issuer.
        self.concerned = self.concerned.min(as_of);
        self.succeeded(crl, as_of);
        Ok(Duration::ZERO)
    }

    /// As often as CRLs are scheduled, however many revocations come; none of those waits for the first time.
    fn is_time_to_be_thorough(&self, occasion: Occasion, now: Time) -> bool {
        let refresh = i64::from(self.issuer.policy.crl.refresh_hours) * 3600;
        let last = self.thorough_at.unwrap_or(self.opened_at);
        let first = self.thorough_at.is_none()
            && (occasion != Occasion::Changed || !self.parts_are_published);
        first || now >= last.plus_seconds(refresh) || now < last
    }

    /// Before the first build: what is published is what the next CRL is compared with. A ledger that has forgotten some
    /// of it learns it again.
    async fn take_up(&mut self, occasion: Occasion) -> Result<(), Failure> {
        if self.lists.is_none()
            && let Some((crl, as_of)) = live::read(&self.publisher)?
        {
            let (ledger, name) = (&self.shared.ledger, &self.issuer.name);
            let known = ledger.crl_partitions(name).await?;
            let lists = block_in_place(|| {
                let parts = live::read_parts(&self.publisher);
                Lists::of_published(&crl, &parts, as_of)
            });
            let published = |uri: &String| lists.partitions.contains_key(uri);
            self.parts_are_published = known.iter().all(published);
            self.bases = Bases::of_published(&crl, &lists.complete);
            self.told = Told::of_published(crl.number(), &lists.complete);
            self.lists = Some(lists);
        }
        let went_back = self.restored || occasion == Occasion::LedgerWentBack;
        if let Some(lists) = self.lists.as_mut().filter(|_| went_back) {
            recover(&self.shared.ledger, &self.issuer, &lists.complete).await?;
            lists.as_of = 0;
        }
        Ok(())
    }

    fn succeeded(&mut self, crl: &Crl, as_of: u64) {
        self.live = Some(Live::of(crl, as_of));
        self.fit = true;
        self.failed = None;
        self.show(crl);
        self.part.set_ready();
    }

    /// The figures of what is published.
    pub(crate) fn show(&self, crl: &Crl) {
        let figures = Figures {
            number: crl.number(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            entries: crl.len(),
            octets: crl.der().len(),
        };
        self.shared.metrics.published(&self.issuer.name, &figures);
    }

    /// Notes a failure; the CRL that is published stays. Says how long to wait.
    fn failed(&mut self, failure: &Failure) -> Duration {
        let times = self.failed.map_or(1, |(times, _)| times.saturating_add(1));
        self.failed = Some((times, Instant::now()));
        self.shared
            .metrics
            .failed(&self.issuer.name, failure.step());
        if let Some(above) = failure.above() {
            self.floor = self.floor.clone().max(above.clone());
        } else if failure.is_number_too_low() {
            // Ledger and publication were both lost or restored: numbers that follow the time are above all.
            let seconds = u64::try_from(self.shared.clock.now().unix()).unwrap_or_default();
            self.floor = self.floor.clone().max(CrlNumber::from(seconds));
        }
        let remains = match self.live.as_ref().and_then(|live| live.next_update) {
            Some(end) => format!("the published CRL ends at {end}"),
            None => "no CRL is published".to_owned(),
        };
        self.part.set_failed(format!("{failure}; {remains}"));
        if self.publisher.current().is_none() {
            // At least the CA certificate can be had.
            if let Err(error) = publish(
                &mut self.publisher,
                &self.issuer,
                publish::Lists::default(),
                0,
            ) {
                tracing::warn!(
                    "the CA certificate of {} is not published: {error}",
                    self.issuer.name
                );
            }
        }
        TRY_AGAIN
    }
}

/// Whether the ledger has forgotten the CRL that is published: it was restored from a backup, and what it has learnt
/// since may stand at places in the feed that the published CRL claims to reflect.
async fn was_restored(
    ledger: &Ledger,
    issuer: &Issuer,
    live: Option<&Live>,
) -> Result<bool, LedgerError> {
    let Some(published) = live.and_then(|live| live.number.as_ref()) else {
        return Ok(false);
    };
    let recorded = ledger.last_crl(&issuer.name).await?;
    let forgotten = issuer.signs && recorded.is_none_or(|recorded| recorded.number < *published);
    if forgotten {
        tracing::warn!(
            "the ledger does not know CRL number {published} of {}, which is published: it was restored; a new CRL is \
             built from it",
            issuer.name
        );
    }
    Ok(forgotten)
}

/// Whether a CRL that was found published may stay.
fn is_fit<S>(crl: &Crl, issuer: &Issuer, ca: &Certificate, shared: &Shared<S>) -> bool {
    let profile = if issuer.signs {
        own_rules(issuer)
    } else {
        imported_rules(shared.accept_sha1)
    };
    let expected = Expected {
        ca,
        now: shared.clock.now(),
        scope: Scope::Complete,
        previous: None,
        profile,
    };
    match verify_crl(crl.der(), &expected) {
        Ok(_) => true,
        Err(violation) => {
            tracing::warn!(
                "the published CRL of {} will be replaced: {violation}",
                issuer.name
            );
            false
        }
    }
}
