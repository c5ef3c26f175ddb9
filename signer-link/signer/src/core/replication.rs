//! A standby follows the active signer's journal, which the host relays.

use journal::Storage;
use wire::{LogRecord, Outcome};

use super::{Core, CoreError};
use crate::journal_record::Record;
use crate::keys::Keys;

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
        for record in records.into_iter().skip(known) {
            let sequence = self.memory.replicated().sequence + 1;
            self.conclude(Record::Replicated {
                sequence,
                record: record.0,
            })?;
        }
        Ok(Outcome::Done)
    }
}
