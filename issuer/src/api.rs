//! The HTTP API: JSON over loopback, every request with `Authorization: Bearer TOKEN`.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /v1/certificates` | 201 and the certificate; 503 with `pending` if the signer is away |
//! | `POST /v1/revocations` | 200 and the revocation, durable |
//! | `GET /v1/certificates/{issuer}/{serial}` | 200 and what is known; 202 while it waits for the signer |
//! | `POST /v1/openpgp/certifications` | 201 and the key with its certified user ids; 503 if the signer is away |
//! | `GET /v1/openpgp/certifications/{fingerprint}` | 200 and what was asked about a key |
//! | `GET /v1/openpgp/keys` | 200 and the CA's OpenPGP keys |
//! | `GET /v1/issuers`, `GET /v1/profiles` | 200 and a list |
//!
//! Every error is `{"error": {"rule", "field", "message", "remedy"}}`.

mod certificates;
mod error;
mod lists;
mod openpgp;
mod revocations;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use issuance::{Issuance, PgpIssuance, Signer};
use ledger::Ledger;
use pki::name_rules::IdnPolicy;
use pki::profile::RuleSet;
use pki::weak_keys::DebianWeakKeys;

use crate::metrics::Metrics;
use crate::profiles::Profiles;
use crate::token::Token;
use error::ApiError;

/// The largest body of a request; a CSR with an RSA-8192 key and a hundred names has 10 KiB.
const BODY_LIMIT: usize = 128 * 1024;

/// The longest name of somebody who asks.
const ACTOR_LIMIT: usize = 200;

/// What every request needs.
pub(crate) struct Api<S> {
    pub(crate) ledger: Ledger,
    pub(crate) issuance: Issuance<S>,
    pub(crate) openpgp: PgpIssuance,
    pub(crate) profiles: Profiles,
    pub(crate) rule_set: RuleSet,
    pub(crate) idn: IdnPolicy,
    pub(crate) debian: Option<DebianWeakKeys>,
    pub(crate) metrics: Metrics,
    pub(crate) token: Token,
}

/// The routes.
pub(crate) fn router<S: Signer + Clone + 'static>(api: Arc<Api<S>>) -> Router {
    Router::new()
        .route("/v1/certificates", post(certificates::issue::<S>))
        .route(
            "/v1/certificates/{issuer}/{serial}",
            get(certificates::show::<S>),
        )
        .route("/v1/revocations", post(revocations::revoke::<S>))
        .route(
            "/v1/openpgp/certifications",
            post(openpgp::certify::<S>).layer(DefaultBodyLimit::max(openpgp::BODY_LIMIT)),
        )
        .route(
            "/v1/openpgp/certifications/{fingerprint}",
            get(openpgp::show::<S>),
        )
        .route("/v1/openpgp/keys", get(openpgp::keys::<S>))
        .route("/v1/issuers", get(lists::issuers::<S>))
        .route("/v1/profiles", get(lists::profiles::<S>))
        .fallback(async || ApiError::no_such_resource())
        .method_not_allowed_fallback(async || ApiError::wrong_method())
        .layer(middleware::from_fn_with_state(
            Arc::clone(&api),
            authorise::<S>,
        ))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(api)
}

async fn authorise<S: Signer + 'static>(
    State(api): State<Arc<Api<S>>>,
    request: Request,
    next: Next,
) -> Response {
    let given = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    match given {
        Some(given) if api.token.is(given.trim()) => next.run(request).await,
        _ => ApiError::unauthorised().into_response(),
    }
}

/// Who asks, as the records will name him.
fn check_actor(actor: &str) -> Result<(), ApiError> {
    pki::name_rules::check_text(actor).map_err(|refusal| refusal.of_field("actor"))?;
    if actor.chars().count() > ACTOR_LIMIT {
        return Err(ApiError::bad_request(
            "actor",
            format!("it is longer than {ACTOR_LIMIT} characters"),
            "Shorten it.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
