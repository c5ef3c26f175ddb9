//! Fetching every CRL when it changes, and walking it side by side with the ledger.

use std::sync::Arc;

use ledger::StatusRow;
use pki::crl::build::CrlEntry;

use crate::difference::{Difference, Kind, Product, entry_text};
use crate::edge::{Edge, Fetched, Silence};
use crate::judge;
use crate::list::List;
use crate::subject::Subject;
use crate::which::Which;

const PAGE: u32 = 10_000;

/// What came of looking for an issuer's CRL.
#[derive(Debug)]
pub(crate) enum Looked {
    /// There is none, and need not be.
    Absent,
    /// It cannot be had, or is not fit to be compared.
    Failed,
    /// The CRL as it is now.
    Is(Arc<List>),
}

impl Edge {
    /// Fetches one of an issuer's CRLs if there is a new one, and tells of it; what is wrong with the whole of it is
    /// suspected.
    pub(crate) async fn look_for_list(&self, subject: &Subject, which: &Which) -> Looked {
        let what = format!("{which} of {}", subject.name());
        let fetched = self.crl(subject, which).await;
        if let Some(difference) = as_a_whole(subject, fetched.as_ref().ok()) {
            let key = self.key(subject, Some(which.clone()), None);
            self.shared.suspect(key, None, difference);
        }
        match fetched {
            Ok(Fetched::Absent) => {
                self.troubles.clear(&what);
                Looked::Absent
            }
            Ok(Fetched::New(list) | Fetched::Same(list)) => {
                self.tell_of(&what, subject, which, &list);
                Looked::Is(list)
            }
            // The difference says it.
            Ok(Fetched::Lacking(_) | Fetched::Unfit(_) | Fetched::WentBack(_)) => Looked::Failed,
            // Told as such already.
            Err(Silence::Away(_)) => Looked::Failed,
            Err(Silence::Refusal(why)) => {
                self.troubles.set(&what, &why);
                Looked::Failed
            }
        }
    }

    /// An alarm before it ends: late enough that a CRL which is renewed in time never comes there.
    fn tell_of(&self, what: &str, subject: &Subject, which: &Which, list: &List) {
        if *which == Which::Complete {
            self.shared.metrics.crl(
                &self.url,
                subject.name(),
                list.this_update,
                list.next_update,
            );
        }
        let Some(next_update) = list.next_update else {
            return self.troubles.clear(what);
        };
        let life = list.this_update.seconds_until(next_update);
        let margin = life * i64::from(self.shared.config.crl_margin_percent) / 100;
        if self.shared.clock.now() < next_update.plus_seconds(-margin) {
            self.troubles.clear(what);
        } else {
            self.troubles.set(
                what,
                &format!("no newer one has come, and it ends at {next_update}; look at crl-builder, and at the signer or where this CRL comes from"),
            );
        }
    }

    /// Compares the delta, if the complete CRL says that there is one, and all parts. How many there are; `None` if one of
    /// them could not be compared.
    pub(crate) async fn walk_others(
        &self,
        subject: &Subject,
        complete: &List,
    ) -> anyhow::Result<Option<usize>> {
        let mut deltas = Some(0);
        if subject.issuer.signs && complete.has_delta {
            deltas = match self.look_for_list(subject, &Which::Delta).await {
                Looked::Is(list) => {
                    self.walk_delta(subject, &list).await?;
                    Some(1)
                }
                Looked::Absent | Looked::Failed => None,
            };
        }
        let parts = self.walk_parts(subject).await?;
        Ok(deltas.zip(parts).map(|(deltas, parts)| deltas + parts))
    }

    /// Compares every serial number of the ledger with a complete CRL, and every entry with the ledger. `told` hears how many
    /// certificates were compared.
    pub(crate) async fn walk(
        &self,
        subject: &Subject,
        list: &List,
        mut told: impl FnMut(u64),
    ) -> anyhow::Result<()> {
        let rules = list.rules(subject);
        let mut entries = list.entries().iter().peekable();
        let mut after = None;
        loop {
            let rows = self
                .shared
                .ledger
                .statuses(subject.name(), after, PAGE)
                .await?;
            let now = self.shared.clock.now();
            for row in &rows {
                while let Some(entry) = entries.next_if(|entry| entry.serial < row.serial) {
                    self.compare_entry(subject, list, None, Some(entry), now);
                }
                let entry = entries.next_if(|entry| entry.serial == row.serial);
                let difference = judge::entry(Some(row), entry, &rules, now);
                if difference.is_some() {
                    self.compare_entry(subject, list, Some(row), entry, now);
                }
                while let Some(again) = entries.next_if(|entry| entry.serial == row.serial) {
                    self.compare_entry(subject, list, Some(row), Some(again), now);
                }
            }
            let number = rows.len() as u64;
            self.shared
                .metrics
                .checked(&self.url, subject.name(), Product::Crl, number);
            told(number);
            match rows.last() {
                Some(last) if rows.len() == PAGE as usize => after = Some(last.serial),
                _ => break,
            }
        }
        let now = self.shared.clock.now();
        for entry in entries {
            self.compare_entry(subject, list, None, Some(entry), now);
        }
        Ok(())
    }

    fn compare_entry(
        &self,
        subject: &Subject,
        list: &List,
        row: Option<&StatusRow>,
        entry: Option<&CrlEntry>,
        now: pki::Time,
    ) {
        let Some(serial) = row
            .map(|row| row.serial)
            .or_else(|| entry.map(|entry| entry.serial))
        else {
            return;
        };
        if let Some(difference) = in_list(subject, list, &serial, row, now) {
            let key = self.key(subject, Some(Which::Complete), Some(serial));
            self.shared.suspect(key, row.copied(), difference);
        }
    }
}

/// What is wrong with one serial number in a complete CRL.
pub(crate) fn in_list(
    subject: &Subject,
    list: &List,
    serial: &pki::Serial,
    row: Option<&StatusRow>,
    now: pki::Time,
) -> Option<Difference> {
    let entry = list.find(serial);
    twice(list, serial, row).or_else(|| judge::entry(row, entry, &list.rules(subject), now))
}

/// Two entries of one serial number.
pub(crate) fn twice(
    list: &List,
    serial: &pki::Serial,
    row: Option<&StatusRow>,
) -> Option<Difference> {
    list.has_twice(serial).then(|| {
        let served = format!("two entries, one of them {}", entry_text(list.find(serial)));
        Difference::new(Kind::Twice, judge::row_text(row), served)
    })
}

/// What is wrong with a whole CRL.
pub(crate) fn as_a_whole(subject: &Subject, fetched: Option<&Fetched>) -> Option<Difference> {
    let ledger = format!("issuer {}", subject.name());
    match fetched? {
        Fetched::Lacking(what) => Some(Difference::new(Kind::Missing, ledger, what)),
        Fetched::Unfit(violation) => Some(Difference::invalid(ledger, violation)),
        Fetched::WentBack(how) => Some(Difference::new(Kind::WentBack, ledger, how)),
        Fetched::Absent | Fetched::New(_) | Fetched::Same(_) => None,
    }
}
