//! What is built is read again by readers that share no code with it.

use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

use super::*;
use crate::name_rules::AttributeKind;
use crate::test_ca::{DAY, NOW, TestCa, TestKey};
use crate::{KeyUsage, oid};

const DOMAIN_VALIDATED: crate::ObjectIdentifier =
    crate::ObjectIdentifier::new_unwrap("2.23.140.1.2.1");

fn subject(values: &[(AttributeKind, &str)]) -> Vec<SubjectAttribute> {
    values
        .iter()
        .map(|(kind, value)| SubjectAttribute::new(*kind, value).expect("a valid attribute"))
        .collect()
}

fn names() -> Vec<GeneralName> {
    vec![
        GeneralName::Dns("www.example.org".to_owned()),
        GeneralName::Dns("*.example.org".to_owned()),
        GeneralName::Ip("192.0.2.1".parse().expect("an address")),
        GeneralName::Ip("2001:db8::1".parse().expect("an address")),
        GeneralName::Email("a@example.org".to_owned()),
    ]
}

fn build(ca: &TestCa, key: &PublicKey, not_after: Time) -> Vec<u8> {
    let extensions = [
        extension::authority_key_identifier(&ca.certificate.key_id()),
        extension::subject_key_identifier(key),
        extension::basic_constraints_end_entity(),
        extension::key_usage(&[KeyUsage::DIGITAL_SIGNATURE, KeyUsage::KEY_ENCIPHERMENT]),
        extension::extended_key_usage(&[oid::SERVER_AUTH, oid::CLIENT_AUTH]),
        extension::certificate_policies(&[DOMAIN_VALIDATED]),
        extension::subject_alt_name(&names(), false),
        extension::authority_info_access(
            Some("http://ocsp.example"),
            Some("http://ocsp.example/ca/member.cer"),
        ),
        extension::crl_distribution_points("http://ocsp.example/crl/member.crl"),
        extension::ocsp_no_check(),
    ];
    let subject = subject(&[
        (AttributeKind::CommonName, "Žluťoučký Kůň 王小明"),
        (AttributeKind::OrganizationName, "Společnost"),
        (AttributeKind::CountryName, "CZ"),
    ]);
    let tbs = TbsCertificate {
        serial: "80A1B2C3D4E5F60718293A4B5C6D7E8F"
            .parse()
            .expect("a serial number"),
        signature_algorithm: ca.key.algorithm(),
        issuer: ca.subject(),
        not_before: NOW,
        not_after,
        subject: &subject,
        public_key: key,
        extensions: &extensions,
    }
    .to_der();
    assemble(&tbs, ca.key.algorithm(), &ca.key.sign(&tbs))
}

#[test]
fn an_independent_parser_reads_every_field() {
    let ca = TestCa::new();
    let key = PublicKey::from_spki_der(&TestKey::rsa().spki()).expect("a key");
    let der = build(&ca, &key, NOW.plus_seconds(100 * DAY - 1));

    let (rest, parsed) = X509Certificate::from_der(&der).expect("a certificate");
    assert!(rest.is_empty());
    assert_eq!(parsed.version().0, 2);
    assert_eq!(
        parsed.raw_serial(),
        hex::decode("0080A1B2C3D4E5F60718293A4B5C6D7E8F").expect("hex")
    );
    assert_eq!(parsed.signature_algorithm, parsed.tbs_certificate.signature);
    assert_eq!(parsed.issuer().as_raw(), ca.subject().as_der());
    assert_eq!(parsed.validity().not_before.timestamp(), NOW.unix());
    assert_eq!(
        parsed.validity().not_after.timestamp(),
        NOW.plus_seconds(100 * DAY - 1).unix()
    );
    assert_eq!(
        parsed.subject().to_string(),
        "C=CZ, O=Společnost, CN=Žluťoučký Kůň 王小明"
    );
    assert_eq!(parsed.public_key().raw, key.spki_der());

    let order: Vec<String> = parsed
        .extensions()
        .iter()
        .map(|extension| extension.oid.to_id_string())
        .collect();
    assert_eq!(
        order,
        [
            "2.5.29.35",
            "2.5.29.14",
            "2.5.29.19",
            "2.5.29.15",
            "2.5.29.37",
            "2.5.29.32",
            "2.5.29.17",
            "1.3.6.1.5.5.7.1.1",
            "2.5.29.31",
            "1.3.6.1.5.5.7.48.1.5"
        ]
    );
    let critical: Vec<bool> = parsed
        .extensions()
        .iter()
        .map(|extension| extension.critical)
        .collect();
    assert_eq!(
        critical,
        [
            false, false, true, true, false, false, false, false, false, false
        ]
    );
    for extension in parsed.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                assert_eq!(names.general_names.len(), 5);
            }
            ParsedExtension::KeyUsage(usage) => {
                assert!(usage.digital_signature() && usage.key_encipherment());
                assert!(!usage.key_cert_sign());
            }
            ParsedExtension::BasicConstraints(constraints) => assert!(!constraints.ca),
            ParsedExtension::ParseError { error } => panic!("{}: {error}", extension.oid),
            _ => {}
        }
    }
}

#[test]
fn openssl_verifies_it() {
    let ca = TestCa::new();
    let key = PublicKey::from_spki_der(&TestKey::p256().spki()).expect("a key");
    let der = build(&ca, &key, NOW.plus_seconds(100 * DAY - 1));

    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("ca.pem"), ca.certificate.to_pem()).expect("written");
    let leaf = crate::pem::encode("CERTIFICATE", &der);
    std::fs::write(directory.path().join("leaf.pem"), leaf).expect("written");
    let now = NOW.unix().to_string();
    let output = std::process::Command::new("openssl")
        .current_dir(directory.path())
        .args([
            "verify",
            "-x509_strict",
            "-attime",
            &now,
            "-CAfile",
            "ca.pem",
            "leaf.pem",
        ])
        .output()
        .expect("openssl");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn years_from_2050_are_generalized_time() {
    let ca = TestCa::new();
    let key = PublicKey::from_spki_der(&TestKey::p256().spki()).expect("a key");
    let der = build(&ca, &key, Time::from_unix(2_524_608_000));
    assert!(
        der.windows(17)
            .any(|window| window == b"\x18\x0f20500101000000Z")
    );
    assert!(
        der.windows(15)
            .any(|window| window == b"\x17\x0d261121120000Z")
    );
    assert!(X509Certificate::from_der(&der).is_ok());
}

#[test]
fn an_empty_subject_is_an_empty_sequence() {
    assert_eq!(subject_der(&[]), [0x30, 0]);
    assert!(extension::subject_alt_name(&names(), true).critical);
}

#[test]
fn extensions_have_their_exact_bytes() {
    let hex = |extension: &Extension| hex::encode(extension::to_der(extension));
    assert_eq!(
        hex(&extension::basic_constraints_end_entity()),
        "300c0603551d130101ff04023000"
    );
    assert_eq!(
        hex(&extension::basic_constraints_ca(Some(0))),
        "30120603551d130101ff040830060101ff020100"
    );
    assert_eq!(
        hex(&extension::ocsp_no_check()),
        "300f06092b060105050730010504020500"
    );
    assert_eq!(
        hex(&extension::key_usage(&[0])),
        "300e0603551d0f0101ff040403020780"
    );
    assert_eq!(
        hex(&extension::crl_distribution_points("http://a/b")),
        "301b0603551d1f041430123010a00ea00c860a687474703a2f2f612f62"
    );
}

#[test]
fn general_names_round_trip() {
    let names = names();
    let value = extension::subject_alt_name(&names, false).value;
    assert_eq!(GeneralName::read_all(&value), Ok(names));
    assert!(GeneralName::read_all(&[0x30, 0]).is_err());
}
