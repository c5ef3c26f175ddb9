//! A standby follows the active signer's journal, which the host relays. It believes what a checkpoint vouches for.

use journal::Storage;
use wire::{LogRecord, Outcome};

use super::{Core, CoreError};
use crate::journal_record::Record;
use crate::keys::Keys;
use crate::memory::Memory;

impl<S: Storage, K: Keys> Core<S, K> {
    /// Takes over what comes next in the active signer's journal. All or nothing.
    pub(super) fn replicate(
        &mut self,
        after: u64,
        records: Vec<LogRecord>,
        now: u64,
    ) -> Result<Outcome, CoreError> {
        if !self.memory.is_standby() {
            return self.not_allowed("operation", "this signer follows no other", now);
        }
        let have = self.memory.replicated().sequence;
        if after > have {
            let message = format!("{have} records are here: go on after that");
            return self.not_allowed("after", &message, now);
        }
        for record in &records {
            if let Err(reason) = Record::relayed(&record.0) {
                let message = format!("one is not of this version: {reason}");
                return self.not_allowed("records", &message, now);
            }
        }
        // What is here already came before a cut, and was acknowledged to nobody.
        let known = usize::try_from(have - after).unwrap_or(usize::MAX);
        if let Err(message) = self.check_checkpoints(records.get(known..).unwrap_or_default()) {
            return self.not_allowed("records", &message, now);
        }
        for record in records.into_iter().skip(known) {
            let sequence = self.memory.replicated().sequence + 1;
            self.conclude(Record::Replicated {
                sequence,
                record: record.0,
            })?;
        }
        Ok(Outcome::Done)
    }

    /// Each checkpoint must be the signature of a CA whose key this signer has, over this very log.
    fn check_checkpoints(&self, records: &[LogRecord]) -> Result<(), String> {
        let mut position = self.memory.replicated();
        for LogRecord(octets) in records {
            if let Ok(Record::Checkpoint(checkpoint)) = Record::decode(octets) {
                let issuer = &checkpoint.issuer;
                let ca = self.keys.ca(issuer).ok_or_else(|| {
                    format!("a checkpoint is signed with the key of {issuer}, which is not open here: carry it over")
                })?;
                let verified = checkpoint.verify(ca.certificate.public_key(), position);
                verified.map_err(|error| {
                    format!(
                        "a checkpoint is not the signature of {issuer} over these records ({error}): somebody made them up, \
                         or some before them. Make a new standby of this machine (signer standby)"
                    )
                })?;
            }
            position = Memory::follows_on(position, octets);
        }
        Ok(())
    }
}
