//! Issuing certificates and showing them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use issuance::{Issued, Order, Signer};
use ledger::CertificateRecord;
use pki::{HashAlgorithm, Serial, pem};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, check_actor};
use crate::api::error::ApiError;
use crate::intake::{self, Accepted, Dropped};

/// The body of `POST /v1/certificates`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssueRequest {
    issuer: String,
    profile: String,
    /// PEM.
    csr: String,
    /// `sha256`, `sha384` or `sha512`: exactly this one or a refusal.
    #[serde(default)]
    hash: Option<String>,
    /// Exactly this many or a refusal.
    #[serde(default)]
    days: Option<u32>,
    /// SHA-256, in hex, of what there is as evidence that the names were verified.
    #[serde(default)]
    evidence_sha256: Option<String>,
    actor: String,
}

pub(super) async fn issue<S: Signer + Clone + 'static>(
    State(api): State<Arc<Api<S>>>,
    body: Result<Json<IssueRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let Json(request) = body?;
    // On its own task: what was begun is finished also when nobody waits for the answer any more.
    let task = tokio::spawn(async move {
        let result = issue_now(&api, &request).await;
        record_decision(&api, &request, result.as_ref().err());
        result
    });
    let (issued, dropped) = task
        .await
        .map_err(|_| ApiError::internal("the request was not finished"))??;
    Ok((StatusCode::CREATED, Json(issued_json(&issued, &dropped))))
}

async fn issue_now<S: Signer + Clone + 'static>(
    api: &Arc<Api<S>>,
    request: &IssueRequest,
) -> Result<(Issued, Vec<Dropped>), ApiError> {
    check_actor(&request.actor)?;
    let hash = request.hash.as_deref().map(read_hash).transpose()?;
    let evidence_sha256 = request
        .evidence_sha256
        .as_deref()
        .map(read_evidence)
        .transpose()?;
    let profile = api
        .profiles
        .profile(&request.profile)
        .map_err(|error| ApiError::internal(format!("{error:#}")))?
        .ok_or_else(|| {
            ApiError::not_found(
                "profile",
                format!("there is no profile named {:?}", request.profile),
                "GET /v1/profiles lists the profiles.",
            )
        })?;

    let judge = {
        let (api, profile, csr) = (Arc::clone(api), Arc::clone(&profile), request.csr.clone());
        // The checks of RSA keys take some milliseconds of computing.
        tokio::task::spawn_blocking(move || {
            intake::judge(&csr, &profile, &api.idn, api.debian.as_ref())
        })
    };
    let accepted: Accepted = judge
        .await
        .map_err(|_| ApiError::internal("the request was not judged"))??;

    let order = Order {
        issuer: request.issuer.clone(),
        subject: accepted.subject,
        alt_names: accepted.alt_names,
        public_key: accepted.public_key,
        hash,
        begins: None,
        days: request.days,
        csr: Some(accepted.csr),
        evidence_sha256,
        actor: request.actor.clone(),
    };
    Ok((
        api.issuance.issue(&order, &profile).await?,
        accepted.dropped,
    ))
}

/// I6: SHA-1 and MD5 never; what is not known is never replaced.
fn read_hash(name: &str) -> Result<HashAlgorithm, ApiError> {
    match name.parse() {
        Ok(hash) if hash != HashAlgorithm::Sha1 => Ok(hash),
        _ => Err(pki::refusal::Refusal::new(
            "I6",
            "hash",
            format!("certificates are not signed with {name:?}"),
            "Ask for sha256, sha384 or sha512.",
        )
        .into()),
    }
}

pub(super) fn read_evidence(hex_digits: &str) -> Result<[u8; 32], ApiError> {
    let mut hash = [0; 32];
    hex::decode_to_slice(hex_digits, &mut hash).map_err(|_| {
        ApiError::bad_request(
            "evidence_sha256",
            "it is no SHA-256",
            "Give 64 hexadecimal digits, as sha256sum prints them.",
        )
    })?;
    Ok(hash)
}

/// I17: who asked for what, and which rule refused.
fn record_decision<S>(api: &Api<S>, request: &IssueRequest, error: Option<&ApiError>) {
    let IssueRequest {
        issuer,
        profile,
        actor,
        ..
    } = request;
    match error {
        None => api.metrics.issued(profile),
        Some(error) => {
            api.metrics.refused(error.rule());
            tracing::info!(
                issuer,
                profile,
                actor,
                rule = error.rule(),
                "request not fulfilled: {}",
                error.message()
            );
        }
    }
}

fn issued_json(issued: &Issued, dropped: &[Dropped]) -> Value {
    let certificate = &issued.certificate;
    json!({
        "serial": certificate.serial(),
        "issuer": issued.issuer,
        "profile": issued.profile,
        "subject": certificate.subject().to_string(),
        "not_before": certificate.not_before(),
        "not_after": certificate.not_after(),
        "certificate": certificate.to_pem(),
        "chain": chain_pem(&issued.chain),
        "seq": issued.seq,
        "dropped": dropped,
    })
}

fn chain_pem(chain: &[Vec<u8>]) -> String {
    chain
        .iter()
        .map(|der| pem::encode("CERTIFICATE", der))
        .collect()
}

pub(super) async fn show<S: Signer + 'static>(
    State(api): State<Arc<Api<S>>>,
    Path((issuer, serial)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let serial: Serial = serial.parse().map_err(|error: pki::SerialError| {
        ApiError::bad_request(
            "serial",
            error.to_string(),
            "Give the serial number in hex.",
        )
    })?;
    let known_issuer = api
        .ledger
        .issuer(&issuer)
        .await?
        .ok_or_else(|| ledger::LedgerError::UnknownIssuer(issuer.clone()))?;

    // What waits first: what is recorded between the two questions is found by the second.
    let waits = api
        .ledger
        .pending_reservation(&issuer, &serial)
        .await?
        .is_some();
    if let Some(record) = api.ledger.certificate(&issuer, &serial).await? {
        let chain: Vec<Vec<u8>> = std::iter::once(known_issuer.certificate)
            .chain(known_issuer.chain)
            .collect();
        return Ok((StatusCode::OK, Json(record_json(&record, &chain))));
    }
    if waits {
        let body = json!({ "state": "pending", "issuer": issuer, "serial": serial });
        return Ok((StatusCode::ACCEPTED, Json(body)));
    }
    if let Some(why) = api.ledger.refusal(&issuer, &serial).await? {
        let body = json!({ "state": "refused", "issuer": issuer, "serial": serial, "why": why });
        return Ok((StatusCode::OK, Json(body)));
    }
    Err(ledger::LedgerError::UnknownSerial { issuer, serial }.into())
}

fn record_json(record: &CertificateRecord, chain: &[Vec<u8>]) -> Value {
    let revocation = record.revocation.as_ref();
    json!({
        "state": if revocation.is_some() { "revoked" } else { "issued" },
        "serial": record.serial,
        "issuer": record.issuer,
        "profile": record.profile,
        "subject": record.subject,
        "not_before": record.not_before,
        "not_after": record.not_after,
        "certificate": record.certificate.as_ref().map(|der| pem::encode("CERTIFICATE", der)),
        "chain": chain_pem(chain),
        "requested_by": record.requested_by,
        "issued_at": record.issued_at,
        "revocation": revocation.map(super::revocations::revocation_json),
    })
}
