//! The log of differences that lead to the CRL (`pki::crl::difference`).

use pki::CrlNumber;
use pki::crl::Crl;
use pki::crl::difference::{self, CONTENT_TYPE, DifferenceError, Log};
use publication::{NewObject, Refusal, Source};

use super::{Before, Listed, OF, object};

const ROLE: &str = "crl-difference";

/// The log of `crl`: that of the CRL before with one step more, or a new one. `None` if this CRL can have none: it has no
/// number, or its entries are not in order.
pub(super) fn log(before: Option<&Before<'_>>, listed: &Listed<'_>) -> Option<Vec<u8>> {
    let crl = listed.crl;
    let number = crl.number()?;
    match before.map(|before| continued(before, crl, &listed.sha256)) {
        Some(Ok(log)) => return Some(log),
        Some(Err(problem)) => {
            tracing::info!(
                "the differences to {} begin anew with number {number}: {problem}",
                listed.object.name
            );
        }
        None => {}
    }
    let log = difference::first(number, crl.der()).ok()?;
    let in_order = Log::read(&log).and_then(|log| log.agrees_with(crl.der()));
    in_order.is_ok().then_some(log)
}

fn continued(before: &Before<'_>, crl: &Crl, sha256: &str) -> Result<Vec<u8>, Problem> {
    let published = before
        .manifest
        .objects_of(ROLE)
        .find(|log| log.details.get(OF) == Some(&before.crl.sha256));
    let older = published
        .map(|log| before.publisher.object_bytes(log))
        .transpose();
    // A log that is lost costs its steps, no more.
    let older = older.unwrap_or_else(|refusal| {
        tracing::warn!("the published differences are lost: {refusal}");
        None
    });
    if before.crl.sha256 == sha256 {
        return older.ok_or(Problem::None);
    }
    let older = older.as_deref().map(Log::read).transpose()?;
    let from: Option<CrlNumber> = before
        .crl
        .details
        .get("number")
        .and_then(|number| number.parse().ok());
    let (Some(from), Some(number)) = (from, crl.number()) else {
        return Err(Problem::Unnumbered);
    };
    let old = before.publisher.object_bytes(before.crl)?;
    let changes = difference::between(&old, crl.der())?;
    let log = difference::next(number, crl.der(), &from, changes, older.as_ref())?;
    proven(&log, &old, &from, crl)?;
    Ok(log)
}

/// Nothing is published unproven (V9): the newest step leads from the CRL before to this one. The older steps were
/// proven when they were the newest.
fn proven(log: &[u8], old: &[u8], from: &CrlNumber, crl: &Crl) -> Result<(), Problem> {
    let step = Log::read(log)?
        .prefixes()
        .find(|(number, _)| *number == from)
        .map(|(_, end)| end);
    // Without it the step was too large to be kept.
    let Some(end) = step else { return Ok(()) };
    match difference::apply(old, from, &Log::read(&log[..end])?)? == crl.der() {
        true => Ok(()),
        false => Err(DifferenceError::OtherCrl.into()),
    }
}

pub(super) fn differences(log: Vec<u8>, listed: &Listed<'_>) -> NewObject {
    let paths = listed.object.paths.iter();
    // Where a number is in the path nothing ever changes.
    let paths = paths.filter(|path| Some(*path) != listed.numbered_path.as_ref());
    let paths = paths.filter_map(|path| Some(format!("{}.diff", path.strip_suffix(".crl")?)));
    let name = format!("differences to {}", listed.object.name);
    NewObject {
        content_type: CONTENT_TYPE.to_owned(),
        paths: paths.collect(),
        details: [(OF.to_owned(), listed.sha256.clone())].into(),
        ..object(ROLE, name, listed.crl, Source::Bytes(log))
    }
}

/// Why a log does not go on.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Difference(#[from] DifferenceError),
    #[error("there are none yet")]
    None,
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error("the CRL before has no number")]
    Unnumbered,
}
