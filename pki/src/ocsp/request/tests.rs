use std::process::Command;

use der::{Decode as _, Encode as _};
use proptest::prelude::*;

use super::*;
use crate::HashAlgorithm;
use crate::der_encode::{octet_string, sequence, tlv};
use crate::test_ca::{TestCa, extension};

fn parse_error(der: &[u8]) -> RequestError {
    OcspRequest::parse(der).expect_err("malformed")
}

/// CertID with this AlgorithmIdentifier and content of serialNumber.
fn cert_id(algorithm: &[u8], serial: &[u8]) -> Vec<u8> {
    sequence(&[
        algorithm,
        &octet_string(&[1; 20]),
        &octet_string(&[2; 20]),
        &tlv(tag::INTEGER, serial),
    ])
}

fn sha1() -> Vec<u8> {
    sequence(&[&der_encode::oid(&oid::SHA1), &der_encode::null()])
}

/// A request with these parts of tbsRequest.
fn request(parts: &[&[u8]]) -> Vec<u8> {
    sequence(&[&sequence(parts)])
}

fn list(ids: &[Vec<u8>]) -> Vec<u8> {
    let requests: Vec<u8> = ids.iter().flat_map(|id| sequence(&[id])).collect();
    tlv(tag::SEQUENCE, &requests)
}

fn one() -> Vec<u8> {
    list(&[cert_id(&sha1(), &[7])])
}

fn extensions(list: &[Vec<u8>]) -> Vec<u8> {
    der_encode::explicit(2, &tlv(tag::SEQUENCE, &list.concat()))
}

fn with_extensions(list: &[Vec<u8>]) -> Vec<u8> {
    request(&[&one(), &extensions(list)])
}

fn nonce(value: &[u8]) -> Vec<u8> {
    extension(oid::OCSP_NONCE, false, &octet_string(value))
}

#[test]
fn ours_is_read_back_by_us_and_by_x509_ocsp() {
    let ca = TestCa::new();
    let serials = [
        Serial::from_be_bytes(&[0x80, 1]).unwrap(),
        Serial::from_be_bytes(&[5; 20]).unwrap(),
    ];
    for hash in HashAlgorithm::ALL {
        let issuer = IssuerHashes::of(hash, &ca.certificate);
        let der = build(&issuer, &serials, Some(&[9; 32]));

        let request = OcspRequest::parse(&der).unwrap();
        assert_eq!((request.count(), request.nonce()), (2, Some(&[9; 32][..])));
        let ids: Vec<_> = request.cert_ids().collect();
        assert_eq!(ids[0], request.first());
        for (id, serial) in ids.iter().zip(serials) {
            assert_eq!((id.hash, id.serial_number()), (Some(hash), Some(serial)));
            assert_eq!(
                (id.name_hash, id.key_hash),
                (&issuer.name_hash[..], &issuer.key_hash[..])
            );
        }

        let theirs = x509_ocsp::OcspRequest::from_der(&der).unwrap();
        assert_eq!(theirs.to_der().unwrap(), der);
        assert_eq!(theirs.tbs_request.request_list.len(), 2);
        assert_eq!(theirs.nonce().unwrap().0.as_bytes(), [9; 32]);
    }
}

#[test]
fn what_openssl_asks() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let ca = TestCa::new();
    std::fs::write(path("ca.pem"), ca.certificate.to_pem()).unwrap();
    for (arguments, hash, nonce_octets) in [
        (
            &["-issuer", "ca.pem", "-serial", "0x1234"][..],
            HashAlgorithm::Sha1,
            Some(16),
        ),
        (
            &[
                "-sha256",
                "-issuer",
                "ca.pem",
                "-serial",
                "0x1234",
                "-no_nonce",
            ],
            HashAlgorithm::Sha256,
            None,
        ),
    ] {
        let status = Command::new("openssl")
            .args(["ocsp", "-reqout", "req.der"])
            .args(arguments)
            .current_dir(&directory)
            .status()
            .unwrap();
        assert!(status.success());
        let der = std::fs::read(path("req.der")).unwrap();
        let request = OcspRequest::parse(&der).unwrap();
        assert_eq!(request.nonce().map(<[u8]>::len), nonce_octets);
        let issuer = IssuerHashes::of(hash, &ca.certificate);
        let serial = Serial::from_be_bytes(&[0x12, 0x34]).unwrap();
        assert_eq!(request.first().serial_number(), Some(serial));
        assert_eq!(build(&issuer, &[serial], request.nonce()), der);
    }
}

/// OCSP-11.
#[test]
fn an_empty_list_is_malformed() {
    assert_eq!(
        parse_error(&request(&[&list(&[])])),
        RequestError::NothingAsked
    );
}

/// OCSP-12.
#[test]
fn unknown_extensions() {
    let unknown = |critical| extension(oid::CRL_NUMBER, critical, &[5, 0]);
    assert!(OcspRequest::parse(&with_extensions(&[unknown(false)])).is_ok());
    assert_eq!(
        parse_error(&with_extensions(&[unknown(true)])),
        RequestError::UnknownCriticalExtension
    );

    let single = |critical| {
        let extensions = der_encode::explicit(0, &sequence(&[&unknown(critical)]));
        request(&[&sequence(&[&sequence(&[
            &cert_id(&sha1(), &[7]),
            &extensions,
        ])])])
    };
    assert!(OcspRequest::parse(&single(false)).is_ok());
    assert_eq!(
        parse_error(&single(true)),
        RequestError::UnknownCriticalExtension
    );
}

/// OCSP-12: seen in the field.
#[test]
fn a_critical_nonce_is_recognised() {
    let critical = extension(oid::OCSP_NONCE, true, &octet_string(&[3; 16]));
    let der = with_extensions(&[critical]);
    assert_eq!(
        OcspRequest::parse(&der).unwrap().nonce(),
        Some(&[3; 16][..])
    );
}

#[test]
fn recognised_extensions_may_be_critical() {
    let types = sequence(&[&der_encode::oid(&oid::OCSP_BASIC)]);
    for id in [oid::OCSP_RESPONSE_TYPES, oid::OCSP_PREF_SIG_ALGS] {
        assert!(OcspRequest::parse(&with_extensions(&[extension(id, true, &types)])).is_ok());
    }
}

/// OCSP-13.
#[test]
fn requestor_name_and_signature_are_ignored() {
    let name = der_encode::explicit(1, &tlv(0x86, b"http://example.test/"));
    let tbs = sequence(&[&name, &one()]);
    let signature = der_encode::explicit(0, &sequence(&[&sha1(), &der_encode::bit_string(&[1])]));
    assert!(OcspRequest::parse(&sequence(&[&tbs, &signature])).is_ok());
    assert_eq!(
        parse_error(&sequence(&[&tbs, &der_encode::explicit(0, &[])])),
        RequestError::Der(DerError::Truncated("optionalSignature"))
    );
}

/// OCSP-14, OCSP-15.
#[test]
fn every_nonce_length() {
    for length in 0..=300 {
        let octets = vec![0x55; length];
        let der = with_extensions(&[nonce(&octets)]);
        let read = OcspRequest::parse(&der).map(|request| request.nonce().map(<[u8]>::to_vec));
        let expected = if (1..=128).contains(&length) {
            Ok(Some(octets))
        } else {
            Err(RequestError::NonceLength(length))
        };
        assert_eq!(read, expected, "{length} octets");
    }
}

/// OCSP-17.
#[test]
fn a_historic_nonce_without_octet_string() {
    for raw in [
        &[0x55; 16][..],
        &[4, 3, 1],
        &[4, 3, 1, 2, 3, 4],
        &[0x30, 1, 5],
    ] {
        let der = with_extensions(&[extension(oid::OCSP_NONCE, false, raw)]);
        let request = OcspRequest::parse(&der).unwrap();
        assert_eq!(request.nonce(), Some(raw), "{raw:?}");
        assert_eq!(request.nonce_value(), Some(raw), "{raw:?}");
    }
    let today = with_extensions(&[nonce(&[7, 8])]);
    let today = OcspRequest::parse(&today).unwrap();
    assert_eq!(
        (today.nonce(), today.nonce_value()),
        (Some(&[7, 8][..]), Some(&[4, 2, 7, 8][..]))
    );
    let empty = with_extensions(&[extension(oid::OCSP_NONCE, false, &[])]);
    assert_eq!(parse_error(&empty), RequestError::NonceLength(0));
    let long = with_extensions(&[extension(oid::OCSP_NONCE, false, &[0x55; 129])]);
    assert_eq!(parse_error(&long), RequestError::NonceLength(129));
}

#[test]
fn two_nonces_are_malformed() {
    assert_eq!(
        parse_error(&with_extensions(&[nonce(&[1]), nonce(&[1])])),
        RequestError::NonceTwice
    );
}

/// OCSP-18, OCSP-19.
#[test]
fn hashes_with_null_and_with_absent_parameters() {
    for hash in HashAlgorithm::ALL {
        let id = der_encode::oid(&hash.oid());
        for algorithm in [sequence(&[&id, &der_encode::null()]), sequence(&[&id])] {
            let der = request(&[&list(&[cert_id(&algorithm, &[7])])]);
            assert_eq!(OcspRequest::parse(&der).unwrap().first().hash, Some(hash));
        }
    }
    let md5 = der_encode::oid(&ObjectIdentifier::new_unwrap("1.2.840.113549.2.5"));
    let other_parameters = sequence(&[&der_encode::oid(&oid::SHA1), &der_encode::integer(&[1])]);
    for algorithm in [sequence(&[&md5, &der_encode::null()]), other_parameters] {
        let der = request(&[&list(&[cert_id(&algorithm, &[7])])]);
        assert_eq!(OcspRequest::parse(&der).unwrap().first().hash, None);
    }
}

/// OCSP-23.
#[test]
fn odd_serials_are_given_raw() {
    for serial in [
        &[0][..],
        &[0x80],
        &[0xff, 0x7f],
        &[0, 0x80],
        &[0x7f; 20],
        &[0x7f; 21],
        &[0x7f; 200],
    ] {
        let der = request(&[&list(&[cert_id(&sha1(), serial)])]);
        let id = OcspRequest::parse(&der).unwrap().first();
        assert_eq!(id.serial, serial);
        let possible = serial[0] & 0x80 == 0 && serial != [0] && serial.len() <= 20;
        assert_eq!(id.serial_number().is_some(), possible, "{serial:?}");
    }
    for serial in [&[][..], &[0, 1], &[0xff, 0x80]] {
        let der = request(&[&list(&[cert_id(&sha1(), serial)])]);
        assert_eq!(
            parse_error(&der),
            RequestError::Der(DerError::BadValue("serialNumber"))
        );
    }
}

#[test]
fn defaults_that_are_written_out() {
    let version = |n| der_encode::explicit(0, &der_encode::integer(&[n]));
    assert!(OcspRequest::parse(&request(&[&version(0), &one()])).is_ok());
    assert_eq!(
        parse_error(&request(&[&version(1), &one()])),
        RequestError::Version
    );

    let written_false = sequence(&[
        &der_encode::oid(&oid::OCSP_NONCE),
        &tlv(tag::BOOLEAN, &[0]),
        &octet_string(&octet_string(&[7; 16])),
    ]);
    assert!(OcspRequest::parse(&with_extensions(&[written_false])).is_ok());
}

/// OCSP-01.
#[test]
fn what_is_not_a_request() {
    let bytes: &[&[u8]] = &[
        &[],
        &[0x30],
        &[0x30, 0],
        &[0x30, 0x80, 0, 0],
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x30; 4096],
        &[0xff; 64],
        &with_extensions(&[]),
        &with_extensions(&[vec![]])[..10],
        &[&request(&[&one()])[..], &[0]].concat(),
        &request(&[&one(), &one()]),
        &request(&[]),
    ];
    for der in bytes {
        parse_error(der);
    }
}

#[test]
fn truncated_anywhere() {
    let der = with_extensions(&[nonce(&[7; 32])]);
    for length in 0..der.len() {
        parse_error(&der[..length]);
    }
}

/// Nesting costs nothing: what is skipped is not entered.
#[test]
fn deep_nesting() {
    let mut deep = vec![];
    for _ in 0..400 {
        deep = tlv(tag::SEQUENCE, &deep);
    }
    let name = der_encode::explicit(1, &deep);
    assert!(OcspRequest::parse(&request(&[&name, &one()])).is_ok());
    parse_error(&deep);
}

proptest! {
    /// Where x509-ocsp, the oracle, reads a request and writes the same bytes again, so do we, unless a
    /// rule that it does not know forbids it.
    #[test]
    fn agrees_with_x509_ocsp(flips in prop::collection::vec((0_usize..120, any::<u8>()), 0..4)) {
        let mut der = with_extensions(&[nonce(&[7; 20])]);
        for (at, value) in flips {
            let length = der.len();
            der[at % length] = value;
        }
        let theirs = x509_ocsp::OcspRequest::from_der(&der)
            .ok()
            .filter(|request| request.to_der().is_ok_and(|again| again == der));
        match (OcspRequest::parse(&der), theirs) {
            (Ok(ours), Some(theirs)) => {
                let id = &theirs.tbs_request.request_list[0].req_cert;
                prop_assert_eq!(ours.first().serial, id.serial_number.as_bytes());
                prop_assert_eq!(ours.first().name_hash, id.issuer_name_hash.as_bytes());
                prop_assert_eq!(ours.first().key_hash, id.issuer_key_hash.as_bytes());
            }
            (Err(error), Some(_)) => prop_assert!(
                matches!(
                    error,
                    RequestError::UnknownCriticalExtension
                        | RequestError::NonceLength(_)
                        | RequestError::NothingAsked
                        | RequestError::Version
                ),
                "{error}"
            ),
            (_, None) => {}
        }
    }

    #[test]
    fn never_panics(der in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = OcspRequest::parse(&der);
    }
}
