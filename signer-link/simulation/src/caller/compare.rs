//! Finding out where the signer's revocations and the ledger's differ, and making it good (F8).

use std::collections::BTreeSet;

use wire::{Operation, Outcome, Revocation, RevokedDigest};

use super::{Caller, Purpose, not_served};
use crate::authority::ISSUER;
use crate::violation::{Invariant, Violation, check};

#[derive(Debug, Default)]
pub(super) struct Compare {
    needed: bool,
    going_on: bool,
    buckets: BTreeSet<u8>,
    /// What the signer turned out to lack.
    lacking: Vec<Revocation>,
    /// Whether both sides were the same at the last look.
    equal: bool,
    /// Another signer was promoted, which may know less; and it is not known which one answers a question.
    promoted: bool,
}

impl Compare {
    pub(super) fn need(&mut self) {
        self.needed = true;
    }

    pub(super) const fn is_needed(&self) -> bool {
        self.needed
    }

    /// Whether the signer knows all that it was told.
    pub(super) const fn is_sure(&self) -> bool {
        !self.needed && !self.going_on && !self.promoted
    }

    pub(super) const fn is_going_on(&self) -> bool {
        self.going_on
    }
}

impl Caller {
    /// The digests are compared. Whether that can be now.
    pub(crate) fn compare(&mut self, now: u64) -> bool {
        if self.is_telling() || self.compare.is_going_on() {
            return false;
        }
        self.begin_compare(now);
        true
    }

    /// Whether the last look found both sides the same.
    pub(crate) const fn is_equal(&self) -> bool {
        self.compare.equal
    }

    /// Another signer is promoted.
    pub(crate) fn promoted(&mut self) {
        self.compare.promoted = true;
    }

    pub(super) fn begin_compare(&mut self, now: u64) {
        self.compare.going_on = true;
        self.compare.equal = false;
        let operation = Operation::GetRevoked {
            issuer: ISSUER.to_owned(),
        };
        self.put(operation, Purpose::Digest, now);
    }

    pub(super) fn digest_came(&mut self, outcome: &Outcome, now: u64) -> Result<(), Violation> {
        let Outcome::Revoked { count, buckets } = outcome else {
            // A signer whose keys are not open knows no issuer.
            return self.compare_later(outcome);
        };
        let mut own = RevokedDigest::default();
        for revocation in &self.ledger {
            own.add(revocation);
        }
        if self.is_telling() {
            // Revoked meanwhile: looked at again.
            self.compare.going_on = false;
            return Ok(());
        }
        self.compare.equal = own.buckets() == buckets && own.count() == *count;
        if self.compare.equal {
            self.compare.going_on = false;
            self.compare.needed = false;
            return Ok(());
        }
        self.counts.compared += 1;
        let differ = (0..=u8::MAX).filter(|bucket| {
            let bucket = usize::from(*bucket);
            own.buckets().get(bucket) != buckets.get(bucket)
        });
        self.compare.buckets = differ.collect();
        self.compare.lacking.clear();
        self.next_bucket(now);
        Ok(())
    }

    pub(super) fn bucket_came(
        &mut self,
        bucket: u8,
        outcome: &Outcome,
        now: u64,
    ) -> Result<(), Violation> {
        let Outcome::Bucket { revocations, .. } = outcome else {
            return self.compare_later(outcome);
        };
        for known in revocations {
            check(self.ledger.contains(known), Invariant::RevokedEqual, || {
                format!("the signer knows a revocation that nobody told it: {known:?}")
            })?;
        }
        let lacking = self.ledger.iter().filter(|one| {
            RevokedDigest::bucket_of(&one.serial.0) == bucket && !revocations.contains(one)
        });
        self.compare.lacking.extend(lacking.cloned());
        self.next_bucket(now);
        Ok(())
    }

    fn next_bucket(&mut self, now: u64) {
        if let Some(bucket) = self.compare.buckets.pop_first() {
            let operation = Operation::GetBucket {
                issuer: ISSUER.to_owned(),
                bucket,
                after: None,
            };
            return self.put(operation, Purpose::Bucket(bucket), now);
        }
        // Told, and then looked at again before the next CRL.
        self.compare.going_on = false;
        self.compare.needed = true;
        let lacking = std::mem::take(&mut self.compare.lacking);
        if !lacking.is_empty() {
            self.tell(lacking, now);
        }
    }

    fn compare_later(&mut self, outcome: &Outcome) -> Result<(), Violation> {
        self.compare.going_on = false;
        self.compare.needed = true;
        match outcome {
            Outcome::Refused(_) => Ok(()),
            other => Err(not_served(other)),
        }
    }
}
