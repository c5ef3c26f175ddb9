//! Requests to the server of the CRL: bounded in time, size and redirections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use codings::Coding;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED, LOCATION,
};

use crate::cli::FetchCrlOptions;
use crate::http;

const REDIRECTIONS: usize = 5;

pub(super) struct Transfer {
    end: Instant,
    limit: usize,
    received: Arc<AtomicU64>,
}

/// What a server answers.
pub(super) enum Got {
    Body(Body),
    NotModified,
}

/// Decoded, with what the server says of it.
pub(super) struct Body {
    pub(super) octets: Vec<u8>,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    content_type: Option<String>,
}

impl Body {
    pub(super) fn is_of_type(&self, content_type: &str) -> bool {
        let named = self.content_type.as_deref().unwrap_or_default();
        let named = named.split(';').next().unwrap_or_default().trim();
        named.eq_ignore_ascii_case(content_type)
    }
}

impl Transfer {
    pub(super) fn new(options: &FetchCrlOptions) -> Self {
        Self {
            // Elapsed time, no wall-clock time.
            end: Instant::now() + Duration::from_secs(options.timeout),
            // Lossless: at most 1 GiB.
            limit: (options.max_size as usize) << 20,
            received: Arc::default(),
        }
    }

    /// Octets that came, of heads and bodies.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Asks with GET and follows redirections.
    pub(super) async fn get(&self, url: &str, conditions: &[(&str, String)]) -> Result<Got> {
        let mut url = url.to_owned();
        for _ in 0..=REDIRECTIONS {
            let left = self.end.saturating_duration_since(Instant::now());
            ensure!(
                !left.is_zero(),
                "there was no more time; give more with --timeout"
            );
            let mut headers = vec![
                ("Accept-Encoding", "zstd, gzip"),
                ("User-Agent", concat!("avouch/", env!("CARGO_PKG_VERSION"))),
            ];
            headers.extend(
                conditions
                    .iter()
                    .map(|(name, value)| (*name, value.as_str())),
            );
            let response = http::fetch(&url, &headers, left, self.limit, &self.received).await?;
            match response.status {
                StatusCode::OK => return self.body(response.headers, &response.body),
                StatusCode::NOT_MODIFIED => return Ok(Got::NotModified),
                status if status.is_redirection() => {
                    url = redirected(&url, &response.headers)?;
                }
                status => bail!("the server answers {status}"),
            }
        }
        bail!("more than {REDIRECTIONS} redirections")
    }

    fn body(&self, headers: HeaderMap, body: &Bytes) -> Result<Got> {
        let field = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let octets = match field(CONTENT_ENCODING) {
            None => body.to_vec(),
            Some(name) if name.eq_ignore_ascii_case("identity") => body.to_vec(),
            Some(name) => Coding::from_name(&name)
                .with_context(|| format!("it comes in {name}, which was not asked for"))?
                .decode(body, self.limit)
                .with_context(|| format!("its {name} cannot be read"))?,
        };
        Ok(Got::Body(Body {
            octets,
            etag: field(ETAG),
            last_modified: field(LAST_MODIFIED),
            content_type: field(CONTENT_TYPE),
        }))
    }
}

/// Where a redirection leads: another URL, or a path at the same server.
fn redirected(url: &str, headers: &HeaderMap) -> Result<String> {
    let location = headers
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .context("a redirection leads nowhere")?;
    if location.starts_with('/') && !location.starts_with("//") {
        let authority = url
            .strip_prefix("http://")
            .and_then(|rest| rest.split(['/', '?']).next())
            .context("only http:// is spoken here")?;
        return Ok(format!("http://{authority}{location}"));
    }
    ensure!(
        location.starts_with("http://"),
        "it redirects to {location}; only http:// is spoken here, which is enough for a CRL since it is signed"
    );
    Ok(location.to_owned())
}
