//! Every check has at least one certificate that breaks it alone, and that passes once the check is gone.

use std::collections::HashSet;

use super::*;
use crate::SignatureAlgorithm;
use crate::der_encode as der;
use crate::test_ca::{
    CertificateSpec, DAY, NOW, TestCa, TestKey, ca_name, ecdsa_sha256_with_null, name,
};

/// A responder certificate spoiled in one way.
struct Mutant {
    check: &'static str,
    what: &'static str,
    spoil: fn(&mut Bench),
}

struct Bench {
    ca: TestCa,
    spec: CertificateSpec,
    rules: Rules,
    sign: fn(&TestKey, &[u8]) -> Vec<u8>,
}

impl Bench {
    fn of(ca: TestCa) -> Self {
        let spec = ca.responder_spec(&TestKey::p256());
        Self {
            ca,
            spec,
            rules: Rules::default(),
            sign: TestKey::sign,
        }
    }

    fn violations(&self, removed: Option<&str>) -> Vec<Violation> {
        let responder = self.spec.sign(|tbs| (self.sign)(&self.ca.key, tbs));
        violations(&responder, &self.ca.certificate, NOW, self.rules, removed)
    }
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        check: "issued by the CA's name",
        what: "another name",
        spoil: |b| b.spec.issuer = name(&[(oid::COMMON_NAME, "Other")]),
    },
    Mutant {
        check: "inner and outer algorithm",
        what: "NULL outside only",
        spoil: |b| b.spec.outer_algorithm = ecdsa_sha256_with_null(),
    },
    Mutant {
        check: "no weak signature",
        what: "SHA-1",
        spoil: |b| {
            *b = Bench::of(TestCa::with(TestKey::rsa(), |_| ()));
            let sha1 = SignatureAlgorithm::RsaSha1.algorithm_identifier().to_vec();
            b.spec.inner_algorithm.clone_from(&sha1);
            b.spec.outer_algorithm = sha1;
            b.sign = TestKey::sign_sha1;
        },
    },
    Mutant {
        check: "the algorithm's bytes",
        what: "ECDSA with NULL",
        spoil: |b| {
            b.spec.inner_algorithm = ecdsa_sha256_with_null();
            b.spec.outer_algorithm = ecdsa_sha256_with_null();
        },
    },
    Mutant {
        check: "signed by the CA's key",
        what: "another key",
        spoil: |b| b.sign = |_, tbs| TestKey::p256().sign(tbs),
    },
    Mutant {
        check: "valid already",
        what: "from in a second on",
        spoil: |b| b.spec.not_before = NOW.plus_seconds(1),
    },
    Mutant {
        check: "not expired",
        what: "until a second ago",
        spoil: |b| b.spec.not_after = NOW.plus_seconds(-1),
    },
    Mutant {
        check: "OCSPSigning",
        what: "no extendedKeyUsage",
        spoil: |b| b.spec.remove(oid::EXTENDED_KEY_USAGE),
    },
    Mutant {
        check: "nothing but OCSPSigning",
        what: "serverAuth too",
        spoil: |b| {
            let usages =
                der::sequence(&[&der::oid(&oid::OCSP_SIGNING), &der::oid(&oid::SERVER_AUTH)]);
            b.spec.set(oid::EXTENDED_KEY_USAGE, false, &usages);
        },
    },
    Mutant {
        check: "nocheck",
        what: "left out",
        spoil: |b| b.spec.remove(oid::OCSP_NO_CHECK),
    },
    Mutant {
        check: "nocheck not critical",
        what: "critical",
        spoil: |b| b.spec.set(oid::OCSP_NO_CHECK, true, &der::null()),
    },
    Mutant {
        check: "nocheck is NULL",
        what: "TRUE",
        spoil: |b| b.spec.set(oid::OCSP_NO_CHECK, false, &der::boolean_true()),
    },
    Mutant {
        check: "keyUsage critical",
        what: "not critical",
        spoil: |b| b.spec.set(oid::KEY_USAGE, false, &der::named_bits(&[0])),
    },
    Mutant {
        check: "digitalSignature only",
        what: "nonRepudiation too",
        spoil: |b| b.spec.set(oid::KEY_USAGE, true, &der::named_bits(&[0, 1])),
    },
    Mutant {
        check: "digitalSignature only",
        what: "no keyUsage",
        spoil: |b| b.spec.remove(oid::KEY_USAGE),
    },
    Mutant {
        check: "the CA's key identifier",
        what: "another",
        spoil: |b| {
            let key_id = der::tlv(tag::context_primitive(0), &[7; 20]);
            b.spec.set(
                oid::AUTHORITY_KEY_IDENTIFIER,
                false,
                &der::sequence(&[&key_id]),
            );
        },
    },
    Mutant {
        check: "the CA's key identifier",
        what: "left out",
        spoil: |b| b.spec.remove(oid::AUTHORITY_KEY_IDENTIFIER),
    },
    Mutant {
        check: "keyIdentifier alone",
        what: "with issuer and serial number",
        spoil: |b| {
            let key_id = der::tlv(tag::context_primitive(0), &b.ca.certificate.key_id());
            let issuer = der::explicit(1, &der::explicit(4, &ca_name()));
            let value = der::sequence(&[&key_id, &issuer, &der::tlv(0x82, &[1])]);
            b.spec.set(oid::AUTHORITY_KEY_IDENTIFIER, false, &value);
        },
    },
    Mutant {
        check: "no cRLDistributionPoints",
        what: "one",
        spoil: |b| {
            b.spec
                .set(oid::CRL_DISTRIBUTION_POINTS, false, &der::sequence(&[]))
        },
    },
    Mutant {
        check: "no subjectAltName",
        what: "one",
        spoil: |b| {
            b.spec
                .set(oid::SUBJECT_ALT_NAME, false, &der::sequence(&[]))
        },
    },
    Mutant {
        check: "no nameConstraints",
        what: "one",
        spoil: |b| b.spec.set(oid::NAME_CONSTRAINTS, true, &der::sequence(&[])),
    },
    Mutant {
        check: "no OCSP address",
        what: "one",
        spoil: |b| {
            let address = der::tlv(tag::context_primitive(6), b"http://example.test/");
            let access = der::sequence(&[&der::sequence(&[&der::oid(&oid::AD_OCSP), &address])]);
            b.spec.set(oid::AUTHORITY_INFO_ACCESS, false, &access);
        },
    },
    Mutant {
        check: "basicConstraints empty",
        what: "not critical",
        spoil: |b| {
            b.spec
                .set(oid::BASIC_CONSTRAINTS, false, &der::sequence(&[]))
        },
    },
    Mutant {
        check: "basicConstraints empty",
        what: "FALSE written out",
        spoil: |b| {
            let value = der::sequence(&[&der::tlv(tag::BOOLEAN, &[0])]);
            b.spec.set(oid::BASIC_CONSTRAINTS, true, &value);
        },
    },
    Mutant {
        check: "order of the name",
        what: "common name before country",
        spoil: |b| {
            b.spec.subject = name(&[
                (oid::COMMON_NAME, "Responder"),
                (oid::ORGANIZATION, "Test"),
                (oid::COUNTRY, "CZ"),
            ]);
        },
    },
    Mutant {
        check: "country, organisation and common name",
        what: "no country",
        spoil: |b| {
            b.rules.browser_forum = true;
            b.spec.subject = name(&[(oid::ORGANIZATION, "Test"), (oid::COMMON_NAME, "Responder")]);
        },
    },
    Mutant {
        check: "country, organisation and common name",
        what: "no common name",
        spoil: |b| b.spec.subject = name(&[(oid::ORGANIZATION, "Test")]),
    },
    Mutant {
        check: "not a CA",
        what: "cA TRUE",
        spoil: |b| {
            b.spec.set(
                oid::BASIC_CONSTRAINTS,
                true,
                &der::sequence(&[&der::boolean_true()]),
            )
        },
    },
];

#[test]
fn each_mutant_breaks_exactly_its_rule() {
    for Mutant { check, what, spoil } in MUTANTS {
        let rule = CHECKS
            .iter()
            .find(|known| known.name == *check)
            .expect(check)
            .rule;
        let mut bench = Bench::of(TestCa::new());
        spoil(&mut bench);
        let found = bench.violations(None);
        let rules: Vec<_> = found.iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, [rule], "{what}: {found:?}");
    }
}

#[test]
fn each_mutant_passes_without_its_check() {
    for Mutant { check, what, spoil } in MUTANTS {
        let mut bench = Bench::of(TestCa::new());
        spoil(&mut bench);
        assert_eq!(bench.violations(Some(check)), [], "{what}");
    }
}

#[test]
fn each_check_has_a_mutant() {
    let tested: HashSet<_> = MUTANTS.iter().map(|mutant| mutant.check).collect();
    let untested: Vec<_> = CHECKS
        .iter()
        .map(|check| check.name)
        .filter(|name| !tested.contains(name))
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn a_good_one_passes() {
    let mut bench = Bench::of(TestCa::new());
    assert_eq!(bench.violations(None), []);
    bench.rules.browser_forum = true;
    bench
        .spec
        .set(oid::BASIC_CONSTRAINTS, true, &der::sequence(&[]));
    bench.spec.not_after = NOW.plus_seconds(400 * DAY);
    assert_eq!(bench.violations(None), []);
}
