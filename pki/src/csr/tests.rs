//! Requests made by OpenSSL, and what hostile senders make of them.

use std::path::Path;
use std::process::Command;

use super::*;
use crate::name_rules::{AttributeKind, SubjectAttribute};
use crate::weak_keys::{self, KeyRules};
use crate::{KeyKind, der_encode};

fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .current_dir(directory)
        .args(arguments)
        .output()
        .expect("openssl is installed");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A request for a new key, as OpenSSL makes it.
fn request(key: &[&str], subject: &str, more: &[&str]) -> CertificationRequest {
    CertificationRequest::from_pem(&request_pem(key, subject, more)).expect("a request")
}

fn request_pem(key: &[&str], subject: &str, more: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let mut arguments = vec!["genpkey", "-out", "key.pem"];
    arguments.extend(key);
    openssl(directory.path(), &arguments);
    let mut arguments = vec![
        "req",
        "-new",
        "-utf8",
        "-key",
        "key.pem",
        "-out",
        "request.csr",
    ];
    if !subject.is_empty() {
        arguments.extend(["-subj", subject]);
    }
    arguments.extend(more);
    openssl(directory.path(), &arguments);
    std::fs::read_to_string(directory.path().join("request.csr")).expect("the request")
}

const P256: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

#[test]
fn every_kind_of_key() {
    for (key, kind) in [
        (
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..],
            KeyKind::Rsa(2048),
        ),
        (
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
            KeyKind::Rsa(3072),
        ),
        (
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
            KeyKind::Rsa(4096),
        ),
        (&P256, KeyKind::P256),
        (
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            KeyKind::P384,
        ),
        (
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
            KeyKind::P521,
        ),
        (&["-algorithm", "ED25519"], KeyKind::Ed25519),
    ] {
        let request = request(key, "/CN=www.example.org", &[]);
        assert_eq!(request.public_key().kind(), Ok(kind));
        assert_eq!(
            weak_keys::check(request.public_key(), &KeyRules::any(), None),
            Ok(())
        );
        assert_eq!(request.verify_proof_of_possession(), Ok(()), "{kind}");
    }
}

#[test]
fn every_hash_but_sha1_proves_possession() {
    for (hash, rule) in [
        ("-sha256", None),
        ("-sha384", None),
        ("-sha512", None),
        ("-sha1", Some("I6")),
        ("-md5", Some("I6")),
    ] {
        let request = request(
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "/CN=a",
            &[hash],
        );
        let refused_by = request
            .verify_proof_of_possession()
            .err()
            .map(|refusal| refusal.rule);
        assert_eq!(refused_by.as_deref(), rule, "{hash}");
    }
}

#[test]
fn names_of_the_world() {
    for name in [
        "Žluťoučký Kůň",
        "Γιώργος Παπαδόπουλος",
        "محمد بن سلمان العربي",
        "王小明",
        "Jörg Weiß-Ångström",
    ] {
        let request = request(&P256, &format!("/C=CZ/O={name}/CN={name}"), &[]);
        let common_name = request
            .subject()
            .first(oid::COMMON_NAME)
            .expect("a common name");
        assert_eq!(common_name, name);
        assert!(SubjectAttribute::new(AttributeKind::CommonName, common_name).is_ok());
        assert_eq!(request.verify_proof_of_possession(), Ok(()));
    }
}

#[test]
fn every_string_type_is_read() {
    for (mask, name) in [
        ("MASK:0x2", "plain"),       // PrintableString
        ("MASK:0x4", "Jörg Müller"), // T61String
        ("MASK:0x800", "王小明"),    // BMPString
        ("MASK:0x100", "王小明"),    // UniversalString
        ("utf8only", "Γιώργος"),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("openssl.cnf");
        let configuration = format!(
            "[req]\nprompt=no\nutf8=yes\nstring_mask={mask}\ndistinguished_name=dn\n[dn]\nCN={name}\n"
        );
        std::fs::write(&file, configuration).expect("the configuration");
        let file = file.to_str().expect("a path in UTF-8");
        let directory = tempfile::tempdir().expect("a directory");
        let arguments = ["req", "-new", "-config", file, "-newkey", "ec", "-pkeyopt"];
        let arguments = [&arguments[..], &["ec_paramgen_curve:P-256", "-nodes"]].concat();
        let arguments = [&arguments[..], &["-keyout", "k.pem", "-out", "r.pem"]].concat();
        openssl(directory.path(), &arguments);
        let text = std::fs::read_to_string(directory.path().join("r.pem")).expect("the request");
        let request = CertificationRequest::from_pem(&text).expect("a request");
        assert_eq!(
            request.subject().first(oid::COMMON_NAME),
            Some(name),
            "{mask}"
        );
    }
}

#[test]
fn requested_extensions_and_attributes_are_listed() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("openssl.cnf");
    let configuration = "[req]\nprompt=no\ndistinguished_name=dn\nreq_extensions=ext\nattributes=att\n\
                         [dn]\nCN=www.example.org\n[att]\nchallengePassword=secret\n\
                         [ext]\nsubjectAltName=DNS:www.example.org,IP:192.0.2.1,IP:2001:db8::1,\
                         email:a@example.org,URI:http://example.org/\nbasicConstraints=critical,CA:TRUE\n";
    std::fs::write(&file, configuration).expect("the configuration");
    let file = file.to_str().expect("a path in UTF-8");
    let request = request(&P256, "", &["-config", file]);
    assert_eq!(
        request.subject_alt_names().expect("names"),
        [
            GeneralName::Dns("www.example.org".to_owned()),
            GeneralName::Ip("192.0.2.1".parse().expect("an address")),
            GeneralName::Ip("2001:db8::1".parse().expect("an address")),
            GeneralName::Email("a@example.org".to_owned()),
            GeneralName::Uri("http://example.org/".to_owned()),
        ]
    );
    let requested: Vec<_> = request
        .extensions()
        .iter()
        .map(|extension| extension.oid)
        .collect();
    assert_eq!(requested, [oid::SUBJECT_ALT_NAME, oid::BASIC_CONSTRAINTS]);
    assert_eq!(request.other_attributes(), [oid::CHALLENGE_PASSWORD]);
}

#[test]
fn proof_of_possession_is_checked() {
    let request = request(&P256, "/CN=www.example.org", &[]);
    let other = request_of_other_key();

    // Another key's signature under the same content.
    let content = [&request.info[..], &request.algorithm].concat();
    let stolen = der_encode::sequence(&[&content, &der_encode::bit_string(&other.signature)]);
    let refusal = CertificationRequest::from_der(&stolen)
        .expect("well formed")
        .verify_proof_of_possession()
        .expect_err("another key");
    assert_eq!((&*refusal.rule, &*refusal.field), ("I4", "csr.signature"));

    // Any changed bit of the signed content, wherever the request still reads.
    for position in 0..request.info.len() {
        let mut info = request.info.clone();
        info[position] ^= 1;
        let signature = der_encode::bit_string(&request.signature);
        let changed = der_encode::sequence(&[&info, &request.algorithm, &signature]);
        if let Ok(changed) = CertificationRequest::from_der(&changed) {
            assert!(
                changed.verify_proof_of_possession().is_err(),
                "octet {position}"
            );
        }
    }
}

fn request_of_other_key() -> CertificationRequest {
    request(&P256, "/CN=www.example.org", &[])
}

#[test]
fn keys_that_are_not_supported_are_refused_by_name() {
    let directory = tempfile::tempdir().expect("a directory");
    openssl(
        directory.path(),
        &["dsaparam", "-genkey", "-out", "key.pem", "1024"],
    );
    let arguments = [
        "req", "-new", "-key", "key.pem", "-out", "r.pem", "-subj", "/CN=a",
    ];
    openssl(directory.path(), &arguments);
    let text = std::fs::read_to_string(directory.path().join("r.pem")).expect("the request");
    let dsa = CertificationRequest::from_pem(&text).expect("a request");
    let refusal = weak_keys::check(dsa.public_key(), &KeyRules::any(), None).expect_err("DSA");
    assert_eq!(refusal.rule, "I5");
    assert!(refusal.message.contains("DSA"), "{}", refusal.message);

    for curve in ["secp256k1", "brainpoolP256r1", "P-224"] {
        let parameter = format!("ec_paramgen_curve:{curve}");
        let request = request(&["-algorithm", "EC", "-pkeyopt", &parameter], "/CN=a", &[]);
        let refusal = weak_keys::check(request.public_key(), &KeyRules::any(), None);
        assert_eq!(refusal.expect_err(curve).rule, "I5");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let pem = request_pem(&P256, "/CN=a", &[]);
    assert!(
        CertificationRequest::from_pem(
            &pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
        )
        .is_ok()
    );
    assert!(CertificationRequest::from_pem(&format!("some text\n{pem}\nmore text")).is_ok());
    for text in [
        String::new(),
        "hello".to_owned(),
        pem.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
        pem.replace("-----END", "----END"),
        format!("{pem}{pem}"),
        pem.replacen('M', "?", 1),
    ] {
        assert_eq!(
            CertificationRequest::from_pem(&text).expect_err(&text).rule,
            "I4"
        );
    }

    let der = pem::decode(&pem, "CERTIFICATE REQUEST").expect("PEM");
    for length in 0..der.len() {
        assert!(
            CertificationRequest::from_der(&der[..length]).is_err(),
            "{length} octets"
        );
    }
    assert!(CertificationRequest::from_der(&[&der[..], &[0]].concat()).is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(0_u8..=255, 0..300)) {
        let _ = CertificationRequest::from_der(&bytes);
        let _ = CertificationRequest::from_pem(&String::from_utf8_lossy(&bytes));
    }
}
