//! The entries of the next CRL of an authority, as the host describes them: each must be right, and none may be missing.
//!
//! A complete CRL takes in all that was told. A part ([`CrlScope::Partition`]) has the certificates that name it; which
//! one each certificate names the signer has read when it signed it. A certificate that it did not sign (of a CA that was
//! taken over) may stand on any part, and on none: nobody but the host knows where it belongs. A delta has all that
//! changed since its base, which the signer has signed as well.

use std::collections::{BTreeMap, BTreeSet};

use pki::crl::Entries;
use pki::crl::build::CrlEntry;
use pki::{CrlNumber, RevocationReason, Serial, Time};
use wire::{Added, CrlScope, ListChange, SerialOctets};

use crate::lists::{List, Lists};
use crate::memory::Authority;
use crate::revoked::Known;

/// Why there are no such entries.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The list that the change is about is not among those remembered.
    #[error("the entries of CRL {from} are not here; those of {known} are")]
    Unknown {
        /// What was named.
        from: String,
        /// What there is.
        known: String,
    },
    /// A complete CRL has every revocation.
    #[error(
        "a complete CRL takes in all revocations that the signer was told of, not a choice of them"
    )]
    Incomplete,
    /// A serial number is not revoked.
    #[error("{0} is not revoked as far as the signer was told")]
    NotRevoked(String),
    /// An entry may not leave yet, or be left out (CRL-08).
    #[error("{serial} may not be missing on the CRL: {reason}")]
    MayNotLeave {
        /// Its serial number.
        serial: String,
        /// Why.
        reason: &'static str,
    },
    /// The certificate names another part of the CRL, or none.
    #[error("{serial} does not belong to this part: its certificate names {names}")]
    OtherPart {
        /// Its serial number.
        serial: String,
        /// What it names.
        names: String,
    },
    /// No complete CRL of this number was signed.
    #[error(
        "the delta is relative to CRL {0}, and no complete CRL of this number was signed here (RFC 5280 5.2.4)"
    )]
    NoSuchBase(String),
    /// The status of a certificate changed after the base.
    #[error("{serial} is missing: its entry changed since CRL {base} (RFC 5280 5.2.4)")]
    NotInDelta {
        /// Its serial number.
        serial: String,
        /// The base.
        base: String,
    },
}

impl Authority {
    /// The entries of the next CRL of this scope. Of a delta, whether it is whole shows with its base
    /// ([`Authority::check_delta`]).
    pub fn changed(
        &self,
        scope: &CrlScope,
        change: &ListChange,
        this_update: Time,
    ) -> Result<Entries, ListError> {
        let none = Lists::default();
        let lists = self.lists(scope).unwrap_or(&none);
        let before = match &change.from {
            None => None,
            Some(number) => Some(lists.get(number).ok_or_else(|| ListError::Unknown {
                from: number.to_string(),
                known: lists.numbers(),
            })?),
        };
        let new = self.revoked.after(before.map_or(0, |list| list.count));
        let mut changes = BTreeMap::new();
        match &change.added {
            Added::Serials(_) if *scope == CrlScope::Complete => return Err(ListError::Incomplete),
            Added::All => {
                for known in new {
                    changes.insert(known.entry.serial, Some(self.entry(scope, known)?));
                }
            }
            Added::Serials(serials) => {
                for octets in serials {
                    let known = self.known(octets)?;
                    changes.insert(known.entry.serial, Some(self.entry(scope, known)?));
                }
            }
        }
        let shown = lists.last().map_or(this_update, |last| last.this_update);
        for octets in &change.removed {
            let known = self.known(octets)?;
            // From deltas an entry leaves with their base.
            if *scope != CrlScope::Delta {
                may_be_missing(known, shown)?;
            }
            changes.insert(known.entry.serial, None);
        }
        if let CrlScope::Partition(uri) = scope {
            let on_it = |known: &&Known| self.partition(&known.entry.serial) == Some(uri);
            let missing =
                |known: &&Known| !matches!(changes.get(&known.entry.serial), Some(Some(_)));
            let mut missing = new.iter().filter(on_it).filter(missing);
            missing.try_for_each(|known| may_be_missing(known, shown))?;
        }
        let none = Entries::default();
        Ok(before.map_or(&none, |list| &list.entries).with(&changes))
    }

    /// Whether a delta with these entries tells all that changed since its base (RFC 5280 section 5.2.4): up to the last
    /// complete CRL if it has its number, else up to now.
    pub fn check_delta(
        &self,
        base: &CrlNumber,
        number: &CrlNumber,
        entries: &Entries,
    ) -> Result<(), ListError> {
        let no_such_base = || ListError::NoSuchBase(base.to_string());
        let complete = self.last_complete().ok_or_else(no_such_base)?;
        let mut missing: BTreeSet<Serial> = self.history.since(base).ok_or_else(no_such_base)?;
        if complete.number < *number {
            let new = self.revoked.after(complete.count).iter();
            missing.extend(new.map(|known| known.entry.serial));
        }
        for entry in entries.iter() {
            missing.remove(&entry.serial);
        }
        match missing.first() {
            None => Ok(()),
            Some(serial) => Err(ListError::NotInDelta {
                serial: serial.to_string(),
                base: base.to_string(),
            }),
        }
    }

    /// What stands on a CRL of this scope about a revoked certificate.
    fn entry(&self, scope: &CrlScope, known: &Known) -> Result<CrlEntry, ListError> {
        let mut entry = known.entry;
        match scope {
            CrlScope::Complete => {}
            CrlScope::Delta => {
                if self
                    .last_complete()
                    .is_some_and(|list| self.has_left(list, &entry.serial))
                {
                    entry.reason = Some(RevocationReason::RemoveFromCrl);
                }
            }
            CrlScope::Partition(uri) => {
                let names = self.partition(&entry.serial);
                if self.has_signed(&entry.serial) && names != Some(uri) {
                    return Err(ListError::OtherPart {
                        serial: entry.serial.to_string(),
                        names: names.unwrap_or("none").to_owned(),
                    });
                }
            }
        }
        Ok(entry)
    }

    /// Whether it was revoked before this list was made, and does not stand on it.
    fn has_left(&self, list: &List, serial: &Serial) -> bool {
        let place = self.revoked.place(serial);
        place.is_some_and(|place| place < list.count) && list.entries.get(serial).is_none()
    }

    fn last_complete(&self) -> Option<&List> {
        self.lists(&CrlScope::Complete).and_then(Lists::last)
    }

    fn known(&self, octets: &SerialOctets) -> Result<&Known, ListError> {
        let serial = Serial::from_be_bytes(&octets.0).ok();
        let known = serial.and_then(|serial| self.revoked.get(&serial));
        known.ok_or_else(|| ListError::NotRevoked(hex::encode(&octets.0)))
    }
}

/// An entry leaves after one CRL past the end of its certificate. `shown` is when the last CRL was made; before the first
/// one of this signer it was on those of its predecessor.
fn may_be_missing(known: &Known, shown: Time) -> Result<(), ListError> {
    let reason = match known.not_after {
        None => "nobody knows when its certificate ends",
        Some(end) if shown <= end.max(known.entry.revocation_date) => {
            "no CRL was signed since its certificate ended (RFC 5280 3.3)"
        }
        Some(_) => return Ok(()),
    };
    Err(ListError::MayNotLeave {
        serial: known.entry.serial.to_string(),
        reason,
    })
}
