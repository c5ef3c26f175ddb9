//! CRLs, as the builder makes them: what is revoked is told first, the signer is told changes, and a delta comes with its
//! complete CRL.

use std::collections::BTreeMap;

use pki::crl::Entries;
use pki::crl::build::CrlContents;
use pki::crl::verify::Scope;
use pki::{CrlNumber, Serial, Time};
use signer::journal_record::hash;
use wire::{Added, CrlScope, ListChange, Operation, Outcome, RefusalCode, SerialOctets, SignCrl};

use super::{Caller, Purpose, entry, is_refused, not_served};
use crate::authority::{ALGORITHM, ISSUER};
use crate::violation::{Invariant, Violation, violated};

/// For clocks that are slow.
const BACKDATE_SECONDS: i64 = 60;
const VALIDITY_SECONDS: i64 = 3 * 86_400;
/// Above what another system may have used.
const FIRST_NUMBER: u64 = 1_000;

/// What the builder knows of the CRLs that were made.
#[derive(Debug, Default)]
pub(super) struct Crls {
    /// The last number that was reserved.
    number: Option<CrlNumber>,
    /// The last complete CRL that was signed.
    pub(super) last: Option<Signed>,
    /// What deltas are relative to.
    base: Option<Signed>,
    this_update: Option<Time>,
    /// How many were signed.
    pub(super) signed: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) number: CrlNumber,
    entries: Entries,
    this_update: Time,
}

/// One CRL on its way.
#[derive(Clone, Debug)]
pub(super) struct Build {
    scope: CrlScope,
    this: Signed,
    tbs: Vec<u8>,
}

impl Caller {
    /// A complete CRL is to be made. Whether that can be now: everything revoked must have been told, and one at a time.
    pub(crate) fn complete_crl(&mut self, now: u64) -> bool {
        if self.is_telling() || self.compare.is_going_on() || self.is_signing_crls() {
            return false;
        }
        if self.compare.is_needed() {
            self.begin_compare(now);
            return true;
        }
        let Ok(number) = self.next_number() else {
            return false;
        };
        let backdated = crate::clock::date(now).plus_seconds(-BACKDATE_SECONDS);
        let this = Signed {
            number,
            entries: self.revoked(),
            this_update: self
                .crls
                .this_update
                .map_or(backdated, |last| backdated.max(last)),
        };
        let from = self.crls.last.as_ref().filter(|_| self.random.bool());
        let change = ListChange {
            from: from.map(|last| last.number.clone()),
            added: Added::All,
            removed: Vec::new(),
        };
        self.sign_crl(CrlScope::Complete, this, change, now);
        true
    }

    /// A delta CRL is to be made, to the last complete one. Whether that can be now.
    pub(crate) fn delta_crl(&mut self, now: u64) -> bool {
        let (Some(complete), Some(base)) = (&self.crls.last, &self.crls.base) else {
            return false;
        };
        if complete.number <= base.number || self.is_signing_crls() {
            return false;
        }
        let changes = complete.entries.changes_since(&base.entries);
        let changed: BTreeMap<_, _> = changes
            .iter()
            .map(|change| (change.serial, change.after))
            .collect();
        let this = Signed {
            entries: Entries::default().with(&changed),
            ..complete.clone()
        };
        let change = ListChange {
            from: None,
            added: Added::Serials(changed.keys().map(octets).collect()),
            removed: Vec::new(),
        };
        self.sign_crl(CrlScope::Delta, this, change, now);
        true
    }

    /// Deltas are relative to the last complete CRL from now on.
    pub(crate) fn new_base(&mut self) {
        self.crls.base.clone_from(&self.crls.last);
    }

    /// How many CRLs were signed.
    pub(crate) const fn crls_signed(&self) -> u64 {
        self.crls.signed
    }

    fn sign_crl(&mut self, scope: CrlScope, this: Signed, change: ListChange, now: u64) {
        let (request, tbs) = self.sign_crl_of(scope.clone(), &this, change);
        let build = Build { scope, this, tbs };
        self.put(
            Operation::SignCrl(request),
            Purpose::Crl(Box::new(build)),
            now,
        );
    }

    pub(super) fn sign_crl_of(
        &self,
        scope: CrlScope,
        this: &Signed,
        entries: ListChange,
    ) -> (SignCrl, Vec<u8>) {
        let base = self.crls.base.as_ref();
        let ca = &self.authority.ca.certificate;
        let next_update = this.this_update.plus_seconds(VALIDITY_SECONDS);
        let (before, after) = CrlContents {
            issuer: ca.subject(),
            authority_key_id: &ca.key_id(),
            number: &this.number,
            this_update: this.this_update,
            next_update,
            signature_algorithm: ALGORITHM,
            scope: match &scope {
                CrlScope::Delta => Scope::Delta {
                    base: base.map_or(&this.number, |base| &base.number),
                },
                _ => Scope::Complete,
            },
            freshest: None,
        }
        .around(this.entries.octets());
        let pieces = this.entries.pieces().flatten().copied();
        let tbs: Vec<u8> = before
            .iter()
            .copied()
            .chain(pieces)
            .chain(after.iter().copied())
            .collect();
        let request = SignCrl {
            issuer: ISSUER.to_owned(),
            scope,
            number: this.number.clone(),
            this_update: this.this_update,
            next_update,
            signature_algorithm: ALGORITHM,
            before,
            entries,
            after,
            tbs_hash: hash(&tbs),
        };
        (request, tbs)
    }

    pub(super) fn crl_signed(&mut self, build: Build, outcome: &Outcome) -> Result<(), Violation> {
        use RefusalCode::{CrlNotNewer, Diverged, NotAllowed};
        match outcome {
            Outcome::Signed { signature } => {
                self.verify(&build.tbs, signature)?;
                self.counts.crls += 1;
                self.crls.signed += 1;
                if build.scope == CrlScope::Complete {
                    self.crls.this_update = Some(build.this.this_update);
                    self.crls.base.get_or_insert_with(|| build.this.clone());
                    self.crls.last = Some(build.this);
                }
                Ok(())
            }
            Outcome::Refused(refused) if refused.code == CrlNotNewer => {
                // As after a promotion: the signer says what it must be above.
                let above = refused.above.clone();
                self.crls.number = self.crls.number.take().max(above);
                Ok(())
            }
            // The two sides differ, or the signer does not have the list that the change is about.
            outcome if is_refused(outcome, &[Diverged]) => {
                self.compare.need();
                self.crls.last = None;
                self.crls.base = None;
                Ok(())
            }
            // The clocks differ.
            outcome if is_refused(outcome, &[NotAllowed]) => Ok(()),
            other => Err(not_served(other)),
        }
    }

    fn is_signing_crls(&self) -> bool {
        let mut purposes = self.asked.values().map(|asked| &asked.purpose);
        purposes.any(|purpose| matches!(purpose, Purpose::Crl(_)))
    }

    pub(super) fn next_number(&mut self) -> Result<CrlNumber, Violation> {
        let last = self.crls.number.take();
        let next = last.map_or_else(|| Ok(CrlNumber::from(FIRST_NUMBER)), |last| last.next());
        let next = next.map_err(|error| violated(Invariant::CrlsRise, error.to_string()))?;
        self.crls.number = Some(next.clone());
        Ok(next)
    }

    /// All that is revoked.
    fn revoked(&self) -> Entries {
        let entries = self.ledger.iter().filter_map(entry);
        Entries::default().with(&entries.map(|entry| (entry.serial, Some(entry))).collect())
    }

    /// A complete CRL that leaves a revocation out, or has too low a number.
    pub(super) fn bad_crl(&mut self, now: u64, low: bool) -> Option<SignCrl> {
        let last = self.crls.last.clone()?;
        let number = match low {
            true => last.number,
            false => self.next_number().ok()?,
        };
        let entries = match low {
            true => self.revoked(),
            false => Entries::default(),
        };
        if !low && self.ledger.is_empty() {
            return None;
        }
        let this = Signed {
            number,
            entries,
            this_update: last
                .this_update
                .max(crate::clock::date(now).plus_seconds(-BACKDATE_SECONDS)),
        };
        let change = ListChange {
            from: None,
            added: Added::All,
            removed: Vec::new(),
        };
        Some(self.sign_crl_of(CrlScope::Complete, &this, change).0)
    }
}

fn octets(serial: &Serial) -> SerialOctets {
    SerialOctets(serial.as_bytes().to_vec())
}
