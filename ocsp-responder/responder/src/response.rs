//! Responses put together from prepared pieces.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, DATE, EXPIRES, HeaderValue, LAST_MODIFIED,
    PRAGMA, RETRY_AFTER,
};
use hyper::{Response, StatusCode};
use pki::Time;
use pki::ocsp::response::ErrorStatus;

use crate::http_time::{header_value, http_date};

pub(crate) type Reply = Response<Full<Bytes>>;

pub(crate) const OCSP_RESPONSE: HeaderValue = HeaderValue::from_static("application/ocsp-response");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store, no-cache");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// An OCSP error: HTTP 200, so that clients read it (HTTP-08), and never kept by a cache (HTTP-13).
pub(crate) fn ocsp_error(status: ErrorStatus, date: HeaderValue) -> Reply {
    for_one_client(Bytes::from_static(status.der()), date)
}

/// An OCSP response that no cache may give to anybody else.
pub(crate) fn for_one_client(response: Bytes, date: HeaderValue) -> Reply {
    let mut reply = Response::new(Full::new(response));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, OCSP_RESPONSE);
    headers.insert(DATE, date);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(PRAGMA, NO_CACHE);
    reply
}

/// A line of text that no cache keeps.
pub(crate) fn text(status: StatusCode, date: HeaderValue, line: &'static str) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from_static(line.as_bytes())));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, TEXT);
    headers.insert(DATE, date);
    headers.insert(CACHE_CONTROL, NO_STORE);
    reply
}

/// 405 with the methods that are possible.
pub(crate) fn method_not_allowed(allowed: &'static str, date: HeaderValue) -> Reply {
    let mut reply = text(
        StatusCode::METHOD_NOT_ALLOWED,
        date,
        "this method is not possible here\n",
    );
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// 503 for something that exists but must not be given out now.
pub(crate) fn unavailable(date: HeaderValue, line: &'static str) -> Reply {
    let mut reply = text(StatusCode::SERVICE_UNAVAILABLE, date, line);
    reply
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("60"));
    reply
}

/// Makes the connection end after this response.
pub(crate) fn closing(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CONNECTION, CLOSE);
    reply
}

/// The header fields of something that caches may keep (HTTP-09 to HTTP-12).
pub(crate) fn caching(
    reply: &mut Reply,
    date: HeaderValue,
    etag: HeaderValue,
    modified: Option<Time>,
    max_age: u32,
) {
    let headers = reply.headers_mut();
    headers.insert(DATE, date);
    headers.insert(hyper::header::ETAG, etag);
    if let Some(modified) = modified {
        headers.insert(LAST_MODIFIED, header_value(&http_date(modified)));
    }
    headers.insert(CACHE_CONTROL, cache_control(max_age));
}

/// `Expires` is nextUpdate (HTTP-11).
pub(crate) fn expires(reply: &mut Reply, next_update: Time) {
    reply
        .headers_mut()
        .insert(EXPIRES, header_value(&http_date(next_update)));
}

/// It never changes: until it ends nobody need ask again (RFC 8246).
pub(crate) fn immutable(reply: &mut Reply, max_age: u32) {
    let text = format!("max-age={max_age}, public, no-transform, must-revalidate, immutable");
    // Unwrap safety: visible ASCII and spaces.
    let value = HeaderValue::from_str(&text).unwrap();
    reply.headers_mut().insert(CACHE_CONTROL, value);
}

fn cache_control(max_age: u32) -> HeaderValue {
    let text = format!("max-age={max_age}, public, no-transform, must-revalidate");
    // Unwrap safety: visible ASCII and spaces.
    HeaderValue::from_str(&text).unwrap()
}
