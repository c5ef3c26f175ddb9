//! Verifying one chunk before its first use: its hash, and that its content is what the format allows.

use aws_lc_rs::digest::{SHA256, digest};
use pki::RevocationReason;

use crate::Damaged;
use crate::format::{CHUNK_BUCKETS, CHUNK_RECORDS};
use crate::record::{
    GOOD, NO_BATCH, REMOVED, REVOKED, REVOKED_WITH_REASON, Record, is_writable_time,
};
use crate::set::AnswerSet;

impl AnswerSet {
    /// Verifies a chunk of records.
    #[cold]
    pub(crate) fn verify_records(&self, chunk: usize) -> Result<(), Damaged> {
        let first = chunk * CHUNK_RECORDS;
        let end = (first + CHUNK_RECORDS).min(self.len());
        let octets = &self.octets[self.record_offset(first)..self.record_offset(end)];
        let (serial, hash) = self.tables.chunk_head(&self.octets, chunk);
        if digest(&SHA256, octets).as_ref() != hash {
            return Err(self.damaged(self.record_offset(first), HASH));
        }
        if self.unverified_record(first).padded_serial() != serial {
            return Err(self.damaged(
                self.record_offset(first),
                "the tail names another serial number for it",
            ));
        }
        let mut next = if chunk + 1 < self.tables.record_chunks() {
            Some(self.tables.chunk_head(&self.octets, chunk + 1).0)
        } else {
            None
        };
        for index in (first..end).rev() {
            let record = self.unverified_record(index);
            let serial = record.padded_serial();
            if next.is_some_and(|next| serial >= next) {
                return Err(self.damaged(
                    self.record_offset(index),
                    "the serial numbers do not ascend",
                ));
            }
            next = Some(serial);
            self.check_record(&record)
                .map_err(|what| self.damaged(self.record_offset(index), what))?;
        }
        self.records.insert(chunk);
        Ok(())
    }

    /// Verifies a chunk of the index.
    #[cold]
    pub(crate) fn verify_index(&self, chunk: usize) -> Result<(), Damaged> {
        let first = chunk * CHUNK_BUCKETS;
        let end = (first + CHUNK_BUCKETS).min(self.tables.buckets);
        let octets = &self.octets[self.bucket_offset(first)..self.bucket_offset(end)];
        if digest(&SHA256, octets).as_ref() != self.tables.index_hash(&self.octets, chunk) {
            return Err(self.damaged(self.bucket_offset(first), HASH));
        }
        for number in first..end {
            self.unverified_bucket(number)
                .check(self.len())
                .map_err(|what| self.damaged(self.bucket_offset(number), what))?;
        }
        if end == self.tables.buckets && self.unverified_bucket(end - 1).is_full() {
            return Err(self.damaged(self.bucket_offset(end - 1), "the last bucket is full"));
        }
        self.index.insert(chunk);
        Ok(())
    }

    fn check_record(&self, record: &Record<'_>) -> Result<(), &'static str> {
        if record.status_code() == REMOVED {
            let bare = record.batch() == NO_BATCH
                && record.time().unix() == 0
                && record.is_filled_up_from(0);
            return bare
                .then_some(())
                .ok_or("a removal carries more than a serial number");
        }
        check_status(record)?;
        let (_, signer) = self
            .tables
            .resolve(&self.octets, record.batch() as usize)
            .map_err(|damaged| damaged.what)?;
        record
            .is_filled_up_from(signer.packing.width())
            .then_some(())
            .ok_or("a signature is not filled up with zeros")
    }
}

fn check_status(record: &Record<'_>) -> Result<(), &'static str> {
    match record.status_code() {
        GOOD if record.time().unix() != 0 => Err("a good certificate has a revocation time"),
        GOOD | REVOKED => Ok(()),
        code => match code
            .checked_sub(REVOKED_WITH_REASON)
            .and_then(RevocationReason::from_code)
        {
            None | Some(RevocationReason::Unspecified) => Err("unknown status"),
            Some(_) => Ok(()),
        },
    }?;
    is_writable_time(record.time().unix())
        .then_some(())
        .ok_or("a revocation time that GeneralizedTime cannot write")
}

const HASH: &str = "this part does not have the hash that the tail names";
