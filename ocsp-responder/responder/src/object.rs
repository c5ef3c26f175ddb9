//! CRLs, CA certificates and whatever else is served as it is (CRL-30, CRL-31), compressed ahead where that pays.

use codings::Coding;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, HeaderValue,
    RANGE, VARY,
};
use hyper::{HeaderMap, Method, Response, StatusCode};
use pki::Time;

use crate::CacheConfig;
use crate::conditional::{not_modified, range_applies};
use crate::freshness::Freshness;
use crate::live::{StaticObject, Variant};
use crate::negotiation::Accepted;
use crate::range::{Requested, requested};
use crate::response::{Reply, caching, expires, immutable, text, unavailable};

/// What is at a URL.
#[derive(Clone, Debug)]
pub(crate) struct Resource<'a> {
    pub(crate) bytes: Bytes,
    pub(crate) etag: HeaderValue,
    pub(crate) variants: &'a [Variant],
    pub(crate) content_type: &'a HeaderValue,
    pub(crate) last_modified: Option<Time>,
    pub(crate) freshness: Option<Freshness>,
    /// This URL will never show anything else.
    pub(crate) lasting: bool,
}

/// A request for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) now: Time,
    pub(crate) cache: &'a CacheConfig,
}

/// One of its representations.
#[derive(Clone, Copy)]
struct Representation<'a> {
    coding: Option<Coding>,
    bytes: &'a Bytes,
    etag: &'a HeaderValue,
}

impl<'a> Resource<'a> {
    pub(crate) fn of(object: &'a StaticObject, lasting: bool) -> Self {
        Self {
            bytes: object.bytes.clone(),
            etag: object.etag.clone(),
            variants: &object.variants,
            content_type: &object.content_type,
            last_modified: object.last_modified,
            freshness: object.freshness,
            lasting,
        }
    }

    /// Answers a GET or HEAD.
    pub(crate) fn serve(&self, asked: &Asked<'_>, date: HeaderValue) -> Reply {
        match self.freshness {
            Some(freshness) if self.lasting && freshness.next_update <= asked.now => {
                return text(StatusCode::GONE, date, "this CRL has ended\n");
            }
            Some(freshness) if !freshness.is_current(asked.now) => {
                let line = "this CRL is not valid now and a newer one is not there yet\n";
                return unavailable(date, line);
            }
            _ => {}
        }
        let accepted = Accepted::of(asked.headers);
        let ranged = asked.method == Method::GET
            && asked.headers.contains_key(RANGE)
            && accepted.accepts(None)
            && range_applies(asked.headers, self.etag.as_bytes(), self.last_modified);
        let selected = match (ranged, self.variants) {
            // Without variants there is nothing to choose. Parts are always of the object as it is.
            (true, _) | (_, []) => self.identity(),
            _ => match self.selected(&accepted) {
                Some(selected) => selected,
                None => return vary(text(StatusCode::NOT_ACCEPTABLE, date, NOT_ACCEPTABLE)),
            },
        };
        let mut reply = if let Some(known) = self.known(asked.headers, &accepted, selected) {
            let mut reply = Response::new(Full::default());
            *reply.status_mut() = StatusCode::NOT_MODIFIED;
            self.cacheable(&mut reply, known, asked, date);
            reply
        } else {
            let mut reply = match (ranged, asked.headers.get(RANGE)) {
                (true, Some(range)) => match self.part(range) {
                    Some(reply) => reply,
                    None => return unsatisfiable(self.bytes.len(), date),
                },
                _ => Response::new(Full::new(selected.bytes.clone())),
            };
            let headers = reply.headers_mut();
            headers.insert(CONTENT_TYPE, self.content_type.clone());
            headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            if let Some(coding) = selected.coding {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
            }
            self.cacheable(&mut reply, selected, asked, date);
            reply
        };
        if !self.variants.is_empty() {
            reply = vary(reply);
        }
        reply
    }

    fn identity(&self) -> Representation<'_> {
        Representation {
            coding: None,
            bytes: &self.bytes,
            etag: &self.etag,
        }
    }

    fn representations(&self) -> impl Iterator<Item = Representation<'_>> {
        let variants = self.variants.iter().map(|variant| Representation {
            coding: Some(variant.coding),
            bytes: &variant.bytes,
            etag: &variant.etag,
        });
        std::iter::once(self.identity()).chain(variants)
    }

    fn selected(&self, accepted: &Accepted) -> Option<Representation<'_>> {
        let all = self.representations();
        accepted.best(all.map(|one| (one.coding, one.bytes.len(), one)))
    }

    /// The representation that the client has, so that 304 is the answer: the selected one, or another one that it
    /// accepts, since all of them are current.
    fn known<'r>(
        &'r self,
        headers: &HeaderMap,
        accepted: &Accepted,
        selected: Representation<'r>,
    ) -> Option<Representation<'r>> {
        let others = self
            .representations()
            .filter(|other| accepted.accepts(other.coding));
        std::iter::once(selected)
            .chain(others)
            .find(|one| not_modified(headers, one.etag.as_bytes(), self.last_modified))
    }

    /// 206, or the whole where the range means that; `None` if there are no such octets.
    fn part(&self, range: &HeaderValue) -> Option<Reply> {
        let length = self.bytes.len();
        match requested(range, length) {
            Requested::Whole => Some(Response::new(Full::new(self.bytes.clone()))),
            Requested::Part(part) => {
                let content_range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
                let mut reply = Response::new(Full::new(self.bytes.slice(part)));
                *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
                reply
                    .headers_mut()
                    .insert(CONTENT_RANGE, ascii(&content_range));
                Some(reply)
            }
            Requested::Unsatisfiable => None,
        }
    }

    fn cacheable(
        &self,
        reply: &mut Reply,
        shown: Representation<'_>,
        asked: &Asked<'_>,
        date: HeaderValue,
    ) {
        let max_age = match self.freshness {
            Some(freshness) => freshness.max_age(asked.now, asked.cache.crl_max_age_seconds),
            None => asked.cache.certificate_max_age_seconds,
        };
        let etag = shown.etag.clone();
        caching(reply, date, etag, self.last_modified, max_age);
        if let Some(freshness) = self.freshness {
            expires(reply, freshness.next_update);
            if self.lasting {
                immutable(reply, freshness.max_lifetime(asked.now));
            }
        }
    }
}

const NOT_ACCEPTABLE: &str = "it is here as it is (identity) and in gzip and zstd\n";

fn vary(mut reply: Reply) -> Reply {
    reply
        .headers_mut()
        .insert(VARY, HeaderValue::from(ACCEPT_ENCODING));
    reply
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
