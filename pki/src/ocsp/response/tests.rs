use std::process::Command;

use der::Decode as _;
use x509_ocsp::{BasicOcspResponse, OcspResponse, OcspResponseStatus};

use super::*;
use crate::ocsp::verify::{Expected, Rules, verify_response};
use crate::test_ca::{DAY, NOW, TestCa, TestKey};

struct Bench {
    ca: TestCa,
    key: TestKey,
    responder: Certificate,
}

impl Bench {
    fn new(ca_key: TestKey, key: TestKey) -> Self {
        let ca = TestCa::with(ca_key, |_| ());
        let responder = ca.responder(&key);
        Self { ca, key, responder }
    }

    fn sign(&self, hash: HashAlgorithm, serial: &Serial, status: CertStatus) -> Vec<u8> {
        let template = Template::new(
            hash,
            &self.ca.certificate,
            &self.responder,
            self.key.algorithm(),
        );
        let data = template.response_data(serial, status, NOW, NOW.plus_seconds(4 * DAY));
        template.response(&data, &self.key.sign(&data))
    }
}

fn statuses() -> [CertStatus; 4] {
    let time = NOW.plus_seconds(-DAY);
    [
        CertStatus::Good,
        CertStatus::Revoked { time, reason: None },
        CertStatus::Revoked {
            time,
            reason: Some(RevocationReason::Unspecified),
        },
        CertStatus::Revoked {
            time,
            reason: Some(RevocationReason::KeyCompromise),
        },
    ]
}

fn serials() -> [Serial; 3] {
    [&[1][..], &[0x80, 0], &[0xfe; 20]].map(|bytes| Serial::from_be_bytes(bytes).unwrap())
}

#[test]
fn passes_our_verifier_and_x509_ocsp() {
    for bench in [
        Bench::new(TestKey::p256(), TestKey::p256()),
        Bench::new(TestKey::rsa(), TestKey::rsa()),
    ] {
        for hash in [HashAlgorithm::Sha1, HashAlgorithm::Sha256] {
            for (serial, status) in serials()
                .into_iter()
                .flat_map(|serial| statuses().map(|status| (serial, status)))
            {
                let der = bench.sign(hash, &serial, status);
                let expected = Expected {
                    ca: &bench.ca.certificate,
                    hash,
                    serial: &serial,
                    now: NOW,
                    status: Some(status),
                    rules: Rules::default(),
                };
                let verified = verify_response(&der, &expected).unwrap();
                assert_eq!(verified.responder, bench.responder);

                let theirs = OcspResponse::from_der(&der).unwrap();
                assert_eq!(theirs.response_status, OcspResponseStatus::Successful);
                let bytes = theirs.response_bytes.unwrap();
                let basic = BasicOcspResponse::from_der(bytes.response.as_bytes()).unwrap();
                assert_eq!(basic.tbs_response_data.responses.len(), 1);
                assert_eq!(basic.certs.unwrap().len(), 1);
                assert_eq!(
                    der::Encode::to_der(&basic.tbs_response_data).unwrap(),
                    verified.response_data
                );
            }
        }
    }
}

/// The fast encoder writes what the plain one writes.
#[test]
fn response_data_to_the_byte() {
    use crate::der_encode as der;

    let bench = Bench::new(TestKey::p256(), TestKey::p256());
    for (hash, serial) in HashAlgorithm::ALL
        .into_iter()
        .flat_map(|hash| serials().map(|serial| (hash, serial)))
    {
        let issuer = IssuerHashes::of(hash, &bench.ca.certificate);
        let template = Template::new(
            hash,
            &bench.ca.certificate,
            &bench.responder,
            bench.key.algorithm(),
        );
        let next_update = NOW.plus_seconds(4 * DAY + 3_723);
        for status in statuses() {
            let cert_status = match status {
                CertStatus::Good => der::tlv(0x80, &[]),
                CertStatus::Revoked { time, reason } => {
                    let reason = match reason {
                        Some(RevocationReason::KeyCompromise) => {
                            der::explicit(0, &der::enumerated(1))
                        }
                        _ => vec![],
                    };
                    der::tlv(0xa1, &[der::generalized_time(time), reason].concat())
                }
            };
            let this_update = der::generalized_time(NOW);
            let single = der::sequence(&[
                &issuer.cert_id(&serial),
                &cert_status,
                &this_update,
                &der::explicit(0, &der::generalized_time(next_update)),
            ]);
            let key_hash = der::octet_string(&bench.responder.public_key().key_id());
            let expected = der::sequence(&[
                &der::explicit(2, &key_hash),
                &this_update,
                &der::sequence(&[&single]),
            ]);
            let data = template.response_data(&serial, status, NOW, next_update);
            assert_eq!(data, expected, "{hash} {serial} {status:?}");
            assert_eq!(data.capacity(), data.len());
        }
    }
}

proptest::proptest! {
    /// Written in one go, a response is the one made around its ResponseData, and as long as foretold.
    #[test]
    fn written_at_once_or_in_two_steps(
        serial in proptest::collection::vec(proptest::num::u8::ANY, 0..=19),
        first in 1_u8..,
        moment in 0_i64..253_402_300_800,
        validity in 0_i64..1_000_000,
        status in 0_usize..4,
        hash in 0_usize..4,
        certificate in proptest::sample::select(vec![0, 1, 100, 127, 255, 1_000, 70_000]),
        signature in proptest::sample::select(vec![0, 64, 72, 126, 127, 128, 256, 3_309]),
    ) {
        let issuer = IssuerHashes {
            hash: HashAlgorithm::ALL[hash],
            name_hash: vec![1; 20 + hash],
            key_hash: vec![2; 20 + hash],
        };
        let algorithm = SignatureAlgorithm::EcdsaSha256;
        let template = Template::of(&issuer, [3; 20], algorithm, &vec![4; certificate]);
        let serial = Serial::from_be_bytes(&[&[first], &serial[..]].concat()).unwrap();
        let (this_update, next_update) = (Time::from_unix(moment), Time::from_unix(moment + validity));
        let (status, signature) = (statuses()[status], vec![5; signature]);
        let data = template.response_data(&serial, status, this_update, next_update);
        let mut written = b"before".to_vec();
        let mut announced = 0;
        template.write_response(
            &mut written,
            &serial,
            status,
            this_update..next_update,
            &signature,
            |length, _| announced = length,
        );
        assert_eq!(announced, written.len() - 6);
        proptest::prop_assert_eq!(&written[6..], template.response(&data, &signature));
        proptest::prop_assert_eq!(
            template.response_len(&serial, status, signature.len()),
            written.len() - 6
        );
    }
}

/// OCSP-42: no certificate where the CA signs by itself.
#[test]
fn signed_by_the_ca() {
    let ca = TestCa::new();
    let template = Template::new(
        HashAlgorithm::Sha1,
        &ca.certificate,
        &ca.certificate,
        ca.key.algorithm(),
    );
    assert!(template.certs.is_empty());
    let serial = serials()[0];
    let data = template.response_data(&serial, CertStatus::Good, NOW, NOW.plus_seconds(4 * DAY));
    let der = template.response(&data, &ca.key.sign(&data));
    let expected = Expected {
        ca: &ca.certificate,
        hash: HashAlgorithm::Sha1,
        serial: &serial,
        now: NOW,
        status: Some(CertStatus::Good),
        rules: Rules::default(),
    };
    assert_eq!(
        verify_response(&der, &expected).unwrap().responder,
        ca.certificate
    );
}

/// Lengths that cross 127, 255 and 65,535 octets are right, and nothing is allocated in vain.
#[test]
fn every_length_of_signature() {
    let bench = Bench::new(TestKey::p256(), TestKey::p256());
    let issuer = IssuerHashes::of(HashAlgorithm::Sha1, &bench.ca.certificate);
    let key_id = bench.responder.public_key().key_id();
    for certificate in [0, 1, 100, 120, 254, 65_000] {
        let certificate = vec![0x55; certificate];
        let template = Template::of(&issuer, key_id, bench.key.algorithm(), &certificate);
        for signature in (0..300).chain([65_530, 65_540]) {
            let der = template.response(&[0x30, 0], &vec![7; signature]);
            assert_eq!(der.capacity(), der.len());
            let response = crate::der_read::single(&der, "response").unwrap();
            assert_eq!(response.whole.len(), der.len());
        }
    }
}

/// OCSP-02: `30 03 0A 01 xx`.
#[test]
fn error_responses() {
    for (status, theirs) in [
        (
            ErrorStatus::MalformedRequest,
            OcspResponseStatus::MalformedRequest,
        ),
        (
            ErrorStatus::InternalError,
            OcspResponseStatus::InternalError,
        ),
        (ErrorStatus::TryLater, OcspResponseStatus::TryLater),
        (ErrorStatus::SigRequired, OcspResponseStatus::SigRequired),
        (ErrorStatus::Unauthorized, OcspResponseStatus::Unauthorized),
    ] {
        let response = OcspResponse::from_der(status.der()).unwrap();
        assert_eq!(
            (response.response_status, response.response_bytes),
            (theirs, None)
        );
    }
}

/// `openssl ocsp` verifies the answer and reads it as we meant it.
#[test]
fn openssl_accepts_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for bench in [
        Bench::new(TestKey::p256(), TestKey::p256()),
        Bench::new(TestKey::rsa(), TestKey::rsa()),
    ] {
        std::fs::write(path("ca.pem"), bench.ca.certificate.to_pem()).unwrap();
        for (hash, flag) in [
            (HashAlgorithm::Sha1, "-sha1"),
            (HashAlgorithm::Sha256, "-sha256"),
        ] {
            for (status, text) in
                statuses()
                    .into_iter()
                    .zip(["good", "revoked", "revoked", "Reason: keyCompromise"])
            {
                let serial = serials()[1];
                std::fs::write(path("resp.der"), bench.sign(hash, &serial, status)).unwrap();
                let output = Command::new("openssl")
                    .args([
                        "ocsp", "-respin", "resp.der", flag, "-issuer", "ca.pem", "-serial",
                    ])
                    .arg(format!("0x{serial}"))
                    .args([
                        "-CAfile",
                        "ca.pem",
                        "-attime",
                        &NOW.unix().to_string(),
                        "-no_nonce",
                    ])
                    // The test takes place at another time than now: the window is checked by us.
                    .args(["-validity_period", "4000000000"])
                    .current_dir(&directory)
                    .output()
                    .unwrap();
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                assert!(said.contains("Response verify OK"), "{said}");
                assert!(
                    said.contains(&format!("0x{serial}: ")) && said.contains(text),
                    "{said}"
                );
            }
        }
    }
}
