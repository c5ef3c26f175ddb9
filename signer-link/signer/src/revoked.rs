//! The revocations of one authority: what every CRL of it is made of. They only become more.

use std::collections::BTreeMap;

use pki::crl::build::CrlEntry;
use pki::{RevocationReason, Serial, Time};
use wire::{Revocation, RevokedDigest, SerialOctets};

/// Everything that was revoked, in the order in which it was told.
#[derive(Debug, Default)]
pub struct Revoked {
    in_order: Vec<Known>,
    by_serial: BTreeMap<Serial, usize>,
    digest: RevokedDigest,
}

/// One revocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Known {
    /// As it stands in CRLs.
    pub entry: CrlEntry,
    /// When the certificate ends, if that is known.
    pub not_after: Option<Time>,
}

impl Known {
    /// Reads a revocation; tells which field is wrong otherwise.
    pub fn read(revocation: &Revocation) -> Result<Self, (&'static str, String)> {
        let serial = Serial::from_be_bytes(&revocation.serial.0)
            .map_err(|error| ("revocations.serial", error.to_string()))?;
        let reason = RevocationReason::from_code(revocation.reason).ok_or_else(|| {
            let text = format!("{} is no CRLReason (RFC 5280 5.3.1)", revocation.reason);
            ("revocations.reason", text)
        })?;
        Ok(Self {
            entry: CrlEntry {
                serial,
                revocation_date: revocation.date,
                reason: (reason != RevocationReason::Unspecified).then_some(reason),
                invalidity_date: revocation.invalidity_date,
            },
            not_after: revocation.not_after,
        })
    }

    fn message(&self) -> Revocation {
        Revocation {
            serial: SerialOctets(self.entry.serial.as_bytes().to_vec()),
            date: self.entry.revocation_date,
            reason: self.entry.reason.map_or(0, RevocationReason::code),
            not_after: self.not_after,
            invalidity_date: self.entry.invalidity_date,
        }
    }
}

impl Revoked {
    /// Remembers a revocation. One of a serial number that is revoked already changes nothing.
    pub fn add(&mut self, known: Known) {
        if self.by_serial.contains_key(&known.entry.serial) {
            return;
        }
        self.by_serial
            .insert(known.entry.serial, self.in_order.len());
        self.digest.add(&known.message());
        self.in_order.push(known);
    }

    /// What is known of a serial number.
    pub fn get(&self, serial: &Serial) -> Option<&Known> {
        self.by_serial
            .get(serial)
            .map(|index| &self.in_order[*index])
    }

    /// How many were told before this one; `None` if it is not revoked.
    pub fn place(&self, serial: &Serial) -> Option<u64> {
        self.by_serial.get(serial).map(|index| *index as u64)
    }

    /// All that came after the first `count`.
    pub fn after(&self, count: u64) -> &[Known] {
        let from = usize::try_from(count).unwrap_or(usize::MAX);
        self.in_order.get(from..).unwrap_or_default()
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.in_order.len() as u64
    }

    /// The digest over all of them.
    pub const fn digest(&self) -> &RevokedDigest {
        &self.digest
    }

    /// Those of one bucket of the digest after a serial number, at most `most`, and whether there are more.
    pub fn bucket(
        &self,
        bucket: u8,
        after: Option<&Serial>,
        most: usize,
    ) -> (Vec<Revocation>, bool) {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        let mut found = self
            .by_serial
            .range((from, Unbounded))
            .filter(|(serial, _)| RevokedDigest::bucket_of(serial.as_bytes()) == bucket)
            .map(|(_, index)| self.in_order[*index].message());
        let first: Vec<_> = found.by_ref().take(most).collect();
        let more = found.next().is_some();
        (first, more)
    }
}
