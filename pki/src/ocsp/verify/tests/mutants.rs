//! The spoiled responses.

use super::Mutant;
use super::spec::{Bench, NONCE, later, revoked, signed_at};
use crate::der_encode::{self as der, tag};
use crate::ocsp::response::CertStatus;
use crate::test_ca::{NOW, TestCa, TestKey, ca_name, ecdsa_sha256_with_null, extension};
use crate::{HashAlgorithm, SignatureAlgorithm, oid};

/// A CertID with one of its parts replaced: 0 hash, 1 name, 2 key, 3 serial number.
fn cert_id(bench: &Bench, part: usize, value: Vec<u8>) -> Vec<u8> {
    let mut reader = crate::der_read::Reader::new(&bench.response.cert_id)
        .sequence("CertID")
        .unwrap();
    let mut parts: Vec<Vec<u8>> = (0..4)
        .map(|_| reader.next("part").unwrap().whole.to_vec())
        .collect();
    parts[part] = value;
    der::tlv(tag::SEQUENCE, &parts.concat())
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        check: "a basic response",
        what: "another type",
        spoil: |b| b.response.response_type = oid::OCSP_NONCE,
    },
    Mutant {
        check: "version left out",
        what: "explicit v1",
        spoil: |b| b.response.version = der::explicit(0, &der::integer(&[0])),
    },
    Mutant {
        check: "no empty certs",
        what: "an empty SEQUENCE",
        spoil: |b| {
            b.sign_by_ca();
            b.response.certs = Some(vec![]);
        },
    },
    Mutant {
        check: "one certificate at most",
        what: "the CA's certificate after the signer's",
        spoil: |b| {
            b.response
                .certs
                .as_mut()
                .unwrap()
                .push(b.ca.certificate.der().to_vec())
        },
    },
    Mutant {
        check: "a readable certificate",
        what: "an empty SEQUENCE for a certificate",
        spoil: |b| {
            b.sign_by_ca();
            b.response.certs = Some(vec![der::sequence(&[])]);
        },
    },
    Mutant {
        check: "not the CA's certificate",
        what: "the CA signs and adds its certificate",
        spoil: |b| {
            b.sign_by_ca();
            b.use_certificate(b.ca.certificate.clone());
        },
    },
    Mutant {
        check: "the CA may sign answers",
        what: "no digitalSignature",
        spoil: |b| {
            let ca = TestCa::with(TestKey::p256(), |spec| {
                spec.set(oid::KEY_USAGE, true, &der::named_bits(&[5, 6]));
            });
            *b = Bench::of(ca, TestKey::p256());
            b.sign_by_ca();
        },
    },
    Mutant {
        check: "responderID by key",
        what: "by name",
        spoil: |b| b.response.responder_id = der::explicit(1, &ca_name()),
    },
    Mutant {
        check: "responderID of the signer",
        what: "the CA's key",
        spoil: |b| {
            b.response.responder_id = der::explicit(2, &der::octet_string(&b.ca.key.key_id()))
        },
    },
    Mutant {
        check: "responderID of the signer",
        what: "SHA-256 of the key",
        spoil: |b| {
            let hash = HashAlgorithm::Sha256.digest(b.certificate.public_key().key_bits());
            b.response.responder_id = der::explicit(2, &der::octet_string(&hash));
        },
    },
    Mutant {
        check: "no weak signature",
        what: "SHA-1",
        spoil: |b| {
            *b = Bench::of(TestCa::new(), TestKey::rsa());
            b.response.algorithm = SignatureAlgorithm::RsaSha1.algorithm_identifier().to_vec();
            b.sign = TestKey::sign_sha1;
        },
    },
    Mutant {
        check: "the algorithm's bytes",
        what: "ECDSA with NULL",
        spoil: |b| b.response.algorithm = ecdsa_sha256_with_null(),
    },
    Mutant {
        check: "the signature",
        what: "another key",
        spoil: |b| b.sign = |_, data| TestKey::p256().sign(data),
    },
    Mutant {
        check: "no responseExtensions",
        what: "a nonce",
        spoil: |b| {
            let nonce = der::octet_string(&[7; 16]);
            b.response
                .response_extensions
                .push(extension(oid::OCSP_NONCE, false, &nonce));
        },
    },
    Mutant {
        check: "no responseExtensions",
        what: "extended-revoke",
        spoil: |b| {
            b.response.response_extensions.push(extension(
                oid::OCSP_EXTENDED_REVOKE,
                false,
                &der::null(),
            ))
        },
    },
    Mutant {
        check: "no responseExtensions",
        what: "extended-revoke beside a nonce",
        spoil: |b| {
            b.echo_nonce();
            let other = extension(oid::OCSP_EXTENDED_REVOKE, false, &der::null());
            b.response.response_extensions.push(other);
        },
    },
    Mutant {
        check: "the nonce asked for",
        what: "none",
        spoil: |b| b.nonce = Some(NONCE.to_vec()),
    },
    Mutant {
        check: "the nonce asked for",
        what: "another",
        spoil: |b| {
            b.nonce = Some(NONCE.to_vec());
            b.add_nonce(false, &der::octet_string(&[7; 8]));
        },
    },
    Mutant {
        check: "the nonce asked for",
        what: "another encoding of it",
        spoil: |b| {
            b.nonce = Some(NONCE.to_vec());
            b.add_nonce(false, &NONCE[2..]);
        },
    },
    Mutant {
        check: "the nonce asked for",
        what: "critical",
        spoil: |b| {
            b.nonce = Some(NONCE.to_vec());
            b.add_nonce(true, NONCE);
        },
    },
    Mutant {
        check: "the nonce asked for",
        what: "twice",
        spoil: |b| {
            b.echo_nonce();
            b.add_nonce(false, NONCE);
        },
    },
    Mutant {
        check: "one answer for each request",
        what: "two for one",
        spoil: |b| b.response.answers = 2,
    },
    Mutant {
        check: "one answer for each request",
        what: "one for two",
        spoil: |b| b.asked = 2,
    },
    Mutant {
        check: "the request's hash",
        what: "SHA-256 for SHA-1",
        spoil: |b| b.set_hash(HashAlgorithm::Sha256),
    },
    Mutant {
        check: "the request's hash",
        what: "an unknown hash",
        spoil: |b| {
            let md5 = crate::ObjectIdentifier::new_unwrap("1.2.840.113549.2.5");
            b.response.cert_id = cert_id(b, 0, der::sequence(&[&der::oid(&md5), &der::null()]));
        },
    },
    Mutant {
        check: "the issuer's name",
        what: "another",
        spoil: |b| b.response.cert_id = cert_id(b, 1, der::octet_string(&[7; 20])),
    },
    Mutant {
        check: "the issuer's key",
        what: "another",
        spoil: |b| b.response.cert_id = cert_id(b, 2, der::octet_string(&[7; 20])),
    },
    Mutant {
        check: "the serial asked for",
        what: "another",
        spoil: |b| b.response.cert_id = cert_id(b, 3, der::integer(&[7])),
    },
    Mutant {
        check: "the serial asked for",
        what: "negative",
        spoil: |b| b.response.cert_id = cert_id(b, 3, der::tlv(tag::INTEGER, &[0x9a, 0xbc])),
    },
    Mutant {
        check: "no unknown",
        what: "unknown",
        spoil: |b| b.response.status = der::tlv(0x82, &[]),
    },
    Mutant {
        check: "the status of the ledger",
        what: "good for revoked",
        spoil: |b| b.status = Some(revoked(Some(1))),
    },
    Mutant {
        check: "the status of the ledger",
        what: "revoked for good",
        spoil: |b| {
            b.revoke(Some(1));
            b.status = Some(CertStatus::Good);
        },
    },
    Mutant {
        check: "the status of the ledger",
        what: "another reason",
        spoil: |b| {
            b.revoke(Some(1));
            b.status = Some(revoked(Some(4)));
        },
    },
    Mutant {
        check: "form of producedAt",
        what: "UTCTime",
        spoil: |b| b.response.produced_at = der::utc_or_generalized_time(signed_at()),
    },
    Mutant {
        check: "form of thisUpdate",
        what: "a fraction",
        spoil: |b| b.response.this_update = der::tlv(tag::GENERALIZED_TIME, b"20261121115900.0Z"),
    },
    Mutant {
        check: "form of nextUpdate",
        what: "no seconds",
        spoil: |b| b.response.next_update = der::tlv(tag::GENERALIZED_TIME, b"202611241159Z"),
    },
    Mutant {
        check: "form of revocationTime",
        what: "UTCTime",
        spoil: |b| b.set_revoked(&der::utc_or_generalized_time(signed_at()), Some(1)),
    },
    Mutant {
        check: "a nextUpdate",
        what: "left out",
        spoil: |b| b.response.next_update = vec![],
    },
    Mutant {
        check: "producedAt not in the future",
        what: "a second ahead",
        spoil: |b| b.response.produced_at = der::generalized_time(NOW.plus_seconds(1)),
    },
    Mutant {
        check: "thisUpdate near producedAt",
        what: "backdated by more than an hour",
        spoil: |b| b.response.this_update = der::generalized_time(signed_at().plus_seconds(-3601)),
    },
    Mutant {
        check: "thisUpdate near producedAt",
        what: "after producedAt",
        spoil: |b| b.response.produced_at = der::generalized_time(signed_at().plus_seconds(-1)),
    },
    Mutant {
        check: "revoked before thisUpdate",
        what: "an hour later",
        spoil: |b| b.set_revoked(&later(1), Some(1)),
    },
    Mutant {
        check: "not stale",
        what: "nextUpdate now",
        spoil: |b| b.now = signed_at().plus_seconds(96 * 3600),
    },
    Mutant {
        check: "validity not too short",
        what: "8 hours less a second",
        spoil: |b| {
            b.response.next_update = der::generalized_time(signed_at().plus_seconds(8 * 3600 - 1))
        },
    },
    Mutant {
        check: "validity not too long",
        what: "10 days and a second",
        spoil: |b| {
            b.response.next_update = der::generalized_time(signed_at().plus_seconds(864_001))
        },
    },
    Mutant {
        check: "validity not too long",
        what: "a CA's, 366 days",
        spoil: |b| {
            b.sign_by_ca();
            b.rules.ca_certificate = true;
            b.response.next_update = later(366 * 24);
        },
    },
    Mutant {
        check: "nextUpdate within the signer's validity",
        what: "a responder that ends tomorrow",
        spoil: |b| {
            let mut spec = b.ca.responder_spec(&b.key);
            spec.not_after = NOW.plus_seconds(86_400);
            let certificate = spec.sign(|tbs| b.ca.key.sign(tbs));
            b.use_certificate(certificate);
        },
    },
    Mutant {
        check: "nextUpdate within the signer's validity",
        what: "a CA that ends tomorrow",
        spoil: |b| {
            let ca = TestCa::with(TestKey::p256(), |spec| {
                spec.not_after = NOW.plus_seconds(86_400)
            });
            *b = Bench::of(ca, TestKey::p256());
            b.sign_by_ca();
        },
    },
    Mutant {
        check: "unspecified left out",
        what: "0",
        spoil: |b| b.revoke(Some(0)),
    },
    Mutant {
        check: "a reason that exists",
        what: "7",
        spoil: |b| b.revoke(Some(7)),
    },
    Mutant {
        check: "a reason that exists",
        what: "removeFromCRL",
        spoil: |b| b.revoke(Some(8)),
    },
    Mutant {
        check: "a reason that is allowed",
        what: "aACompromise",
        spoil: |b| {
            b.rules.browser_forum = true;
            b.revoke(Some(10));
        },
    },
    Mutant {
        check: "a reason for a CA",
        what: "none",
        spoil: |b| {
            b.rules.browser_forum = true;
            b.rules.ca_certificate = true;
            b.revoke(None);
        },
    },
    Mutant {
        check: "no hold",
        what: "certificateHold",
        spoil: |b| b.revoke(Some(6)),
    },
    Mutant {
        check: "no reasonCode extension",
        what: "reasonCode",
        spoil: |b| {
            b.response.single_extensions.push(extension(
                oid::REASON_CODE,
                false,
                &der::enumerated(1),
            ))
        },
    },
    Mutant {
        check: "no single extension but archiveCutoff",
        what: "CrlID",
        spoil: |b| {
            b.response.single_extensions.push(extension(
                oid::OCSP_CRL_ID,
                false,
                &der::sequence(&[]),
            ))
        },
    },
    Mutant {
        check: "form of archiveCutoff",
        what: "UTCTime",
        spoil: |b| b.add_archive_cutoff(der::utc_or_generalized_time(NOW)),
    },
    Mutant {
        check: "form of archiveCutoff",
        what: "a text",
        spoil: |b| b.add_archive_cutoff(der::utf8_string("2020")),
    },
];
