//! Which issuers and profiles there are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use issuance::Signer;
use pki::{Certificate, DerError};
use serde_json::{Value, json};

use super::Api;
use crate::api::error::ApiError;

pub(super) async fn issuers<S: Signer + 'static>(
    State(api): State<Arc<Api<S>>>,
) -> Result<Json<Value>, ApiError> {
    let mut list = Vec::new();
    for issuer in api.ledger.issuers().await? {
        let ca = Certificate::from_der(&issuer.certificate).map_err(|error: DerError| {
            ApiError::internal(format!("the CA certificate of {}: {error}", issuer.name))
        })?;
        list.push(json!({
            "name": issuer.name,
            "subject": ca.subject().to_string(),
            "not_before": ca.not_before(),
            "not_after": ca.not_after(),
            "key": ca.public_key().kind().ok(),
            "origin": issuer.origin,
            "signs": issuer.signs,
            "certificate": ca.to_pem(),
        }));
    }
    Ok(Json(json!({ "issuers": list })))
}

pub(super) async fn profiles<S: Signer + 'static>(
    State(api): State<Arc<Api<S>>>,
) -> Result<Json<Value>, ApiError> {
    let profiles = api
        .profiles
        .all()
        .map_err(|error| ApiError::internal(format!("{error:#}")))?;
    let list: Vec<Value> = profiles
        .iter()
        .filter(|profile| !profile.is_ocsp_responder())
        .map(|profile| {
            json!({
                "name": profile.name,
                "description": profile.description,
                "default_days": profile.default_days,
                "max_days": profile.max_days,
                "issuers": profile.issuers,
            })
        })
        .collect();
    Ok(Json(json!({ "rule_set": api.rule_set, "profiles": list })))
}
