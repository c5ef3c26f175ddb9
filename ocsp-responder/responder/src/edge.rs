//! The edge as a whole: its sockets, its threads, its follower.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use pki::Clock;
use publication::{Directory, Follower, Generations};
use telemetry::{Health, Stopper};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::Config;
use crate::cells::Cells;
use crate::core::{self, Limits};
use crate::follow::Follow;
use crate::gentle::Gentle;
use crate::handle::Handler;
use crate::live::Live;
use crate::metrics::EdgeCollector;
use crate::readiness::{Lag, Rule};
use crate::sockets;

/// The keyless edge; see [`Edge::start`].
#[derive(Debug)]
pub struct Edge;

/// A serving edge.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    cores: Vec<oneshot::Receiver<std::io::Result<()>>>,
    follower: JoinHandle<anyhow::Result<()>>,
}

impl Edge {
    /// Binds, takes what is published, and serves until `stop`.
    ///
    /// Returns when the first look at the publication is done and all threads accept connections. A publication that is
    /// empty or refused is no error: it is followed, and readiness tells.
    pub async fn start(
        config: &Config,
        clock: Arc<dyn Clock>,
        registry: &prometheus::Registry,
        health: &Health,
        stop: &Stopper,
    ) -> anyhow::Result<Running> {
        let cores = config.cores.unwrap_or_else(all_cores).max(1);
        let listeners = sockets::bind(config.listen, cores).with_context(|| {
            format!(
                "the status listener cannot be bound to {}; change `listen`",
                config.listen
            )
        })?;
        let address = listeners[0].local_addr()?;

        let cells = Arc::new(Cells::new(cores));
        let live = Arc::new(ArcSwap::from_pointee(Live::default()));
        let lag = Arc::new(Lag::default());
        let follow = first_look(config, &clock, &cells, &live, &lag).await?;
        let limits = Limits::share(&config.limits, cores, sockets::room_for_connections());
        let mut ends = Vec::with_capacity(cores);
        for (core, listener) in listeners.into_iter().enumerate() {
            let handler = Handler::new(
                core,
                Arc::clone(&cells),
                Arc::clone(&clock),
                Arc::clone(&live),
                config.cache.clone(),
                config.limits.request_octets,
            );
            let (limits, stop) = (limits.clone(), stop.clone());
            let (tell, end) = oneshot::channel();
            std::thread::Builder::new()
                .name(format!("serve-{core}"))
                .spawn(move || {
                    // Nobody listens any more only when the process is ending anyway.
                    let _ = tell.send(core::run(listener, handler, limits, &stop));
                })?;
            ends.push(end);
        }
        expose(config, &clock, &cells, &live, lag, registry, health)?;
        let follower = tokio::spawn(follow.run(stop.clone()));
        Ok(Running {
            address,
            cores: ends,
            follower,
        })
    }
}

impl Running {
    /// The address it serves on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the edge was stopped and every thread has finished its connections.
    pub async fn finished(self) -> anyhow::Result<()> {
        for end in self.cores {
            end.await.context("a serving thread ended")??;
        }
        self.follower.await?
    }
}

async fn first_look(
    config: &Config,
    clock: &Arc<dyn Clock>,
    cells: &Arc<Cells>,
    live: &Arc<ArcSwap<Live>>,
    lag: &Arc<Lag>,
) -> anyhow::Result<Follow> {
    let generations = Generations::open(config.state.join("generations.json"))
        .context("the generations taken before cannot be read")?;
    let follower = Follower::new(
        Directory::new(&config.publication),
        config.trust()?,
        generations,
    );
    let mut follow = Follow {
        cells: Arc::clone(cells),
        clock: Arc::clone(clock),
        conflicts: BTreeSet::new(),
        follower,
        gentle: Gentle::start().context("a thread cannot be started")?,
        lag: Arc::clone(lag),
        live: Arc::clone(live),
        opened: BTreeMap::new(),
        prefixes: config.ocsp_paths.clone(),
        retired: Vec::new(),
    };
    Ok(tokio::task::spawn_blocking(move || {
        follow.look();
        follow
    })
    .await?)
}

fn expose(
    config: &Config,
    clock: &Arc<dyn Clock>,
    cells: &Arc<Cells>,
    live: &Arc<ArcSwap<Live>>,
    lag: Arc<Lag>,
    registry: &prometheus::Registry,
    health: &Health,
) -> anyhow::Result<()> {
    registry.register(Box::new(EdgeCollector {
        cells: Arc::clone(cells),
        clock: Arc::clone(clock),
        live: Arc::clone(live),
    }))?;
    let rule = Rule {
        clock: Arc::clone(clock),
        lag,
        lag_limit: Duration::from_secs(config.limits.lag_seconds),
        live: Arc::clone(live),
    };
    health.set_rule(move |issuer| rule.readiness(issuer));
    Ok(())
}

fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}
