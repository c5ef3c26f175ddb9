//! CRLs spoiled in their extensions.

use super::spec::{Bench, URI, authority_key_id, full_name, key_id_field, number, uri};
use super::{ImportedRules, Mutant, Profile};
use crate::der_encode::{self as der, tag};
use crate::oid;
use crate::test_ca::{ca_name, extension};

const TRUE: &[u8] = &[0xff];
const FALSE: &[u8] = &[0];

fn flag(n: u8, value: &[u8]) -> Vec<u8> {
    der::tlv(tag::context_primitive(n), value)
}

/// A distribution point as freshestCRL has it, with more fields after it.
fn point(more: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::sequence(&[&full_name(&[&uri(URI)]), more])])
}

fn access(method: &crate::ObjectIdentifier) -> Vec<u8> {
    der::sequence(&[&der::sequence(&[
        &der::oid(method),
        &uri("http://example.test/ca.cer"),
    ])])
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        check: "no empty extensions",
        what: "an empty SEQUENCE",
        spoil: |b| {
            b.profile = Profile::Imported(ImportedRules {
                bare: true,
                old_algorithms: false,
            });
            b.crl.extensions = Some(vec![]);
        },
    },
    Mutant {
        check: "each extension once",
        what: "cRLNumber twice",
        spoil: |b| b.extensions().push(number(&der::integer(&[5]))),
    },
    Mutant {
        check: "no FALSE",
        what: "cRLNumber with critical FALSE",
        spoil: |b| {
            let written = der::tlv(tag::BOOLEAN, FALSE);
            b.extensions()[1] = der::sequence(&[
                &der::oid(&oid::CRL_NUMBER),
                &written,
                &der::octet_string(&der::integer(&[5])),
            ]);
        },
    },
    Mutant {
        check: "no unknown critical extension",
        what: "nocheck, critical",
        spoil: |b| b.add(oid::OCSP_NO_CHECK, true, &der::null()),
    },
    Mutant {
        check: "no other extension",
        what: "issuerAltName",
        spoil: |b| {
            b.add(
                oid::ISSUER_ALT_NAME,
                false,
                &der::sequence(&[&uri("http://example.test/")]),
            )
        },
    },
    Mutant {
        check: "an authorityKeyIdentifier",
        what: "left out",
        spoil: |b| drop(b.extensions().remove(0)),
    },
    Mutant {
        check: "an authorityKeyIdentifier",
        what: "without keyIdentifier",
        spoil: |b| b.extensions()[0] = authority_key_id(&[]),
    },
    Mutant {
        check: "authorityKeyIdentifier not critical",
        what: "critical",
        spoil: |b| {
            let value = der::sequence(&[&key_id_field(&b.ca)]);
            b.extensions()[0] = extension(oid::AUTHORITY_KEY_IDENTIFIER, true, &value);
        },
    },
    Mutant {
        check: "the CA's key identifier",
        what: "another",
        spoil: |b| b.extensions()[0] = authority_key_id(&[&der::tlv(0x80, &[7; 20])]),
    },
    Mutant {
        check: "keyIdentifier alone",
        what: "with issuer and serial number",
        spoil: |b| {
            let directory_name = der::explicit(4, &ca_name());
            let key_id = key_id_field(&b.ca);
            b.extensions()[0] = authority_key_id(&[
                &key_id,
                &der::explicit(1, &directory_name),
                &der::tlv(0x82, &[1]),
            ]);
        },
    },
    Mutant {
        check: "a cRLNumber",
        what: "left out",
        spoil: |b| drop(b.extensions().remove(1)),
    },
    Mutant {
        check: "cRLNumber not critical",
        what: "critical",
        spoil: |b| b.extensions()[1] = extension(oid::CRL_NUMBER, true, &der::integer(&[5])),
    },
    Mutant {
        check: "range of cRLNumber",
        what: "negative",
        spoil: |b| b.extensions()[1] = number(&der::tlv(tag::INTEGER, &[0xfb])),
    },
    Mutant {
        check: "range of cRLNumber",
        what: "2^159",
        spoil: |b| b.extensions()[1] = number(&der::integer(&[&[0x80][..], &[0; 19]].concat())),
    },
    Mutant {
        check: "range of cRLNumber",
        what: "not minimal",
        spoil: |b| b.extensions()[1] = number(&der::tlv(tag::INTEGER, &[0, 5])),
    },
    Mutant {
        check: "issuingDistributionPoint critical",
        what: "not critical",
        spoil: |b| {
            b.partition = true;
            b.add(
                oid::ISSUING_DISTRIBUTION_POINT,
                false,
                &der::sequence(&[&full_name(&[&uri(URI)])]),
            );
        },
    },
    Mutant {
        check: "form of issuingDistributionPoint",
        what: "NULL",
        spoil: |b| {
            b.import();
            b.add(oid::ISSUING_DISTRIBUTION_POINT, true, &der::null());
        },
    },
    Mutant {
        check: "issuingDistributionPoint not empty",
        what: "an empty SEQUENCE",
        spoil: |b| {
            b.import();
            b.add_idp(&[]);
        },
    },
    Mutant {
        check: "one kind of certificates",
        what: "users' and CAs'",
        spoil: |b| {
            b.import();
            b.add_idp(&[&flag(1, TRUE), &flag(2, TRUE)]);
        },
    },
    Mutant {
        check: "no attribute certificates",
        what: "onlyContainsAttributeCerts",
        spoil: |b| {
            b.import();
            b.add_idp(&[&flag(5, TRUE)]);
        },
    },
    Mutant {
        check: "no FALSE in issuingDistributionPoint",
        what: "onlyContainsUserCerts FALSE",
        spoil: |b| {
            b.partition = true;
            b.add_idp(&[&full_name(&[&uri(URI)]), &flag(1, FALSE)]);
        },
    },
    Mutant {
        check: "the partition's URI",
        what: "another URI",
        spoil: |b| {
            b.partition = true;
            b.add_idp(&[&full_name(&[&uri("http://crl.example.test/8.crl")])]);
        },
    },
    Mutant {
        check: "the partition's URI",
        what: "no issuingDistributionPoint",
        spoil: |b| b.partition = true,
    },
    Mutant {
        check: "URIs only",
        what: "a directory name beside the URI",
        spoil: |b| {
            b.partition = true;
            b.add_idp(&[&full_name(&[&uri(URI), &der::explicit(4, &ca_name())])]);
        },
    },
    Mutant {
        check: "all reasons",
        what: "onlySomeReasons",
        spoil: |b| {
            b.partition = true;
            b.add_idp(&[&full_name(&[&uri(URI)]), &flag(3, &[6, 0x40])]);
        },
    },
    Mutant {
        check: "no issuingDistributionPoint where all is covered",
        what: "in a complete CRL",
        spoil: |b| b.add_idp(&[&full_name(&[&uri(URI)])]),
    },
    Mutant {
        check: "not indirect",
        what: "indirectCRL",
        spoil: |b| {
            b.import();
            b.add_idp(&[&flag(4, TRUE)]);
        },
    },
    Mutant {
        check: "a delta where one is expected",
        what: "a delta as a complete CRL",
        spoil: |b| {
            b.make_delta(3, 3);
            b.delta_base = None;
        },
    },
    Mutant {
        check: "a delta where one is expected",
        what: "a complete CRL as a delta",
        spoil: |b| b.delta_base = Some(crate::CrlNumber::from(3)),
    },
    Mutant {
        check: "deltaCRLIndicator critical",
        what: "not critical",
        spoil: |b| {
            b.delta_base = Some(crate::CrlNumber::from(3));
            b.add(oid::DELTA_CRL_INDICATOR, false, &der::integer(&[3]));
        },
    },
    Mutant {
        check: "the expected base",
        what: "another",
        spoil: |b| b.make_delta(2, 3),
    },
    Mutant {
        check: "a base below the number",
        what: "the same",
        spoil: |b| b.make_delta(5, 5),
    },
    Mutant {
        check: "freshestCRL not critical",
        what: "critical",
        spoil: |b| b.add(oid::FRESHEST_CRL, true, &point(&[])),
    },
    Mutant {
        check: "freshestCRL in complete CRLs only",
        what: "in a delta",
        spoil: |b| {
            b.make_delta(3, 3);
            b.add(oid::FRESHEST_CRL, false, &point(&[]));
        },
    },
    Mutant {
        check: "freshestCRL names nothing but points",
        what: "reasons",
        spoil: |b| b.add(oid::FRESHEST_CRL, false, &point(&flag(1, &[6, 0x40]))),
    },
    Mutant {
        check: "authorityInfoAccess not critical",
        what: "critical",
        spoil: |b| {
            b.add(
                oid::AUTHORITY_INFO_ACCESS,
                true,
                &access(&oid::AD_CA_ISSUERS),
            )
        },
    },
    Mutant {
        check: "caIssuers only",
        what: "an OCSP service",
        spoil: |b| b.add(oid::AUTHORITY_INFO_ACCESS, false, &access(&oid::AD_OCSP)),
    },
];

#[test]
fn access_to_the_ca_certificate_is_allowed() {
    let mut bench = Bench::new();
    bench.add(
        oid::AUTHORITY_INFO_ACCESS,
        false,
        &access(&oid::AD_CA_ISSUERS),
    );
    bench.add(oid::FRESHEST_CRL, false, &point(&[]));
    assert_eq!(bench.violations(None), Ok(vec![]));
}
