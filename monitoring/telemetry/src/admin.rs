//! The admin listener of a daemon.
//!
//! - `/metrics`: all metrics, in the Prometheus text format
//! - `/healthz`: 200 while the daemon's own runtime makes progress
//! - `/readyz`, `/readyz?issuer=NAME`: 200 while it can do its work (for that issuer), else 503 with the reasons
//!
//! It runs on a thread and a runtime of its own, so that a scrape never waits for the daemon's work nor delays it.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::{Encoder, TextEncoder};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{Health, Readiness, Stopper};

/// Connections beyond this many wait.
const MAX_CONNECTIONS: usize = 64;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A runtime that has not run its heartbeat for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What the admin listener shows.
#[derive(Clone)]
pub(crate) struct Exposed {
    pub(crate) health: Health,
    pub(crate) pulse: Pulse,
    pub(crate) registry: prometheus::Registry,
    pub(crate) stop: Stopper,
}

/// When the daemon's own runtime last made progress.
#[derive(Clone)]
pub(crate) struct Pulse {
    start: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            last_ms: Arc::default(),
        }
    }

    /// Beats for as long as the runtime it is spawned on runs.
    pub(crate) async fn beat(self) {
        loop {
            self.last_ms.store(self.elapsed_ms(), Ordering::Relaxed);
            tokio::time::sleep(HEARTBEAT).await;
        }
    }

    fn silence(&self) -> Duration {
        Duration::from_millis(
            self.elapsed_ms()
                .saturating_sub(self.last_ms.load(Ordering::Relaxed)),
        )
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The admin listener's socket, to hand it to the process that takes this one's place.
#[derive(Clone, Debug)]
pub struct AdminSocket {
    listener: Arc<TcpListener>,
    left: CancellationToken,
}

impl AdminSocket {
    /// Takes the socket of a predecessor if it is bound as configured, else binds.
    pub(crate) fn new(address: SocketAddr, inherited: Option<TcpListener>) -> anyhow::Result<Self> {
        let fits = |bound: SocketAddr| {
            bound.ip() == address.ip() && [0, bound.port()].contains(&address.port())
        };
        let listener = match inherited {
            Some(listener) if fits(listener.local_addr()?) => listener,
            _ => TcpListener::bind(address).with_context(|| {
                format!(
                    "the admin listener cannot be bound to {address}; choose another address with --admin"
                )
            })?,
        };
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: Arc::new(listener),
            left: CancellationToken::new(),
        })
    }

    /// Its descriptor.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Accepts no more here: the successor does, and the state file is its own from now on.
    pub fn leave(&self) {
        self.left.cancel();
    }

    pub(crate) fn is_left(&self) -> bool {
        self.left.is_cancelled()
    }
}

/// Serves the admin listener on its own thread until the process ends. Returns its address.
pub(crate) fn start(socket: &AdminSocket, exposed: Exposed) -> anyhow::Result<SocketAddr> {
    let listener = socket.listener.try_clone()?;
    let left = socket.left.clone();
    let bound = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("admin".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => {
                        left.run_until_cancelled(accept(listener, exposed)).await;
                    }
                    Err(error) => tracing::error!("the admin listener does not serve: {error}"),
                }
            })
        })?;
    Ok(bound)
}

async fn accept(listener: tokio::net::TcpListener, exposed: Exposed) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // Unwrap safety: the semaphore is never closed.
        let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("the admin listener cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let exposed = exposed.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request: Request<Incoming>| {
                let response = respond(&request, &exposed);
                async move { Ok::<_, Infallible>(response) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!("admin connection: {error}");
            }
            drop(slot);
        });
    }
}

fn respond<B>(request: &Request<B>, exposed: &Exposed) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET and HEAD are allowed here\n",
        );
        response
            .headers_mut()
            .insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/healthz" => healthz(&exposed.pulse),
        "/metrics" => metrics(&exposed.registry),
        "/readyz" => readyz(exposed, issuer(request.uri().query())),
        _ => text(
            StatusCode::NOT_FOUND,
            "here are /metrics, /healthz and /readyz\n",
        ),
    }
}

fn metrics(registry: &prometheus::Registry) -> Response<Full<Bytes>> {
    let encoder = TextEncoder::new();
    let mut body = Vec::new();
    if let Err(error) = encoder.encode(&registry.gather(), &mut body) {
        tracing::error!("metrics cannot be encoded: {error}");
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("metrics cannot be encoded: {error}\n"),
        );
    }
    let mut response = text(StatusCode::OK, body);
    response.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static(prometheus::TEXT_FORMAT),
    );
    response
}

fn healthz(pulse: &Pulse) -> Response<Full<Bytes>> {
    let silence = pulse.silence();
    if silence > STUCK_AFTER {
        return text(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the daemon made no progress for {} s\n", silence.as_secs()),
        );
    }
    text(StatusCode::OK, "alive\n")
}

fn readyz(exposed: &Exposed, issuer: Option<String>) -> Response<Full<Bytes>> {
    if exposed.stop.is_stopped() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "not ready\nstopping\n");
    }
    match exposed.health.readiness(issuer.as_deref()) {
        Readiness::NotReady(reasons) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready\n{}\n", reasons.join("\n")),
        ),
        Readiness::Ready => text(StatusCode::OK, "ready\n"),
        Readiness::UnknownIssuer => text(StatusCode::NOT_FOUND, "no such issuer here\n"),
    }
}

fn issuer(query: Option<&str>) -> Option<String> {
    let value = query?
        .split('&')
        .find_map(|pair| pair.strip_prefix("issuer="))?;
    Some(percent_decode(value))
}

/// Decodes `%XX`; whatever is not an escape stays as it is.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escape = (first == b'%')
            .then(|| text_of(after.get(..2)?))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escape {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text_of(digits: &[u8]) -> Option<&str> {
    digits
        .iter()
        .all(u8::is_ascii_hexdigit)
        .then(|| std::str::from_utf8(digits).ok())
        .flatten()
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response.headers_mut().insert(
        CACHE_CONTROL,
        hyper::header::HeaderValue::from_static("no-store"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposed() -> Exposed {
        Exposed {
            health: Health::new(),
            pulse: Pulse::new(),
            registry: prometheus::Registry::new(),
            stop: Stopper::new(),
        }
    }

    fn get(exposed: &Exposed, uri: &str) -> StatusCode {
        respond(&Request::get(uri).body(()).unwrap(), exposed).status()
    }

    #[test]
    fn readiness_is_asked_by_issuer_and_escapes_are_decoded() {
        let exposed = exposed();
        exposed.health.part("issuer Třída 3").set_ready();
        exposed.health.part("issuer root").set_failed("no answers");
        assert_eq!(
            get(&exposed, "/readyz?issuer=T%C5%99%C3%ADda%203"),
            StatusCode::OK
        );
        assert_eq!(
            get(&exposed, "/readyz?x=1&issuer=root"),
            StatusCode::SERVICE_UNAVAILABLE
        );
        assert_eq!(
            get(&exposed, "/readyz?issuer=nobody"),
            StatusCode::NOT_FOUND
        );
        assert_eq!(get(&exposed, "/readyz?issuer=%zz%4"), StatusCode::NOT_FOUND);
        assert_eq!(get(&exposed, "/readyz"), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn a_stopping_daemon_is_not_ready_but_alive() {
        let exposed = exposed();
        assert_eq!(get(&exposed, "/readyz"), StatusCode::OK);
        exposed.stop.stop();
        assert_eq!(get(&exposed, "/readyz"), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(get(&exposed, "/healthz"), StatusCode::OK);
    }

    #[test]
    fn other_methods_and_paths_are_refused() {
        let exposed = exposed();
        let request = Request::post("/metrics").body(()).unwrap();
        let response = respond(&request, &exposed);
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[ALLOW], "GET, HEAD");
        assert_eq!(get(&exposed, "/metrics/../x"), StatusCode::NOT_FOUND);
    }
}
