//! A sound certificate passes; each mutant is found by the rule that it breaks.

use super::*;
use crate::certificate::Extension;
use crate::certificate_builder::{extension, subject_der};
use crate::name_rules::{AttributeKind, SubjectAttribute};
use crate::profile::{CertifiedNames, ProfileDocument, RuleSet, StatusUrls};
use crate::test_ca::{DAY, NOW, TestCa, TestKey, name_of};
use crate::{ObjectIdentifier, PublicKey, der_encode as der};

fn profile(name: &str) -> Profile {
    let text = match name {
        "server" => include_str!("../../../issuer/profiles/server.toml"),
        "client" => include_str!("../../../issuer/profiles/client.toml"),
        "code-signing" => include_str!("../../../issuer/profiles/code-signing.toml"),
        "ocsp-responder" => include_str!("../../../issuer/profiles/ocsp-responder.toml"),
        _ => panic!("no such profile"),
    };
    let document: ProfileDocument = toml::from_str(text).expect(name);
    document.select(RuleSet::Community).expect(name)
}

/// The parts of a TBSCertificate, each open to be spoiled.
struct Parts {
    ca: TestCa,
    profile: Profile,
    version: Vec<u8>,
    serial: Vec<u8>,
    algorithm: Vec<u8>,
    issuer: Vec<u8>,
    not_before: Vec<u8>,
    not_after: Vec<u8>,
    subject: Vec<u8>,
    spki: Vec<u8>,
    unique_id: Vec<u8>,
    extensions: Vec<Extension>,
}

impl Parts {
    fn new(profile_name: &str) -> Self {
        let profile = profile(profile_name);
        let ca = TestCa::new();
        let spki = TestKey::p256().spki();
        let key = PublicKey::from_spki_der(&spki).expect("a key");
        let alt_names = match profile_name {
            "server" => vec![
                GeneralName::Dns("www.example.org".to_owned()),
                GeneralName::Ip("192.0.2.1".parse().expect("an address")),
            ],
            "client" => vec![GeneralName::Email("anna@example.org".to_owned())],
            _ => Vec::new(),
        };
        let common_name = if profile_name == "server" {
            "www.example.org"
        } else {
            "Anna Nováková"
        };
        let names = CertifiedNames {
            alt_names: &alt_names,
            subject_is_empty: false,
        };
        let urls = StatusUrls::new("http://status.example", "member");
        let subject = [SubjectAttribute::new(AttributeKind::CommonName, common_name).expect("CN")];
        Self {
            version: der::explicit(0, &der::integer(&[2])),
            serial: der::integer(&[0x5A; 16]),
            algorithm: ca.key.algorithm().algorithm_identifier().to_vec(),
            issuer: ca.subject().as_der().to_vec(),
            not_before: der::utc_or_generalized_time(NOW.plus_seconds(-300)),
            not_after: der::utc_or_generalized_time(NOW.plus_seconds(90 * DAY - 301)),
            subject: subject_der(&subject),
            unique_id: Vec::new(),
            extensions: profile
                .extensions_for(&ca.certificate, &key, names, &urls)
                .expect("a supported key"),
            spki,
            ca,
            profile,
        }
    }

    fn tbs(&self) -> Vec<u8> {
        let extensions: Vec<u8> = self.extensions.iter().flat_map(extension::to_der).collect();
        let validity = der::sequence(&[&self.not_before, &self.not_after]);
        der::sequence(&[
            &self.version,
            &self.serial,
            &self.algorithm,
            &self.issuer,
            &validity,
            &self.subject,
            &self.spki,
            &self.unique_id,
            &der::explicit(3, &der::sequence(&[&extensions])),
        ])
    }

    fn lint(&self) -> Vec<Violation> {
        self.lint_with(Some(&self.profile), self.ca.key.algorithm())
    }

    fn lint_with(
        &self,
        profile: Option<&Profile>,
        signature_algorithm: SignatureAlgorithm,
    ) -> Vec<Violation> {
        let idn = IdnPolicy::default();
        let context = Context {
            ca: &self.ca.certificate,
            signature_algorithm,
            now: NOW,
            profile,
            idn: &idn,
        };
        lint(&self.tbs(), &context)
    }

    fn extension(&mut self, oid: ObjectIdentifier) -> &mut Extension {
        self.extensions
            .iter_mut()
            .find(|extension| extension.oid == oid)
            .expect("present")
    }

    fn remove(&mut self, oid: ObjectIdentifier) {
        self.extensions.retain(|extension| extension.oid != oid);
    }
}

/// The spoiled certificate is found by exactly this rule, with and without knowing the profile.
fn finds(profile: &str, rule: &str, message: &str, spoil: impl FnOnce(&mut Parts)) {
    let mut parts = Parts::new(profile);
    spoil(&mut parts);
    let with_profile = parts.lint();
    let found = |findings: &[Violation]| {
        findings
            .iter()
            .any(|finding| finding.rule == rule && finding.message.contains(message))
    };
    assert!(found(&with_profile), "{with_profile:?}");
    let without = parts.lint_with(None, parts.ca.key.algorithm());
    assert!(found(&without), "{without:?}");
}

/// Found only where the profile is known.
fn profile_finds(profile: &str, rule: &str, message: &str, spoil: impl FnOnce(&mut Parts)) {
    let mut parts = Parts::new(profile);
    spoil(&mut parts);
    let findings = parts.lint();
    assert!(
        findings
            .iter()
            .any(|found| found.rule == rule && found.message.contains(message)),
        "{findings:?}"
    );
}

#[test]
fn sound_certificates_of_every_profile_pass() {
    for profile in ["server", "client", "code-signing", "ocsp-responder"] {
        let parts = Parts::new(profile);
        assert_eq!(parts.lint(), [], "{profile}");
        assert_eq!(
            parts.lint_with(None, parts.ca.key.algorithm()),
            [],
            "{profile}"
        );
    }
}

#[test]
fn cert_01_form() {
    finds("server", "CERT-01", "version", |parts| {
        parts.version = der::explicit(0, &der::integer(&[1]));
    });
    finds("server", "CERT-01", "fewer than 16", |parts| {
        parts.serial = der::integer(&[0x5A; 15]);
    });
    for serial in [&[0x80; 16][..], &[0], &[0x5A; 21]] {
        finds("server", "CERT-01", "serialNumber", |parts| {
            parts.serial = der::tlv(2, serial);
        });
    }
    finds("server", "CERT-01", "", |parts| {
        parts.unique_id = der::tlv(0x81, &[0, 1]);
    });
    finds("server", "CERT-01", "", |parts| parts.version.clear());
    finds("server", "CERT-01", "", |parts| {
        let doubled = parts.extensions[0].clone();
        parts.extensions.push(doubled);
    });
}

#[test]
fn cert_01_trailing_and_truncated_bytes() {
    let parts = Parts::new("server");
    let tbs = parts.tbs();
    let idn = IdnPolicy::default();
    let context = Context {
        ca: &parts.ca.certificate,
        signature_algorithm: parts.ca.key.algorithm(),
        now: NOW,
        profile: None,
        idn: &idn,
    };
    for length in 0..tbs.len() {
        assert_ne!(lint(&tbs[..length], &context), [], "{length} octets");
    }
    assert_ne!(lint(&[&tbs[..], &[5, 0]].concat(), &context), []);
}

#[test]
fn cert_02_issuer_bytes() {
    finds("server", "CERT-02", "issuer", |parts| {
        // The same name in another string type.
        let texts = [
            (oid::COUNTRY, "CZ"),
            (oid::ORGANIZATION, "Test"),
            (oid::COMMON_NAME, "Test CA"),
        ];
        parts.issuer = name_of(der::tag::UTF8_STRING, &texts);
    });
}

#[test]
fn cert_03_inner_algorithm() {
    finds("server", "CERT-03", "inside", |parts| {
        parts.algorithm = SignatureAlgorithm::RsaSha256
            .algorithm_identifier()
            .to_vec();
    });
}

#[test]
fn cert_04_validity() {
    finds("server", "CERT-04", "48 hours", |parts| {
        parts.not_before = der::utc_or_generalized_time(NOW.plus_seconds(301));
    });
    finds("server", "CERT-04", "48 hours", |parts| {
        parts.not_before = der::utc_or_generalized_time(NOW.plus_seconds(-48 * 3600 - 1));
    });
    finds("server", "CERT-04", "not after notBefore", |parts| {
        parts.not_after = der::utc_or_generalized_time(NOW);
    });
    finds("server", "CERT-04", "UTCTime", |parts| {
        parts.not_after = der::generalized_time(NOW.plus_seconds(90 * DAY));
    });
}

/// Only certificates of responders begin after their signing, by 28 days at most, and under the CA's own policy only.
#[test]
fn cert_04_issued_ahead() {
    let begins = |parts: &mut Parts, after: i64| {
        parts.not_before = der::utc_or_generalized_time(NOW.plus_seconds(after));
    };
    let mut ahead = Parts::new("ocsp-responder");
    begins(&mut ahead, 28 * DAY + 300);
    assert_eq!(ahead.lint(), []);
    profile_finds("ocsp-responder", "CERT-04", "28 days after", |parts| {
        begins(parts, 28 * DAY + 301)
    });
    for name in ["server", "client", "code-signing"] {
        finds(name, "CERT-04", "48 hours", |parts| begins(parts, DAY));
    }
    let text = include_str!("../../../issuer/profiles/ocsp-responder.toml");
    let document: ProfileDocument = toml::from_str(text).expect("a profile");
    let mut cabf = Parts::new("ocsp-responder");
    cabf.profile = document.select(RuleSet::Cabf).expect("cabf");
    assert_eq!(cabf.lint(), []);
    begins(&mut cabf, 301);
    assert!(cabf.lint().iter().any(|found| found.rule == "CERT-04"));
}

#[test]
fn cert_05_lifetime() {
    finds("server", "CERT-05", "later than the CA's own", |parts| {
        parts.not_after = der::utc_or_generalized_time(NOW.plus_seconds(4000 * DAY + 1));
    });
    profile_finds("server", "CERT-05", "730 days and 1 seconds", |parts| {
        parts.not_after = der::utc_or_generalized_time(NOW.plus_seconds(730 * DAY - 300));
    });
    let mut exact = Parts::new("server");
    exact.not_after = der::utc_or_generalized_time(NOW.plus_seconds(730 * DAY - 301));
    assert_eq!(exact.lint(), []);
}

#[test]
fn cert_07_usages() {
    finds(
        "server",
        "CERT-07",
        "extendedKeyUsage is missing",
        |parts| {
            parts.remove(oid::EXTENDED_KEY_USAGE);
        },
    );
    finds("server", "CERT-07", "keyUsage is missing", |parts| {
        parts.remove(oid::KEY_USAGE)
    });
    finds("server", "CERT-07", "keyUsage", |parts| {
        parts.extension(oid::KEY_USAGE).critical = false;
    });
    finds("server", "CERT-07", "clientAuth at most", |parts| {
        parts.extension(oid::EXTENDED_KEY_USAGE).value =
            extension::extended_key_usage(&[oid::SERVER_AUTH, oid::CODE_SIGNING]).value;
    });
    finds("client", "CERT-07", "anyExtendedKeyUsage", |parts| {
        parts.extension(oid::EXTENDED_KEY_USAGE).value =
            extension::extended_key_usage(&[oid::ANY_EXTENDED_KEY_USAGE]).value;
    });
    finds("client", "CERT-07", "repeats", |parts| {
        parts.extension(oid::EXTENDED_KEY_USAGE).value =
            extension::extended_key_usage(&[oid::CLIENT_AUTH, oid::CLIENT_AUTH]).value;
    });
}

#[test]
fn cert_07_names_of_servers() {
    finds("server", "CERT-07", "needs a subjectAltName", |parts| {
        parts.remove(oid::SUBJECT_ALT_NAME)
    });
    finds(
        "server",
        "CERT-07",
        "host names and IP addresses only",
        |parts| {
            let names = [
                GeneralName::Dns("www.example.org".to_owned()),
                GeneralName::Email("a@example.org".to_owned()),
            ];
            *parts.extension(oid::SUBJECT_ALT_NAME) = extension::subject_alt_name(&names, false);
        },
    );
    finds("server", "CERT-07", "uniformResourceIdentifier", |parts| {
        let names = [
            GeneralName::Dns("www.example.org".to_owned()),
            GeneralName::Uri("http://www.example.org".to_owned()),
        ];
        *parts.extension(oid::SUBJECT_ALT_NAME) = extension::subject_alt_name(&names, false);
    });
    finds(
        "server",
        "CERT-07",
        "subjectAltName is not in its one form",
        |parts| {
            parts.extension(oid::SUBJECT_ALT_NAME).critical = true;
        },
    );
    finds(
        "server",
        "CERT-07",
        "subjectAltName is not in its one form",
        |parts| {
            parts.subject = subject_der(&[]);
        },
    );
    finds("client", "CERT-07", "both", |parts| {
        parts.subject = subject_der(&[]);
        parts.remove(oid::SUBJECT_ALT_NAME);
    });
}

#[test]
fn cert_08_status_urls() {
    finds("server", "CERT-08", "neither", |parts| {
        parts.remove(oid::CRL_DISTRIBUTION_POINTS);
        parts.remove(oid::AUTHORITY_INFO_ACCESS);
    });
    for url in [
        "https://status.example/a.crl",
        "ldap://status.example",
        "http://",
        "http://a b",
    ] {
        finds("server", "CERT-08", "http URL", |parts| {
            *parts.extension(oid::CRL_DISTRIBUTION_POINTS) =
                extension::crl_distribution_points(url);
        });
    }
    finds("server", "CERT-08", "cRLDistributionPoints", |parts| {
        // Two distribution points.
        let one = extension::crl_distribution_points("http://a/b").value;
        let two = der::sequence(&[&one[2..], &one[2..]]);
        parts.extension(oid::CRL_DISTRIBUTION_POINTS).value = two;
    });
    finds("server", "CERT-08", "authorityInfoAccess", |parts| {
        parts.extension(oid::AUTHORITY_INFO_ACCESS).critical = true;
    });
}

#[test]
fn cert_10_authority_key_identifier() {
    finds("server", "CERT-10", "missing", |parts| {
        parts.remove(oid::AUTHORITY_KEY_IDENTIFIER)
    });
    finds("server", "CERT-10", "authorityKeyIdentifier", |parts| {
        *parts.extension(oid::AUTHORITY_KEY_IDENTIFIER) =
            extension::authority_key_identifier(&[7; 20]);
    });
    finds("server", "CERT-10", "authorityKeyIdentifier", |parts| {
        // With issuer and serial number as well.
        let key_id = der::tlv(0x80, &parts.ca.certificate.key_id());
        let issuer = der::explicit(1, &der::explicit(4, &parts.issuer));
        let value = der::sequence(&[&key_id, &issuer, &der::tlv(0x82, &[1])]);
        parts.extension(oid::AUTHORITY_KEY_IDENTIFIER).value = value;
    });
}

#[test]
fn cert_11_no_ca() {
    finds("server", "CERT-11", "basicConstraints", |parts| {
        *parts.extension(oid::BASIC_CONSTRAINTS) = extension::basic_constraints_ca(None);
    });
    finds("server", "CERT-11", "sign certificates", |parts| {
        *parts.extension(oid::KEY_USAGE) = extension::key_usage(&[0, 5]);
    });
    finds("server", "CERT-11", "sign certificates", |parts| {
        *parts.extension(oid::KEY_USAGE) = extension::key_usage(&[6]);
    });
}

#[test]
fn cert_12_mail_without_address() {
    finds("client", "CERT-12", "mail address", |parts| {
        parts.remove(oid::SUBJECT_ALT_NAME)
    });
}

#[test]
fn cert_13_code_signing() {
    finds("code-signing", "CERT-13", "3072", |parts| {
        parts.spki = TestKey::rsa().spki()
    });
    finds("code-signing", "CERT-13", "alone", |parts| {
        *parts.extension(oid::EXTENDED_KEY_USAGE) =
            extension::extended_key_usage(&[oid::CODE_SIGNING, oid::CLIENT_AUTH]);
    });
}

#[test]
fn cert_20_weak_keys() {
    finds("server", "CERT-20", "uncompressed", |parts| {
        let key = PublicKey::from_spki_der(&parts.spki).expect("a key");
        let compressed = [&[2][..], &key.key_bits()[1..33]].concat();
        let algorithm = crate::weak_keys::KeyFamily::P256.algorithm_identifier();
        parts.spki = der::sequence(&[algorithm, &der::bit_string(&compressed)]);
    });
    finds("server", "I5", "the CA's own", |parts| {
        parts.spki = parts.ca.certificate.public_key().spki_der().to_vec();
    });
}

#[test]
fn cert_31_algorithm_fits_the_key() {
    for algorithm in [
        SignatureAlgorithm::EcdsaSha384,
        SignatureAlgorithm::RsaSha256,
    ] {
        let mut parts = Parts::new("server");
        parts.algorithm = algorithm.algorithm_identifier().to_vec();
        let findings = parts.lint_with(None, algorithm);
        assert!(
            findings.iter().any(|found| found.rule == "CERT-31"),
            "{findings:?}"
        );
    }
    let mut parts = Parts::new("server");
    parts.ca = TestCa::with(TestKey::rsa(), |_| ());
    parts.algorithm = SignatureAlgorithm::RsaSha1.algorithm_identifier().to_vec();
    let findings = parts.lint_with(None, SignatureAlgorithm::RsaSha1);
    assert!(
        findings.iter().any(|found| found.rule == "CERT-31"),
        "{findings:?}"
    );
}

#[test]
fn i3_only_what_the_profile_has() {
    finds("server", "I3", "is not issued", |parts| {
        parts.extensions.push(Extension {
            oid: oid::NAME_CONSTRAINTS,
            critical: true,
            value: der::sequence(&[]),
        });
    });
    profile_finds("server", "I3", "extensions are not those", |parts| {
        parts.remove(oid::BASIC_CONSTRAINTS);
    });
    profile_finds("server", "I3", "extensions are not those", |parts| {
        parts.extensions.swap(0, 1)
    });
    profile_finds("server", "I3", "no organizationName", |parts| {
        let subject = [
            SubjectAttribute::new(AttributeKind::OrganizationName, "Acme").expect("O"),
            SubjectAttribute::new(AttributeKind::CommonName, "www.example.org").expect("CN"),
        ];
        parts.subject = subject_der(&subject);
    });
    profile_finds("code-signing", "I3", "requires commonName", |parts| {
        parts.subject =
            subject_der(&[
                SubjectAttribute::new(AttributeKind::OrganizationName, "Acme").expect("O"),
            ]);
    });
    profile_finds("client", "I3", "does not allow DNS", |parts| {
        let names = [
            GeneralName::Email("a@example.org".to_owned()),
            GeneralName::Dns("www.example.org".to_owned()),
        ];
        *parts.extension(oid::SUBJECT_ALT_NAME) = extension::subject_alt_name(&names, false);
    });
}

#[test]
fn i9_common_name_among_the_names() {
    finds("server", "I9", "not among", |parts| {
        let other =
            SubjectAttribute::new(AttributeKind::CommonName, "other.example.org").expect("CN");
        parts.subject = subject_der(&[other]);
    });
}

#[test]
fn i9_text() {
    for (value, message) in [
        ("Anna\u{202E}avonavoN", "bidirectional"),
        ("Anna\u{0}", "NUL"),
        ("Ko\u{301}", "normalisation"),
        ("&#381;ofie", "HTML"),
    ] {
        finds("client", "I9", message, |parts| {
            parts.subject = name_of(der::tag::UTF8_STRING, &[(oid::COMMON_NAME, value)]);
        });
    }
    finds("client", "I9", "65 characters", |parts| {
        let long = "a".repeat(65);
        parts.subject = name_of(der::tag::UTF8_STRING, &[(oid::COMMON_NAME, &long)]);
    });
    finds("client", "I9", "string type", |parts| {
        parts.subject = name_of(der::tag::PRINTABLE_STRING, &[(oid::COMMON_NAME, "Anna")]);
    });
    finds("client", "I9", "not text", |parts| {
        let set = der::set_of(&[&der::sequence(&[
            &der::oid(&oid::COMMON_NAME),
            &der::tlv(der::tag::UTF8_STRING, &[0xFF]),
        ])]);
        parts.subject = der::sequence(&[&set]);
    });
}

#[test]
fn i9_shape_of_the_subject() {
    let utf8 = der::tag::UTF8_STRING;
    finds("client", "I9", "mail addresses", |parts| {
        let texts = [
            (oid::COMMON_NAME, "Anna"),
            (oid::EMAIL_ADDRESS, "a@example.org"),
        ];
        parts.subject = name_of(utf8, &texts);
    });
    finds("client", "I9", "order", |parts| {
        parts.subject = name_of(
            utf8,
            &[(oid::COMMON_NAME, "Anna"), (oid::ORGANIZATION, "Acme")],
        );
    });
    finds("client", "I9", "twice", |parts| {
        parts.subject = name_of(
            utf8,
            &[(oid::COMMON_NAME, "Anna"), (oid::COMMON_NAME, "Eva")],
        );
    });
    finds("client", "I9", "more than one attribute", |parts| {
        let attribute = |id, text| der::sequence(&[&der::oid(&id), &der::utf8_string(text)]);
        let set = der::set_of(&[
            &attribute(oid::ORGANIZATION, "Acme"),
            &attribute(oid::COMMON_NAME, "Anna"),
        ]);
        parts.subject = der::sequence(&[&set]);
    });
    finds("client", "I9", "is not issued", |parts| {
        parts.subject = name_of(utf8, &[(oid::DOMAIN_COMPONENT, "org")]);
    });
}

#[test]
fn i9_and_i10_host_names() {
    for (host, rule, message) in [
        ("WWW.example.org", "I9", "lower case"),
        ("www.*.org", "I9", "wildcard"),
        ("exa_mple.org", "I9", "character"),
        ("192.0.2.1", "I9", "number"),
        ("bücher.example", "I10", "ASCII"),
        ("xn--pypal-4ve8h.com", "I10", ""),
    ] {
        finds("server", rule, message, |parts| {
            let names = [GeneralName::Dns(host.to_owned())];
            *parts.extension(oid::SUBJECT_ALT_NAME) = extension::subject_alt_name(&names, false);
        });
    }
    finds("server", "I9", "twice", |parts| {
        let names = vec![GeneralName::Dns("www.example.org".to_owned()); 2];
        *parts.extension(oid::SUBJECT_ALT_NAME) = extension::subject_alt_name(&names, false);
    });
}

#[test]
fn ocsp_60_to_66_responders() {
    let responder = "ocsp-responder";
    finds(responder, "OCSP-60", "alone", |parts| {
        *parts.extension(oid::EXTENDED_KEY_USAGE) =
            extension::extended_key_usage(&[oid::OCSP_SIGNING, oid::CLIENT_AUTH]);
    });
    finds(responder, "OCSP-61", "missing", |parts| {
        parts.remove(oid::OCSP_NO_CHECK)
    });
    finds(responder, "OCSP-61", "one form", |parts| {
        parts.extension(oid::OCSP_NO_CHECK).critical = true;
    });
    finds(responder, "OCSP-61", "one form", |parts| {
        parts.extension(oid::OCSP_NO_CHECK).value.clear();
    });
    finds("client", "OCSP-61", "responders only", |parts| {
        parts.extensions.push(extension::ocsp_no_check());
    });
    finds(responder, "OCSP-62", "digitalSignature only", |parts| {
        *parts.extension(oid::KEY_USAGE) = extension::key_usage(&[0, 1]);
    });
    for added in [
        extension::crl_distribution_points("http://status.example/a.crl"),
        extension::authority_info_access(Some("http://status.example"), None),
        extension::subject_alt_name(&[GeneralName::Dns("a.example.org".to_owned())], false),
        extension::certificate_policies(&[oid::ANY_POLICY]),
    ] {
        finds(responder, "OCSP-64", "has no", |parts| {
            parts.extensions.push(added)
        });
    }
    finds(responder, "OCSP-65", "one day", |parts| {
        parts.not_before = der::utc_or_generalized_time(NOW.plus_seconds(-DAY - 1));
    });
    finds(responder, "OCSP-66", "commonName", |parts| {
        parts.subject =
            subject_der(&[
                SubjectAttribute::new(AttributeKind::OrganizationName, "Acme").expect("O"),
            ]);
    });
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(0_u8..=255, 0..200)) {
        let parts = Parts::new("server");
        let idn = IdnPolicy::default();
        let context = Context {
            ca: &parts.ca.certificate,
            signature_algorithm: parts.ca.key.algorithm(),
            now: NOW,
            profile: Some(&parts.profile),
            idn: &idn,
        };
        proptest::prop_assert_ne!(lint(&bytes, &context), []);
    }
}
