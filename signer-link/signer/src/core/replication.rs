//! A standby follows the active signer's journal, which the host relays.

use journal::Storage;
use wire::{LogRecord, Outcome, RefusalCode};

use super::{Core, CoreError, refused};
use crate::journal_record::Record;
use crate::keys::Keys;

impl<S: Storage, K: Keys> Core<S, K> {
    /// Takes over what comes next in the active signer's journal. All or nothing.
    pub(super) fn replicate(
        &mut self,
        after: u64,
        records: Vec<LogRecord>,
    ) -> Result<Outcome, CoreError> {
        let not_allowed = |field: &str, message: String| {
            Ok(Outcome::Refused(refused(
                RefusalCode::NotAllowed,
                field,
                message,
            )))
        };
        if !self.memory.is_standby() {
            return not_allowed("operation", "this signer follows no other".to_owned());
        }
        let have = self.memory.replicated().sequence;
        if after > have {
            return not_allowed(
                "after",
                format!("{have} records are here: go on after that"),
            );
        }
        for record in &records {
            if let Err(reason) = Record::decode(&record.0) {
                return not_allowed("records", format!("one is not of this version: {reason}"));
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
