//! Signing where the log stands, and holding a journal against what was signed.

use journal::{Position, Storage};
use wire::Receipt;

use super::{Core, CoreError};
use crate::checkpoint;
use crate::journal_record::Record;
use crate::keys::Keys;

impl<S: Storage, K: Keys> Core<S, K> {
    /// Signs where the log stands, unless its last record is that already, or the keys are not open.
    pub(super) fn vouch(&mut self, now: u64) -> Result<(), CoreError> {
        let head = self.log.head();
        let last = self.memory.checkpoint();
        let is_vouched_for = last.is_some_and(|last| last.position.sequence + 1 == head.sequence);
        if self.unlocked.is_none() || self.memory.is_standby() || is_vouched_for {
            return Ok(());
        }
        let Some((ca, algorithm)) = checkpoint::signer(self.keys.cas()) else {
            return Ok(());
        };
        let (issuer, time) = (ca.name.clone(), self.clock.time(now).unix());
        let message = checkpoint::message(position(head), time);
        let signature = self.keys.sign(&issuer, algorithm, &message)?;
        self.conclude(Record::Checkpoint {
            time,
            issuer,
            signature,
        })?;
        Ok(())
    }

    /// Locks if the journal is not what its last checkpoint vouches for: it came back from an archive, and that was made up.
    pub(super) fn check_journal(&mut self, now: u64) {
        let Some(last) = self.memory.checkpoint() else {
            return;
        };
        let Some(ca) = self.keys.ca(&last.issuer) else {
            tracing::warn!(
                "the last checkpoint of the journal is signed with the key of {}, which is not open: nobody vouches for it",
                last.issuer
            );
            return;
        };
        let key = ca.certificate.public_key();
        if checkpoint::verify(key, position(last.position), last.time, &last.signature).is_err() {
            let what = format!(
                "the journal is not one that {} has signed: put back the true one",
                last.issuer
            );
            self.breach(&what, now);
        }
    }
}

const fn position(receipt: Receipt) -> Position {
    Position {
        sequence: receipt.sequence,
        head: receipt.head,
    }
}
