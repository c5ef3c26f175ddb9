//! Follows the publication while the edge serves, and gives the edge's place to a new process that asks for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use pki::Clock;
use publication::{Directory, Follower, Generations};
use telemetry::Stopper;

use crate::Config;
use crate::cells::Cells;
use crate::follow::Follow;
use crate::hand_over::{Giver, Successor};
use crate::live::Live;
use crate::readiness::Lag;
use crate::state_lock::StateLock;

/// What it takes to begin following.
pub(crate) struct FirstLook {
    pub(crate) cells: Arc<Cells>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) lag: Arc<Lag>,
    pub(crate) live: Arc<ArcSwap<Live>>,
}

impl FirstLook {
    /// Reads which generations were taken, and looks at the publication once.
    pub(crate) async fn take(&self) -> anyhow::Result<Follow> {
        let config = &self.config;
        let generations = Generations::open(config.state.join("generations.json"))
            .context("the generations taken before cannot be read")?;
        let follower = Follower::new(
            Directory::new(&config.publication),
            config.trust()?,
            generations,
        );
        let mut follow = Follow::new(
            follower,
            Arc::clone(&self.live),
            Arc::clone(&self.cells),
            Arc::clone(&self.clock),
            Arc::clone(&self.lag),
            config.ocsp_paths.clone(),
        )
        .context("a thread cannot be started")?;
        Ok(tokio::task::spawn_blocking(move || {
            follow.look();
            follow
        })
        .await?)
    }
}

/// The part of a serving edge that serves nobody.
pub(crate) struct Keeper {
    pub(crate) first_look: FirstLook,
    pub(crate) giver: Option<Giver>,
    pub(crate) lock: StateLock,
    pub(crate) stop: Stopper,
}

impl Keeper {
    /// Follows until the edge stops or its place is given away, which stops it.
    pub(crate) async fn run(self, mut follow: Follow) -> anyhow::Result<()> {
        loop {
            let following = Stopper::new();
            let followed = tokio::spawn(follow.run(following.clone()));
            let successor = self.stop.run_until_stopped(self.asked()).await;
            following.stop();
            followed.await??;
            let Some((giver, successor)) = successor else {
                return Ok(());
            };
            tracing::info!("a new process takes over");
            let given = giver.give(successor, &self.lock, self.generations());
            match self.stop.run_until_stopped(given).await {
                None => return Ok(()),
                Some(Ok(())) => {
                    tracing::info!("the new process serves; this one ends");
                    self.stop.stop();
                    return Ok(());
                }
                Some(Err(error)) => {
                    tracing::error!(
                        "the new process did not take over, this one goes on: {error:#}"
                    );
                    follow = self.first_look.take().await?;
                }
            }
        }
    }

    async fn asked(&self) -> (&Giver, Successor) {
        match &self.giver {
            Some(giver) => (giver, giver.asked().await),
            None => std::future::pending().await,
        }
    }

    /// The generation served in each channel.
    fn generations(&self) -> BTreeMap<String, u64> {
        let live = self.first_look.live.load();
        live.channels()
            .iter()
            .map(|(name, channel)| (name.clone(), channel.manifest.generation))
            .collect()
    }
}
