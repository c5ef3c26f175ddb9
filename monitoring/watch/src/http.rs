//! Asking one edge over connections that are kept alive, as a client of the world does.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, IF_NONE_MATCH};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Long for an answer, short for an alarm.
const PATIENCE: Duration = Duration::from_secs(10);
/// A large CRL takes its time.
const PATIENCE_FOR_LISTS: Duration = Duration::from_secs(300);
const MOST_OCSP: usize = 1 << 20;
/// Room for the CRL of a CA that revoked everything.
const MOST_LIST: usize = 1 << 30;

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// One edge.
#[derive(Debug)]
pub(crate) struct Client {
    base: Uri,
    host: String,
    port: u16,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Client {
    /// For an edge at this base URL, which ends with a slash.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let base: Uri = url
            .parse()
            .with_context(|| format!("the edge {url:?} is no URL"))?;
        ensure!(
            base.scheme_str() == Some("http"),
            "the edge {url:?}: status is served over http://"
        );
        let authority = base
            .authority()
            .with_context(|| format!("the edge {url:?} names no host"))?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        Ok(Self {
            host,
            port: authority.port_u16().unwrap_or(80),
            base,
            idle: Mutex::default(),
        })
    }

    /// Asks OCSP by POST.
    pub(crate) async fn ocsp(&self, question: Vec<u8>) -> anyhow::Result<Answer> {
        let request = self
            .request(Method::POST, "")?
            .header(CONTENT_TYPE, "application/ocsp-request")
            .body(Full::new(question.into()))?;
        self.send(request, PATIENCE, MOST_OCSP).await
    }

    /// Fetches what lies below the base URL, unless it is still what has this ETag.
    pub(crate) async fn get(
        &self,
        path: &str,
        etag: Option<&HeaderValue>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.request(Method::GET, path)?;
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let request = request.body(Full::default())?;
        self.send(request, PATIENCE_FOR_LISTS, MOST_LIST).await
    }

    fn request(&self, method: Method, path: &str) -> anyhow::Result<hyper::http::request::Builder> {
        // `new` has looked at the authority.
        let authority = self.base.authority().context("a host")?.as_str();
        Ok(Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base.path()))
            .header(HOST, authority))
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
        most: usize,
    ) -> anyhow::Result<Answer> {
        match timeout(patience, self.exchange(request, most)).await {
            Ok(answer) => answer,
            Err(_) => Err(anyhow!("no answer within {} s", patience.as_secs())),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, most: usize) -> anyhow::Result<Answer> {
        // A connection that was idle may have been closed meanwhile: then another one is tried.
        while let Some(mut sender) = self.take_idle() {
            if sender.ready().await.is_ok()
                && let Ok(answer) = self.ask(sender, request.clone(), most).await
            {
                return Ok(answer);
            }
        }
        self.ask(self.connect().await?, request, most).await
    }

    async fn ask(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> anyhow::Result<Answer> {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, most)
            .collect()
            .await
            .map_err(|error| anyhow!("the answer broke off: {error}"))?
            .to_bytes();
        if !sender.is_closed() {
            self.idle_connections().push(sender);
        }
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with its sender; what goes wrong on it fails the request too.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("connection to an edge: {error}");
            }
        });
        Ok(sender)
    }

    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.idle_connections().pop()
    }

    fn idle_connections(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        // Unwrap safety: nothing panics while the lock is held.
        self.idle.lock().unwrap()
    }
}
