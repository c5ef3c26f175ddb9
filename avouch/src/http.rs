//! A small HTTP/1.1 client: one request, one connection, one deadline.

mod counting;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderMap};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http::counting::Counting;

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Asks with GET.
pub(crate) async fn get(
    url: &str,
    headers: &[(&str, &str)],
    deadline: Duration,
) -> Result<Response> {
    send(Method::GET, url, headers, Vec::new(), deadline).await
}

/// Asks with GET where the answer may come from a stranger: its body has at most `limit` octets. `received` grows by every
/// octet that comes, whatever comes of it.
pub(crate) async fn fetch(
    url: &str,
    headers: &[(&str, &str)],
    deadline: Duration,
    limit: usize,
    received: &Arc<AtomicU64>,
) -> Result<Response> {
    let exchange = exchange(Method::GET, url, headers, Vec::new(), limit, received);
    within(deadline, url, exchange).await
}

/// Asks with POST.
pub(crate) async fn post(
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
    deadline: Duration,
) -> Result<Response> {
    send(Method::POST, url, headers, body, deadline).await
}

async fn send(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
    deadline: Duration,
) -> Result<Response> {
    let received = Arc::new(AtomicU64::new(0));
    let exchange = exchange(method, url, headers, body, MAX_BODY, &received);
    within(deadline, url, exchange).await
}

async fn within(
    deadline: Duration,
    url: &str,
    exchange: impl Future<Output = Result<Response>>,
) -> Result<Response> {
    match timeout(deadline, exchange).await {
        Ok(result) => result.with_context(|| format!("no answer from {url}")),
        Err(_) => Err(anyhow!(
            "no answer from {url} within {} s",
            deadline.as_secs()
        )),
    }
}

async fn exchange(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
    limit: usize,
    received: &Arc<AtomicU64>,
) -> Result<Response> {
    let uri: Uri = url.parse()?;
    if uri.scheme_str() != Some("http") {
        bail!("only http:// is spoken here");
    }
    let authority = uri
        .authority()
        .ok_or_else(|| anyhow!("the URL names no host"))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let port = authority.port_u16().unwrap_or(80);
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(NotConnected)?;
    stream.set_nodelay(true)?;
    let stream = Counting::new(stream, Arc::clone(received));

    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, authority.as_str());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;

    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The connection ends with the sender; what went wrong on it also fails the request.
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, limit)
        .collect()
        .await
        .map_err(|error| anyhow!("the body broke off: {error}"))?
        .to_bytes();
    drop(sender);
    driver.abort();
    Ok(Response {
        status: head.status,
        headers: head.headers,
        body,
    })
}

/// Nobody listens there: the request was never sent, so sending it again does nothing twice.
#[derive(Debug)]
pub(crate) struct NotConnected(std::io::Error);

impl std::fmt::Display for NotConnected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "nobody listens there: {}", self.0)
    }
}

impl std::error::Error for NotConnected {}

/// Room for the CRL of a CA that revoked everything.
const MAX_BODY: usize = 1 << 30;
