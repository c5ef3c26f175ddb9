//! The parts of a CRL against the ledger: each has the revoked certificates that name it, and no others.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::CrlRow;
use pki::crl::build::CrlEntry;
use pki::{Serial, Time};

use crate::difference::{Difference, Kind, Product, entry_text};
use crate::edge::Edge;
use crate::judge;
use crate::list::List;
use crate::lists::{Looked, twice};
use crate::subject::Subject;
use crate::which::Which;

const PAGE: u32 = 10_000;

/// A part, and which of its entries the ledger knows to be in it.
struct Part {
    list: Arc<List>,
    known: Vec<bool>,
}

impl Edge {
    /// Compares every part of an issuer's CRL with the ledger. How many parts there are; `None` if one of them could not be
    /// compared.
    pub(crate) async fn walk_parts(&self, subject: &Subject) -> anyhow::Result<Option<usize>> {
        let ledger = &self.shared.ledger;
        let (mut parts, mut all) = (BTreeMap::new(), true);
        for uri in ledger.crl_partitions(subject.name()).await? {
            let uri: Arc<str> = uri.into();
            match self
                .look_for_list(subject, &Which::Part(Arc::clone(&uri)))
                .await
            {
                Looked::Is(list) => {
                    let known = vec![false; list.entries().len()];
                    parts.insert(uri, Part { list, known });
                }
                Looked::Absent | Looked::Failed => all = false,
            }
        }
        let (mut after, until) = (None, ledger.head().await?);
        while !parts.is_empty() {
            let rows = ledger
                .revoked_after(subject.name(), after, until, PAGE)
                .await?;
            for row in &rows {
                let Some(uri) = &row.partition else { continue };
                let Some(part) = parts.get_mut(uri.as_str()) else {
                    continue;
                };
                let serial = &row.status.serial;
                if let Some(at) = part.list.position(serial) {
                    part.known[at] = true;
                }
                self.compare_in_part(subject, &part.list, uri, serial, Some(row));
            }
            self.shared
                .metrics
                .checked(&self.url, subject.name(), Product::Crl, rows.len() as u64);
            match rows.last() {
                Some(last) if rows.len() == PAGE as usize => after = Some(last.status.serial),
                _ => break,
            }
        }
        for (uri, part) in &parts {
            let entries = part.list.entries().iter().zip(&part.known);
            for (CrlEntry { serial, .. }, _) in entries.filter(|(_, known)| !**known) {
                let row = ledger.crl_row(subject.name(), serial).await?;
                self.compare_in_part(subject, &part.list, uri, serial, row.as_ref());
            }
        }
        Ok(all.then_some(parts.len()))
    }

    fn compare_in_part(
        &self,
        subject: &Subject,
        list: &List,
        uri: &str,
        serial: &Serial,
        row: Option<&CrlRow>,
    ) {
        let now = self.shared.clock.now();
        if let Some(difference) = in_part(subject, list, uri, serial, row, now) {
            let key = self.key(subject, Some(Which::Part(uri.into())), Some(*serial));
            self.shared
                .suspect(key, row.map(|row| row.status), difference);
        }
    }
}

/// What is wrong with one serial number in a part.
pub(crate) fn in_part(
    subject: &Subject,
    list: &List,
    uri: &str,
    serial: &Serial,
    row: Option<&CrlRow>,
    now: Time,
) -> Option<Difference> {
    let status = row.map(|row| &row.status);
    if let Some(difference) = twice(list, serial, status) {
        return Some(difference);
    }
    let entry = list.find(serial);
    if row.is_some_and(|row| row.partition.as_deref() == Some(uri)) {
        return judge::entry(status, entry, &list.rules(subject), now);
    }
    let ledger = format!("{}; it does not name this part", judge::row_text(status));
    entry.map(|entry| Difference::new(Kind::Extra, ledger, entry_text(Some(entry))))
}
