//! Following the publication: each new generation is verified, remembered, swapped in whole.
//!
//! Large answer sets are verified ahead, gently, before requests meet them. Usually the presigner announces such a set, and
//! it is verified before a generation uses it. One that comes without notice is taken at once when nothing is served
//! yet, or when small sets come with it, which may hold revocations: then each part of it is verified before its first
//! use. Otherwise the generation waits until the set is verified.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use answers::AnswerSet;
use arc_swap::ArcSwap;
use pki::Clock;
use publication::{Candidate, Follower, Refusal, Refused};
use telemetry::Stopper;

use crate::cells::Cells;
use crate::gentle::Gentle;
use crate::live::{Channel, Live, PathConflict};
use crate::load::load;
use crate::pace::Pace;
use crate::readiness::Lag;

/// The only writer of the live set.
pub(crate) struct Follow {
    cells: Arc<Cells>,
    clock: Arc<dyn Clock>,
    /// Channels refused because another one has a path of theirs; looked at again when any channel changes.
    conflicts: BTreeSet<String>,
    follower: Follower,
    gentle: Gentle,
    lag: Arc<Lag>,
    live: Arc<ArcSwap<Live>>,
    /// Large sets of generations that wait for their verification, by hash.
    opened: BTreeMap<String, Arc<AnswerSet>>,
    prefixes: Vec<String>,
    /// Replaced sets that a request may still be reading: freed by the gentle thread, never on the way of a request.
    retired: Vec<Arc<Live>>,
}

impl Follow {
    /// Begins with what `live` holds; starts the thread for work that can wait.
    pub(crate) fn new(
        follower: Follower,
        live: Arc<ArcSwap<Live>>,
        cells: Arc<Cells>,
        clock: Arc<dyn Clock>,
        lag: Arc<Lag>,
        prefixes: Vec<String>,
    ) -> io::Result<Self> {
        Ok(Self {
            cells,
            clock,
            conflicts: BTreeSet::new(),
            follower,
            gentle: Gentle::start()?,
            lag,
            live,
            opened: BTreeMap::new(),
            prefixes,
            retired: Vec::new(),
        })
    }

    /// Looks at the publication once. Reads and verifies files: not for a serving thread.
    pub(crate) fn look(&mut self) {
        self.let_go();
        match self.take_all() {
            Ok(()) => self.note_lag(),
            Err(failure) => {
                if self.lag.note(failure.to_string()) {
                    tracing::error!("{failure}; what was taken is served on");
                }
            }
        }
    }

    /// Takes what can be taken. Channels that were in the way of each other get another chance when one has changed.
    fn take_all(&mut self) -> Result<(), Failure> {
        loop {
            let mut taken = Ok(false);
            let mut waiting = BTreeMap::new();
            for offer in self.follower.scan().map_err(Failure::Unreadable)? {
                match offer {
                    Ok(candidate) => {
                        let considered = self.consider(candidate, &mut waiting);
                        taken = taken.and_then(|before| Ok(considered? || before));
                    }
                    Err(refused) => self.report(&refused),
                }
            }
            self.opened = waiting;
            if !taken.map_err(Failure::Unremembered)? || self.conflicts.is_empty() {
                return Ok(());
            }
            for channel in std::mem::take(&mut self.conflicts) {
                self.follower.reconsider(&channel);
            }
        }
    }

    /// Looks whenever something may have changed, until the edge stops.
    pub(crate) async fn run(mut self, stop: Stopper) -> anyhow::Result<()> {
        let mut watch = self.follower.watch();
        let verified = self.gentle.done();
        loop {
            let changed = async {
                tokio::select! {
                    () = watch.changed() => {}
                    () = verified.notified() => {}
                }
            };
            if stop.run_until_stopped(changed).await.is_none() {
                return Ok(());
            }
            self = tokio::task::spawn_blocking(move || {
                self.look();
                self
            })
            .await?;
        }
    }

    /// Takes a candidate (true), refuses it, or lets it wait; fails when it cannot be remembered.
    fn consider(
        &mut self,
        mut candidate: Candidate,
        waiting: &mut BTreeMap<String, Arc<AnswerSet>>,
    ) -> io::Result<bool> {
        let start = Instant::now();
        let live = self.live.load_full();
        let name = candidate.manifest.channel.clone();
        let previous = live.channel(&name).map(Arc::as_ref);
        let pace = match live.channels().is_empty() {
            true => Pace::alone(),
            false => Pace::beside_requests(),
        };
        let loaded = load(
            &mut candidate,
            previous,
            &self.opened,
            &self.cells,
            self.clock.now(),
            &pace,
        );
        let next = loaded.and_then(|channel| {
            for set in channel.sets.values().filter(|set| !set.is_verified()) {
                self.gentle.verify(set);
            }
            if previous.is_some_and(|previous| waits(&channel, previous)) {
                waiting.extend(channel.sets);
                return Ok(None);
            }
            Ok(Some(Live::assemble(with(&live, channel), &self.prefixes)?))
        });
        match next {
            Ok(Some(next)) => {
                self.follower.take(&candidate)?;
                self.retired.push(self.live.swap(Arc::new(next)));
                told(&candidate, start.elapsed());
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => {
                if error.is::<PathConflict>() {
                    self.conflicts.insert(name);
                }
                let refused = self.follower.refuse(&candidate, format!("{error:#}"));
                self.report(&refused);
                Ok(false)
            }
        }
    }

    /// Hands on what no request reads any more.
    fn let_go(&mut self) {
        let retired = std::mem::take(&mut self.retired);
        let (read, unread): (Vec<_>, Vec<_>) = retired
            .into_iter()
            .partition(|live| Arc::strong_count(live) > 1);
        self.retired = read;
        for live in unread {
            self.gentle.let_go(live);
        }
    }

    fn report(&self, refused: &Refused) {
        self.cells.refused(&refused.channel, refused.reason.label());
        tracing::error!(
            "channel {}: refused: {}; what was taken is served on",
            refused.channel,
            refused.reason
        );
    }

    /// Being ahead of a restored old directory, or not meant for a channel, is no lag.
    fn note_lag(&self) {
        let behind = self.follower.behind().into_iter().find(|refused| {
            !matches!(
                refused.reason,
                Refusal::OlderGeneration { .. } | Refusal::Untrusted
            )
        });
        match behind {
            Some(Refused { channel, reason }) => {
                self.lag.note(format!("channel {channel}: {reason}"));
            }
            None => self.lag.clear(),
        }
    }
}

/// Whether a generation has time until its large sets are verified: it brings nothing else.
fn waits(next: &Channel, previous: &Channel) -> bool {
    let Some(answers) = &next.answers else {
        return false;
    };
    let is_new = |set: &&Arc<AnswerSet>| {
        let mut known = previous.sets.values();
        !known.any(|known| Arc::ptr_eq(known, set))
    };
    let mut new = answers.layered.layers().iter().filter(is_new).peekable();
    // Small sets are verified when they are opened.
    previous.answers.is_some() && new.peek().is_some() && new.all(|set| !set.is_verified())
}

/// Why nothing was taken.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the publication cannot be read: {0}")]
    Unreadable(io::Error),
    /// Not remembered, hence not served (V4); tried again at the next look.
    #[error("a generation cannot be remembered and is not taken: {0}")]
    Unremembered(io::Error),
}

fn with(live: &Live, channel: Channel) -> BTreeMap<String, Arc<Channel>> {
    let mut channels = live.channels().clone();
    channels.insert(channel.manifest.channel.clone(), Arc::new(channel));
    channels
}

fn told(candidate: &Candidate, took: Duration) {
    tracing::info!(
        channel = candidate.manifest.channel,
        generation = candidate.manifest.generation,
        as_of = candidate.manifest.as_of,
        took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "generation taken"
    );
}
