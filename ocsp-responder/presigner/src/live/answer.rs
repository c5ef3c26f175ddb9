//! From the octets of a request to a verified response.

use std::sync::Arc;

use ledger::NoncePolicy;
use pki::Time;
use pki::ocsp::fresh_response::{FreshAnswer, Times, response_data};
use pki::ocsp::request::OcspRequest;
use pki::ocsp::response::{CertStatus, ErrorStatus};
use pki::ocsp::verify::{ExpectedAnswer, ExpectedFresh, fresh_violations};
use pki::ocsp::{CertId, IssuerHashes};

use super::standing::{Standing, Standings};
use crate::assemble::REASONS;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// OCSP has a name for it.
    Error(ErrorStatus),
    /// This presigner cannot say it now; what was signed ahead may do.
    NotNow,
}

/// What is published about a certificate that is asked about.
#[derive(Clone, Copy, Debug)]
struct Said<'a> {
    issuer: &'a IssuerHashes,
    expected: ExpectedAnswer,
    status: CertStatus,
}

/// A signed and verified response: an answer for each Request, in their order, or none at all (OCSP-10).
pub(crate) fn answer(
    standings: &Standings,
    request: &[u8],
    now: Time,
) -> Result<Vec<u8>, NoAnswer> {
    let malformed = |_| NoAnswer::Error(ErrorStatus::MalformedRequest);
    let request = OcspRequest::parse(request).map_err(malformed)?;
    if !standings.are_known(now) {
        return Err(NoAnswer::NotNow);
    }
    let issuers = standings.of(&request.first());
    let signer = issuers.first().ok_or(NoAnswer::NotNow)?;
    let said: Vec<_> = request
        .cert_ids()
        .map(|id| what_is_published(&issuers, &id, now))
        .collect::<Result<_, _>>()?;
    let echoed = signer.nonce == NoncePolicy::Live;
    sign(signer, &said, request.nonce_value().filter(|_| echoed), now)
}

fn what_is_published<'a>(
    issuers: &'a [Arc<Standing>],
    id: &CertId<'_>,
    now: Time,
) -> Result<Said<'a>, NoAnswer> {
    const UNAUTHORIZED: NoAnswer = NoAnswer::Error(ErrorStatus::Unauthorized);
    let serial = id.serial_number().ok_or(UNAUTHORIZED)?;
    let mut failure = UNAUTHORIZED;
    for standing in issuers {
        let Some(issuer) = standing.issuer_in(id) else {
            continue;
        };
        // What is damaged is signed anew; until then the edge's own copy may do.
        let published = standing.view.get(serial.as_bytes());
        match published.map_err(|_damaged| NoAnswer::NotNow)? {
            Some(answer) if answer.is_current(now) => {
                let status = answer.status();
                let expected = ExpectedAnswer {
                    hash: issuer.hash,
                    serial,
                    status: Some(status),
                };
                return Ok(Said {
                    issuer,
                    expected,
                    status,
                });
            }
            // Whoever does not renew what is published does not know better now (V3, OCSP-06).
            Some(_) => failure = NoAnswer::Error(ErrorStatus::TryLater),
            None => {}
        }
    }
    Err(failure)
}

fn sign(
    signer: &Standing,
    said: &[Said<'_>],
    nonce: Option<&[u8]>,
    now: Time,
) -> Result<Vec<u8>, NoAnswer> {
    let responder = &signer.responder;
    let certificate = responder.certificate();
    let window = signer
        .schedule
        .window(now, certificate.not_after(), 0)
        .ok_or(NoAnswer::NotNow)?;
    let answers: Vec<_> = said
        .iter()
        .map(|said| FreshAnswer {
            issuer: said.issuer,
            serial: said.expected.serial,
            status: said.status,
        })
        .collect();
    let times = Times {
        now,
        next_update: window.next_update,
    };
    let data = response_data(certificate, &answers, times, nonce);
    let signatures = responder.sign_many(&[&data]).map_err(|error| {
        tracing::error!("a fresh answer could not be signed: {error}");
        NoAnswer::NotNow
    })?;
    let signature = signatures.get(0).ok_or(NoAnswer::NotNow)?;
    // Each template of a responder puts a response together in the same way.
    let response = responder.templates()[0].response(&data, signature);
    judge(&response, signer, said, nonce, now)?;
    Ok(response)
}

/// Nothing leaves unverified (V9).
fn judge(
    response: &[u8],
    signer: &Standing,
    said: &[Said<'_>],
    nonce: Option<&[u8]>,
    now: Time,
) -> Result<(), NoAnswer> {
    let answers: Vec<_> = said.iter().map(|said| said.expected).collect();
    let expected = ExpectedFresh {
        ca: &signer.ca,
        answers: &answers,
        nonce,
        now,
        rules: signer.rules,
    };
    let found = fresh_violations(response, &expected).unwrap_or_else(|unreadable| vec![unreadable]);
    // A revocation for a reason that nobody should have given is published all the same.
    match found.iter().find(|violation| violation.rule != REASONS) {
        None => Ok(()),
        Some(violation) => {
            // The rule alone: its message could say what was asked about (V13).
            tracing::error!("a fresh answer breaks {} and is not sent", violation.rule);
            Err(NoAnswer::NotNow)
        }
    }
}
