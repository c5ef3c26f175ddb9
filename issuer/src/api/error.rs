//! Errors as the API tells them: which rule, which field, what was found, what to do.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use issuance::IssuanceError;
use ledger::LedgerError;
use pki::Serial;
use pki::refusal::Refusal;
use serde_json::json;

/// An error with its HTTP status.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    refusal: Box<Refusal>,
    /// A certificate that is still to come.
    pending: Option<(String, Serial)>,
}

impl ApiError {
    fn new(status: StatusCode, refusal: Refusal) -> Self {
        Self {
            status,
            refusal: Box::new(refusal),
            pending: None,
        }
    }

    pub(crate) fn bad_request(field: &str, message: impl Into<String>, remedy: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            Refusal::new("API", field, message, remedy),
        )
    }

    pub(crate) fn not_found(field: &str, message: impl Into<String>, remedy: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Refusal::new("API", field, message, remedy),
        )
    }

    pub(crate) fn no_such_resource() -> Self {
        Self::not_found(
            "path",
            "there is no such resource",
            "See the list of requests in the documentation of the issuer.",
        )
    }

    pub(crate) fn wrong_method() -> Self {
        let refusal = Refusal::new(
            "API",
            "method",
            "this resource has no such method",
            "See the list of requests in the documentation of the issuer.",
        );
        Self::new(StatusCode::METHOD_NOT_ALLOWED, refusal)
    }

    pub(crate) fn unauthorised() -> Self {
        let refusal = Refusal::new(
            "API",
            "authorization",
            "the request does not carry the token of this issuer",
            "Send `Authorization: Bearer TOKEN` with the content of its token file.",
        );
        Self::new(StatusCode::UNAUTHORIZED, refusal)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        let refusal = Refusal::new(
            "internal",
            "issuer",
            message,
            "See the log of the issuer, and try again.",
        );
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, refusal)
    }

    /// The signer is not there.
    pub(crate) fn unavailable(message: impl Into<String>, remedy: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Refusal::new("I16", "signer", message, remedy),
        )
    }

    /// The rule that refused.
    pub(crate) fn rule(&self) -> &str {
        &self.refusal.rule
    }

    /// Whether the issuer, and not who asked, is at fault.
    pub(crate) fn is_own_fault(&self) -> bool {
        self.status.is_server_error()
    }

    /// What is wrong.
    pub(crate) fn message(&self) -> String {
        self.refusal.to_string()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, refusal)
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let refusal = Refusal::new(
            "API",
            "body",
            rejection.body_text(),
            "Send JSON with `Content-Type: application/json` and the fields of this request.",
        );
        Self::new(rejection.status(), refusal)
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        let text = error.to_string();
        match error {
            LedgerError::Refused { rule, message } => {
                Refusal::new(rule, "request", message, "Change the request.").into()
            }
            LedgerError::UnknownIssuer(_) => {
                Self::not_found("issuer", text, "GET /v1/issuers lists the issuers.")
            }
            LedgerError::UnknownSerial { .. } => {
                Self::not_found("serial", text, "Check the serial number and the issuer.")
            }
            LedgerError::Locked | LedgerError::DiskFull => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                Refusal::new("internal", "ledger", text, "Try again later."),
            ),
            _ => Self::internal(text),
        }
    }
}

impl From<IssuanceError> for ApiError {
    fn from(error: IssuanceError) -> Self {
        let text = error.to_string();
        match error {
            IssuanceError::Ledger(error) => error.into(),
            IssuanceError::Refused(refusal) => refusal.into(),
            IssuanceError::SignerAway { issuer, serial, .. } => {
                let remedy = format!(
                    "Do not ask again; fetch it later with GET /v1/certificates/{issuer}/{serial}."
                );
                let refusal = Refusal::new("I16", "signer", text, remedy);
                Self {
                    pending: Some((issuer, serial)),
                    ..Self::new(StatusCode::SERVICE_UNAVAILABLE, refusal)
                }
            }
            IssuanceError::SignerUnseen { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                Refusal::new("I18", "signer", text, "Ask again when the signer is there."),
            ),
            IssuanceError::SignerRefused { field, .. } => {
                let remedy = "Correct what the signer names, and ask again. It judges by its own policy: if profiles \
                              or rule set were changed here, change them there too and restart it.";
                Refusal::new("G6", field, text, remedy).into()
            }
            _ => Self::internal(text),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "error": *self.refusal });
        if let Some((issuer, serial)) = &self.pending {
            body["pending"] = json!({ "issuer": issuer, "serial": serial });
        }
        if self.is_own_fault() && self.pending.is_none() {
            tracing::error!("{}", self.message());
        }
        (self.status, Json(body)).into_response()
    }
}
