//! What the signer is ready for, from all that is known at the moment.

use journal::Storage;
use wire::{Mode, Status};

use super::Core;
use crate::keys::Keys;

/// How far the clock may stand before the last record of the journal.
const BACKWARDS_SECONDS: i64 = 60;

impl<S: Storage, K: Keys> Core<S, K> {
    /// Its mode, and for people the reason why it is not active.
    pub fn mode(&self, now: u64) -> (Mode, String) {
        if let Some(reason) = self.failed.as_deref().or_else(|| self.memory.locked()) {
            return (Mode::Locked, reason.to_owned());
        }
        if self.unlocked.is_none() {
            let reason = "the keys are not open: unlock it at its console";
            return (Mode::Sealed, reason.to_owned());
        }
        if self.memory.is_standby() {
            let reason = "it follows the active signer until it is promoted at its console";
            return (Mode::Standby, reason.to_owned());
        }
        match self.suspended(now) {
            Some(reason) => (Mode::Suspended, reason),
            None => (Mode::Active, String::new()),
        }
    }

    /// How it is.
    pub fn status(&self, now: u64) -> Status {
        let (mode, reason) = self.mode(now);
        let (signatures, strikes) = self
            .unlocked
            .as_ref()
            .map_or((0, 0), |unlocked| (unlocked.signatures, unlocked.strikes));
        Status {
            time: self.clock.time(now),
            mode,
            reason,
            head: self.head(),
            archived: self.archived,
            host_ahead_milliseconds: self.clock.host_ahead(),
            signatures_left: self.limits.signatures.saturating_sub(signatures),
            strikes,
            epoch: self.memory.epoch(),
            replicated: self.memory.replicated().sequence,
            signer_id: self.signer_id,
            winding_down: self.memory.winds_down(),
        }
    }

    fn suspended(&self, now: u64) -> Option<String> {
        let Some(session) = &self.session else {
            return Some("there is no session with the host".to_owned());
        };
        match &session.hello {
            None => return Some("the host has not said hello".to_owned()),
            Some(Err(reason)) => return Some(reason.clone()),
            Some(Ok(())) => {}
        }
        let fresh = session
            .pinged
            .is_some_and(|pinged| now.saturating_sub(pinged) < self.limits.ping());
        if !fresh {
            let seconds = self.limits.ping_seconds;
            return Some(format!("the host was not heard of for {seconds} seconds"));
        }
        if !self.clock.is_good() {
            return Some(format!(
                "the clocks differ by {} s: confirm the date at the console, or set the host's clock right",
                self.clock.host_ahead() / 1_000
            ));
        }
        let time = self.clock.time(now);
        if let Some(latest) = self.memory.latest()
            && time.plus_seconds(BACKWARDS_SECONDS) < latest
        {
            return Some(format!("the clock says {time}, the journal {latest}"));
        }
        let unarchived = self.log.head().sequence.saturating_sub(self.archived);
        if unarchived > self.limits.unarchived_records {
            return Some(format!(
                "{unarchived} records of the log are not archived by the host"
            ));
        }
        let spent = self
            .unlocked
            .as_ref()
            .is_some_and(|unlocked| unlocked.signatures >= self.limits.signatures);
        spent
            .then(|| "its budget of signatures is spent: unlock it again at its console".to_owned())
    }
}
