//! CRLs spoiled outside their extensions and entries.

use super::spec::{Bench, this_update, utc};
use super::{ImportedRules, Mutant, Profile};
use crate::CrlNumber;
use crate::der_encode::{self as der, tag};
use crate::oid;
use crate::test_ca::{DAY, NOW, TestCa, TestKey, ca_name, ecdsa_sha256_with_null, name, name_of};
use crate::{RevocationReason, SignatureAlgorithm};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        check: "version 2",
        what: "version left out",
        spoil: |b| b.crl.version = vec![],
    },
    Mutant {
        check: "version 2",
        what: "explicit v1",
        spoil: |b| b.crl.version = der::integer(&[0]),
    },
    Mutant {
        check: "version 2",
        what: "version 3",
        spoil: |b| b.crl.version = der::integer(&[2]),
    },
    Mutant {
        check: "version 2",
        what: "version 1 of others, with extensions",
        spoil: |b| {
            b.profile = Profile::Imported(ImportedRules {
                bare: true,
                old_algorithms: false,
            });
            b.crl.version = vec![];
        },
    },
    Mutant {
        check: "inner and outer algorithm",
        what: "NULL outside only",
        spoil: |b| b.crl.outer_algorithm = ecdsa_sha256_with_null(),
    },
    Mutant {
        check: "an issuer",
        what: "an empty name",
        spoil: |b| {
            *b = Bench::of(TestCa::with(TestKey::p256(), |spec| {
                spec.subject = name(&[])
            }))
        },
    },
    Mutant {
        check: "the CA's name",
        what: "another CA's name",
        spoil: |b| {
            b.import();
            b.crl.issuer = name(&[(oid::COMMON_NAME, "Another CA")]);
        },
    },
    Mutant {
        check: "the CA's name byte for byte",
        what: "UTF8String for PrintableString",
        spoil: |b| {
            let attributes = [
                (oid::COUNTRY, "CZ"),
                (oid::ORGANIZATION, "Test"),
                (oid::COMMON_NAME, "Test CA"),
            ];
            b.crl.issuer = name_of(tag::UTF8_STRING, &attributes);
            assert_ne!(b.crl.issuer, ca_name());
        },
    },
    Mutant {
        check: "the CA's name byte for byte",
        what: "other letter case",
        spoil: |b| {
            let attributes = [
                (oid::COUNTRY, "CZ"),
                (oid::ORGANIZATION, "TEST"),
                (oid::COMMON_NAME, "Test  CA"),
            ];
            b.crl.issuer = name(&attributes);
        },
    },
    Mutant {
        check: "the CA may sign CRLs",
        what: "keyUsage without cRLSign",
        spoil: |b| {
            *b = Bench::of(TestCa::with(TestKey::p256(), |spec| {
                spec.set(oid::KEY_USAGE, true, &der::named_bits(&[5]));
            }));
        },
    },
    Mutant {
        check: "the CA may sign CRLs",
        what: "no keyUsage",
        spoil: |b| {
            *b = Bench::of(TestCa::with(TestKey::p256(), |spec| {
                spec.remove(oid::KEY_USAGE)
            }))
        },
    },
    Mutant {
        check: "no weak signature",
        what: "SHA-1",
        spoil: |b| {
            *b = Bench::of(TestCa::with(TestKey::rsa(), |_| ()));
            let sha1 = SignatureAlgorithm::RsaSha1.algorithm_identifier().to_vec();
            b.crl.inner_algorithm.clone_from(&sha1);
            b.crl.outer_algorithm = sha1;
            b.sign = |ca, tbs| ca.key.sign_sha1(tbs);
        },
    },
    Mutant {
        check: "the signature",
        what: "another key",
        spoil: |b| b.sign = |_, tbs| TestKey::p256().sign(tbs),
    },
    Mutant {
        check: "the signature",
        what: "other bytes",
        spoil: |b| b.sign = |ca, tbs| ca.key.sign(&tbs[1..]),
    },
    Mutant {
        check: "the algorithm's bytes",
        what: "ECDSA with NULL",
        spoil: |b| {
            b.crl.inner_algorithm = ecdsa_sha256_with_null();
            b.crl.outer_algorithm = ecdsa_sha256_with_null();
        },
    },
    Mutant {
        check: "form of thisUpdate",
        what: "GeneralizedTime before 2050",
        spoil: |b| b.crl.this_update = der::generalized_time(this_update()),
    },
    Mutant {
        check: "form of thisUpdate",
        what: "no seconds",
        spoil: |b| b.crl.this_update = der::tlv(tag::UTC_TIME, b"2611211155Z"),
    },
    Mutant {
        check: "form of thisUpdate",
        what: "an offset from UTC",
        spoil: |b| b.crl.this_update = der::tlv(tag::UTC_TIME, b"261121125500+0100"),
    },
    Mutant {
        check: "form of nextUpdate",
        what: "GeneralizedTime before 2050",
        spoil: |b| b.crl.next_update = der::generalized_time(this_update().plus_seconds(7 * DAY)),
    },
    Mutant {
        check: "form of nextUpdate",
        what: "a fraction",
        spoil: |b| b.crl.next_update = der::tlv(tag::GENERALIZED_TIME, b"20261128120000.5Z"),
    },
    Mutant {
        check: "a nextUpdate",
        what: "left out",
        spoil: |b| b.crl.next_update = vec![],
    },
    Mutant {
        check: "nextUpdate after thisUpdate",
        what: "the same moment",
        spoil: |b| {
            b.import();
            b.crl.next_update = utc(this_update());
        },
    },
    Mutant {
        check: "nextUpdate not before the last one's",
        what: "an hour before",
        spoil: |b| b.previous_next_update = Some(this_update().plus_seconds(7 * DAY + 3600)),
    },
    Mutant {
        check: "validity",
        what: "10 days and a second",
        spoil: |b| b.crl.next_update = utc(this_update().plus_seconds(10 * DAY + 1)),
    },
    Mutant {
        check: "validity",
        what: "a root's, 366 days",
        spoil: |b| {
            b.own().ca_certificates_only = true;
            b.crl.next_update = utc(this_update().plus_seconds(366 * DAY));
        },
    },
    Mutant {
        check: "no empty list",
        what: "an empty SEQUENCE",
        spoil: |b| b.crl.revoked = Some(vec![]),
    },
    Mutant {
        check: "thisUpdate not in the future",
        what: "a second ahead",
        spoil: |b| b.now = this_update().plus_seconds(-1),
    },
    Mutant {
        check: "not expired",
        what: "nextUpdate now",
        spoil: |b| b.now = this_update().plus_seconds(7 * DAY),
    },
    Mutant {
        check: "nextUpdate within the CA's validity",
        what: "the CA ends tomorrow",
        spoil: |b| {
            *b = Bench::of(TestCa::with(TestKey::p256(), |spec| {
                spec.not_after = NOW.plus_seconds(DAY)
            }));
        },
    },
    Mutant {
        check: "another number than the last",
        what: "the same",
        spoil: |b| b.previous_number = Some(CrlNumber::from(5)),
    },
    Mutant {
        check: "no number below the last",
        what: "one below",
        spoil: |b| b.previous_number = Some(CrlNumber::from(6)),
    },
    Mutant {
        check: "one entry per serial",
        what: "a serial twice in a row",
        spoil: |b| b.add_entry(&[&[0x22, 0x33]], &[]),
    },
    Mutant {
        check: "one entry per serial",
        what: "a serial twice, apart, for two reasons",
        spoil: |b| {
            b.add_entry(
                &[&[0x11]],
                &[super::spec::reason(RevocationReason::Superseded.code())],
            )
        },
    },
];
