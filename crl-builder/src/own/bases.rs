//! Which complete CRL deltas are relative to (RFC 5280 section 5.2.4).

use std::collections::VecDeque;

use pki::CrlNumber;
use pki::RevocationReason;
use pki::crl::build::CrlEntry;
use pki::crl::{Crl, Entries};

/// How many scheduled CRLs back the base lies: whoever has a complete CRL of that age can use the newest delta.
const KEPT: usize = 2;

/// The last scheduled CRLs, the oldest first; they share their entries with the newest lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bases(VecDeque<(CrlNumber, Entries)>);

impl Bases {
    /// After a restart: what is published is the only base that is certain to have been published.
    pub(crate) fn of_published(crl: &Crl, entries: &Entries) -> Self {
        let base = crl.number().map(|number| (number.clone(), entries.clone()));
        Self(base.into_iter().collect())
    }

    /// The base of the next delta.
    pub(crate) fn base(&self) -> Option<(&CrlNumber, &Entries)> {
        self.0.front().map(|(number, entries)| (number, entries))
    }

    /// A complete CRL was published that others will be relative to.
    pub(crate) fn add(&mut self, number: CrlNumber, entries: Entries) {
        self.0.push_back((number, entries));
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }
}

/// Every change of status since `base`; what stood there and does not any more is told as such.
pub(crate) fn delta(base: &Entries, now: &Entries) -> Entries {
    now.changes_since(base)
        .into_iter()
        .filter_map(|change| {
            let removed = change.before.map(|before| CrlEntry {
                reason: Some(RevocationReason::RemoveFromCrl),
                ..before
            });
            change.after.or(removed)
        })
        .collect()
}
