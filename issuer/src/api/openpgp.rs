//! Certifying user ids of OpenPGP keys, and showing them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use issuance::{PgpError, PgpIssuer, PgpOrder, Signer};
use ledger::{PgpRecord, PgpResult};
use openpgp::{TransferableKey, armour};
use pki::refusal::Refusal;
use serde::Deserialize;
use serde_json::{Value, json};
use signer_client::{Level, SignPgpUid};

use super::certificates::read_evidence;
use super::{Api, check_actor};
use crate::api::error::ApiError;
use crate::openpgp::{Chosen, LeftOut, Verified, check_verified, choose};

/// The largest body of a request: a key with the signatures of some hundred people.
pub(super) const BODY_LIMIT: usize = 1024 * 1024;

/// What certifications are counted as.
const PROFILE: &str = "openpgp";

/// The body of `POST /v1/openpgp/certifications`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertifyRequest {
    /// The member's public key, in ASCII armour.
    key: String,
    /// `member` or `assured`.
    level: String,
    /// The name that was verified.
    #[serde(default)]
    name: Option<String>,
    /// The addresses that were verified.
    #[serde(default)]
    addresses: Vec<String>,
    /// Exactly this many or a refusal.
    #[serde(default)]
    days: Option<u32>,
    /// SHA-256, in hex, of what there is as evidence.
    #[serde(default)]
    evidence_sha256: Option<String>,
    /// Which of the signer's OpenPGP keys, where there are several.
    #[serde(default)]
    issuer: Option<String>,
    actor: String,
}

pub(super) async fn certify<S: Signer + 'static>(
    State(api): State<Arc<Api<S>>>,
    body: Result<Json<CertifyRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let Json(request) = body?;
    // On its own task: what was begun is finished also when nobody waits for the answer any more.
    let task = tokio::spawn(async move {
        let result = certify_now(&api, &request).await;
        record_decision(&api, &request, result.as_ref().err());
        result
    });
    let answer = task
        .await
        .map_err(|_| ApiError::internal("the request was not finished"))??;
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn certify_now<S: Signer + 'static>(
    api: &Arc<Api<S>>,
    request: &CertifyRequest,
) -> Result<Value, ApiError> {
    check_actor(&request.actor)?;
    let evidence = request.evidence_sha256.as_deref();
    let verified = Verified {
        level: level(&request.level)?,
        name: request.name.clone(),
        addresses: request.addresses.clone(),
    };
    check_verified(&verified, &api.idn)?;
    let choosing = {
        let (api, key, verified) = (Arc::clone(api), request.key.clone(), verified.clone());
        // Signatures are verified and RSA keys are checked, which takes some milliseconds.
        tokio::task::spawn_blocking(move || {
            let now = api.openpgp.now();
            choose(key.as_bytes(), &verified, api.debian.as_ref(), now)
        })
    };
    let Chosen {
        key,
        places,
        mut left_out,
    } = choosing
        .await
        .map_err(|_| ApiError::internal("the key was not judged"))??;
    let spki_sha256 = key.key().key().fingerprint();
    if api.ledger.is_key_blocked(&spki_sha256).await? {
        return Err(Refusal::new(
            "I5",
            "key",
            "this key is known to be compromised",
            "Make a new key.",
        )
        .into());
    }
    let order = PgpOrder {
        issuer: request.issuer.clone(),
        key,
        places,
        level: verified.level,
        name: verified.name,
        addresses: verified.addresses,
        days: request.days,
        evidence_sha256: evidence.map(read_evidence).transpose()?,
        actor: request.actor.clone(),
    };
    let (issuer, results) = api.openpgp.certify(&order).await?;
    let user_id = |place: usize| {
        let text = order.key.identities()[place].text();
        text.unwrap_or_default().to_owned()
    };
    let (mut certified, mut bodies) = (Vec::new(), Vec::new());
    for result in results {
        let user_id = user_id(result.place);
        match result.result {
            Ok(body) => {
                certified.push(json!({ "user_id": user_id, "expires": result.expires }));
                bodies.push((result.place, body));
            }
            Err(why) => left_out.push(LeftOut { user_id, why }),
        }
    }
    // The signer's own reason, of the last that it refused.
    if bodies.is_empty()
        && let Some(last) = left_out.pop()
    {
        return Err(last.why.into());
    }
    let octets = order.key.certified(&bodies).to_octets();
    Ok(json!({
        "fingerprint": order.key.key().to_string(),
        "issuer": issuer.name,
        "by": issuer.key.key().to_string(),
        "certified": certified,
        "left_out": left_out,
        "key": armour::encode(&octets),
    }))
}

fn level(name: &str) -> Result<Level, ApiError> {
    [Level::Member, Level::Assured]
        .into_iter()
        .find(|level| level.name() == name)
        .ok_or_else(|| {
            ApiError::bad_request(
                "level",
                format!("there is no level {name:?}"),
                "Say member (less than 50 points) or assured.",
            )
        })
}

/// I17: who asked for what, and which rule refused.
fn record_decision<S>(api: &Api<S>, request: &CertifyRequest, error: Option<&ApiError>) {
    match error {
        None => api.metrics.issued(PROFILE),
        Some(error) => {
            api.metrics.refused(error.rule());
            tracing::info!(
                profile = PROFILE,
                level = request.level,
                actor = request.actor,
                rule = error.rule(),
                "request not fulfilled: {}",
                error.message()
            );
        }
    }
}

pub(super) async fn keys<S: Signer + 'static>(
    State(api): State<Arc<Api<S>>>,
) -> Result<Json<Value>, ApiError> {
    let issuers = api.openpgp.issuers().await?;
    Ok(Json(issuers.iter().map(key_json).collect()))
}

fn key_json(issuer: &PgpIssuer) -> Value {
    let user_id = issuer.key.identities().first();
    json!({
        "name": issuer.name,
        "fingerprint": issuer.key.key().to_string(),
        "user_id": user_id.and_then(|identity| identity.text()),
        "expires": issuer.expires,
        "key": armour::encode(&issuer.key.to_octets()),
    })
}

pub(super) async fn show<S: Signer + 'static>(
    State(api): State<Arc<Api<S>>>,
    Path(fingerprint): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let mut octets = [0; 20];
    hex::decode_to_slice(fingerprint.trim(), &mut octets).map_err(|_| {
        ApiError::bad_request(
            "fingerprint",
            "it is no fingerprint of an OpenPGP key",
            "Give 40 hexadecimal digits, as gpg --fingerprint prints them, without spaces.",
        )
    })?;
    let records = api.ledger.pgp_of_key(&octets).await?;
    if records.is_empty() {
        return Err(ApiError::not_found(
            "fingerprint",
            "nothing was ever asked about this key",
            "Check the fingerprint.",
        ));
    }
    Ok(Json(json!({
        "fingerprint": hex::encode_upper(octets),
        "requests": records.iter().map(record_json).collect::<Vec<Value>>(),
        "key": certified_key(&records).map(|key| armour::encode(&key.to_octets())),
    })))
}

fn record_json(record: &PgpRecord) -> Value {
    let request = &record.request;
    let (state, why) = match &record.result {
        None => ("pending", None),
        Some(PgpResult::Certified { .. }) => ("certified", None),
        Some(PgpResult::Refused(why)) => ("refused", Some(why)),
    };
    json!({
        "state": state,
        "why": why,
        "user_id": request.user_id,
        "level": request.level,
        "issuer": request.issuer,
        "created": request.created,
        "expires": request.expires,
        "requested_by": request.actor,
    })
}

/// The key with every user id that was ever certified: for whoever asked while the signer was away.
fn certified_key(records: &[PgpRecord]) -> Option<TransferableKey> {
    let mut key = None;
    let mut identities: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for record in records {
        let Some(PgpResult::Certified { certification, .. }) = &record.result else {
            continue;
        };
        let question = SignPgpUid::decode(&record.request.request).ok()?;
        let known = identities
            .iter_mut()
            .find(|(user_id, _)| *user_id == question.user_id);
        match known {
            Some((_, bodies)) => bodies.push(certification.clone()),
            None => {
                let bodies = vec![question.self_signature, certification.clone()];
                identities.push((question.user_id, bodies));
            }
        }
        key = openpgp::PublicKey::from_body(&question.key).ok();
    }
    Some(TransferableKey::new(key?, identities))
}

impl From<PgpError> for ApiError {
    fn from(error: PgpError) -> Self {
        let text = error.to_string();
        match error {
            PgpError::Ledger(error) => error.into(),
            PgpError::Refused(refusal) => refusal.into(),
            PgpError::SignerAway(_) => Self::unavailable(
                text,
                "Do not ask again; fetch it later with GET /v1/openpgp/certifications/{fingerprint}.",
            ),
            PgpError::SignerUnseen(_) => {
                Self::unavailable(text, "Ask again when the signer is there.")
            }
            _ => Self::internal(text),
        }
    }
}
