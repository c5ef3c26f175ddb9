//! The client's side: from the CRL it has to the current one.

use crate::CrlNumber;
use crate::crl::difference::{DifferenceError, Log, Parts, sha256};

/// The CRL that a difference leads to from `crl`, whose number is `from`. What comes back has the SHA-256 that the
/// difference names; whether that CRL is a good one, its signature tells.
///
/// Needs room for both CRLs and the difference, whatever the difference says.
pub fn apply(
    crl: &[u8],
    from: &CrlNumber,
    difference: &Log<'_>,
) -> Result<Vec<u8>, DifferenceError> {
    let begins_at = difference.prefixes().last().map(|(number, _)| number);
    if begins_at != Some(from) {
        return Err(DifferenceError::Unreached);
    }
    let mut newest = difference.newest()?.into_iter().peekable();
    let old = Parts::of(crl)?;
    let mut new = Vec::with_capacity(crl.len());
    new.extend_from_slice(difference.before);
    for item in old.entries() {
        let (serial, mut kept) = item?;
        while let Some((changed, change)) = newest.next_if(|(changed, _)| *changed <= serial) {
            let entry = change.entry().unwrap_or_default();
            if changed == serial {
                kept = entry;
            } else {
                new.extend_from_slice(entry);
            }
        }
        new.extend_from_slice(kept);
    }
    for (_, change) in newest {
        new.extend_from_slice(change.entry().unwrap_or_default());
    }
    new.extend_from_slice(difference.after);
    if sha256(&new) != difference.sha256 {
        return Err(DifferenceError::OtherCrl);
    }
    Ok(new)
}
