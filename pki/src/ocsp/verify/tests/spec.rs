//! A response with every part open to be spoiled, and what it is verified against.

use super::*;
use crate::der_encode::{self as der, tag};
use crate::ocsp::IssuerHashes;
use crate::test_ca::{DAY, NOW, TestCa, TestKey, extension};
use crate::{ObjectIdentifier, RevocationReason, oid};

pub(super) struct ResponseSpec {
    pub(super) response_type: ObjectIdentifier,
    pub(super) version: Vec<u8>,
    pub(super) responder_id: Vec<u8>,
    pub(super) produced_at: Vec<u8>,
    pub(super) cert_id: Vec<u8>,
    pub(super) status: Vec<u8>,
    pub(super) this_update: Vec<u8>,
    /// The time inside nextUpdate; none when empty.
    pub(super) next_update: Vec<u8>,
    pub(super) single_extensions: Vec<Vec<u8>>,
    /// How often the answer stands there.
    pub(super) answers: usize,
    pub(super) response_extensions: Vec<Vec<u8>>,
    pub(super) algorithm: Vec<u8>,
    pub(super) certs: Option<Vec<Vec<u8>>>,
}

pub(super) struct Bench {
    pub(super) ca: TestCa,
    pub(super) key: TestKey,
    pub(super) certificate: Certificate,
    pub(super) response: ResponseSpec,
    pub(super) now: Time,
    pub(super) rules: Rules,
    pub(super) hash: HashAlgorithm,
    pub(super) status: Option<CertStatus>,
    /// The value of the nonce extension in the request.
    pub(super) nonce: Option<Vec<u8>>,
    /// For how many certificates it was asked.
    pub(super) asked: usize,
    pub(super) sign: fn(&TestKey, &[u8]) -> Vec<u8>,
    by_ca: bool,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::of(TestCa::new(), TestKey::p256())
    }

    /// A good answer by a delegated responder with this key.
    pub(super) fn of(ca: TestCa, key: TestKey) -> Self {
        let certificate = ca.responder(&key);
        let response = ResponseSpec {
            response_type: oid::OCSP_BASIC,
            version: vec![],
            responder_id: der::explicit(2, &der::octet_string(&key.key_id())),
            produced_at: later(0),
            cert_id: IssuerHashes::of(HashAlgorithm::Sha1, &ca.certificate).cert_id(&serial()),
            status: der::tlv(0x80, &[]),
            this_update: later(0),
            next_update: later(96),
            single_extensions: vec![],
            answers: 1,
            response_extensions: vec![],
            algorithm: key.algorithm().algorithm_identifier().to_vec(),
            certs: Some(vec![certificate.der().to_vec()]),
        };
        Self {
            ca,
            key,
            certificate,
            response,
            now: NOW,
            rules: Rules::default(),
            hash: HashAlgorithm::Sha1,
            status: None,
            nonce: None,
            asked: 1,
            sign: TestKey::sign,
            by_ca: false,
        }
    }

    pub(super) fn der(&self) -> Vec<u8> {
        let response = &self.response;
        let optional = |n, value: &[u8]| {
            if value.is_empty() {
                vec![]
            } else {
                der::explicit(n, value)
            }
        };
        let list = |list: &[Vec<u8>]| {
            if list.is_empty() {
                vec![]
            } else {
                der::tlv(tag::SEQUENCE, &list.concat())
            }
        };
        let single = der::sequence(&[
            &response.cert_id,
            &response.status,
            &response.this_update,
            &optional(0, &response.next_update),
            &optional(1, &list(&response.single_extensions)),
        ]);
        let data = der::sequence(&[
            &response.version,
            &response.responder_id,
            &response.produced_at,
            &der::tlv(tag::SEQUENCE, &single.repeat(response.answers)),
            &optional(1, &list(&response.response_extensions)),
        ]);
        let key = if self.by_ca { &self.ca.key } else { &self.key };
        let certs = response.certs.as_ref().map_or_else(Vec::new, |certs| {
            der::explicit(0, &der::tlv(tag::SEQUENCE, &certs.concat()))
        });
        let basic = der::sequence(&[
            &data,
            &response.algorithm,
            &der::bit_string(&(self.sign)(key, &data)),
            &certs,
        ]);
        let bytes = der::sequence(&[
            &der::oid(&response.response_type),
            &der::octet_string(&basic),
        ]);
        der::sequence(&[&der::enumerated(0), &der::explicit(0, &bytes)])
    }

    pub(super) fn violations(&self, removed: Option<&str>) -> Result<Vec<Violation>, Violation> {
        self.expecting(|expected| violations_without(&self.der(), expected, removed))
    }

    pub(super) fn verify(&self) -> Result<Verified, Violation> {
        self.verify_der(&self.der())
    }

    pub(super) fn verify_der(&self, der: &[u8]) -> Result<Verified, Violation> {
        self.expecting(|expected| {
            verify_by(der, expected, |responder| {
                verify_responder(responder, expected.ca, expected.now, expected.rules)
            })
        })
    }

    fn expecting<T>(&self, judge: impl FnOnce(&ExpectedFresh<'_>) -> T) -> T {
        let answer = ExpectedAnswer {
            hash: self.hash,
            serial: serial(),
            status: self.status,
        };
        judge(&ExpectedFresh {
            ca: &self.ca.certificate,
            answers: &vec![answer; self.asked],
            nonce: self.nonce.as_deref(),
            now: self.now,
            rules: self.rules,
        })
    }

    pub(super) fn revoke(&mut self, reason: Option<u8>) {
        self.set_revoked(&revocation_time(), reason);
    }

    pub(super) fn set_revoked(&mut self, time: &[u8], reason: Option<u8>) {
        let reason = reason.map_or_else(Vec::new, |code| der::explicit(0, &der::enumerated(code)));
        self.response.status = der::tlv(tag::context(1), &[time, &reason].concat());
    }

    pub(super) fn sign_by_ca(&mut self) {
        self.by_ca = true;
        self.response.certs = None;
        self.response.responder_id = der::explicit(2, &der::octet_string(&self.ca.key.key_id()));
    }

    pub(super) fn use_certificate(&mut self, certificate: Certificate) {
        self.response.certs = Some(vec![certificate.der().to_vec()]);
        self.certificate = certificate;
    }

    /// Names the certificate by this hash.
    pub(super) fn set_hash(&mut self, hash: HashAlgorithm) {
        self.response.cert_id = IssuerHashes::of(hash, &self.ca.certificate).cert_id(&serial());
    }

    /// Asks with a nonce and has it echoed.
    pub(super) fn echo_nonce(&mut self) {
        self.nonce = Some(NONCE.to_vec());
        self.add_nonce(false, NONCE);
    }

    pub(super) fn add_nonce(&mut self, critical: bool, value: &[u8]) {
        let nonce = extension(oid::OCSP_NONCE, critical, value);
        self.response.response_extensions.push(nonce);
    }

    pub(super) fn add_archive_cutoff(&mut self, time: Vec<u8>) {
        self.response
            .single_extensions
            .push(extension(oid::OCSP_ARCHIVE_CUTOFF, false, &time));
    }
}

/// A nonce of 8 octets in its OCTET STRING.
pub(super) const NONCE: &[u8] = &[4, 8, 1, 2, 3, 4, 5, 6, 7, 8];

fn serial() -> Serial {
    Serial::from_be_bytes(&[0x9a, 0xbc]).unwrap()
}

pub(super) fn signed_at() -> Time {
    NOW.plus_seconds(-60)
}

/// The GeneralizedTime so many hours after the signing.
pub(super) fn later(hours: i64) -> Vec<u8> {
    der::generalized_time(signed_at().plus_seconds(hours * 3600))
}

fn revocation_time() -> Vec<u8> {
    der::generalized_time(NOW.plus_seconds(-DAY))
}

/// What [`Bench::revoke`] makes the response say.
pub(super) fn revoked(reason: Option<u8>) -> CertStatus {
    CertStatus::Revoked {
        time: NOW.plus_seconds(-DAY),
        reason: reason.map(|code| RevocationReason::from_code(code).unwrap()),
    }
}
