//! Signing where the log stands, and holding a journal against what was signed.

use journal::{Position, Storage};
use wire::Receipt;

use super::{Core, CoreError};
use crate::checkpoint::{self, Checkpoint};
use crate::journal_record::Record;
use crate::keys::Keys;

impl<S: Storage, K: Keys> Core<S, K> {
    /// Signs where the log stands, unless its last record is that already, or the keys are not open. A key that does not
    /// sign keeps the log from nobody.
    pub(super) fn vouch(&mut self, now: u64) -> Result<(), CoreError> {
        let head = self.log.head();
        let last = self.memory.checkpoint();
        let is_vouched_for = last.is_some_and(|(before, _)| before.sequence + 1 == head.sequence);
        if self.unlocked.is_none() || self.memory.is_standby() || is_vouched_for {
            return Ok(());
        }
        let same = last.map(|(_, last)| &*last.issuer);
        let Some((ca, algorithm)) = checkpoint::signer(self.keys.cas(), same) else {
            return Ok(());
        };
        let mut checkpoint = Checkpoint {
            signer_id: self.signer_id,
            epoch: self.memory.epoch(),
            time: self.clock.time(now).unix(),
            issuer: ca.name.clone(),
            signature: Vec::new(),
        };
        let message = checkpoint.message(position(head));
        match self.keys.sign(&checkpoint.issuer, algorithm, &message) {
            Ok(signature) => {
                checkpoint.signature = signature;
                self.conclude(Record::Checkpoint(checkpoint))?;
            }
            Err(error) => tracing::error!("the log has no checkpoint: {error}"),
        }
        Ok(())
    }

    /// Locks if the journal is not what its last checkpoint vouches for: it came back from an archive, and that was made up.
    pub(super) fn check_journal(&mut self, now: u64) -> Result<(), CoreError> {
        let Some((before, last)) = self.memory.checkpoint() else {
            return Ok(());
        };
        let issuer = last.issuer.clone();
        let Some(ca) = self.keys.ca(&issuer) else {
            tracing::warn!(
                "the last checkpoint of the journal is signed with the key of {issuer}, which is not open: nobody vouches \
                 for it"
            );
            return Ok(());
        };
        let verified = last.verify(ca.certificate.public_key(), position(*before));
        if last.signer_id == self.signer_id && verified.is_ok() {
            return Ok(());
        }
        let error = CoreError::NotItsJournal(issuer);
        self.breach(&error.to_string(), now);
        Err(error)
    }
}

const fn position(receipt: Receipt) -> Position {
    Position {
        sequence: receipt.sequence,
        head: receipt.head,
    }
}
