//! The issuer's HTTP API, as this command uses it.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data_dir::{self, DataDir};
use crate::endpoints::Endpoints;
use crate::http::{self, NotConnected, Response};
use crate::outcome::Failure;

/// The API of the running installation, with the token of this data directory.
#[derive(Debug)]
pub(crate) struct Api<'a> {
    data: &'a DataDir,
    token: String,
}

impl<'a> Api<'a> {
    pub(crate) fn of(data: &'a DataDir) -> Result<Self> {
        let token = data_dir::read_text(&data.api_token())?.trim().to_owned();
        Ok(Self { data, token })
    }

    pub(crate) async fn issue(&self, request: &IssueRequest<'_>) -> Result<Issued> {
        self.post("v1/certificates", request).await
    }

    pub(crate) async fn revoke(&self, request: &RevokeRequest<'_>) -> Result<Revoked> {
        self.post("v1/revocations", request).await
    }

    pub(crate) async fn sign_pgp(&self, request: &PgpSignRequest<'_>) -> Result<PgpSigned> {
        self.post("v1/openpgp/certifications", request).await
    }

    /// What the issuer says at this path.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.ask(path, None).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Result<T> {
        self.ask(path, Some(serde_json::to_vec(request)?)).await
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, body: Option<Vec<u8>>) -> Result<T> {
        let authorization = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let answer = self.send(path, &headers, body).await?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body)
                .context("the issuer's answer is not understood");
        }
        Err(refusal(answer.status.as_u16(), &answer.body).into())
    }

    /// An issuer that is just being started again, perhaps on another port, is waited for.
    async fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Response> {
        let mut attempt = 0;
        loop {
            let url = format!("{}{path}", Endpoints::require(self.data)?.api);
            let answer = match &body {
                Some(body) => http::post(&url, headers, body.clone(), PATIENCE).await,
                None => http::get(&url, headers, PATIENCE).await,
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is::<NotConnected>() && attempt < ATTEMPTS => {
                    attempt += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(no_answer(self.data, &error).into()),
            }
        }
    }
}

fn no_answer(data: &DataDir, error: &anyhow::Error) -> Failure {
    let failure = Failure::new(format!("the issuer does not answer: {error:#}"));
    if error.is::<NotConnected>() {
        return failure.remedy("is `avouch up` still running? start it again");
    }
    failure.remedy(format!(
        "it may have done what was asked all the same: look into {}, or ask again",
        data.log("issuer").display()
    ))
}

/// `{"error": {"rule", "field", "message", "remedy"}}` to a failure that says all of it.
fn refusal(status: u16, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Body {
        error: Refusal,
    }
    #[derive(Deserialize)]
    struct Refusal {
        rule: Option<String>,
        field: Option<String>,
        message: String,
        remedy: Option<String>,
    }
    match serde_json::from_slice::<Body>(body) {
        Ok(Body { error }) => {
            let failure = Failure::new(error.message).rule(error.rule, error.field);
            match error.remedy.filter(|remedy| !remedy.is_empty()) {
                Some(remedy) => failure.remedy(remedy),
                None => failure,
            }
        }
        Err(_) => Failure::new(format!(
            "the issuer answers {status}: {}",
            String::from_utf8_lossy(&body[..body.len().min(400)])
        )),
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct IssueRequest<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) profile: &'a str,
    pub(crate) csr: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evidence_sha256: Option<String>,
    pub(crate) actor: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Issued {
    pub(crate) serial: pki::Serial,
    pub(crate) issuer: String,
    pub(crate) certificate: String,
    pub(crate) chain: String,
    #[serde(flatten)]
    pub(crate) rest: serde_json::Map<String, Value>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RevokeRequest<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) serial: pki::Serial,
    pub(crate) ground: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) case: Option<&'a str>,
    pub(crate) reason: pki::RevocationReason,
    pub(crate) actor: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Revoked {
    pub(crate) revoked_at: pki::Time,
    pub(crate) reason: pki::RevocationReason,
    pub(crate) ground: String,
    pub(crate) already_revoked: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct PgpSignRequest<'a> {
    pub(crate) key: &'a str,
    pub(crate) level: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<&'a str>,
    pub(crate) addresses: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) evidence_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<&'a str>,
    pub(crate) actor: &'a str,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PgpSigned {
    pub(crate) fingerprint: String,
    pub(crate) issuer: String,
    pub(crate) by: String,
    pub(crate) certified: Vec<PgpCertified>,
    pub(crate) left_out: Vec<PgpLeftOut>,
    pub(crate) key: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PgpCertified {
    pub(crate) user_id: String,
    pub(crate) expires: pki::Time,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PgpLeftOut {
    pub(crate) user_id: String,
    pub(crate) rule: String,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

/// One of the CA's own OpenPGP keys.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct PgpKey {
    pub(crate) name: String,
    pub(crate) fingerprint: String,
    pub(crate) user_id: Option<String>,
    pub(crate) expires: Option<pki::Time>,
    pub(crate) key: String,
}

/// Issuing waits for the signer, which may be busy with others.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(100);
/// Long enough for the first restarts of a daemon that died.
const ATTEMPTS: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_rule_field_and_remedy() {
        let body =
            br#"{"error":{"rule":"I9","field":"subject.commonName","message":"m","remedy":"r"}}"#;
        assert_eq!(
            refusal(422, body).to_string(),
            "[I9] subject.commonName: m\n  what to do: r"
        );
        let body = br#"{"error":{"rule":null,"field":null,"message":"m","remedy":null}}"#;
        assert_eq!(refusal(422, body).to_string(), "m");
        assert_eq!(
            refusal(502, b"<html>").to_string(),
            "the issuer answers 502: <html>"
        );
    }
}
