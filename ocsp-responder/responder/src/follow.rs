//! Following the publication: each new generation is verified, remembered, swapped in whole.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pki::Clock;
use publication::{Candidate, Follower, Refusal, Refused};
use telemetry::Stopper;

use crate::cells::Cells;
use crate::live::{Channel, Live};
use crate::load::load;
use crate::readiness::Lag;

/// The only writer of the live set.
pub(crate) struct Follow {
    pub(crate) cells: Arc<Cells>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) follower: Follower,
    pub(crate) lag: Arc<Lag>,
    pub(crate) live: Arc<ArcSwap<Live>>,
    pub(crate) prefixes: Vec<String>,
    /// Replaced sets that a request may still be reading: freed here, never on the way of a request.
    pub(crate) retired: Vec<Arc<Live>>,
}

impl Follow {
    /// Looks at the publication once. Reads and verifies files: not for a serving thread.
    pub(crate) fn look(&mut self) {
        self.retired.retain(|live| Arc::strong_count(live) > 1);
        let found = match self.follower.scan() {
            Ok(found) => found,
            Err(error) => {
                if self
                    .lag
                    .note(format!("the publication cannot be read: {error}"))
                {
                    tracing::error!(
                        "the publication cannot be read: {error}; what was taken is served on"
                    );
                }
                return;
            }
        };
        let mut taken = Ok(());
        for offer in found {
            match offer {
                Ok(candidate) => {
                    let remembered = self.consider(candidate);
                    taken = taken.and(remembered);
                }
                Err(refused) => self.report(&refused),
            }
        }
        match taken {
            Ok(()) => self.note_lag(),
            Err(error) => {
                // Not remembered, hence not served (V4); tried again at the next look.
                if self
                    .lag
                    .note(format!("a generation cannot be remembered: {error}"))
                {
                    tracing::error!("a generation cannot be remembered and is not taken: {error}");
                }
            }
        }
    }

    /// Looks whenever something may have changed, until the edge stops.
    pub(crate) async fn run(mut self, stop: Stopper) -> anyhow::Result<()> {
        let mut watch = self.follower.watch();
        while stop.run_until_stopped(watch.changed()).await.is_some() {
            self = tokio::task::spawn_blocking(move || {
                self.look();
                self
            })
            .await?;
        }
        Ok(())
    }

    /// Takes a candidate or refuses it; fails when it cannot be remembered.
    fn consider(&mut self, mut candidate: Candidate) -> io::Result<()> {
        let start = Instant::now();
        let live = self.live.load_full();
        let channel = candidate.manifest.channel.clone();
        let previous = live.channel(&channel).map(Arc::as_ref);
        let next = load(&mut candidate, previous, &self.cells, self.clock.now())
            .and_then(|loaded| Ok(Live::assemble(with(&live, loaded), &self.prefixes)?));
        match next {
            Ok(next) => {
                self.follower.take(&candidate)?;
                self.retired.push(self.live.swap(Arc::new(next)));
                told(&candidate, start.elapsed());
            }
            Err(error) => {
                let refused = self.follower.refuse(&candidate, format!("{error:#}"));
                self.report(&refused);
            }
        }
        Ok(())
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
