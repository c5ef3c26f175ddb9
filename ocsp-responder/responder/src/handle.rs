//! From an HTTP request to its response: routing and everything that holds for all of them (standards section 4).

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use pki::ocsp::fresh_response::response_status;
use pki::{Clock, Time};

use crate::cells::{By, Cells, CoreCells, FreshOutcome, Outcome};
use crate::conditional::not_modified;
use crate::connection::Account;
use crate::fresh::Fresh;
use crate::http_time::{HttpDate, header_value, http_date};
use crate::live::{Live, Served};
use crate::object::{Asked, Resource};
use crate::ocsp::{self, Question, Said, Signed, Verdict};
use crate::response::{
    OCSP_RESPONSE, Reply, caching, closing, expires, for_one_client, method_not_allowed,
    ocsp_error, text,
};
use crate::{CacheConfig, get_path};

/// Everything that one serving thread needs to answer.
pub(crate) struct Handler {
    pub(crate) cache: CacheConfig,
    pub(crate) cells: Arc<Cells>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) core: usize,
    pub(crate) date: RefCell<Date>,
    pub(crate) live: Arc<ArcSwap<Live>>,
    pub(crate) request_octets: usize,
    pub(crate) fresh: Fresh,
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// The `Date` field, written once a second.
pub(crate) struct Date {
    of: Time,
    text: HttpDate,
    value: HeaderValue,
}

/// What the head of a request leaves to do.
enum Left {
    /// Nothing.
    Nothing(Reply),
    /// To answer these octets of an OCSP request.
    Ocsp(Vec<u8>, By),
    /// To read an OCSP request.
    Body,
}

/// The path of a request, sorted out.
pub(crate) enum Place<'a> {
    /// An OCSP request by GET: what follows the prefix.
    Ocsp(&'a str),
    Served(&'a Served),
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
        fresh: Fresh,
    ) -> Self {
        let now = clock.now();
        let date = RefCell::new(Date::of(now));
        Self {
            cache,
            cells,
            clock,
            core,
            date,
            live,
            request_octets,
            fresh,
        }
    }

    /// The response to a request; its body is read only for an OCSP request by POST.
    pub(crate) async fn handle<B: Body<Error: Into<BoxedError>>>(
        &self,
        request: Request<B>,
        account: &Account,
    ) -> Reply {
        let start = Instant::now();
        let reply = self.route(request, account).await;
        let nanoseconds = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.own_cells().took(nanoseconds, 1);
        reply
    }

    async fn route<B: Body<Error: Into<BoxedError>>>(
        &self,
        request: Request<B>,
        account: &Account,
    ) -> Reply {
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
        match self.by_head(&head) {
            Left::Nothing(reply) => reply,
            Left::Ocsp(der, method) => self.ocsp(&der, Some(&head.headers), method, account).await,
            Left::Body => self.by_body(body, account).await,
        }
    }

    /// As far as the head says it all.
    fn by_head(&self, head: &request::Parts) -> Left {
        let live = self.live.load();
        let reply = match (place(&live, head.uri.path()), &head.method) {
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
            (Place::Served(served), &Method::GET | &Method::HEAD) => self.served(served, head),
            (Place::Served(_), _) => self.refuse_method("GET, HEAD"),
            (Place::Ocsp(rest), &Method::GET) => return self.by_path(rest, By::Get),
            (Place::Ocsp(rest), &Method::HEAD) => return self.by_path(rest, By::Head),
            (Place::Ocsp(rest), &Method::POST) if rest.trim_matches('/').is_empty() => {
                return Left::Body;
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
        };
        Left::Nothing(reply)
    }

    fn served(&self, served: &Served, head: &request::Parts) -> Reply {
        let asked = Asked {
            method: &head.method,
            headers: &head.headers,
            now: self.clock.now(),
            cache: &self.cache,
        };
        let date = self.date_of(asked.now);
        let (reply, cells) = match served {
            Served::Differences(differences) => {
                let reply = differences.serve(head.uri.query(), &asked, date);
                (reply, &differences.cells)
            }
            Served::Numbered(crl) => (Resource::of(crl, true).serve(&asked, date), &crl.cells),
            Served::Object(object) => {
                let reply = Resource::of(object, false).serve(&asked, date);
                (reply, &object.cells)
            }
        };
        cells[self.core].count(reply.status().as_u16());
        reply
    }

    fn by_path(&self, rest: &str, method: By) -> Left {
        let mut der = Vec::new();
        match get_path::decode(rest, self.request_octets, &mut der) {
            Some(()) => Left::Ocsp(der, method),
            None => Left::Nothing(self.malformed(method)),
        }
    }

    async fn by_body<B: Body<Error: Into<BoxedError>>>(&self, body: B, account: &Account) -> Reply {
        match Limited::new(body, self.request_octets).collect().await {
            Ok(body) => self.ocsp(&body.to_bytes(), None, By::Post, account).await,
            // Too long, or cut off: what is left of it is not read.
            Err(_) => closing(self.malformed(By::Post)),
        }
    }

    /// Answers the octets of an OCSP request; `conditions` are given where 304 is possible.
    async fn ocsp(
        &self,
        der: &[u8],
        conditions: Option<&HeaderMap>,
        method: By,
        account: &Account,
    ) -> Reply {
        if let Some(reply) = self.freshly(der, method, account).await {
            return reply;
        }
        let live = self.live.load();
        let now = self.clock.now();
        let verdict = match ocsp::read(&live, der, self.fresh.is_there()) {
            Ok(question) => self.presigned(&question, now),
            Err(refused) => Verdict::refused(refused),
        };
        self.say(&verdict, conditions, method, now)
    }

    /// The presigner's answer to a request that wants one; `None` if what was signed ahead must do.
    async fn freshly(&self, der: &[u8], method: By, account: &Account) -> Option<Reply> {
        // Nothing of the live set is held while the presigner is at work.
        let (cells, budget, hash) = {
            let live = self.live.load();
            let question = ocsp::read(&live, der, self.fresh.is_there()).ok()?;
            let issuer = question.wants_fresh()?;
            let (cells, budget) = (Arc::clone(&issuer.cells), Arc::clone(&issuer.budget));
            (cells, budget, question.hash())
        };
        let cells = &cells[self.core];
        let asked = self.fresh.ask(&budget, account, der).await;
        match asked.and_then(|response| {
            let outcome = fresh_outcome(&response).ok_or(FreshOutcome::Away)?;
            Ok((response, outcome))
        }) {
            Ok((response, outcome)) => {
                cells.fresh(FreshOutcome::Answered).add(1);
                cells.count(outcome, method, hash);
                Some(for_one_client(response, self.date()))
            }
            Err(missed) => {
                cells.fresh(missed).add(1);
                None
            }
        }
    }

    /// What was signed ahead for a question, whatever else it may have wanted.
    pub(crate) fn presigned<'a>(&self, question: &Question<'a>, now: Time) -> Verdict<'a> {
        if let Some(issuer) = question.ignores_nonce() {
            let cells = &issuer.cells[self.core];
            cells.fresh(FreshOutcome::Ignored).add(1);
        }
        question.presigned(now)
    }

    fn malformed(&self, method: By) -> Reply {
        self.say(&Verdict::malformed(), None, method, self.clock.now())
    }

    fn say(
        &self,
        verdict: &Verdict<'_>,
        conditions: Option<&HeaderMap>,
        method: By,
        now: Time,
    ) -> Reply {
        let mut outcome = verdict.outcome();
        let reply = match &verdict.said {
            Said::Error(status) => ocsp_error(*status, self.date_of(now)),
            // The time of signing does not tell two answers of one second apart: only the tag does.
            Said::Answer(signed)
                if conditions
                    .is_some_and(|headers| not_modified(headers, signed.etag.as_bytes(), None)) =>
            {
                outcome = Outcome::NotModified;
                let mut reply = Response::new(Full::default());
                *reply.status_mut() = StatusCode::NOT_MODIFIED;
                self.cacheable(&mut reply, signed, now);
                reply
            }
            Said::Answer(signed) => {
                // Unwrap safety: there is a tag, hence a response.
                let body = signed.answer.response(signed.algorithm).unwrap();
                let mut reply = Response::new(Full::new(Bytes::from(body)));
                reply.headers_mut().insert(CONTENT_TYPE, OCSP_RESPONSE);
                self.cacheable(&mut reply, signed, now);
                reply
            }
        };
        verdict.count(self.core, self.own_cells(), outcome, method);
        reply
    }

    fn cacheable(&self, reply: &mut Reply, signed: &Signed<'_>, now: Time) {
        let max_age = signed
            .freshness
            .max_age(now, self.cache.ocsp_max_age_seconds);
        let modified = Some(signed.freshness.this_update);
        // Unwrap safety: quotes and hex digits only.
        let etag = HeaderValue::from_bytes(signed.etag.as_bytes()).unwrap();
        caching(reply, self.date_of(now), etag, modified, max_age);
        expires(reply, signed.freshness.next_update);
    }

    fn refuse_method(&self, allowed: &'static str) -> Reply {
        self.own_cells().refuse(405);
        // Its body, if it has one, is not read.
        closing(method_not_allowed(allowed, self.date()))
    }

    pub(crate) fn own_cells(&self) -> &CoreCells {
        &self.cells.cores[self.core]
    }

    fn date(&self) -> HeaderValue {
        self.date_of(self.clock.now())
    }

    fn date_of(&self, now: Time) -> HeaderValue {
        self.with_date(now, |date| date.value.clone())
    }

    /// The `Date` field as text.
    pub(crate) fn date_text(&self, now: Time) -> HttpDate {
        self.with_date(now, |date| date.text)
    }

    fn with_date<T>(&self, now: Time, take: impl FnOnce(&Date) -> T) -> T {
        let mut date = self.date.borrow_mut();
        if date.of != now {
            *date = Date::of(now);
        }
        take(&date)
    }
}

impl Date {
    fn of(time: Time) -> Self {
        let text = http_date(time);
        Self {
            of: time,
            text,
            value: header_value(&text),
        }
    }
}

/// How a response of the presigner is counted; `None` if it is none.
fn fresh_outcome(response: &[u8]) -> Option<Outcome> {
    Some(match response_status(response)? {
        0 => Outcome::Fresh,
        1 => Outcome::Malformed,
        2 => Outcome::InternalError,
        3 => Outcome::TryLater,
        6 => Outcome::Unauthorized,
        _ => return None,
    })
}

/// Extra leading slashes mean nothing (HTTP-04); all other slashes stay.
pub(crate) fn place<'a>(live: &'a Live, path: &'a str) -> Place<'a> {
    let slashes = path.len() - path.trim_start_matches('/').len();
    let path = &path[slashes.saturating_sub(1)..];
    if let Some(served) = live.served(path) {
        return Place::Served(served);
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

/// RFC 9112 section 3.2; HTTP/1.0 knows no Host.
fn has_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => true,
        (None, _) => request.version() == Version::HTTP_10,
        _ => false,
    }
}
