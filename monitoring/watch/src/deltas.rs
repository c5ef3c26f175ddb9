//! A delta CRL against the ledger: every change since its base is on it, and nothing else.

use std::collections::BTreeSet;

use ledger::StatusRow;
use pki::{RevocationReason, Serial, Time};

use crate::difference::{Difference, Kind, Product, entry_text};
use crate::edge::Edge;
use crate::judge;
use crate::list::List;
use crate::lists::twice;
use crate::subject::Subject;
use crate::which::Which;

/// What the ledger has learnt since the base of a delta CRL.
#[derive(Debug, Default)]
pub(crate) struct SinceBase {
    serials: BTreeSet<Serial>,
    /// thisUpdate of the base. What was revoked before may have been on it, whatever was recorded later.
    from: Option<Time>,
}

impl SinceBase {
    /// Nothing, if the ledger was restored and does not know the base: then only what is on the delta can be judged.
    pub(crate) async fn of(subject: &Subject, list: &List, edge: &Edge) -> anyhow::Result<Self> {
        let ledger = &edge.shared.ledger;
        let Some(base) = &list.base else {
            return Ok(Self::default());
        };
        let Some(base) = ledger.numbered_crl(subject.name(), base).await? else {
            return Ok(Self::default());
        };
        let head = ledger.head().await?;
        let changed = ledger.changed_between(subject.name(), base.as_of, head);
        let changed = changed.await?;
        Ok(Self {
            serials: changed.into_iter().map(|row| row.status.serial).collect(),
            from: Some(base.this_update),
        })
    }

    fn has(&self, row: &StatusRow) -> bool {
        let (Some(from), Some((time, _))) = (self.from, row.revoked) else {
            return false;
        };
        time >= from && self.serials.contains(&row.serial)
    }
}

impl Edge {
    /// Compares a delta with what the ledger has learnt since its base.
    pub(crate) async fn walk_delta(&self, subject: &Subject, list: &List) -> anyhow::Result<()> {
        let since = SinceBase::of(subject, list, self).await?;
        let listed = list.entries().iter().map(|entry| entry.serial);
        let serials: BTreeSet<Serial> = listed.chain(since.serials.iter().copied()).collect();
        let number = serials.len() as u64;
        for serial in serials {
            let row = self.shared.ledger.status(subject.name(), &serial).await?;
            let now = self.shared.clock.now();
            if let Some(difference) = in_delta(subject, list, &since, &serial, row.as_ref(), now) {
                let key = self.key(subject, Some(Which::Delta), Some(serial));
                self.shared.suspect(key, row, difference);
            }
        }
        self.shared
            .metrics
            .checked(&self.url, subject.name(), Product::Crl, number);
        Ok(())
    }
}

/// What is wrong with one serial number in a delta CRL.
pub(crate) fn in_delta(
    subject: &Subject,
    list: &List,
    since: &SinceBase,
    serial: &Serial,
    row: Option<&StatusRow>,
    now: Time,
) -> Option<Difference> {
    if let Some(difference) = twice(list, serial, row) {
        return Some(difference);
    }
    let rules = list.rules(subject);
    let entry = list.find(serial);
    match entry {
        None if row.is_some_and(|row| since.has(row)) => judge::entry(row, None, &rules, now),
        None => None,
        // It was on the base, and is not any more.
        Some(entry) if entry.reason == Some(RevocationReason::RemoveFromCrl) => {
            let differs = |kind| {
                Some(Difference::new(
                    kind,
                    judge::row_text(row),
                    entry_text(Some(entry)),
                ))
            };
            match row {
                None => differs(Kind::Extra),
                Some(row) if row.revoked.is_none() => None,
                Some(row) if row.not_after.is_some_and(|end| end < now) => None,
                Some(_) => differs(Kind::Status),
            }
        }
        Some(_) => judge::entry(row, entry, &rules, now),
    }
}
