//! The edge as a whole: its sockets, its threads, its follower.

use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use pki::Clock;
use telemetry::{AdminSocket, Health, Stopper};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::Config;
use crate::cells::Cells;
use crate::core::{self, Limits};
use crate::fresh::{Budgets, Fresh};
use crate::hand_over::{Giver, Inherited};
use crate::handle::Handler;
use crate::keeper::{FirstLook, Keeper};
use crate::live::Live;
use crate::metrics::EdgeCollector;
use crate::readiness::{Lag, Rule};
use crate::sockets;
use crate::state_lock::StateLock;

/// The keyless edge; see [`Edge::start`].
#[derive(Debug)]
pub struct Edge;

/// A serving edge.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    cores: Vec<oneshot::Receiver<std::io::Result<()>>>,
    keeper: JoinHandle<anyhow::Result<()>>,
}

/// Taking the place of a running edge, and giving it to the next one.
#[derive(Debug, Default)]
pub struct Succession {
    /// What the running edge gave.
    pub inherited: Option<Inherited>,
    /// The admin listener, for the next one.
    pub admin: Option<AdminSocket>,
}

impl Edge {
    /// Binds (or takes the sockets of a running edge), takes what is published, and serves until `stop`.
    ///
    /// Returns when the first look at the publication is done and all threads accept connections. A publication that is
    /// empty or refused is no error: it is followed, and readiness tells.
    pub async fn start(
        config: &Config,
        clock: Arc<dyn Clock>,
        registry: &prometheus::Registry,
        health: &Health,
        stop: &Stopper,
        succession: Succession,
    ) -> anyhow::Result<Running> {
        let mut place = match succession.inherited {
            Some(inherited) => Place::Inherited(inherited),
            None => Place::Own(StateLock::take(&config.state)?),
        };
        let cores = config.cores.unwrap_or_else(all_cores).max(1);
        let listeners = sockets::bind(config.listen, cores, place.sockets()).with_context(|| {
            format!(
                "the status listener cannot be bound to {}; stop what listens there, or change `listen`",
                config.listen
            )
        })?;
        let address = listeners[0].local_addr()?;
        let cores = listeners.len();

        let cells = Arc::new(Cells::new(cores));
        let live = Arc::new(ArcSwap::from_pointee(Live::default()));
        let lag = Arc::new(Lag::default());
        let first_look = FirstLook {
            cells: Arc::clone(&cells),
            clock: Arc::clone(&clock),
            config: config.clone(),
            lag: Arc::clone(&lag),
            live: Arc::clone(&live),
        };
        let follow = first_look.take().await?;
        if let Place::Inherited(inherited) = &place {
            inherited.check(&live.load())?;
        }
        let limits = Limits::share(&config.limits, cores, sockets::room_for_connections());
        let budgets = Arc::new(Budgets::new(&config.fresh));
        let mut status = Vec::with_capacity(cores);
        let mut ends = Vec::with_capacity(cores);
        for (core, listener) in listeners.into_iter().enumerate() {
            let handler = Handler::new(
                core,
                Arc::clone(&cells),
                Arc::clone(&clock),
                Arc::clone(&live),
                config.cache.clone(),
                config.limits.request_octets,
                Fresh::new(&config.fresh, Arc::clone(&budgets)),
            );
            if succession.admin.is_some() {
                status.push(listener.try_clone()?);
            }
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
        let lock = match place {
            Place::Own(lock) => lock,
            Place::Inherited(inherited) => spawn_blocking(move || inherited.confirm()).await??,
        };
        let giver = match succession.admin {
            Some(admin) => Some(Giver::new(&config.state, status, admin)?),
            None => None,
        };
        let keeper = Keeper {
            first_look,
            giver,
            lock,
            stop: stop.clone(),
        };
        Ok(Running {
            address,
            cores: ends,
            keeper: tokio::spawn(keeper.run(follow)),
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
        self.keeper.await?
    }
}

/// Whose place in the state directory this edge has.
enum Place {
    Inherited(Inherited),
    Own(StateLock),
}

impl Place {
    /// The listening sockets that came with it.
    fn sockets(&mut self) -> Vec<TcpListener> {
        match self {
            Self::Inherited(inherited) => mem::take(&mut inherited.status),
            Self::Own(_) => Vec::new(),
        }
    }
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
