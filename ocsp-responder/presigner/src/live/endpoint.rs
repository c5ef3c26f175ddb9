//! The endpoint: sockets, connections, and the way from them to the signers.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use live_link::Listener;
use pki::Clock;
use prometheus::{IntCounterVec, Opts, Registry};
use telemetry::Stopper;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::config::LiveConfig;
use super::signers::Signers;
use super::standing::Standings;
use super::tls::{Handshake, TlsSocket};

/// Connections at a time: every edge has one for each of its threads.
const MOST_CONNECTIONS: usize = 1024;
/// Questions open at a time on one of them.
const MOST_QUESTIONS: usize = 256;
/// After a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Counts what became of questions.
#[derive(Clone, Debug)]
pub struct LiveMetrics {
    questions: IntCounterVec,
}

impl LiveMetrics {
    /// Registers them.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let questions = IntCounterVec::new(
            Opts::new(
                "avouch_presigner_live_questions_total",
                "Requests for answers signed while an edge waits, by what became of them",
            ),
            &["outcome"],
        )?;
        registry.register(Box::new(questions.clone()))?;
        Ok(Self { questions })
    }

    pub(crate) fn count(&self, outcome: &str) {
        self.questions.with_label_values(&[outcome]).inc();
    }
}

/// Where edges ask for answers that are signed while they wait.
#[derive(Debug)]
pub struct Endpoint {
    signers: Signers,
    socket: Option<Listener>,
    tls: Option<TlsSocket>,
}

impl Endpoint {
    /// Binds its sockets and starts its threads.
    pub async fn bind(
        config: &LiveConfig,
        standings: Arc<Standings>,
        clock: Arc<dyn Clock>,
        metrics: LiveMetrics,
    ) -> anyhow::Result<Self> {
        let socket = config.socket.as_deref().map(Listener::bind).transpose()?;
        let tls = match &config.tls {
            Some(tls) => Some(TlsSocket::bind(tls).await?),
            None => None,
        };
        Ok(Self {
            signers: Signers::start(config.threads, standings, clock, metrics)?,
            socket,
            tls,
        })
    }

    /// The address of the TLS listener.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls.as_ref().and_then(|tls| tls.address().ok())
    }

    /// Serves until `stop`. Whoever waits then gets no answer, and has another one that was signed ahead.
    pub async fn serve(self, stop: &Stopper) {
        let mut connections = JoinSet::new();
        loop {
            let room = connections.len() < MOST_CONNECTIONS;
            tokio::select! {
                () = stop.cancelled() => return,
                accepted = accept(self.socket.as_ref(), Listener::accept), if room => match accepted {
                    Ok(stream) => drop(connections.spawn(converse(stream, self.signers.clone()))),
                    Err(error) => not_accepted(&error).await,
                },
                accepted = accept(self.tls.as_ref(), TlsSocket::accept), if room => match accepted {
                    Ok(handshake) => drop(connections.spawn(greet(handshake, self.signers.clone()))),
                    Err(error) => not_accepted(&error).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

/// The next connection; never, without a socket.
async fn accept<'a, S, T>(
    socket: Option<&'a S>,
    accept: impl AsyncFnOnce(&'a S) -> io::Result<T>,
) -> io::Result<T> {
    match socket {
        Some(socket) => accept(socket).await,
        None => pending().await,
    }
}

async fn not_accepted(error: &io::Error) {
    tracing::error!("a connection to the live endpoint could not be accepted: {error}");
    // Out of descriptors, most likely: the next try would fail as fast.
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

async fn greet(handshake: Handshake, signers: Signers) {
    match handshake.finish().await {
        Ok(stream) => converse(stream, signers).await,
        Err(error) => tracing::warn!("a connection to the live endpoint is refused: {error:#}"),
    }
}

async fn converse<S: AsyncRead + AsyncWrite>(stream: S, signers: Signers) {
    let served = live_link::serve(stream, MOST_QUESTIONS, |question| signers.put(question)).await;
    if let Err(error) = served {
        tracing::warn!("a connection to the live endpoint is closed: {error}");
    }
}
