//! From signatures to a set that may be published (V9).
//!
//! The signing thread has verified every signature. Here the responses are put together as an edge will do it, from the
//! written and re-opened set, and judged by the whole verifier: the first answer and the first revocation of each batch,
//! which stand for the template and times that the others share with them. Every other revocation is judged by all rules
//! but the signature's, which costs most.

use std::collections::HashSet;

use answers::{AnswerSet, Builder};
use pki::ocsp::response::CertStatus;
use pki::ocsp::verify::{Expected, Rules, Violation, violations, violations_beside_signature};
use pki::{Certificate, Serial, Time};

use crate::pool::{Row, Signed};
use crate::published::PublicationError;
use crate::responder::HASHES;

/// Writes the set and judges it. A certificate whose answer breaks a rule is taken out of what is published, so that no
/// older answer stays for it either, and is named in the second part.
pub(crate) fn assemble(
    signed: &[Signed],
    removed: &[Serial],
    ca: &Certificate,
    rules: Rules,
    now: Time,
) -> Result<(AnswerSet, Vec<(Serial, String)>), PublicationError> {
    let mut unfit: Vec<(Serial, String)> = Vec::new();
    loop {
        let without: HashSet<Serial> = unfit.iter().map(|(serial, _)| *serial).collect();
        let set = write(signed, removed, ca, &without)?;
        let found = judge(&set, signed, &without, ca, rules, now)?;
        if found.is_empty() {
            return Ok((set, unfit));
        }
        unfit.extend(found);
    }
}

fn write(
    signed: &[Signed],
    removed: &[Serial],
    ca: &Certificate,
    without: &HashSet<Serial>,
) -> Result<AnswerSet, PublicationError> {
    let mut builder = Builder::new(ca, &HASHES)?;
    for signed in signed {
        let batch = builder.batch(signed.batch.clone())?;
        for (row, first) in &signed.rows {
            if without.contains(&row.serial) {
                builder.remove(row.serial);
            } else {
                let signatures = signed.signatures(*first);
                builder.answer(row.serial, row.status, batch, &signatures)?;
            }
        }
    }
    for serial in removed {
        builder.remove(*serial);
    }
    Ok(AnswerSet::from_bytes(builder.finish()?, ca)?)
}

fn judge(
    set: &AnswerSet,
    signed: &[Signed],
    without: &HashSet<Serial>,
    ca: &Certificate,
    rules: Rules,
    now: Time,
) -> Result<Vec<(Serial, String)>, PublicationError> {
    let mut unfit = Vec::new();
    for signed in signed {
        // The job may have been signed a moment after the caller looked at the clock.
        let now = now.max(signed.batch.this_update);
        let rows = signed
            .rows
            .iter()
            .map(|(row, _)| row)
            .filter(|row| !without.contains(&row.serial));
        let mut revocation_seen = false;
        for (index, row) in rows.enumerate() {
            let revoked = matches!(row.status, CertStatus::Revoked { .. });
            if index > 0 && !revoked {
                continue;
            }
            let judge = if index == 0 || !revocation_seen {
                violations
            } else {
                violations_beside_signature
            };
            revocation_seen |= revoked;
            if let Some(violation) = violation(set, row, ca, rules, now, judge)? {
                unfit.push((row.serial, violation));
            }
        }
    }
    Ok(unfit)
}

/// The rule about revocation reasons, which alone keeps no answer back.
pub(crate) const REASONS: &str = "OCSP-44";

/// The first rule that an answer of the set breaks.
fn violation(
    set: &AnswerSet,
    row: &Row,
    ca: &Certificate,
    rules: Rules,
    now: Time,
    judge: impl Fn(&[u8], &Expected<'_>) -> Result<Vec<Violation>, Violation>,
) -> Result<Option<String>, PublicationError> {
    let missing =
        || PublicationError::Unfit("a certificate just written is not found again".to_owned());
    let answer = set.get(row.serial.as_bytes())?.ok_or_else(missing)?;
    for hash in HASHES {
        let response = answer.response(hash).ok_or_else(missing)?;
        let expected = Expected {
            ca,
            hash,
            serial: &row.serial,
            now,
            status: Some(row.status),
            rules,
        };
        let found = judge(&response, &expected).unwrap_or_else(|unreadable| vec![unreadable]);
        for violation in found {
            // A revocation for a reason that nobody should have given is still a revocation.
            if violation.rule != REASONS {
                return Ok(Some(violation.to_string()));
            }
            tracing::warn!(serial = %row.serial, "published all the same: {violation}");
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
