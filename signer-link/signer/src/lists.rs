//! The entries of the last CRLs of each scope, from which the next one is put together.

use std::collections::{BTreeMap, VecDeque};

use pki::crl::Entries;
use pki::{CrlNumber, RevocationReason, Serial, Time};
use wire::{Added, CrlScope, ListChange, SerialOctets};

use crate::revoked::Revoked;

/// How many CRLs of a scope are remembered: the host may have lost the answer to the last ones.
const KEPT: usize = 4;

/// The last lists of one scope.
#[derive(Debug, Default)]
pub struct Lists(VecDeque<List>);

/// The entries of one CRL.
#[derive(Clone, Debug)]
pub struct List {
    /// The CRL's number.
    pub number: CrlNumber,
    /// Its thisUpdate.
    pub this_update: Time,
    /// The entries.
    pub entries: Entries,
    /// How many revocations of the authority were known when it was made.
    pub count: u64,
}

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
    /// An entry may not leave yet (CRL-08).
    #[error("{serial} may not leave the CRL: {reason}")]
    MayNotLeave {
        /// Its serial number.
        serial: String,
        /// Why.
        reason: &'static str,
    },
}

impl Lists {
    /// The newest one.
    pub fn last(&self) -> Option<&List> {
        self.0.back()
    }

    /// The one of this number.
    pub fn get(&self, number: &CrlNumber) -> Option<&List> {
        self.0.iter().find(|list| list.number == *number)
    }

    /// Keeps a list.
    pub fn push(&mut self, list: List) {
        self.0.push_back(list);
        while self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// The entries that `change` describes, as they may stand in the next CRL. A delta names what has left the `complete`
    /// CRL as such (RFC 5280 section 5.2.4).
    pub fn changed(
        &self,
        scope: &CrlScope,
        change: &ListChange,
        revoked: &Revoked,
        complete: Option<&Entries>,
        this_update: Time,
    ) -> Result<Entries, ListError> {
        let before = match &change.from {
            None => None,
            Some(number) => Some(self.get(number).ok_or_else(|| self.unknown(number))?),
        };
        let mut changes = BTreeMap::new();
        match &change.added {
            Added::All => {
                let new = revoked.after(before.map_or(0, |list| list.count)).iter();
                changes.extend(new.map(|known| (known.entry.serial, Some(known.entry))));
            }
            Added::Serials(_) if *scope == CrlScope::Complete => return Err(ListError::Incomplete),
            Added::Serials(serials) => {
                for octets in serials {
                    let known = read(octets).and_then(|serial| revoked.get(&serial));
                    let known =
                        known.ok_or_else(|| ListError::NotRevoked(hex::encode(&octets.0)))?;
                    let mut entry = known.entry;
                    if *scope == CrlScope::Delta
                        && complete.is_some_and(|complete| complete.get(&entry.serial).is_none())
                    {
                        entry.reason = Some(RevocationReason::RemoveFromCrl);
                    }
                    changes.insert(entry.serial, Some(entry));
                }
            }
        }
        for octets in &change.removed {
            let serial = self.may_leave(scope, octets, revoked, this_update)?;
            changes.insert(serial, None);
        }
        let none = Entries::default();
        Ok(before.map_or(&none, |list| &list.entries).with(&changes))
    }

    /// An entry leaves after one CRL past the end of its certificate; from deltas it leaves with their base.
    fn may_leave(
        &self,
        scope: &CrlScope,
        octets: &SerialOctets,
        revoked: &Revoked,
        this_update: Time,
    ) -> Result<Serial, ListError> {
        let text = || hex::encode(&octets.0);
        let known = read(octets).and_then(|serial| revoked.get(&serial));
        let known = known.ok_or_else(|| ListError::NotRevoked(text()))?;
        let stays = |reason| {
            Err(ListError::MayNotLeave {
                serial: text(),
                reason,
            })
        };
        // Before the first CRL of this signer it was on those of its predecessor.
        let shown = self.last().map_or(this_update, |last| last.this_update);
        match known.not_after {
            _ if *scope == CrlScope::Delta => Ok(known.entry.serial),
            None => stays("nobody knows when its certificate ends"),
            Some(end) if shown <= end.max(known.entry.revocation_date) => {
                stays("no CRL was signed since its certificate ended (RFC 5280 3.3)")
            }
            Some(_) => Ok(known.entry.serial),
        }
    }

    fn unknown(&self, from: &CrlNumber) -> ListError {
        let known: Vec<_> = self.0.iter().map(|list| list.number.to_string()).collect();
        ListError::Unknown {
            from: from.to_string(),
            known: match known.is_empty() {
                true => "none".to_owned(),
                false => known.join(", "),
            },
        }
    }
}

fn read(octets: &SerialOctets) -> Option<Serial> {
    Serial::from_be_bytes(&octets.0).ok()
}
