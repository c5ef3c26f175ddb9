//! One edge: what it says, verified.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use hyper::StatusCode;
use hyper::header::ETAG;
use ledger::Origin;
use pki::ocsp::response::ErrorStatus;
use pki::ocsp::verify::{Expected, verify_responder, verify_response_by};
use pki::ocsp::{IssuerHashes, request};
use pki::{Certificate, Serial, Time, Violation};
use tokio::task::block_in_place;

use crate::http::Client;
use crate::judge::Said;
use crate::list::List;
use crate::pace::Pace;
use crate::shared::Shared;
use crate::subject::Subject;
use crate::troubles::Troubles;
use crate::which::Which;

/// Verified responder certificates are believed for so long before they are verified again.
const BELIEVED_FOR: i64 = 60;

/// An edge that is watched.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) url: String,
    pub(crate) shared: Arc<Shared>,
    pub(crate) troubles: Troubles,
    client: Client,
    pace: Pace,
    /// The last CRLs of each issuer that verified.
    lists: Mutex<HashMap<(String, Which), Arc<List>>>,
    /// Responder certificates that verified, by issuer and DER; until when that is believed.
    responders: Mutex<HashMap<(String, Vec<u8>), Time>>,
}

/// Why an edge says nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Silence {
    /// It cannot be reached, or breaks off.
    #[error("{0:#}")]
    Away(anyhow::Error),
    /// It refuses, for this issuer or this once.
    #[error("{0}")]
    Refusal(String),
}

/// What came of fetching a CRL.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// There is none, which is right for a CA whose key and CRL are elsewhere.
    Absent,
    /// There is none, and there has to be one.
    Lacking(String),
    /// A new one.
    New(Arc<List>),
    /// The one that was fetched before.
    Same(Arc<List>),
    /// One that breaks a rule.
    Unfit(Violation),
    /// One that is older than what this edge has served before.
    WentBack(String),
}

impl Edge {
    pub(crate) fn new(url: &str, shared: Arc<Shared>) -> anyhow::Result<Self> {
        let part = shared
            .health
            .as_ref()
            .map(|health| health.part(&format!("edge {url}")));
        Ok(Self {
            client: Client::new(url)?,
            url: url.to_owned(),
            pace: Pace::per_second(shared.config.ocsp_per_second),
            troubles: Troubles::new(url, part),
            lists: Mutex::default(),
            responders: Mutex::default(),
            shared,
        })
    }

    /// Asks by OCSP about one certificate, when it is its turn.
    pub(crate) async fn ocsp(
        &self,
        subject: &Subject,
        hashes: &IssuerHashes,
        serial: &Serial,
    ) -> Result<Said, Silence> {
        self.pace.turn().await;
        let question = request::build(hashes, &[*serial], None);
        let answer = self.client.ocsp(question).await;
        self.reached(answer.is_ok());
        let answer = answer.map_err(Silence::Away)?;
        if answer.status != StatusCode::OK {
            return Err(Silence::Refusal(format!(
                "OCSP is answered by HTTP {}",
                answer.status
            )));
        }
        for (status, name) in [
            (ErrorStatus::TryLater, "tryLater"),
            (ErrorStatus::InternalError, "internalError"),
            (ErrorStatus::MalformedRequest, "malformedRequest"),
            (ErrorStatus::SigRequired, "sigRequired"),
        ] {
            if *answer.body == *status.der() {
                return Err(Silence::Refusal(format!("OCSP says {name}")));
            }
        }
        if *answer.body == *ErrorStatus::Unauthorized.der() {
            return Ok(Said::Unauthorized);
        }
        let now = self.shared.clock.now();
        let expected = Expected {
            ca: &subject.ca,
            hash: hashes.hash,
            serial,
            now,
            status: None,
            rules: subject.ocsp_rules(),
        };
        let verified = verify_response_by(&answer.body, &expected, |responder| {
            self.verify_delegation(responder, subject, now)
        });
        Ok(match verified {
            Ok(verified) => Said::Signed(verified.status),
            Err(violation) => Said::Unfit(violation),
        })
    }

    /// Fetches a CRL unless it is still the one before.
    pub(crate) async fn crl(&self, subject: &Subject, which: &Which) -> Result<Fetched, Silence> {
        let before = self.list(subject.name(), which);
        let etag = before.as_ref().and_then(|list| list.etag.as_ref());
        let path = which.path(subject.name());
        let answer = self.client.get(&path, etag).await;
        self.reached(answer.is_ok());
        let answer = answer.map_err(Silence::Away)?;
        match (answer.status, &before) {
            (StatusCode::OK, _) => {}
            (StatusCode::NOT_MODIFIED, Some(before)) => {
                return Ok(Fetched::Same(Arc::clone(before)));
            }
            (StatusCode::NOT_FOUND, None) if !subject.issuer.signs => return Ok(Fetched::Absent),
            // A part or a delta comes with the next build.
            (StatusCode::NOT_FOUND, _) if *which != Which::Complete => {
                return Ok(Fetched::Lacking(format!(
                    "nothing: /{path} is answered by HTTP 404"
                )));
            }
            (status, _) => {
                return Err(Silence::Refusal(format!(
                    "there is no CRL: /{path} is answered by HTTP {status}"
                )));
            }
        }
        let etag = answer.headers.get(ETAG).cloned();
        let now = self.shared.clock.now();
        let list = block_in_place(|| {
            List::verified(&answer.body, etag, subject, which, before.as_deref(), now)
        });
        let list = match list {
            Ok(list) => Arc::new(list),
            Err(violation) => return Ok(Fetched::Unfit(violation)),
        };
        if let Some(before) = before
            && let (Some(number), Some(last)) = (&list.number, &before.number)
            && number < last
        {
            return Ok(Fetched::WentBack(format!(
                "CRL number {number} after number {last}"
            )));
        }
        self.lists().insert(
            (subject.name().to_owned(), which.clone()),
            Arc::clone(&list),
        );
        Ok(Fetched::New(list))
    }

    /// The last CRL that verified.
    pub(crate) fn list(&self, issuer: &str, which: &Which) -> Option<Arc<List>> {
        let key = (issuer.to_owned(), which.clone());
        self.lists().get(&key).cloned()
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, HashMap<(String, Which), Arc<List>>> {
        // Unwrap safety: nothing panics while the lock is held.
        self.lists.lock().unwrap()
    }

    fn reached(&self, is_up: bool) {
        self.shared.metrics.up(&self.url, is_up);
        if is_up {
            self.troubles.clear(CONNECTION);
        } else {
            self.troubles
                .set(CONNECTION, "the edge does not answer; see whether it runs");
        }
    }

    /// One signature for each responder certificate and minute instead of one for each answer.
    fn verify_delegation(
        &self,
        responder: &Certificate,
        subject: &Subject,
        now: Time,
    ) -> Result<(), Violation> {
        let key = (subject.name().to_owned(), responder.der().to_vec());
        // Unwrap safety: nothing panics while the lock is held.
        let mut believed = self.responders.lock().unwrap();
        if believed.get(&key).is_some_and(|&until| now < until) {
            return Ok(());
        }
        match subject.issuer.origin {
            Origin::Own => verify_responder(responder, &subject.ca, now, subject.ocsp_rules())?,
            Origin::Imported => answers::check_delegation(responder, &subject.ca)?,
        }
        believed.retain(|_, &mut until| now < until);
        let until = now.plus_seconds(BELIEVED_FOR).min(responder.not_after());
        believed.insert(key, until);
        Ok(())
    }
}

const CONNECTION: &str = "connection";
