//! The fields of a TBSCertificate up to the key (RFC 5280 section 4.1).

use der::{Decode, Encode};

use super::{Findings, Subject};
use crate::der_encode::{self, tag};
use crate::der_read::{DerError, Reader};
use crate::weak_keys::{self, KeyRules};
use crate::{SignatureAlgorithm, Time};

/// The clocks of those who ask and those who sign may differ by this much.
const CLOCK_SKEW: i64 = 300;

/// CERT-04: how far notBefore may lie from the moment of signing.
const BACKDATE_LIMIT: i64 = 48 * 3600;

/// The shortest serial number: 16 octets hold at least 64 random bits beside anything else in it (CERT-01).
const SERIAL_OCTETS: usize = 16;

pub(super) fn check(tbs: &[u8], subject: &Subject<'_>, findings: &mut Findings) {
    check_encoding_of(tbs, subject, findings);
    check_header(subject, findings);
    check_validity(subject, findings);
    check_key(subject, findings);
}

/// Strict DER: an independent reader writes the same bytes again.
fn check_encoding_of(tbs: &[u8], subject: &Subject<'_>, findings: &mut Findings) {
    let again = x509_cert::TbsCertificate::from_der(tbs).and_then(|read| read.to_der());
    match again {
        Ok(again) => findings.require(
            again == tbs,
            "CERT-01",
            "the bytes are not DER: written again, they differ",
        ),
        Err(error) => findings.add("CERT-01", format!("the bytes are not DER: {error}")),
    }

    match times_and_unique_ids(tbs) {
        Ok((validity, unique_ids)) => {
            let certificate = subject.certificate;
            let expected = [certificate.not_before(), certificate.not_after()]
                .map(der_encode::utc_or_generalized_time)
                .concat();
            findings.require(
                validity == expected,
                "CERT-04",
                "validity must be UTCTime through 2049, then GeneralizedTime",
            );
            findings.require(!unique_ids, "CERT-01", "unique identifiers must be absent");
        }
        Err(error) => findings.add("CERT-01", error.to_string()),
    }
}

/// The bytes inside validity, and whether unique identifiers are there.
fn times_and_unique_ids(tbs: &[u8]) -> Result<(&[u8], bool), DerError> {
    let mut fields = Reader::new(tbs).sequence("TBSCertificate")?;
    fields.optional_context(0, "version")?;
    for what in ["serialNumber", "signature", "issuer"] {
        fields.next(what)?;
    }
    let validity = fields.expect(tag::SEQUENCE, "validity")?.content;
    for what in ["subject", "subjectPublicKeyInfo"] {
        fields.next(what)?;
    }
    let unique_ids = fields.peek().is_some_and(|next| next != tag::context(3));
    Ok((validity, unique_ids))
}

fn check_header(subject: &Subject<'_>, findings: &mut Findings) {
    let certificate = subject.certificate;
    let context = subject.context;
    findings.require(
        certificate.version() == 2,
        "CERT-01",
        "the version must be 3",
    );
    findings.require(
        certificate.serial().as_bytes().len() >= SERIAL_OCTETS,
        "CERT-01",
        format!("the serial number has fewer than {SERIAL_OCTETS} octets"),
    );
    findings.require(
        certificate.issuer() == context.ca.subject(),
        "CERT-02",
        "the issuer's bytes are not those of the CA certificate's subject",
    );
    findings.require(
        certificate.algorithm_identifiers().0 == context.signature_algorithm.algorithm_identifier(),
        "CERT-03",
        format!(
            "the signature algorithm inside is not {}",
            context.signature_algorithm
        ),
    );
    let fits_key = context.ca.public_key().kind().is_ok_and(|kind| {
        SignatureAlgorithm::for_key(kind, context.signature_algorithm.hash())
            == Ok(context.signature_algorithm)
    });
    findings.require(
        fits_key,
        "CERT-31",
        format!(
            "{} is not an algorithm for the CA's key",
            context.signature_algorithm
        ),
    );
}

fn check_validity(subject: &Subject<'_>, findings: &mut Findings) {
    let (not_before, not_after) = (
        subject.certificate.not_before(),
        subject.certificate.not_after(),
    );
    let now = subject.context.now;
    // S9: certificates of responders are issued ahead, and no others.
    let ahead_days = subject
        .context
        .profile
        .map_or(0, |profile| profile.ahead_days);
    let latest = now.plus_seconds(i64::from(ahead_days) * 86_400 + CLOCK_SKEW);
    findings.require(
        not_before <= latest && now.plus_seconds(-BACKDATE_LIMIT) <= not_before,
        "CERT-04",
        format!(
            "notBefore {not_before} is not within the 48 hours before the signing at {now}{}",
            match ahead_days {
                0 => String::new(),
                days => format!(" or the {days} days after it"),
            }
        ),
    );
    findings.require(
        not_before < not_after && now < not_after,
        "CERT-04",
        format!("notAfter {not_after} is not after notBefore and the signing"),
    );
    let ca = subject.context.ca;
    findings.require(
        not_after <= ca.not_after(),
        "CERT-05",
        format!(
            "notAfter {not_after} is later than the CA's own, {}",
            ca.not_after()
        ),
    );
    findings.require(
        ca.not_before() <= now,
        "CERT-05",
        format!(
            "the CA's certificate is valid from {} only",
            ca.not_before()
        ),
    );
    if let Some(profile) = subject.context.profile {
        // notAfter is the last second of validity.
        let seconds = not_before.seconds_until(not_after) + 1;
        findings.require(
            seconds <= i64::from(profile.max_days) * 86_400,
            "CERT-05",
            format!(
                "it is valid for {}; profile {} allows {} days",
                length(not_before, not_after),
                profile.name,
                profile.max_days
            ),
        );
    }
}

fn check_key(subject: &Subject<'_>, findings: &mut Findings) {
    let key = subject.certificate.public_key();
    let any = KeyRules::any();
    let rules = subject
        .context
        .profile
        .map_or(&any, |profile| &profile.keys);
    let verdict = weak_keys::check(key, rules, None);
    if let Err(refusal) = verdict {
        findings.add("CERT-20", format!("{} ({})", refusal.message, refusal.rule));
    }
    findings.require(
        key.spki_der() != subject.context.ca.public_key().spki_der(),
        "I5",
        "the key is the CA's own",
    );
}

fn length(not_before: Time, not_after: Time) -> String {
    let seconds = not_before.seconds_until(not_after) + 1;
    let days = seconds.div_euclid(86_400);
    match seconds.rem_euclid(86_400) {
        0 => format!("{days} days"),
        rest => format!("{days} days and {rest} seconds"),
    }
}
