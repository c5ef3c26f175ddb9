//! What a complete CRL and a delta say together, and where the ledger says otherwise. No I/O.

use std::collections::{BTreeMap, HashMap, HashSet};

use ledger::{Followed, StatusRow};
use pki::crl::Crl;
use pki::crl::build::CrlEntry;
use pki::{RevocationReason, Serial, Time};

/// What is revoked or on hold.
#[derive(Debug, Default)]
pub(crate) struct Union {
    entries: BTreeMap<Serial, CrlEntry>,
    /// Entries that name no certificate there can be (RFC 5280 section 4.1.2.2); nobody asks about those.
    pub(crate) odd: usize,
}

/// What the ledger has to learn.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Differences {
    /// In the order of serial numbers.
    pub(crate) items: Vec<Followed>,
    /// Revoked for good, unexpired, and yet no longer on the CRL: against RFC 5280 section 3.3. They stay revoked.
    pub(crate) vanished: Vec<Serial>,
}

impl Union {
    /// The complete CRL with the delta applied to it (RFC 5280 section 5.2.4): its entries replace those of the complete
    /// one, removeFromCRL takes them away. Of these certificates alone, if `only` names some.
    pub(crate) fn of(complete: &Crl, delta: Option<&Crl>, only: Option<&HashSet<Serial>>) -> Self {
        let mut union = Self::default();
        let wanted = |entry: &CrlEntry| only.is_none_or(|only| only.contains(&entry.serial));
        for entry in complete.entries() {
            match entry {
                // Should one stand there twice, the first word counts.
                Ok(entry) if wanted(&entry) => {
                    union.entries.entry(entry.serial).or_insert(entry);
                }
                Ok(_) => {}
                Err(_) => union.odd += 1,
            }
        }
        for entry in delta.into_iter().flat_map(Crl::entries) {
            match entry {
                Ok(entry) if !wanted(&entry) => {}
                Ok(entry) if entry.reason == Some(RevocationReason::RemoveFromCrl) => {
                    union.entries.remove(&entry.serial);
                }
                Ok(entry) => {
                    union.entries.insert(entry.serial, entry);
                }
                Err(_) => union.odd += 1,
            }
        }
        union
    }

    /// Where `rows`, the ledger's statuses of the same certificates, say otherwise. `at` is the CRLs' thisUpdate.
    ///
    /// A hold that is gone was released. Another revocation that is gone belongs to an expired certificate, or should
    /// not be gone.
    pub(crate) fn against(&self, rows: &[StatusRow], at: Time) -> Differences {
        let known: HashMap<&Serial, &StatusRow> =
            rows.iter().map(|row| (&row.serial, row)).collect();
        let mut differences = Differences::default();
        for (serial, entry) in &self.entries {
            let reason = entry.reason.unwrap_or(RevocationReason::Unspecified);
            let same = known.get(serial).is_some_and(|row| {
                row.revoked == Some((entry.revocation_date, reason))
                    && row.invalidity_date == entry.invalidity_date
            });
            if !same {
                differences.items.push(Followed::Revoked {
                    serial: *serial,
                    time: entry.revocation_date,
                    reason,
                    invalidity_date: entry.invalidity_date,
                });
            }
        }
        for row in rows
            .iter()
            .filter(|row| !self.entries.contains_key(&row.serial))
        {
            match row.revoked {
                Some((_, RevocationReason::CertificateHold)) => {
                    differences
                        .items
                        .push(Followed::Released { serial: row.serial });
                }
                // Without a notAfter nobody can tell.
                Some(_) if row.not_after.is_some_and(|end| end > at) => {
                    differences.vanished.push(row.serial);
                }
                _ => {}
            }
        }
        differences
    }
}

/// The certificates that a delta names.
pub(crate) fn named(delta: &Crl) -> impl Iterator<Item = Serial> + '_ {
    delta.entries().flatten().map(|entry| entry.serial)
}
