//! The ResponseData of a response that is signed for one request, while whoever sent it waits: an answer for each of
//! its Requests (OCSP-10), and its nonce.
//!
//! Everything else about it is as in a response that is signed ahead: [`Template::response`] puts it together with its
//! signature.
//!
//! ```asn1
//! ResponseData ::= SEQUENCE {
//!     responderID         [2] EXPLICIT OCTET STRING,          -- byKey (OCSP-31)
//!     producedAt              GeneralizedTime,                -- = thisUpdate
//!     responses               SEQUENCE OF SingleResponse,
//!     responseExtensions  [1] EXPLICIT Extensions OPTIONAL }  -- the nonce alone
//! ```
//!
//! [`Template::response`]: crate::ocsp::response::Template::response

use crate::der_encode::{self as der, tag};
use crate::der_read;
use crate::ocsp::cert_id::IssuerHashes;
use crate::ocsp::response::CertStatus;
use crate::{Certificate, RevocationReason, Serial, Time, oid};

/// What is said about one certificate.
#[derive(Clone, Copy, Debug)]
pub struct FreshAnswer<'a> {
    /// Its issuer, by the hash that the request used (OCSP-40).
    pub issuer: &'a IssuerHashes,
    /// Its serial number.
    pub serial: Serial,
    /// Its status.
    pub status: CertStatus,
}

/// When a response is signed, and until when it may be used.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// producedAt and thisUpdate.
    pub now: Time,
    /// nextUpdate.
    pub next_update: Time,
}

/// The ResponseData to sign with the key in `responder`. `nonce` is the value of the request's nonce extension as it
/// came, with or without its inner OCTET STRING (OCSP-17).
pub fn response_data(
    responder: &Certificate,
    answers: &[FreshAnswer<'_>],
    times: Times,
    nonce: Option<&[u8]>,
) -> Vec<u8> {
    let responder_id = der::explicit(2, &der::octet_string(&responder.public_key().key_id()));
    let singles: Vec<u8> = answers
        .iter()
        .flat_map(|answer| single_response(answer, times))
        .collect();
    let extensions = nonce.map_or_else(Vec::new, |value| {
        let nonce = der::sequence(&[&der::oid(&oid::OCSP_NONCE), &der::octet_string(value)]);
        der::explicit(1, &der::sequence(&[&nonce]))
    });
    der::sequence(&[
        &responder_id,
        &der::generalized_time(times.now),
        &der::tlv(tag::SEQUENCE, &singles),
        &extensions,
    ])
}

/// The responseStatus of an OCSPResponse, of which nothing else is judged; `None` if it is none.
pub fn response_status(response: &[u8]) -> Option<u8> {
    let outer = der_read::single(response, "OCSPResponse").ok()?;
    let mut fields = outer.expect(tag::SEQUENCE, "OCSPResponse").ok()?.reader();
    let status = fields.expect(tag::ENUMERATED, "responseStatus").ok()?;
    match status.content {
        [code] => Some(*code),
        _ => None,
    }
}

fn single_response(answer: &FreshAnswer<'_>, times: Times) -> Vec<u8> {
    der::sequence(&[
        &answer.issuer.cert_id(&answer.serial),
        &cert_status(answer.status),
        &der::generalized_time(times.now),
        &der::explicit(0, &der::generalized_time(times.next_update)),
    ])
}

fn cert_status(status: CertStatus) -> Vec<u8> {
    let CertStatus::Revoked { time, reason } = status else {
        return der::tlv(tag::context_primitive(0), &[]);
    };
    // OCSP-44.
    let reason = reason
        .filter(|&reason| reason != RevocationReason::Unspecified)
        .map_or_else(Vec::new, |reason| {
            der::explicit(0, &der::enumerated(reason.code()))
        });
    let info = [der::generalized_time(time), reason].concat();
    der::tlv(tag::context(1), &info)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;
    use crate::HashAlgorithm;
    use crate::ocsp::request::{OcspRequest, build};
    use crate::ocsp::response::Template;
    use crate::ocsp::verify::{ExpectedAnswer, ExpectedFresh, Rules, fresh_violations};
    use crate::test_ca::{DAY, NOW, TestCa, TestKey};

    const TIMES: Times = Times {
        now: NOW,
        next_update: NOW.plus_seconds(4 * DAY),
    };

    fn revoked(reason: Option<RevocationReason>) -> CertStatus {
        CertStatus::Revoked {
            time: NOW.plus_seconds(-DAY),
            reason,
        }
    }

    /// A CA and its responder.
    struct Bench {
        ca: TestCa,
        key: TestKey,
        responder: Certificate,
    }

    impl Bench {
        fn new() -> Self {
            let (ca, key) = (TestCa::new(), TestKey::p256());
            let responder = ca.responder(&key);
            Self { ca, key, responder }
        }

        fn sign(&self, answers: &[FreshAnswer<'_>], nonce: Option<&[u8]>) -> Vec<u8> {
            let data = response_data(&self.responder, answers, TIMES, nonce);
            let algorithm = self.key.algorithm();
            Template::new(
                HashAlgorithm::Sha1,
                &self.ca.certificate,
                &self.responder,
                algorithm,
            )
            .response(&data, &self.key.sign(&data))
        }
    }

    /// One answer without a nonce is, octet for octet, what would have been signed ahead.
    #[test]
    fn a_single_answer_is_that_of_the_template() {
        let bench = Bench::new();
        for hash in HashAlgorithm::ALL {
            let issuer = IssuerHashes::of(hash, &bench.ca.certificate);
            for status in [
                CertStatus::Good,
                revoked(None),
                revoked(Some(RevocationReason::Unspecified)),
                revoked(Some(RevocationReason::KeyCompromise)),
            ] {
                let serial = Serial::from_be_bytes(&[0x9a, 0xbc]).unwrap();
                let answer = FreshAnswer {
                    issuer: &issuer,
                    serial,
                    status,
                };
                let algorithm = bench.key.algorithm();
                let template =
                    Template::new(hash, &bench.ca.certificate, &bench.responder, algorithm);
                assert_eq!(
                    response_data(&bench.responder, &[answer], TIMES, None),
                    template.response_data(&serial, status, TIMES.now, TIMES.next_update)
                );
            }
        }
    }

    #[test]
    fn several_answers_and_every_nonce_pass_the_verifier() {
        let bench = Bench::new();
        let issuers = [HashAlgorithm::Sha1, HashAlgorithm::Sha256]
            .map(|hash| IssuerHashes::of(hash, &bench.ca.certificate));
        let statuses = [
            CertStatus::Good,
            revoked(Some(RevocationReason::Superseded)),
            revoked(None),
        ];
        let answers: Vec<_> = (0..40_usize)
            .map(|number| FreshAnswer {
                issuer: &issuers[number % 2],
                serial: Serial::from_be_bytes(&[1 + number as u8; 16]).unwrap(),
                status: statuses[number % 3],
            })
            .collect();
        for count in [1, 2, 40] {
            // An OCTET STRING inside, none inside, and none at all.
            for nonce in [None, Some(&[4, 3, 1, 2, 3][..]), Some(&[9; 128])] {
                let expected: Vec<_> = answers[..count]
                    .iter()
                    .map(|answer| ExpectedAnswer {
                        hash: answer.issuer.hash,
                        serial: answer.serial,
                        status: Some(answer.status),
                    })
                    .collect();
                let expected = ExpectedFresh {
                    ca: &bench.ca.certificate,
                    answers: &expected,
                    nonce,
                    now: NOW,
                    rules: Rules::default(),
                };
                let response = bench.sign(&answers[..count], nonce);
                assert_eq!(fresh_violations(&response, &expected), Ok(vec![]));
            }
        }
    }

    #[test]
    fn statuses() {
        use crate::ocsp::response::ErrorStatus;
        let bench = Bench::new();
        let issuer = IssuerHashes::of(HashAlgorithm::Sha1, &bench.ca.certificate);
        let serial = Serial::from_be_bytes(&[7]).unwrap();
        let status = CertStatus::Good;
        let answer = FreshAnswer {
            issuer: &issuer,
            serial,
            status,
        };
        assert_eq!(response_status(&bench.sign(&[answer], None)), Some(0));
        assert_eq!(response_status(ErrorStatus::TryLater.der()), Some(3));
        for other in [
            &b""[..],
            b"HTTP/1.1 200 OK",
            &[0x30, 0],
            &[0x30, 3, 2, 1, 0],
            &[0x30, 4, 10, 1, 0],
        ] {
            assert_eq!(response_status(other), None, "{other:?}");
        }
    }

    /// `openssl` checks the nonce and finds the answer to each of its CertIDs.
    #[test]
    fn openssl_accepts_it() {
        let bench = Bench::new();
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("ca.pem"), bench.ca.certificate.to_pem()).unwrap();
        let serials =
            [[0x11; 16], [0x92; 16]].map(|octets| Serial::from_be_bytes(&octets).unwrap());
        let issuer = IssuerHashes::of(HashAlgorithm::Sha1, &bench.ca.certificate);
        for length in [1, 8, 16, 32, 128] {
            let request = build(&issuer, &serials, Some(&vec![0x5a; length]));
            let nonce = OcspRequest::parse(&request).unwrap().nonce_value();
            let statuses = [
                CertStatus::Good,
                revoked(Some(RevocationReason::KeyCompromise)),
            ];
            let answers: Vec<_> = serials
                .iter()
                .zip(statuses)
                .map(|(&serial, status)| FreshAnswer {
                    issuer: &issuer,
                    serial,
                    status,
                })
                .collect();
            fs::write(path("request.der"), &request).unwrap();
            fs::write(path("response.der"), bench.sign(&answers, nonce)).unwrap();
            let output = Command::new("openssl")
                .args(["ocsp", "-reqin", "request.der", "-respin", "response.der"])
                // The nonce is the one in the request, not one more.
                .args(["-no_nonce", "-CAfile", "ca.pem", "-resp_text"])
                .args(["-attime", &NOW.unix().to_string()])
                .current_dir(&directory)
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(said.contains("Response verify OK"), "{said}");
            let complaints = ["Nonce Verify error", "no nonce"];
            assert!(!complaints.iter().any(|bad| said.contains(bad)), "{said}");
            assert!(
                said.contains("Status: good") && said.contains("Status: revoked"),
                "{said}"
            );
        }
    }
}
