//! Differences between numbered CRLs: what a client that has one of them needs to put the current one together, byte for
//! byte. The format is described in `docs/crl-difference.md`.
//!
//! There is one object for each CRL, its *log*: a head with everything of the CRL but its entries, then one segment for
//! each step from an earlier number to the next, the newest step first. So the difference from any number that the log
//! reaches is a prefix of it ([`Log::prefixes`]), and nothing is computed when a client asks.
//!
//! Only CRLs whose entries stand in ascending order of their serial numbers have differences; ours do.

mod apply;
mod changes;
mod log;
#[cfg(test)]
mod tests;

use aws_lc_rs::digest::{SHA256, digest};

use crate::crl::raw::RawCrl;
use crate::der_encode::tag;
use crate::der_read::Reader;
use crate::{DerError, Serial, Violation};

pub use apply::apply;
pub use changes::{Change, between};
pub use log::{CONTENT_TYPE, Log, first, next};

/// Why there is no difference, or why one cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DifferenceError {
    /// The CRL to begin or end with is none.
    #[error("the CRL cannot be read: {0}")]
    Crl(Violation),
    /// An entry of a CRL, or a change, is not the DER it should be.
    #[error("an entry cannot be read: {0}")]
    Entry(#[from] DerError),
    /// The octets are not of this format.
    #[error("it is no difference between CRLs: {0}")]
    Malformed(&'static str),
    /// What came out is not the CRL that was meant: the CRL to begin with was another one, or the difference is damaged.
    #[error("it does not lead from this CRL to the one it names; fetch the whole CRL")]
    OtherCrl,
    /// Entries or changes do not ascend.
    #[error("the entries are not in ascending order of their serial numbers")]
    Unordered,
    /// The log does not reach back to the number, or has steps below it.
    #[error("it does not end at the number of this CRL; fetch the whole CRL")]
    Unreached,
}

/// A CRL as this format sees it.
#[derive(Clone, Copy, Debug)]
struct Parts<'a> {
    before: &'a [u8],
    entries: &'a [u8],
    after: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Of a CRL without the field revokedCertificates everything is before the entries.
    fn of(crl: &'a [u8]) -> Result<Self, DifferenceError> {
        let raw = RawCrl::read(crl).map_err(DifferenceError::Crl)?;
        let (before, rest) = match raw.revoked {
            Some(_) => crl.split_at(raw.revoked_range().start),
            None => (crl, &[][..]),
        };
        let (entries, after) = rest.split_at(raw.revoked.map_or(0, <[u8]>::len));
        Ok(Self {
            before,
            entries,
            after,
        })
    }

    /// The entries with their serial numbers; an error where they do not ascend.
    fn entries(self) -> impl Iterator<Item = Result<(Serial, &'a [u8]), DifferenceError>> {
        let mut list = Reader::new(self.entries);
        ascending(std::iter::from_fn(move || {
            (!list.is_empty()).then(|| {
                let read = entry(&mut list);
                if read.is_err() {
                    list = Reader::new(&[]);
                }
                read
            })
        }))
    }
}

/// The next element of revokedCertificates, and its serial number.
fn entry<'a>(list: &mut Reader<'a>) -> Result<(Serial, &'a [u8]), DifferenceError> {
    let entry = list.expect(tag::SEQUENCE, "revokedCertificates")?;
    let serial = entry.reader().serial("userCertificate")?;
    Ok((serial, entry.whole))
}

/// The same items, as long as their serial numbers ascend.
fn ascending<T>(
    items: impl Iterator<Item = Result<(Serial, T), DifferenceError>>,
) -> impl Iterator<Item = Result<(Serial, T), DifferenceError>> {
    let mut last: Option<Serial> = None;
    items.map(move |item| {
        let (serial, item) = item?;
        if last.replace(serial).is_some_and(|last| last >= serial) {
            return Err(DifferenceError::Unordered);
        }
        Ok((serial, item))
    })
}

fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, octets).as_ref());
    hash
}
