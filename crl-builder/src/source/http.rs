//! GET of one object over plain HTTP (RFC 5280 section 4.2.1.13, RFC 9110): conditional, bounded in time, size and
//! redirections.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HOST, HeaderMap, HeaderName, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, USER_AGENT,
};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

const CONNECTING: Duration = Duration::from_secs(10);
const MOST_REDIRECTIONS: usize = 5;

/// What a server said about a body, to ask with next time (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Validators {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// 200, and the body.
    Body(Bytes, Validators),
    /// 304: what was there before is still it.
    NotModified,
}

/// Why nothing came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0:?} is no URL that can be fetched; http:// alone is")]
    Url(String),
    #[error("no connection to {0}: {1}")]
    Connection(String, std::io::Error),
    #[error("no connection to {0} within {s} s", s = CONNECTING.as_secs())]
    NoConnection(String),
    #[error("the answer broke off: {0}")]
    Broken(String),
    #[error("the answer was not there within {} s (source.timeout_seconds)", .0.as_secs())]
    Late(Duration),
    #[error("the answer has more than {0} octets (source.max_megabytes)")]
    TooLarge(usize),
    #[error("the answer is {0}")]
    Status(StatusCode),
    #[error("the answer is encoded as {0:?}, which was not asked for")]
    Encoded(HeaderValue),
    #[error("it is redirected more than {MOST_REDIRECTIONS} times")]
    Redirections,
}

/// Asks for `url`, and for nothing if it is still what `known` tells of.
pub(crate) async fn get(
    url: &str,
    known: &Validators,
    limit: usize,
    deadline: Duration,
) -> Result<Fetched, FetchError> {
    timeout(deadline, follow(url, known, limit))
        .await
        .unwrap_or(Err(FetchError::Late(deadline)))
}

async fn follow(url: &str, known: &Validators, limit: usize) -> Result<Fetched, FetchError> {
    let mut url = absolute(url)?;
    for _ in 0..=MOST_REDIRECTIONS {
        // The connection ends with its handle, whatever its other end does.
        let (response, _connection) = ask(&url, known).await?;
        match response.status() {
            StatusCode::OK => return body(response, limit).await,
            // Without a condition a server has no right to say so.
            StatusCode::NOT_MODIFIED if *known != Validators::default() => {
                return Ok(Fetched::NotModified);
            }
            status if status.is_redirection() => {
                let location = response.headers().get(LOCATION);
                let location = location.and_then(|location| location.to_str().ok());
                url = resolve(&url, location.ok_or(FetchError::Status(status))?)?;
            }
            status => return Err(FetchError::Status(status)),
        }
    }
    Err(FetchError::Redirections)
}

async fn ask(
    url: &Uri,
    known: &Validators,
) -> Result<(Response<Incoming>, AbortOnDropHandle<hyper::Result<()>>), FetchError> {
    let broken = |error: hyper::Error| FetchError::Broken(error.to_string());
    let unusable = || FetchError::Url(url.to_string());
    let authority = url.authority().ok_or_else(unusable)?;
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(80);
    let stream = timeout(CONNECTING, TcpStream::connect((host, port)))
        .await
        .map_err(|_| FetchError::NoConnection(authority.to_string()))?
        .map_err(|error| FetchError::Connection(authority.to_string(), error))?;
    let mut request = Request::get(url.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .header(USER_AGENT, concat!("avouch/", env!("CARGO_PKG_VERSION")));
    for (name, value) in known.conditions() {
        request = request.header(name, value);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|_| unusable())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // What goes wrong on it fails the request too.
    let connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let response = sender.send_request(request).await.map_err(broken)?;
    Ok((response, connection))
}

async fn body(response: Response<Incoming>, limit: usize) -> Result<Fetched, FetchError> {
    let (head, body) = response.into_parts();
    if let Some(encoding) = head.headers.get(CONTENT_ENCODING)
        && encoding != "identity"
    {
        return Err(FetchError::Encoded(encoding.clone()));
    }
    let announced = head.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(FetchError::TooLarge(limit));
    }
    let collected = Limited::new(body, limit).collect().await;
    let octets = collected
        .map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                FetchError::TooLarge(limit)
            } else {
                FetchError::Broken(error.to_string())
            }
        })?
        .to_bytes();
    Ok(Fetched::Body(octets, Validators::of(&head.headers)))
}

impl Validators {
    fn of(headers: &HeaderMap) -> Self {
        Self {
            etag: headers.get(ETAG).cloned(),
            last_modified: headers.get(LAST_MODIFIED).cloned(),
        }
    }

    fn conditions(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let etag = self.etag.clone().map(|etag| (IF_NONE_MATCH, etag));
        let since = self.last_modified.clone().map(|at| (IF_MODIFIED_SINCE, at));
        etag.into_iter().chain(since)
    }
}

fn absolute(url: &str) -> Result<Uri, FetchError> {
    let parsed = url.parse::<Uri>().ok().filter(|url| {
        url.scheme_str() == Some("http") && url.authority().is_some_and(|it| !it.host().is_empty())
    });
    parsed.ok_or_else(|| FetchError::Url(url.to_owned()))
}

/// A Location against the URL it came from (RFC 9110 section 10.2.2).
fn resolve(base: &Uri, location: &str) -> Result<Uri, FetchError> {
    let location = location.split('#').next().unwrap_or_default();
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let absolute_form = if location.contains("://") {
        location.to_owned()
    } else if let Some(other_host) = location.strip_prefix("//") {
        format!("http://{other_host}")
    } else if location.starts_with('/') {
        format!("http://{authority}{location}")
    } else {
        let folder = base
            .path()
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        format!("http://{authority}{folder}/{location}")
    };
    absolute(&absolute_form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirections_are_resolved() {
        let base = absolute("http://ca.example:81/crl/a.crl?x=1").unwrap();
        for (location, resolved) in [
            ("http://b.example/a.crl", "http://b.example/a.crl"),
            ("//b.example/a.crl", "http://b.example/a.crl"),
            ("/new.crl#part", "http://ca.example:81/new.crl"),
            ("b.crl", "http://ca.example:81/crl/b.crl"),
        ] {
            assert_eq!(resolve(&base, location).unwrap().to_string(), resolved);
        }
        for location in ["https://b.example/a.crl", "file:///etc/passwd", "http://"] {
            assert!(resolve(&base, location).is_err(), "{location}");
        }
    }
}
