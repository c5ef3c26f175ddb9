//! CRLs, CA certificates and whatever else is served as it is (CRL-30, CRL-31).

use http_body_util::Full;
use hyper::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RANGE};
use hyper::{HeaderMap, Method, Response, StatusCode};
use pki::Time;

use crate::CacheConfig;
use crate::conditional::{not_modified, range_applies};
use crate::live::StaticObject;
use crate::range::{Requested, requested};
use crate::response::{Reply, caching, expires, text, unavailable};

/// Answers a GET or HEAD for an object.
pub(crate) fn serve(
    object: &StaticObject,
    method: &Method,
    headers: &HeaderMap,
    now: Time,
    date: HeaderValue,
    cache: &CacheConfig,
) -> Reply {
    if object
        .freshness
        .is_some_and(|freshness| !freshness.is_current(now))
    {
        return unavailable(
            date,
            "this CRL is not valid now and a newer one is not there yet\n",
        );
    }
    if not_modified(headers, object.etag.as_bytes(), object.last_modified) {
        let mut reply = Response::new(Full::default());
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
        cacheable(&mut reply, object, now, date, cache);
        return reply;
    }
    let range = headers.get(RANGE).filter(|_| {
        method == Method::GET
            && range_applies(headers, object.etag.as_bytes(), object.last_modified)
    });
    let length = object.bytes.len();
    let (status, bytes, content_range) =
        match range.map_or(Requested::Whole, |field| requested(field, length)) {
            Requested::Whole => (StatusCode::OK, object.bytes.clone(), None),
            Requested::Part(part) => {
                let content_range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
                (
                    StatusCode::PARTIAL_CONTENT,
                    object.bytes.slice(part),
                    Some(content_range),
                )
            }
            Requested::Unsatisfiable => return unsatisfiable(length, date),
        };
    let mut reply = Response::new(Full::new(bytes));
    *reply.status_mut() = status;
    let reply_headers = reply.headers_mut();
    reply_headers.insert(CONTENT_TYPE, object.content_type.clone());
    reply_headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(content_range) = content_range {
        reply_headers.insert(CONTENT_RANGE, ascii(&content_range));
    }
    cacheable(&mut reply, object, now, date, cache);
    reply
}

fn cacheable(
    reply: &mut Reply,
    object: &StaticObject,
    now: Time,
    date: HeaderValue,
    cache: &CacheConfig,
) {
    let max_age = match object.freshness {
        Some(freshness) => freshness.max_age(now, cache.crl_max_age_seconds),
        None => cache.certificate_max_age_seconds,
    };
    caching(
        reply,
        date,
        object.etag.clone(),
        object.last_modified,
        max_age,
    );
    if let Some(freshness) = object.freshness {
        expires(reply, freshness.next_update);
    }
}

fn unsatisfiable(length: usize, date: HeaderValue) -> Reply {
    let mut reply = text(
        StatusCode::RANGE_NOT_SATISFIABLE,
        date,
        "it has no such octets\n",
    );
    reply
        .headers_mut()
        .insert(CONTENT_RANGE, ascii(&format!("bytes */{length}")));
    reply
}

fn ascii(text: &str) -> HeaderValue {
    // Unwrap safety: digits and the ASCII around them.
    HeaderValue::from_str(text).unwrap()
}
