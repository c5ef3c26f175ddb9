//! Revoking certificates (S7).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use issuance::Signer;
use ledger::{Ground, LedgerError, Revocation, RevocationRequest};
use pki::profile::RuleSet;
use pki::refusal::Refusal;
use pki::{RevocationReason, Serial, Time};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, check_actor};
use crate::api::error::ApiError;

/// The body of `POST /v1/revocations`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevokeRequest {
    issuer: String,
    serial: Serial,
    /// `subscriber`, `support` or `arbitrator`.
    ground: Ground,
    /// A case reference.
    #[serde(default)]
    case: Option<String>,
    #[serde(default = "unspecified")]
    reason: RevocationReason,
    /// Since when the key is known or suspected to be compromised.
    #[serde(default)]
    invalidity_date: Option<Time>,
    actor: String,
}

const fn unspecified() -> RevocationReason {
    RevocationReason::Unspecified
}

pub(super) async fn revoke<S: Signer + 'static>(
    State(api): State<Arc<Api<S>>>,
    body: Result<Json<RevokeRequest>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(request) = body?;
    check_actor(&request.actor)?;
    if let Some(case) = &request.case {
        pki::name_rules::check_text(case).map_err(|refusal| refusal.of_field("case"))?;
    }
    check_reason(request.reason, api.rule_set)?;

    let RevokeRequest {
        issuer,
        serial,
        ground,
        ..
    } = request.clone();
    if api.ledger.issuer(&issuer).await?.is_none() {
        return Err(LedgerError::UnknownIssuer(issuer).into());
    }
    let revocation = api
        .ledger
        .revoke(&RevocationRequest {
            issuer: request.issuer,
            serial,
            actor: request.actor,
            ground,
            case: request.case,
            reason: request.reason,
            invalidity_date: request.invalidity_date,
        })
        .await?;
    if !revocation.already {
        api.metrics.revoked(ground.as_str());
        tracing::info!(
            issuer,
            %serial,
            reason = %revocation.reason,
            ground = %revocation.ground,
            actor = revocation.actor,
            "certificate revoked"
        );
    }
    let mut body = revocation_json(&revocation);
    body["issuer"] = json!(issuer);
    body["serial"] = json!(serial);
    body["already_revoked"] = json!(revocation.already);
    Ok(Json(body))
}

/// CRL-13: which reasons a subscriber's certificate may have.
fn check_reason(reason: RevocationReason, rule_set: RuleSet) -> Result<(), Refusal> {
    use RevocationReason as R;
    let allowed = matches!(
        reason,
        R::Unspecified
            | R::KeyCompromise
            | R::AffiliationChanged
            | R::Superseded
            | R::CessationOfOperation
            | R::PrivilegeWithdrawn
    );
    if allowed || rule_set == RuleSet::Community {
        return Ok(());
    }
    Err(Refusal::new(
        "CRL-13",
        "reason",
        format!(
            "{reason} is not a reason for subscribers' certificates under the rule set {rule_set}"
        ),
        "Use keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn or unspecified.",
    ))
}

/// What the record says of a revocation.
pub(super) fn revocation_json(revocation: &Revocation) -> Value {
    json!({
        "revoked_at": revocation.time,
        "reason": revocation.reason,
        "ground": revocation.ground,
        "actor": revocation.actor,
        "case": revocation.case,
        "invalidity_date": revocation.invalidity_date,
        "seq": revocation.seq,
    })
}
