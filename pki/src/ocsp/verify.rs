//! Judging OCSP responses by every rule of standards section 2 (OCSP-30 … OCSP-54) that can be checked on
//! the object, and responder certificates by those of section 3 (OCSP-60 … OCSP-67).
//!
//! Each check is one small function in a table. Used on every response before it is published and on
//! templates before they are served (V9).

use crate::ocsp::parse::{RawResponse, RawStatus};
use crate::ocsp::response_checks::CHECKS;
use crate::ocsp::{responder_certificate, response::CertStatus};
use crate::violation::{Check, Judgement};
use crate::{Certificate, HashAlgorithm, Serial, Time, time_rules};

pub use crate::violation::Violation;

/// What a response must fit.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The CA that issued the certificate.
    pub ca: &'a Certificate,
    /// The hash of the CertID.
    pub hash: HashAlgorithm,
    /// The certificate's serial number.
    pub serial: &'a Serial,
    /// The current time.
    pub now: Time,
    /// What it must say, if that is known.
    pub status: Option<CertStatus>,
    /// Rules that depend on the CA.
    pub rules: Rules,
}

/// What a response must fit that was signed for one request: an answer for each Request (OCSP-10), and its nonce.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedFresh<'a> {
    /// The CA that issued the certificates.
    pub ca: &'a Certificate,
    /// The certificates in the order of the request.
    pub answers: &'a [ExpectedAnswer],
    /// The value of the request's nonce extension; without one, the response has none either (OCSP-43).
    pub nonce: Option<&'a [u8]>,
    /// The current time.
    pub now: Time,
    /// Rules that depend on the CA.
    pub rules: Rules,
}

/// What one answer of a response must be about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExpectedAnswer {
    /// The hash of the CertID.
    pub hash: HashAlgorithm,
    /// The certificate's serial number.
    pub serial: Serial,
    /// What it must say, if that is known.
    pub status: Option<CertStatus>,
}

/// Rules that depend on the CA.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// The certificate is a CA's: valid up to 12 months instead of 10 days (OCSP-37), and never revoked
    /// without a reason (OCSP-44).
    pub ca_certificate: bool,
    /// Certificates on hold came with a CA that was taken over and stay so (S6).
    pub keeps_holds: bool,
    /// Its statuses come from CRLs that somebody else signs, which no answer outlives: answers may be valid
    /// for less than 8 hours (OCSP-35).
    pub bounded_by_crl: bool,
    /// Its last responder certificate ends within 8 hours: answers that end with it may be valid for less than that
    /// (OCSP-35), since a revocation is told all the same.
    pub bounded_by_responder: bool,
    /// The CA/Browser Forum's requirements: their revocation reasons (OCSP-44) and the names of
    /// responder certificates (OCSP-66).
    pub browser_forum: bool,
}

/// What a response that fits says.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The answer.
    pub status: CertStatus,
    /// When it was signed.
    pub produced_at: Time,
    /// Since when it is valid.
    pub this_update: Time,
    /// Until when.
    pub next_update: Time,
    /// The signature's octets.
    pub signature: Vec<u8>,
    /// ResponseData: what is signed.
    pub response_data: Vec<u8>,
    /// The certificate of the key that signed: a delegated responder's, or the CA's own.
    pub responder: Certificate,
}

/// Verifies a response with everything in it; the error names the first rule that it breaks.
pub fn verify_response(der: &[u8], expected: &Expected<'_>) -> Result<Verified, Violation> {
    verify_response_by(der, expected, |responder| {
        verify_responder(responder, expected.ca, expected.now, expected.rules)
    })
}

/// As [`verify_response`], but whether the responder certificate may sign is for `delegation` to say: one that came
/// with a CA that was taken over may be older than today's rules (OCSP-61 to OCSP-66).
pub fn verify_response_by(
    der: &[u8],
    expected: &Expected<'_>,
    delegation: impl FnOnce(&Certificate) -> Result<(), Violation>,
) -> Result<Verified, Violation> {
    let answers = [expected.answer()];
    verify_by(der, &expected.signed_ahead(&answers), delegation)
}

fn verify_by(
    der: &[u8],
    expected: &ExpectedFresh<'_>,
    delegation: impl FnOnce(&Certificate) -> Result<(), Violation>,
) -> Result<Verified, Violation> {
    let raw = RawResponse::read(der)?;
    let subject = Subject::new(&raw, expected);
    if let Some(violation) = subject.violations(None).next() {
        return Err(violation);
    }
    if let Some(responder) = &subject.delegate {
        delegation(responder)?;
    }
    subject.verified()
}

/// Every rule that a response breaks, without those about its responder certificate. `Err` if it cannot
/// be read at all.
pub fn violations(der: &[u8], expected: &Expected<'_>) -> Result<Vec<Violation>, Violation> {
    let answers = [expected.answer()];
    fresh_violations(der, &expected.signed_ahead(&answers))
}

/// As [`violations`], of a response that was signed for one request.
pub fn fresh_violations(
    der: &[u8],
    expected: &ExpectedFresh<'_>,
) -> Result<Vec<Violation>, Violation> {
    violations_without(der, expected, None)
}

/// As [`violations`], for a response whose signature was verified where it was made.
pub fn violations_beside_signature(
    der: &[u8],
    expected: &Expected<'_>,
) -> Result<Vec<Violation>, Violation> {
    let answers = [expected.answer()];
    violations_without(der, &expected.signed_ahead(&answers), Some("the signature"))
}

/// Until when answers can be signed, from `now` on and without a gap, with responder certificates that are valid like these:
/// from the first time of each pair to the second. `None` if none is valid now.
pub fn covered_until(spans: impl IntoIterator<Item = (Time, Time)>, now: Time) -> Option<Time> {
    let mut spans: Vec<_> = spans.into_iter().collect();
    spans.sort_by_key(|(begins, _)| *begins);
    let mut covered = now;
    for (begins, ends) in spans {
        if begins <= covered {
            covered = covered.max(ends);
        }
    }
    (covered > now).then_some(covered)
}

/// Verifies a delegated responder certificate by the rules that hold for every CA.
pub fn verify_responder_certificate(
    responder: &Certificate,
    ca: &Certificate,
    now: Time,
) -> Result<(), Violation> {
    verify_responder(responder, ca, now, Rules::default())
}

/// Verifies a delegated responder certificate.
pub fn verify_responder(
    responder: &Certificate,
    ca: &Certificate,
    now: Time,
    rules: Rules,
) -> Result<(), Violation> {
    match responder_certificate::violations(responder, ca, now, rules, None)
        .into_iter()
        .next()
    {
        Some(violation) => Err(violation),
        None => Ok(()),
    }
}

/// As [`fresh_violations`], with one check taken out of the table: a test sees by it that each is needed.
pub(crate) fn violations_without(
    der: &[u8],
    expected: &ExpectedFresh<'_>,
    removed: Option<&str>,
) -> Result<Vec<Violation>, Violation> {
    let raw = RawResponse::read(der)?;
    Ok(Subject::new(&raw, expected).violations(removed).collect())
}

impl<'a> Expected<'a> {
    fn answer(&self) -> ExpectedAnswer {
        ExpectedAnswer {
            hash: self.hash,
            serial: *self.serial,
            status: self.status,
        }
    }

    /// One answer and no nonce.
    fn signed_ahead<'b>(&self, answers: &'b [ExpectedAnswer; 1]) -> ExpectedFresh<'b>
    where
        'a: 'b,
    {
        ExpectedFresh {
            ca: self.ca,
            answers,
            nonce: None,
            now: self.now,
            rules: self.rules,
        }
    }
}

/// What the checks look at.
pub(crate) struct Subject<'a> {
    pub(crate) raw: &'a RawResponse<'a>,
    pub(crate) expected: &'a ExpectedFresh<'a>,
    /// The certificate in certs, if exactly one is there and can be read.
    pub(crate) delegate: Option<Certificate>,
}

pub(crate) type ResponseCheck = Check<fn(&Subject<'_>) -> Judgement>;

impl<'a> Subject<'a> {
    fn new(raw: &'a RawResponse<'a>, expected: &'a ExpectedFresh<'a>) -> Self {
        let delegate = match raw.certs.as_deref() {
            Some([only, ..]) => Certificate::from_der(only).ok(),
            _ => None,
        };
        Self {
            raw,
            expected,
            delegate,
        }
    }

    /// The certificate of the key that ought to have signed.
    pub(crate) fn signer(&self) -> &Certificate {
        self.delegate.as_ref().unwrap_or(self.expected.ca)
    }

    fn violations(&self, removed: Option<&str>) -> impl Iterator<Item = Violation> {
        CHECKS
            .iter()
            .filter(move |check| Some(check.name) != removed)
            .filter_map(|check| check.violation(|run| run(self)))
    }

    fn verified(&self) -> Result<Verified, Violation> {
        let time = |value, what| {
            time_rules::read_leniently(value)
                .ok_or_else(|| Violation::new("OCSP-32", format!("{what} is not a time")))
        };
        let single = self
            .raw
            .singles
            .first()
            .ok_or_else(|| Violation::new("OCSP-39", "there is no answer in it"))?;
        let next_update = single
            .next_update
            .ok_or_else(|| Violation::new("OCSP-33", "there is no nextUpdate"))?;
        let status = match single.status {
            RawStatus::Good => CertStatus::Good,
            RawStatus::Revoked { time: revoked, .. } => CertStatus::Revoked {
                time: time(revoked, "revocationTime")?,
                reason: single.status.reason(),
            },
            RawStatus::Unknown => return Err(Violation::new("OCSP-04", "the answer is unknown")),
        };
        Ok(Verified {
            status,
            produced_at: time(self.raw.produced_at, "producedAt")?,
            this_update: time(single.this_update, "thisUpdate")?,
            next_update: time(next_update, "nextUpdate")?,
            signature: self.raw.signature.to_vec(),
            response_data: self.raw.tbs.to_vec(),
            responder: self.signer().clone(),
        })
    }
}

#[cfg(test)]
mod tests;
