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
            if !known.get(serial).is_some_and(|row| row.agrees_with(entry)) {
                differences.items.push(Followed::Revoked {
                    serial: *serial,
                    time: entry.revocation_date,
                    reason: entry.reason.unwrap_or(RevocationReason::Unspecified),
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

#[cfg(test)]
mod tests {
    use pki::Time;

    use super::*;
    use crate::source::fixtures::{Entry, crl};

    const AT: Time = Time::from_unix(1_795_000_000);
    const HOLD: Option<RevocationReason> = Some(RevocationReason::CertificateHold);
    const REMOVE: Option<RevocationReason> = Some(RevocationReason::RemoveFromCrl);
    const SUPERSEDED: Option<RevocationReason> = Some(RevocationReason::Superseded);

    fn serial(number: u8) -> Serial {
        Serial::from_be_bytes(&[number]).unwrap()
    }

    fn entry(number: u8, reason: Option<RevocationReason>) -> Entry {
        CrlEntry {
            serial: serial(number),
            revocation_date: AT,
            reason,
            invalidity_date: None,
        }
    }

    fn revoked(number: u8, reason: RevocationReason) -> Followed {
        Followed::Revoked {
            serial: serial(number),
            time: AT,
            reason,
            invalidity_date: None,
        }
    }

    /// As the ledger says it; `days` until it expires.
    fn row(number: u8, reason: Option<RevocationReason>, days: Option<i64>) -> StatusRow {
        StatusRow {
            serial: serial(number),
            not_after: days.map(|days| AT.plus_seconds(days * 86_400)),
            revoked: reason.map(|reason| (AT, reason)),
            invalidity_date: None,
        }
    }

    fn reasons(union: &Union) -> Vec<(Serial, Option<RevocationReason>)> {
        union
            .entries
            .values()
            .map(|entry| (entry.serial, entry.reason))
            .collect()
    }

    #[test]
    fn a_delta_adds_changes_and_takes_away() {
        let complete = crl(5, None, &[entry(1, HOLD), entry(2, HOLD), entry(3, None)]);
        let delta = crl(
            7,
            Some(5),
            &[
                entry(1, REMOVE),
                entry(2, SUPERSEDED),
                entry(4, SUPERSEDED),
                entry(9, REMOVE),
            ],
        );
        let union = Union::of(&complete, Some(&delta), None);
        let expected = [
            (serial(2), SUPERSEDED),
            (serial(3), None),
            (serial(4), SUPERSEDED),
        ];
        assert_eq!(reasons(&union), expected);
        let only = HashSet::from([serial(1), serial(4)]);
        let union = Union::of(&complete, Some(&delta), Some(&only));
        assert_eq!(reasons(&union), [(serial(4), SUPERSEDED)]);
    }

    #[test]
    fn of_two_entries_the_first_counts() {
        let complete = crl(5, None, &[entry(1, SUPERSEDED), entry(1, HOLD)]);
        let union = Union::of(&complete, None, None);
        assert_eq!(reasons(&union), [(serial(1), SUPERSEDED)]);
    }

    #[test]
    fn only_what_differs_is_written() {
        let complete = crl(
            5,
            None,
            &[entry(1, SUPERSEDED), entry(2, None), entry(3, SUPERSEDED)],
        );
        let union = Union::of(&complete, None, None);
        let unspecified = Some(RevocationReason::Unspecified);
        let rows = [
            row(1, SUPERSEDED, None),
            row(2, unspecified, Some(3)),
            row(3, HOLD, None),
        ];
        let differences = union.against(&rows, AT);
        assert_eq!(
            differences.items,
            [revoked(3, RevocationReason::Superseded)]
        );
        assert!(differences.vanished.is_empty());
        let differences = union.against(&rows[..2], AT);
        assert_eq!(
            differences.items,
            [revoked(3, RevocationReason::Superseded)]
        );
    }

    #[test]
    fn what_is_gone_was_released_or_has_expired_or_should_not_be_gone() {
        let union = Union::of(&crl(5, None, &[]), None, None);
        let rows = [
            row(1, HOLD, Some(9)),
            row(2, SUPERSEDED, Some(-1)),
            row(3, SUPERSEDED, None),
            row(4, SUPERSEDED, Some(1)),
            row(5, None, Some(9)),
        ];
        let differences = union.against(&rows, AT);
        assert_eq!(
            differences,
            Differences {
                items: vec![Followed::Released { serial: serial(1) }],
                vanished: vec![serial(4)],
            }
        );
    }
}
