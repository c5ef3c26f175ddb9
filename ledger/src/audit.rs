//! The audit chain: a record of every mutation, each bound to the one before it by a hash.
//!
//! `hash = SHA-256(previous hash ‖ canonical octets of the record)`; the hash before the first record is 32 zero
//! octets. The canonical octets are the text `avouch-audit-1` and then each field as four octets of length and its
//! octets: id, time, actor, act, issuer, serial, first event, last event, detail (numbers as 8 octets, big endian;
//! an absent field is empty). Changing, removing, inserting or reordering records breaks the chain from there on;
//! cutting off its end shows against a head hash that was noted elsewhere.
//!
//! Stored state: the canonical form never changes for records that exist.

use aws_lc_rs::digest;
use pki::{Serial, Time};

/// One record of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// 1, 2, 3, … without a gap.
    pub id: u64,
    /// When.
    pub time: Time,
    /// Who.
    pub actor: String,
    /// What, as `certificate.revoke`.
    pub act: String,
    /// Name of the issuer, or empty.
    pub issuer: String,
    /// The certificate it concerns.
    pub serial: Option<Serial>,
    /// First and last event committed with it.
    pub events: Option<(u64, u64)>,
    /// The particulars, a JSON object.
    pub detail: String,
    /// Hash over the chain up to and including this record.
    pub hash: [u8; 32],
}

/// What a check of the whole chain found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditSummary {
    /// How many records there are.
    pub records: u64,
    /// The last event they cover.
    pub head: u64,
    /// The hash of the last record; noted elsewhere, it shows whether the end was cut off.
    pub hash: [u8; 32],
    /// Issued certificates compared with their records.
    pub certificates: u64,
    /// Revocations compared with their records.
    pub revocations: u64,
    /// Records about certifications of OpenPGP user ids compared with these: one when it was asked for, one when it was done.
    pub certifications: u64,
}

/// Where the chain breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the audit chain breaks at record {record}: {what}; keep the ledger as evidence and compare it with a backup"
)]
pub struct AuditFault {
    /// Number of the record.
    pub record: u64,
    /// What is wrong with it.
    pub what: String,
}

impl AuditRecord {
    /// The hash this record must have after a record with the hash `previous`.
    pub fn hash_after(&self, previous: &[u8; 32]) -> [u8; 32] {
        let number = |value: u64| value.to_be_bytes();
        let (first, last) = match self.events {
            Some((first, last)) => (number(first).to_vec(), number(last).to_vec()),
            None => (Vec::new(), Vec::new()),
        };
        let mut chain = Fields::new();
        chain.raw(previous);
        chain.raw(b"avouch-audit-1");
        chain.field(&number(self.id));
        chain.field(&self.time.unix().to_be_bytes());
        chain.field(self.actor.as_bytes());
        chain.field(self.act.as_bytes());
        chain.field(self.issuer.as_bytes());
        chain.field(self.serial.as_ref().map_or(&[][..], Serial::as_bytes));
        chain.field(&first);
        chain.field(&last);
        chain.field(self.detail.as_bytes());
        chain.finish()
    }
}

/// Checks a chain record by record, without keeping it.
#[derive(Debug, Default)]
pub(crate) struct ChainCheck {
    pub(crate) summary: AuditSummary,
}

impl ChainCheck {
    /// Takes the next record; it must follow the ones before.
    pub(crate) fn next(&mut self, record: &AuditRecord) -> Result<(), AuditFault> {
        let summary = &mut self.summary;
        let fault = |what: String| {
            Err(AuditFault {
                record: record.id,
                what,
            })
        };
        if record.id != summary.records + 1 {
            return fault(format!(
                "the record before it has the number {}",
                summary.records
            ));
        }
        if record.hash_after(&summary.hash) != record.hash {
            return fault("its hash does not fit its content and the record before it".to_owned());
        }
        if let Some((first, last)) = record.events {
            if first != summary.head + 1 || last < first {
                return fault(format!(
                    "it covers events {first} to {last}, after event {}",
                    summary.head
                ));
            }
            summary.head = last;
        }
        summary.records = record.id;
        summary.hash = record.hash;
        Ok(())
    }
}

/// SHA-256 over length-prefixed fields.
pub(crate) struct Fields(digest::Context);

impl Fields {
    pub(crate) fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    pub(crate) fn raw(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    pub(crate) fn field(&mut self, octets: &[u8]) {
        // Unwrap safety: no field comes near 4 GiB; SQLite itself stops at 1 GiB.
        let length = u32::try_from(octets.len()).expect("field shorter than 4 GiB");
        self.0.update(&length.to_be_bytes());
        self.0.update(octets);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.finish().as_ref());
        hash
    }
}

/// SHA-256.
pub(crate) fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, octets).as_ref());
    hash
}

#[cfg(test)]
mod tests;
