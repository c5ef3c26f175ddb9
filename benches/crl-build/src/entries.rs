//! Revoked certificates that nobody issued: random serial numbers of 16 octets, a reason on every third.

use std::collections::BTreeMap;

use pki::crl::Entries;
use pki::crl::build::CrlEntry;
use pki::{RevocationReason, Serial, Time};
use synthetic::Population;

/// Few at a time, so that the list alone makes the peak of the memory.
const BATCH: u64 = 50_000;

/// Revocation number `index` of `count`.
pub(crate) fn entry(count: u64, index: u64) -> CrlEntry {
    CrlEntry {
        serial: Population::random(7, count).serial(index),
        revocation_date: Time::from_unix(1_750_000_000 + (index % 30_000_000) as i64),
        reason: index
            .is_multiple_of(3)
            .then_some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    }
}

/// All of them.
pub(crate) fn all(count: u64) -> Entries {
    let mut entries = Entries::default();
    for first in (0..count).step_by(BATCH as usize) {
        let batch = first..(first + BATCH).min(count);
        let batch = batch.map(|index| entry(count, index));
        let changes: BTreeMap<_, _> = batch.map(|entry| (entry.serial, Some(entry))).collect();
        entries = entries.with(&changes);
    }
    entries
}

/// One more that is not among them: round number `round`.
pub(crate) fn revocation(round: usize) -> CrlEntry {
    let mut octets = [0x3f; 16];
    octets[8..].copy_from_slice(&(round as u64).to_be_bytes());
    CrlEntry {
        // Unwrap safety: sixteen octets that are not zero.
        serial: Serial::from_be_bytes(&octets).unwrap(),
        revocation_date: Time::from_unix(1_790_000_000),
        reason: Some(RevocationReason::KeyCompromise),
        invalidity_date: None,
    }
}
