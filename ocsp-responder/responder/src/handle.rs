//! From an HTTP request to its response: routing and everything that holds for all of them (standards section 4).

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use pki::ocsp::response::ErrorStatus;
use pki::{Clock, Time};

use crate::cells::{By, Cells, CoreCells, Hash, Outcome};
use crate::conditional::not_modified;
use crate::http_time::http_date;
use crate::live::Live;
use crate::ocsp::{self, Counted, Said, Signed};
use crate::response::{
    OCSP_RESPONSE, Reply, caching, closing, expires, method_not_allowed, ocsp_error, text,
};
use crate::{CacheConfig, get_path, object};

/// Everything that one serving thread needs to answer.
pub(crate) struct Handler {
    pub(crate) cache: CacheConfig,
    pub(crate) cells: Arc<Cells>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) core: usize,
    pub(crate) date: RefCell<(Time, HeaderValue)>,
    pub(crate) live: Arc<ArcSwap<Live>>,
    pub(crate) request_octets: usize,
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// The path of a request, sorted out.
enum Place<'a> {
    /// An OCSP request by GET: what follows the prefix.
    Ocsp(&'a str),
    Object(Arc<crate::live::StaticObject>),
    Outside,
}

impl Handler {
    pub(crate) fn new(
        core: usize,
        cells: Arc<Cells>,
        clock: Arc<dyn Clock>,
        live: Arc<ArcSwap<Live>>,
        cache: CacheConfig,
        request_octets: usize,
    ) -> Self {
        let now = clock.now();
        let date = RefCell::new((now, http_date(now)));
        Self {
            cache,
            cells,
            clock,
            core,
            date,
            live,
            request_octets,
        }
    }

    /// The response to a request; its body is read only for an OCSP request by POST.
    pub(crate) async fn handle<B: Body<Error: Into<BoxedError>>>(
        &self,
        request: Request<B>,
    ) -> Reply {
        let start = Instant::now();
        let reply = self.route(request).await;
        let nanoseconds = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.own_cells().took(nanoseconds);
        reply
    }

    async fn route<B: Body<Error: Into<BoxedError>>>(&self, request: Request<B>) -> Reply {
        if !has_one_host(&request) {
            self.own_cells().refuse(400);
            let reply = text(
                StatusCode::BAD_REQUEST,
                self.date(),
                "a request has exactly one Host\n",
            );
            return closing(reply);
        }
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let place = self.place(path);
        match (place, &head.method) {
            (Place::Outside, method) => {
                self.own_cells().refuse(404);
                let reply = text(
                    StatusCode::NOT_FOUND,
                    self.date(),
                    "there is nothing here\n",
                );
                let has_body = !matches!(*method, Method::GET | Method::HEAD);
                if has_body { closing(reply) } else { reply }
            }
            (Place::Object(object), &Method::GET | &Method::HEAD) => {
                let reply = object::serve(
                    &object,
                    &head.method,
                    &head.headers,
                    self.clock.now(),
                    self.date(),
                    &self.cache,
                );
                object.cells[self.core].count(reply.status().as_u16());
                reply
            }
            (Place::Object(_), _) => self.refuse_method("GET, HEAD"),
            (Place::Ocsp(rest), &Method::GET) => self.by_path(rest, &head.headers, By::Get),
            (Place::Ocsp(rest), &Method::HEAD) => self.by_path(rest, &head.headers, By::Head),
            (Place::Ocsp(rest), &Method::POST) if rest.trim_matches('/').is_empty() => {
                self.by_body(body).await
            }
            (Place::Ocsp(_), &Method::POST) => {
                self.own_cells().refuse(404);
                closing(text(
                    StatusCode::NOT_FOUND,
                    self.date(),
                    "an OCSP request by POST goes to the service's own path\n",
                ))
            }
            (Place::Ocsp(_), _) => self.refuse_method("GET, HEAD, POST"),
        }
    }

    /// Extra leading slashes mean nothing (HTTP-04); all other slashes stay.
    fn place<'a>(&self, path: &'a str) -> Place<'a> {
        let slashes = path.len() - path.trim_start_matches('/').len();
        let path = &path[slashes.saturating_sub(1)..];
        let live = self.live.load();
        if let Some(object) = live.object(path) {
            return Place::Object(Arc::clone(object));
        }
        if let Some(rest) = live.below_prefix(path) {
            return Place::Ocsp(rest);
        }
        let reserved = path.starts_with("/crl/") || path.starts_with("/ca/");
        if path.starts_with('/') && !reserved && get_path::resembles_request(path) {
            return Place::Ocsp(path);
        }
        Place::Outside
    }

    fn by_path(&self, rest: &str, headers: &HeaderMap, method: By) -> Reply {
        match get_path::decode(rest, self.request_octets) {
            Some(der) => self.ocsp(&der, Some(headers), method),
            None => self.malformed(method),
        }
    }

    async fn by_body<B: Body<Error: Into<BoxedError>>>(&self, body: B) -> Reply {
        match Limited::new(body, self.request_octets).collect().await {
            Ok(body) => self.ocsp(&body.to_bytes(), None, By::Post),
            // Too long, or cut off: what is left of it is not read.
            Err(_) => closing(self.malformed(By::Post)),
        }
    }

    /// Answers the octets of an OCSP request; `conditions` are given where 304 is possible.
    fn ocsp(&self, der: &[u8], conditions: Option<&HeaderMap>, method: By) -> Reply {
        let now = self.clock.now();
        let live = self.live.load();
        let (said, mut counted) = ocsp::answer(&live, der, now);
        let reply = match said {
            Said::Error(status) => ocsp_error(status, self.date_of(now)),
            // The time of signing does not tell two answers of one second apart: only the tag does.
            Said::Answer(signed)
                if conditions
                    .is_some_and(|headers| not_modified(headers, signed.etag.as_bytes(), None)) =>
            {
                counted.outcome = Outcome::NotModified;
                let mut reply = Response::new(Full::default());
                *reply.status_mut() = StatusCode::NOT_MODIFIED;
                self.cacheable(&mut reply, &signed, now);
                reply
            }
            Said::Answer(signed) => {
                let mut reply = Response::new(Full::new(signed.bytes.clone()));
                reply.headers_mut().insert(CONTENT_TYPE, OCSP_RESPONSE);
                self.cacheable(&mut reply, &signed, now);
                reply
            }
        };
        counted.count(self.core, self.own_cells(), method);
        reply
    }

    fn cacheable(&self, reply: &mut Reply, signed: &Signed, now: Time) {
        let max_age = signed
            .freshness
            .max_age(now, self.cache.ocsp_max_age_seconds);
        let modified = Some(signed.freshness.this_update);
        caching(
            reply,
            self.date_of(now),
            signed.etag.clone(),
            modified,
            max_age,
        );
        expires(reply, signed.freshness.next_update);
    }

    fn malformed(&self, method: By) -> Reply {
        let counted = Counted {
            issuer: None,
            hash: Hash::Other,
            outcome: Outcome::Malformed,
        };
        counted.count(self.core, self.own_cells(), method);
        ocsp_error(ErrorStatus::MalformedRequest, self.date())
    }

    fn refuse_method(&self, allowed: &'static str) -> Reply {
        self.own_cells().refuse(405);
        // Its body, if it has one, is not read.
        closing(method_not_allowed(allowed, self.date()))
    }

    fn own_cells(&self) -> &CoreCells {
        &self.cells.cores[self.core]
    }

    fn date(&self) -> HeaderValue {
        self.date_of(self.clock.now())
    }

    /// The `Date` field; written once a second.
    fn date_of(&self, now: Time) -> HeaderValue {
        let mut date = self.date.borrow_mut();
        if date.0 != now {
            *date = (now, http_date(now));
        }
        date.1.clone()
    }
}

/// RFC 9112 section 3.2; HTTP/1.0 knows no Host.
fn has_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => true,
        (None, _) => request.version() == Version::HTTP_10,
        _ => false,
    }
}
