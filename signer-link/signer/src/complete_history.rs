//! How the complete CRLs of an authority followed from each other: what a delta must tell.

use std::collections::BTreeSet;

use pki::{CrlNumber, Serial};

use crate::lists::List;

/// Every complete CRL that was signed. What stands on them is not kept, only where they differ: any of them may be the
/// base of a delta.
#[derive(Debug, Default)]
pub struct CompleteHistory {
    /// Whose entry came or left after the first one, in that order.
    changed: Vec<Serial>,
    /// Their numbers, ascending, and how many of `changed` are theirs or earlier ones'.
    crls: Vec<(CrlNumber, usize)>,
}

impl CompleteHistory {
    /// A complete CRL was signed after the one `before`.
    pub fn push(&mut self, before: Option<&List>, list: &List) {
        if let Some(before) = before {
            let changes = list.entries.changes_since(&before.entries);
            self.changed
                .extend(changes.iter().map(|change| change.serial));
        }
        self.crls.push((list.number.clone(), self.changed.len()));
    }

    /// Whose entry stands on one of two complete CRLs and not on the other: the one of this number, and the newest.
    /// `None` if there was none of this number.
    pub fn since(&self, base: &CrlNumber) -> Option<BTreeSet<Serial>> {
        let found = self.crls.binary_search_by(|(number, _)| number.cmp(base));
        let (_, from) = self.crls.get(found.ok()?)?;
        let mut differ = BTreeSet::new();
        for serial in self.changed.iter().skip(*from) {
            // What came and left again is as it was.
            if !differ.insert(*serial) {
                differ.remove(serial);
            }
        }
        Some(differ)
    }
}
