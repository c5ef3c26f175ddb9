//! What the running edge says about one certificate, by OCSP and in the CRL.

use anyhow::Result;
use ledger::Issuer;
use pki::crl::build::CrlEntry;
use pki::ocsp::response::CertStatus;
use pki::{Clock, RevocationReason, Serial, SystemClock, Time};
use serde_json::{Value, json};

use crate::edge::{Edge, OcspAnswer, ServedCrl};
use crate::{human, records};

/// Both answers; an error of one does not hide the other.
pub(super) struct Says {
    ocsp: Result<OcspAnswer>,
    crl: Result<Option<ServedCrl>>,
    entry: Option<CrlEntry>,
}

impl Says {
    pub(super) async fn ask(status_url: &str, issuer: &Issuer, serial: &Serial) -> Result<Self> {
        let ca = records::ca_certificate(issuer)?;
        let edge = Edge::new(status_url, issuer, &ca);
        let (ocsp, crl) = tokio::join!(edge.ocsp(serial), edge.crl(None));
        let entry = crl
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .and_then(|served| served.crl.find(serial));
        Ok(Self { ocsp, crl, entry })
    }

    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let now = SystemClock.now();
        let mut lines = Vec::new();
        match &self.ocsp {
            Ok(OcspAnswer::Signed(answer)) => {
                lines.push(("OCSP", status(&answer.status)));
                lines.push((
                    "  valid",
                    span(answer.this_update, Some(answer.next_update), now),
                ));
                let responder = &answer.responder;
                lines.push((
                    "  signed by",
                    format!(
                        "{}, key {}, certificate until {}",
                        responder.subject(),
                        hex::encode(responder.public_key().key_id()),
                        responder.not_after()
                    ),
                ));
            }
            Ok(OcspAnswer::Refused(name)) => lines.push(("OCSP", format!("no answer: {name}"))),
            Err(error) => lines.push(("OCSP", format!("{error:#}"))),
        }
        match &self.crl {
            Ok(Some(served)) => {
                let number = served.number().map_or_else(
                    || "without a number".to_owned(),
                    |number| format!("number {number}"),
                );
                let listed = match &self.entry {
                    Some(entry) => format!(
                        "listed, revoked {} ({})",
                        entry.revocation_date,
                        reason(entry.reason)
                    ),
                    None => "not listed".to_owned(),
                };
                lines.push(("CRL", format!("{number}: {listed}")));
                lines.push((
                    "  valid",
                    span(served.crl.this_update(), served.crl.next_update(), now),
                ));
            }
            Ok(None) => lines.push(("CRL", "none is served".to_owned())),
            Err(error) => lines.push(("CRL", format!("{error:#}"))),
        }
        lines
    }

    pub(super) fn ocsp_json(&self) -> Value {
        match &self.ocsp {
            Ok(OcspAnswer::Signed(answer)) => json!({
                "status": match answer.status { CertStatus::Good => "good", CertStatus::Revoked { .. } => "revoked" },
                "revoked_at": match answer.status { CertStatus::Revoked { time, .. } => Some(time), CertStatus::Good => None },
                "reason": match answer.status { CertStatus::Revoked { reason, .. } => reason, CertStatus::Good => None },
                "this_update": answer.this_update,
                "next_update": answer.next_update,
                "responder": answer.responder.subject().to_string(),
                "responder_key": hex::encode(answer.responder.public_key().key_id()),
                "responder_not_after": answer.responder.not_after(),
                "size": answer.size,
            }),
            Ok(OcspAnswer::Refused(name)) => json!({ "status": name }),
            Err(error) => json!({ "error": format!("{error:#}") }),
        }
    }

    pub(super) fn crl_json(&self) -> Value {
        match &self.crl {
            Ok(Some(served)) => json!({
                "number": served.number(),
                "this_update": served.crl.this_update(),
                "next_update": served.crl.next_update(),
                "entries": served.crl.len(),
                "size": served.size,
                "listed": self.entry.is_some(),
                "revoked_at": self.entry.as_ref().map(|entry| entry.revocation_date),
                "reason": self.entry.as_ref().and_then(|entry| entry.reason),
            }),
            Ok(None) => Value::Null,
            Err(error) => json!({ "error": format!("{error:#}") }),
        }
    }
}

fn status(status: &CertStatus) -> String {
    match status {
        CertStatus::Good => "good".to_owned(),
        CertStatus::Revoked { time, reason: why } => format!("revoked {time} ({})", reason(*why)),
    }
}

fn reason(reason: Option<RevocationReason>) -> &'static str {
    reason.unwrap_or(RevocationReason::Unspecified).name()
}

fn span(from: Time, to: Option<Time>, now: Time) -> String {
    match to {
        Some(to) => format!(
            "{from} to {to} ({} left)",
            human::span(now.seconds_until(to))
        ),
        None => format!("from {from}, without an end"),
    }
}
