//! A CRL as an edge serves it, verified and laid out for looking up.

use hyper::header::HeaderValue;
use pki::crl::Crl;
use pki::crl::build::CrlEntry;
use pki::crl::verify::{Expected, verify_crl};
use pki::{CrlNumber, Serial, Time, Violation, oid};

use crate::judge::ListRules;
use crate::subject::Subject;
use crate::which::Which;

/// A verified CRL.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) number: Option<CrlNumber>,
    /// Of a delta: the number of the CRL that it changes.
    pub(crate) base: Option<CrlNumber>,
    /// Whether it says that there is a delta.
    pub(crate) has_delta: bool,
    pub(crate) this_update: Time,
    pub(crate) next_update: Option<Time>,
    pub(crate) etag: Option<HeaderValue>,
    /// thisUpdate of an earlier one.
    earlier: Option<Time>,
    /// In the order of serial numbers.
    entries: Vec<CrlEntry>,
}

impl List {
    /// Verifies a CRL by every rule and reads its entries. `before` is the one that this edge served before.
    pub(crate) fn verified(
        der: &[u8],
        etag: Option<HeaderValue>,
        subject: &Subject,
        which: &Which,
        before: Option<&Self>,
        now: Time,
    ) -> Result<Self, Violation> {
        let read = Crl::from_der(der)?;
        let expected = Expected {
            ca: &subject.ca,
            now,
            scope: which.scope(&read)?,
            previous: None,
            profile: subject.crl_profile(),
        };
        let crl = verify_crl(der, &expected)?.crl;
        let mut entries = Vec::with_capacity(crl.len());
        for entry in crl.entries() {
            entries.push(entry?);
        }
        // Ours are in this order already.
        entries.sort_by_key(|entry| entry.serial);
        Ok(Self {
            number: crl.number().cloned(),
            base: crl.base_number().cloned(),
            has_delta: crl
                .extensions()
                .iter()
                .any(|extension| extension.oid == oid::FRESHEST_CRL),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            etag,
            earlier: before.map(|before| {
                if before.this_update < crl.this_update() {
                    before.this_update
                } else {
                    before.earlier.unwrap_or(before.this_update)
                }
            }),
            entries,
        })
    }

    pub(crate) fn rules<'a>(&self, subject: &'a Subject) -> ListRules<'a> {
        ListRules {
            this_update: self.this_update,
            earlier: self.earlier,
            policy: &subject.issuer.policy.crl,
            ours: subject.issuer.signs,
        }
    }

    pub(crate) fn entries(&self) -> &[CrlEntry] {
        &self.entries
    }

    pub(crate) fn find(&self, serial: &Serial) -> Option<&CrlEntry> {
        self.position(serial).map(|at| &self.entries[at])
    }

    /// Where a serial number stands among the entries.
    pub(crate) fn position(&self, serial: &Serial) -> Option<usize> {
        self.entries
            .binary_search_by_key(serial, |entry| entry.serial)
            .ok()
    }

    /// Whether a serial number has more than one entry.
    pub(crate) fn has_twice(&self, serial: &Serial) -> bool {
        let from = self.entries.partition_point(|entry| entry.serial < *serial);
        self.entries
            .get(from + 1)
            .is_some_and(|next| next.serial == *serial)
    }
}
