//! Connections of the edge, each carried to the presigner.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use live_link::Listener;
use prometheus::{IntCounterVec, Opts, Registry};
use telemetry::{Health, Part, Stopper};
use tokio::io::copy_bidirectional;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use crate::{Config, presigner};

/// Connections at a time: an edge has one for each of its threads.
const MOST_CONNECTIONS: usize = 256;
/// After a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Forwards until it is stopped.
#[derive(Debug)]
pub struct Forwarder {
    listener: Listener,
    carrier: Arc<Carrier>,
}

/// What every connection needs.
#[derive(Debug)]
struct Carrier {
    config: Config,
    connections: IntCounterVec,
    presigner: Part,
}

impl Forwarder {
    /// Listens for the edge; files that cannot be used are an error now and not only at the first connection.
    pub fn bind(config: Config, registry: &Registry, health: &Health) -> anyhow::Result<Self> {
        presigner::check(&config)?;
        let connections = IntCounterVec::new(
            Opts::new(
                "avouch_forwarder_connections_total",
                "Connections of the edge, by whether the presigner could be reached",
            ),
            &["outcome"],
        )?;
        registry.register(Box::new(connections.clone()))?;
        let presigner = health.part("presigner");
        // Until somebody has asked, nothing is wrong.
        presigner.set_ready();
        Ok(Self {
            listener: Listener::bind(&config.socket)?,
            carrier: Arc::new(Carrier {
                config,
                connections,
                presigner,
            }),
        })
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: &Stopper) {
        let mut connections = JoinSet::new();
        loop {
            let room = connections.len() < MOST_CONNECTIONS;
            tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept(), if room => match accepted {
                    Ok(edge) => drop(connections.spawn(Arc::clone(&self.carrier).carry(edge))),
                    Err(error) => {
                        tracing::error!("a connection could not be accepted: {error}");
                        // Out of descriptors, most likely: the next try would fail as fast.
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

impl Carrier {
    async fn carry(self: Arc<Self>, mut edge: UnixStream) {
        let mut presigner = match presigner::connect(&self.config).await {
            Ok(presigner) => presigner,
            Err(error) => {
                tracing::warn!("{error:#}");
                self.connections.with_label_values(&["failed"]).inc();
                self.presigner.set_failed(format!("{error:#}"));
                return;
            }
        };
        self.connections.with_label_values(&["carried"]).inc();
        self.presigner.set_ready();
        match copy_bidirectional(&mut edge, &mut presigner).await {
            Ok(_) => {}
            // As when the presigner stops: the edge comes again when it has something to ask.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => tracing::warn!("a connection broke: {error}"),
        }
    }
}
