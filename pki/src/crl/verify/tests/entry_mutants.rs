//! CRLs spoiled in an entry.

use super::Mutant;
use super::spec::{entry, reason, revoked_at, utc};
use crate::der_encode::{self as der, tag};
use crate::oid;
use crate::test_ca::{NOW, ca_name, extension};

fn invalidity_date(value: &[u8]) -> Vec<u8> {
    extension(oid::INVALIDITY_DATE, false, value)
}

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        check: "form of a serial",
        what: "a leading zero",
        spoil: |b| b.add_entry(&[&[0, 0x44]], &[]),
    },
    Mutant {
        check: "form of a serial",
        what: "no octets",
        spoil: |b| {
            b.import();
            b.add_entry(&[], &[]);
        },
    },
    Mutant {
        check: "a serial that a certificate can have",
        what: "zero",
        spoil: |b| b.add_entry(&[&[0]], &[]),
    },
    Mutant {
        check: "a serial that a certificate can have",
        what: "negative",
        spoil: |b| b.add_entry(&[&[0x80, 1]], &[]),
    },
    Mutant {
        check: "a serial that a certificate can have",
        what: "21 octets",
        spoil: |b| b.add_entry(&[&[0x44; 21]], &[]),
    },
    Mutant {
        check: "form of revocationDate",
        what: "GeneralizedTime before 2050",
        spoil: |b| {
            b.revoked()
                .push(entry(&[0x44], &der::generalized_time(NOW), &[]))
        },
    },
    Mutant {
        check: "form of revocationDate",
        what: "no seconds",
        spoil: |b| {
            b.revoked().push(entry(
                &[0x44],
                &der::tlv(tag::UTC_TIME, b"2611201200Z"),
                &[],
            ))
        },
    },
    Mutant {
        check: "no empty entry extensions",
        what: "an empty SEQUENCE",
        spoil: |b| {
            let empty = der::sequence(&[
                &der::tlv(tag::INTEGER, &[0x44]),
                &revoked_at(),
                &der::sequence(&[]),
            ]);
            b.revoked().push(empty);
        },
    },
    Mutant {
        check: "each entry extension once",
        what: "reasonCode twice",
        spoil: |b| b.add_entry(&[&[0x44]], &[reason(1), reason(4)]),
    },
    Mutant {
        check: "no FALSE in entries",
        what: "reasonCode with critical FALSE",
        spoil: |b| {
            let written = der::sequence(&[
                &der::oid(&oid::REASON_CODE),
                &der::tlv(tag::BOOLEAN, &[0]),
                &der::octet_string(&der::enumerated(1)),
            ]);
            b.add_entry(&[&[0x44]], &[written]);
        },
    },
    Mutant {
        check: "no certificateIssuer",
        what: "certificateIssuer",
        spoil: |b| {
            let issuer = der::sequence(&[&der::explicit(4, &ca_name())]);
            b.add_entry(
                &[&[0x44]],
                &[extension(oid::CERTIFICATE_ISSUER, true, &issuer)],
            );
        },
    },
    Mutant {
        check: "no unknown critical entry extension",
        what: "nocheck, critical",
        spoil: |b| {
            b.add_entry(
                &[&[0x44]],
                &[extension(oid::OCSP_NO_CHECK, true, &der::null())],
            )
        },
    },
    Mutant {
        check: "form of reasonCode",
        what: "an INTEGER",
        spoil: |b| {
            b.add_entry(
                &[&[0x44]],
                &[extension(oid::REASON_CODE, false, &der::integer(&[1]))],
            )
        },
    },
    Mutant {
        check: "reasonCode not critical",
        what: "critical",
        spoil: |b| {
            b.add_entry(
                &[&[0x44]],
                &[extension(oid::REASON_CODE, true, &der::enumerated(1))],
            )
        },
    },
    Mutant {
        check: "a reason that exists",
        what: "7",
        spoil: |b| b.add_entry(&[&[0x44]], &[reason(7)]),
    },
    Mutant {
        check: "a reason that exists",
        what: "11",
        spoil: |b| b.add_entry(&[&[0x44]], &[reason(11)]),
    },
    Mutant {
        check: "unspecified left out",
        what: "0",
        spoil: |b| b.add_entry(&[&[0x44]], &[reason(0)]),
    },
    Mutant {
        check: "no hold",
        what: "certificateHold",
        spoil: |b| b.add_entry(&[&[0x44]], &[reason(6)]),
    },
    Mutant {
        check: "a reason that is allowed",
        what: "aACompromise",
        spoil: |b| {
            b.own().browser_forum = true;
            b.add_entry(&[&[0x44]], &[reason(10)]);
        },
    },
    Mutant {
        check: "a reason that is allowed",
        what: "cACompromise of a subscriber",
        spoil: |b| {
            b.own().browser_forum = true;
            b.add_entry(&[&[0x44]], &[reason(2)]);
        },
    },
    Mutant {
        check: "a reason that is allowed",
        what: "none for a CA",
        spoil: |b| {
            b.own().browser_forum = true;
            b.own().ca_certificates_only = true;
        },
    },
    Mutant {
        check: "removeFromCRL in deltas only",
        what: "in a complete CRL",
        spoil: |b| b.add_entry(&[&[0x44]], &[reason(8)]),
    },
    Mutant {
        check: "form of invalidityDate",
        what: "UTCTime",
        spoil: |b| b.add_entry(&[&[0x44]], &[invalidity_date(&utc(NOW))]),
    },
    Mutant {
        check: "form of invalidityDate",
        what: "a fraction",
        spoil: |b| {
            let value = der::tlv(tag::GENERALIZED_TIME, b"20261120120000.25Z");
            b.add_entry(&[&[0x44]], &[invalidity_date(&value)]);
        },
    },
    Mutant {
        check: "invalidityDate not critical",
        what: "critical",
        spoil: |b| {
            let value = der::generalized_time(NOW);
            b.add_entry(&[&[0x44]], &[extension(oid::INVALIDITY_DATE, true, &value)]);
        },
    },
    Mutant {
        check: "no revocation in the future",
        what: "more than an hour ahead",
        spoil: |b| {
            b.revoked()
                .push(entry(&[0x44], &utc(NOW.plus_seconds(3601)), &[]))
        },
    },
];
