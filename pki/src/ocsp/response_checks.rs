//! Checks of an OCSP response.

use crate::der_encode::tag;
use crate::der_read::{Tlv, single};
use crate::ocsp::parse::{RawSingle, RawStatus};
use crate::ocsp::response::CertStatus;
use crate::ocsp::verify::{ExpectedAnswer, ResponseCheck, Subject};
use crate::violation::{Check, Judgement, ensure};
use crate::{
    Certificate, KeyUsage, RevocationReason, Time, oid, raw_extension, signature_rules, time_rules,
};

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// By how much thisUpdate may be backdated (OCSP-34).
const BACKDATED: i64 = HOUR;

#[rustfmt::skip] // a table
pub(crate) const CHECKS: &[ResponseCheck] = &[
    Check { rule: "OCSP-30", name: "a basic response", run: basic },
    Check { rule: "OCSP-30", name: "version left out", run: version_left_out },
    Check { rule: "OCSP-42", name: "no empty certs", run: no_empty_certs },
    Check { rule: "OCSP-42", name: "one certificate at most", run: one_certificate },
    Check { rule: "OCSP-42", name: "a readable certificate", run: readable_certificate },
    Check { rule: "OCSP-42", name: "not the CA's certificate", run: not_the_ca },
    Check { rule: "OCSP-52", name: "the CA may sign answers", run: ca_may_sign },
    Check { rule: "OCSP-31", name: "responderID by key", run: by_key },
    Check { rule: "OCSP-31", name: "responderID of the signer", run: signers_key },
    Check { rule: "OCSP-48", name: "no weak signature", run: not_weak },
    Check { rule: "OCSP-50", name: "the algorithm's bytes", run: algorithm_bytes },
    Check { rule: "OCSP-30", name: "the signature", run: signature },
    Check { rule: "OCSP-43", name: "no responseExtensions", run: no_response_extensions },
    Check { rule: "OCSP-16", name: "the nonce asked for", run: nonce_asked_for },
    Check { rule: "OCSP-39", name: "one answer for each request", run: one_answer_each },
    Check { rule: "OCSP-40", name: "the request's hash", run: same_hash },
    Check { rule: "OCSP-20", name: "the issuer's name", run: issuer_name },
    Check { rule: "OCSP-20", name: "the issuer's key", run: issuer_key },
    Check { rule: "OCSP-10", name: "the serial asked for", run: same_serial },
    Check { rule: "OCSP-04", name: "no unknown", run: not_unknown },
    Check { rule: "OCSP-53", name: "the status of the ledger", run: expected_status },
    Check { rule: "OCSP-32", name: "form of producedAt", run: produced_at_form },
    Check { rule: "OCSP-32", name: "form of thisUpdate", run: this_update_form },
    Check { rule: "OCSP-32", name: "form of nextUpdate", run: next_update_form },
    Check { rule: "OCSP-32", name: "form of revocationTime", run: revocation_time_form },
    Check { rule: "OCSP-33", name: "a nextUpdate", run: next_update_present },
    Check { rule: "OCSP-34", name: "producedAt not in the future", run: produced_before_now },
    Check { rule: "OCSP-34", name: "thisUpdate near producedAt", run: this_update_near },
    Check { rule: "OCSP-34", name: "revoked before thisUpdate", run: revoked_before },
    Check { rule: "OCSP-06", name: "not stale", run: not_stale },
    Check { rule: "OCSP-35", name: "validity not too short", run: long_enough },
    Check { rule: "OCSP-35", name: "validity not too long", run: short_enough },
    Check { rule: "OCSP-38", name: "nextUpdate within the signer's validity", run: within_signer },
    Check { rule: "OCSP-44", name: "unspecified left out", run: unspecified_left_out },
    Check { rule: "OCSP-44", name: "a reason that exists", run: reason_exists },
    Check { rule: "OCSP-44", name: "a reason that is allowed", run: reason_allowed },
    Check { rule: "OCSP-44", name: "a reason for a CA", run: reason_for_ca },
    Check { rule: "OCSP-54", name: "no hold", run: no_hold },
    Check { rule: "OCSP-45", name: "no reasonCode extension", run: no_reason_extension },
    Check { rule: "OCSP-47", name: "no single extension but archiveCutoff", run: only_archive_cutoff },
    Check { rule: "OCSP-47", name: "form of archiveCutoff", run: archive_cutoff_form },
];

fn basic(response: &Subject<'_>) -> Judgement {
    let found = response.raw.response_type;
    ensure(found == oid::OCSP_BASIC, || {
        format!("the response type is {found}, not id-pkix-ocsp-basic")
    })
}

fn version_left_out(response: &Subject<'_>) -> Judgement {
    ensure(!response.raw.version_written, || {
        "the version is written out, though v1 is the DEFAULT".to_owned()
    })
}

fn no_empty_certs(response: &Subject<'_>) -> Judgement {
    ensure(
        response
            .raw
            .certs
            .as_ref()
            .is_none_or(|certs| !certs.is_empty()),
        || "certs is an empty list; without certificates it is left out".to_owned(),
    )
}

fn one_certificate(response: &Subject<'_>) -> Judgement {
    let count = certs(response).len();
    ensure(count <= 1, || {
        format!("certs has {count} certificates; the signer's alone is needed")
    })
}

fn readable_certificate(response: &Subject<'_>) -> Judgement {
    match certs(response).first() {
        Some(der) => Certificate::from_der(der)
            .map(drop)
            .map_err(|error| format!("in certs: {error}")),
        None => Ok(()),
    }
}

fn not_the_ca(response: &Subject<'_>) -> Judgement {
    let is_ca = response
        .delegate
        .as_ref()
        .is_some_and(|delegate| delegate.public_key() == response.expected.ca.public_key());
    ensure(!is_ca, || "certs has the CA's own certificate".to_owned())
}

fn ca_may_sign(response: &Subject<'_>) -> Judgement {
    if response.delegate.is_some() {
        return Ok(());
    }
    let may = response
        .expected
        .ca
        .key_usage()
        .is_some_and(|usage| usage.has(KeyUsage::DIGITAL_SIGNATURE));
    ensure(may, || {
        "the CA signed by itself, but its keyUsage has no digitalSignature".to_owned()
    })
}

fn by_key(response: &Subject<'_>) -> Judgement {
    ensure(response.raw.responder_id.tag == tag::context(2), || {
        "the responderID is a name, not the hash of a key".to_owned()
    })
}

fn signers_key(response: &Subject<'_>) -> Judgement {
    let id = response.raw.responder_id;
    if id.tag != tag::context(2) {
        return Ok(());
    }
    let needed = response.signer().public_key().key_id();
    let same = matches!(
        single(id.content, "responderID"),
        Ok(Tlv { tag: tag::OCTET_STRING, content, .. }) if content == needed
    );
    ensure(same, || {
        format!(
            "the responderID is not {}, SHA-1 of the signing key",
            hex::encode(needed)
        )
    })
}

fn not_weak(response: &Subject<'_>) -> Judgement {
    signature_rules::not_weak(response.raw.signature_algorithm)
}

fn algorithm_bytes(response: &Subject<'_>) -> Judgement {
    let key = response.signer().public_key();
    signature_rules::exact_bytes(response.raw.signature_algorithm, key)
}

fn signature(response: &Subject<'_>) -> Judgement {
    let raw = response.raw;
    let key = response.signer().public_key();
    signature_rules::verifies(key, raw.signature_algorithm, raw.tbs, raw.signature)
}

/// But the nonce, if one was asked for.
fn no_response_extensions(response: &Subject<'_>) -> Judgement {
    let asked_for = response.expected.nonce.is_some();
    match &response.raw.extensions {
        None => Ok(()),
        Some(extensions) if asked_for => {
            let other = extensions.iter().find(|found| found.id != oid::OCSP_NONCE);
            other.map_or(Ok(()), |other| {
                Err(format!(
                    "responseExtensions has {}",
                    raw_extension::name(&other.id)
                ))
            })
        }
        Some(_) => Err("it has responseExtensions".to_owned()),
    }
}

/// Octet for octet, once, and not critical: no client has to know it.
fn nonce_asked_for(response: &Subject<'_>) -> Judgement {
    let Some(asked_for) = response.expected.nonce else {
        return Ok(());
    };
    let extensions = response.raw.extensions.as_deref().unwrap_or_default();
    let nonces: Vec<_> = extensions
        .iter()
        .filter(|extension| extension.id == oid::OCSP_NONCE)
        .collect();
    let same = matches!(nonces[..], [only] if only.value == asked_for && !only.critical && !only.false_written);
    ensure(same, || {
        "the nonce of the request does not stand in it as it came, once and uncritical".to_owned()
    })
}

fn one_answer_each(response: &Subject<'_>) -> Judgement {
    let (count, needed) = (response.raw.singles.len(), response.expected.answers.len());
    ensure(count == needed, || {
        format!("it has {count} answers instead of {needed}")
    })
}

fn same_hash(response: &Subject<'_>) -> Judgement {
    each_expected(response, |answer, expected| {
        let wanted = expected.hash;
        match answer.id.hash {
            Some(hash) => ensure(hash == wanted, || {
                format!("the CertID is made with {hash}, not {wanted}")
            }),
            None => Err(format!(
                "the CertID is made with an unknown hash, not {wanted}"
            )),
        }
    })
}

fn issuer_name(response: &Subject<'_>) -> Judgement {
    let ca = response.expected.ca;
    each(response, |answer| {
        let same = answer
            .id
            .hash
            .is_none_or(|hash| hash.digest(ca.subject().as_der()) == answer.id.name_hash);
        ensure(same, || "issuerNameHash is not of the CA's name".to_owned())
    })
}

fn issuer_key(response: &Subject<'_>) -> Judgement {
    let key = response.expected.ca.public_key();
    each(response, |answer| {
        let same = answer
            .id
            .hash
            .is_none_or(|hash| hash.digest(key.key_bits()) == answer.id.key_hash);
        ensure(same, || "issuerKeyHash is not of the CA's key".to_owned())
    })
}

fn same_serial(response: &Subject<'_>) -> Judgement {
    each_expected(response, |answer, expected| {
        ensure(
            answer.id.serial_number().as_ref() == Some(&expected.serial),
            || "it answers for another serial number".to_owned(),
        )
    })
}

fn not_unknown(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        ensure(!matches!(answer.status, RawStatus::Unknown), || {
            "the answer is `unknown`; where there is no record the responder says unauthorized"
                .to_owned()
        })
    })
}

fn expected_status(response: &Subject<'_>) -> Judgement {
    each_expected(response, |answer, expected| {
        let Some(expected) = expected.status else {
            return Ok(());
        };
        let same = match (answer.status, expected) {
            (RawStatus::Good, CertStatus::Good) => true,
            (
                RawStatus::Revoked { time, .. },
                CertStatus::Revoked {
                    time: since,
                    reason,
                },
            ) => {
                time_rules::read_leniently(time) == Some(since)
                    && stated(answer.status.reason()) == stated(reason)
            }
            _ => false,
        };
        ensure(same, || format!("the answer is not {expected:?}"))
    })
}

fn produced_at_form(response: &Subject<'_>) -> Judgement {
    time_rules::generalized(response.raw.produced_at, "producedAt")
}

fn this_update_form(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        time_rules::generalized(answer.this_update, "thisUpdate")
    })
}

fn next_update_form(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        answer
            .next_update
            .map_or(Ok(()), |time| time_rules::generalized(time, "nextUpdate"))
    })
}

fn revocation_time_form(response: &Subject<'_>) -> Judgement {
    each(response, |answer| match answer.status {
        RawStatus::Revoked { time, .. } => time_rules::generalized(time, "revocationTime"),
        _ => Ok(()),
    })
}

fn next_update_present(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        ensure(answer.next_update.is_some(), || {
            "there is no nextUpdate".to_owned()
        })
    })
}

fn produced_before_now(response: &Subject<'_>) -> Judgement {
    let now = response.expected.now;
    ensure(
        produced_at(response).is_some_and(|time| time <= now),
        || "producedAt is in the future".to_owned(),
    )
}

/// Not after producedAt, and so not in the future either.
fn this_update_near(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        let (Some(this_update), Some(produced_at)) = (this_update(answer), produced_at(response))
        else {
            return Ok(());
        };
        let backdated = this_update.seconds_until(produced_at);
        ensure((0..=BACKDATED).contains(&backdated), || {
            format!("thisUpdate {this_update} does not fit producedAt {produced_at}")
        })
    })
}

fn revoked_before(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        let (RawStatus::Revoked { time, .. }, Some(produced_at)) =
            (answer.status, produced_at(response))
        else {
            return Ok(());
        };
        let since = time_rules::read_leniently(time);
        ensure(since.is_none_or(|since| since <= produced_at), || {
            "the revocation is later than the answer about it".to_owned()
        })
    })
}

fn not_stale(response: &Subject<'_>) -> Judgement {
    let now = response.expected.now;
    each(response, |answer| {
        next_update(answer).map_or(Ok(()), |time| {
            ensure(now < time, || format!("nextUpdate {time} is past"))
        })
    })
}

fn long_enough(response: &Subject<'_>) -> Judgement {
    let rules = response.expected.rules;
    if rules.bounded_by_crl {
        return Ok(());
    }
    let signer_ends = match rules.bounded_by_responder {
        true => signer_ends(response),
        false => Vec::new(),
    };
    each(response, |answer| {
        validity(answer).map_or(Ok(()), |valid| {
            let bounded = next_update(answer).is_some_and(|time| signer_ends.contains(&time));
            ensure(valid >= 8 * HOUR || bounded, || {
                format!("it is valid for {valid} s, less than 8 hours")
            })
        })
    })
}

fn short_enough(response: &Subject<'_>) -> Judgement {
    let days = if response.expected.rules.ca_certificate {
        365
    } else {
        10
    };
    each(response, |answer| {
        validity(answer).map_or(Ok(()), |valid| {
            ensure(valid <= days * DAY, || {
                format!("it is valid for {valid} s, more than {days} days")
            })
        })
    })
}

fn within_signer(response: &Subject<'_>) -> Judgement {
    let ends = signer_ends(response);
    each(response, |answer| {
        let beyond = next_update(answer)
            .and_then(|time| Some((time, *ends.iter().find(|&&end| time > end)?)));
        match beyond {
            Some((time, end)) => Err(format!(
                "nextUpdate {time} is after the signer's notAfter {end}"
            )),
            None => Ok(()),
        }
    })
}

fn unspecified_left_out(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        ensure(
            answer.status.reason() != Some(RevocationReason::Unspecified),
            || "the reason `unspecified` is written by leaving it out".to_owned(),
        )
    })
}

fn reason_exists(response: &Subject<'_>) -> Judgement {
    each(response, |answer| match answer.status {
        RawStatus::Revoked {
            reason: Some(code), ..
        } => {
            let exists = RevocationReason::from_code(code);
            let usable = exists.is_some_and(|reason| reason != RevocationReason::RemoveFromCrl);
            ensure(usable, || format!("there is no revocation reason {code}"))
        }
        _ => Ok(()),
    })
}

fn reason_allowed(response: &Subject<'_>) -> Judgement {
    use RevocationReason as Reason;
    let rules = response.expected.rules;
    each(response, |answer| {
        let allowed = match answer.status.reason() {
            Some(Reason::CaCompromise) => rules.ca_certificate,
            Some(Reason::AaCompromise) => false,
            _ => true,
        };
        ensure(allowed || !rules.browser_forum, || {
            "the reason is not one for this certificate".to_owned()
        })
    })
}

fn reason_for_ca(response: &Subject<'_>) -> Judgement {
    let rules = response.expected.rules;
    each(response, |answer| {
        let missing = matches!(answer.status, RawStatus::Revoked { reason: None, .. });
        ensure(
            !(missing && rules.ca_certificate && rules.browser_forum),
            || "the revocation of a CA certificate needs a reason".to_owned(),
        )
    })
}

fn no_hold(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        let hold = answer.status.reason() == Some(RevocationReason::CertificateHold);
        ensure(!hold || response.expected.rules.keeps_holds, || {
            "the certificate is on hold, which is never used here".to_owned()
        })
    })
}

fn no_reason_extension(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        ensure(
            raw_extension::find(&answer.extensions, &oid::REASON_CODE).is_none(),
            || "singleExtensions has reasonCode; the reason belongs in revocationReason".to_owned(),
        )
    })
}

fn only_archive_cutoff(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        let known = [oid::OCSP_ARCHIVE_CUTOFF, oid::REASON_CODE];
        match answer
            .extensions
            .iter()
            .find(|extension| !known.contains(&extension.id))
        {
            Some(extension) => Err(format!(
                "singleExtensions has {}",
                raw_extension::name(&extension.id)
            )),
            None => Ok(()),
        }
    })
}

fn archive_cutoff_form(response: &Subject<'_>) -> Judgement {
    each(response, |answer| {
        let Some(extension) = raw_extension::find(&answer.extensions, &oid::OCSP_ARCHIVE_CUTOFF)
        else {
            return Ok(());
        };
        let time = single(extension.value, "archiveCutoff").map_err(|error| error.to_string())?;
        time_rules::generalized(time, "archiveCutoff")
    })
}

fn each(response: &Subject<'_>, check: impl Fn(&RawSingle<'_>) -> Judgement) -> Judgement {
    response.raw.singles.iter().try_for_each(check)
}

/// Each answer beside what it must be about; that there are as many is a check of its own.
fn each_expected(
    response: &Subject<'_>,
    check: impl Fn(&RawSingle<'_>, &ExpectedAnswer) -> Judgement,
) -> Judgement {
    let mut answers = response.raw.singles.iter().zip(response.expected.answers);
    answers.try_for_each(|(answer, expected)| check(answer, expected))
}

/// notAfter of every certificate in certs, or without any, of the CA's.
fn signer_ends(response: &Subject<'_>) -> Vec<Time> {
    let mut ends: Vec<Time> = certs(response)
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .map(|certificate| certificate.not_after())
        .collect();
    if ends.is_empty() {
        ends.push(response.expected.ca.not_after());
    }
    ends
}

fn certs<'s, 'a>(response: &'s Subject<'a>) -> &'s [&'a [u8]] {
    response.raw.certs.as_deref().unwrap_or_default()
}

fn produced_at(response: &Subject<'_>) -> Option<Time> {
    time_rules::read_leniently(response.raw.produced_at)
}

fn this_update(answer: &RawSingle<'_>) -> Option<Time> {
    time_rules::read_leniently(answer.this_update)
}

fn next_update(answer: &RawSingle<'_>) -> Option<Time> {
    answer.next_update.and_then(time_rules::read_leniently)
}

fn validity(answer: &RawSingle<'_>) -> Option<i64> {
    Some(this_update(answer)?.seconds_until(next_update(answer)?))
}

fn stated(reason: Option<RevocationReason>) -> Option<RevocationReason> {
    reason.filter(|&reason| reason != RevocationReason::Unspecified)
}
