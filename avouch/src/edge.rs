//! What the running edge says to the world, asked as any client would and verified against the CA.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use hyper::StatusCode;
use hyper::header::{ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use ledger::{Issuer, Origin, Subjects};
use pki::crl::Crl;
use pki::ocsp::response::CertStatus;
use pki::ocsp::{IssuerHashes, request, verify};
use pki::{Certificate, Clock, CrlNumber, HashAlgorithm, Serial, SystemClock, Time};

use crate::http;

/// The edge, seen by somebody who trusts one CA.
#[derive(Debug)]
pub(crate) struct Edge<'a> {
    status_url: &'a str,
    issuer: &'a Issuer,
    ca: &'a Certificate,
}

/// An answer by OCSP.
#[derive(Debug)]
pub(crate) enum OcspAnswer {
    /// A signed answer that verifies.
    Signed(Box<SignedAnswer>),
    /// An error that OCSP has a name for.
    Refused(&'static str),
}

#[derive(Debug)]
pub(crate) struct SignedAnswer {
    pub(crate) status: CertStatus,
    pub(crate) this_update: Time,
    pub(crate) next_update: Time,
    /// The delegated responder; the CA itself when absent.
    pub(crate) responder: Certificate,
    pub(crate) size: usize,
}

/// The CRL as it is served.
#[derive(Debug)]
pub(crate) struct ServedCrl {
    pub(crate) crl: Crl,
    pub(crate) size: usize,
    etag: Option<HeaderValue>,
}

impl ServedCrl {
    pub(crate) fn number(&self) -> Option<&CrlNumber> {
        self.crl.number()
    }
}

impl<'a> Edge<'a> {
    pub(crate) fn new(status_url: &'a str, issuer: &'a Issuer, ca: &'a Certificate) -> Self {
        Self {
            status_url,
            issuer,
            ca,
        }
    }

    /// Asks again and again until the answer is what is waited for.
    pub(crate) async fn ocsp_until(
        &self,
        serial: &Serial,
        awaited: impl Fn(&Result<OcspAnswer>) -> bool,
    ) -> Result<OcspAnswer> {
        loop {
            let answer = self.ocsp(serial).await;
            if awaited(&answer) {
                return answer;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Asks by POST with a SHA-1 CertID, as most clients do.
    pub(crate) async fn ocsp(&self, serial: &Serial) -> Result<OcspAnswer> {
        let hash = HashAlgorithm::Sha1;
        let body = request::build(&IssuerHashes::of(hash, self.ca), &[*serial], None);
        let headers = [("content-type", "application/ocsp-request")];
        let answer = http::post(self.status_url, &headers, body, PATIENCE).await?;
        if answer.status != StatusCode::OK {
            bail!("the edge answers {} to an OCSP request", answer.status);
        }
        if let Some(name) = error_name(&answer.body) {
            return Ok(OcspAnswer::Refused(name));
        }
        let expected = verify::Expected {
            ca: self.ca,
            hash,
            serial,
            now: SystemClock.now(),
            status: None,
            rules: verify::Rules {
                ca_certificate: self.issuer.policy.subjects == Subjects::CaCertificates,
                keeps_holds: self.issuer.origin == Origin::Imported,
                bounded_by_responder: false,
                bounded_by_crl: self.issuer.policy.source.is_followed(),
                browser_forum: false,
            },
        };
        let verified = self
            .verify(&answer.body, &expected)
            .context("the OCSP answer of the edge does not verify")?;
        Ok(OcspAnswer::Signed(Box::new(SignedAnswer {
            status: verified.status,
            this_update: verified.this_update,
            next_update: verified.next_update,
            responder: verified.responder,
            size: answer.body.len(),
        })))
    }

    fn verify(
        &self,
        der: &[u8],
        expected: &verify::Expected<'_>,
    ) -> Result<verify::Verified, verify::Violation> {
        match self.issuer.origin {
            Origin::Own => verify::verify_response(der, expected),
            Origin::Imported => verify::verify_response_by(der, expected, |responder| {
                answers::check_delegation(responder, self.ca)
            }),
        }
    }

    /// Fetches the CRL; `None` when it is not served, or still the one seen before.
    pub(crate) async fn crl(&self, seen: Option<&ServedCrl>) -> Result<Option<ServedCrl>> {
        let url = format!("{}crl/{}.crl", self.status_url, self.issuer.name);
        let etag = seen
            .and_then(|seen| seen.etag.as_ref())
            .and_then(|etag| etag.to_str().ok());
        let headers: Vec<_> = etag
            .map(|etag| (IF_NONE_MATCH.as_str(), etag))
            .into_iter()
            .collect();
        let answer = http::get(&url, &headers, PATIENCE).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED | StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE => {
                return Ok(None);
            }
            status => bail!("the edge answers {status} for {url}"),
        }
        let crl = Crl::from_der(&answer.body).context("the CRL of the edge is not understood")?;
        Ok(Some(ServedCrl {
            crl,
            size: answer.body.len(),
            etag: tag(&answer.headers),
        }))
    }
}

fn tag(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ETAG).cloned()
}

/// The five octets of an OCSP error (RFC 6960 section 4.2.1).
fn error_name(body: &[u8]) -> Option<&'static str> {
    match body {
        [0x30, 3, 0x0A, 1, code] => Some(match code {
            1 => "malformedRequest",
            2 => "internalError",
            3 => "tryLater",
            5 => "sigRequired",
            6 => "unauthorized",
            _ => "an error without a name",
        }),
        _ => None,
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Short against the second in which a new status is due.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);
