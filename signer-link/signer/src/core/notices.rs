//! What stands in the journal beside acts and locks: questions that no honest host asks, attempts at the cable, and why
//! the signer suspended itself.

use journal::Storage;
use wire::{Mode, Outcome, RefusalCode};

use super::{Core, CoreError, refused};
use crate::journal_record::Record;
use crate::keys::Keys;

/// How many may be written at once, and how long one more takes: whoever has the host or the cable cannot fill the disk
/// with them.
const MOST: u64 = 100;
const ONE_MORE: u64 = 60_000;

/// What was noticed so far.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Up to when the allowance is spent, in milliseconds of the monotonic clock.
    spent: u64,
    /// Whether it was suspended when it was last looked at.
    suspended: bool,
}

impl<S: Storage, K: Keys> Core<S, K> {
    /// Somebody at the cable tried to open a session and does not have the host's keys.
    pub fn stranger(&mut self, now: u64) {
        let written = self.notice(
            "whoever is at the other end of the cable does not have the host's keys",
            now,
        );
        if let Err(error) = written {
            self.fail(&error, now);
        }
    }

    /// A question that is refused. It is no act, so that nothing is kept under its id.
    pub(super) fn not_allowed(
        &mut self,
        field: &str,
        message: &str,
        now: u64,
    ) -> Result<Outcome, CoreError> {
        let refusal = refused(RefusalCode::NotAllowed, field, message);
        self.notice(&format!("refused: {refusal}"), now)?;
        Ok(Outcome::Refused(refusal))
    }

    /// Writes down why it suspended itself, when it does. What every session begins with is no suspension.
    pub(super) fn watch_itself(&mut self, now: u64) {
        let greeted = self.session.as_ref().is_some_and(|session| {
            session.pinged.is_some() || session.hello.as_ref().is_some_and(Result::is_err)
        });
        let (mode, reason) = self.mode(now);
        let suspended = greeted && mode == Mode::Suspended;
        if suspended && !self.notices.suspended {
            let written = self.notice(&format!("suspended: {reason}"), now);
            if let Err(error) = written {
                self.fail(&error, now);
            }
        }
        self.notices.suspended = suspended;
    }

    fn notice(&mut self, what: &str, now: u64) -> Result<(), CoreError> {
        tracing::warn!("{what}");
        let spent = self.notices.spent.max(now) + ONE_MORE;
        if self.failed.is_some() || spent > now + MOST * ONE_MORE {
            return Ok(());
        }
        self.notices.spent = spent;
        self.record(Record::Noticed {
            time: self.clock.time(now).unix(),
            what: what.to_owned(),
        })
    }
}
