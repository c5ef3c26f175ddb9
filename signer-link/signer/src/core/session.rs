//! The first message of the host, and what is asked beside acts.

use journal::Storage;
use pki::Time;
use wire::{Hello, Mode, Receipt};

use super::{Core, CoreError};
use crate::journal_record::Record;
use crate::keys::Keys;

impl<S: Storage, K: Keys> Core<S, K> {
    /// The host says who it is, and how far it has archived the log.
    pub(super) fn hello(&mut self, hello: &Hello, now: u64) {
        if self
            .session
            .as_ref()
            .is_none_or(|session| session.hello.is_some())
        {
            self.breach("a second hello in one session", now);
            return;
        }
        if hello.epoch > self.memory.epoch() && !self.memory.is_standby() {
            let epoch = hello.epoch;
            self.lock(&format!("another signer was promoted (epoch {epoch})"), now);
        }
        let judged = self.judge_hello(hello);
        if judged.is_ok() {
            self.archived = hello.log.sequence;
        }
        let record = Record::Session {
            time: self.clock.time(now).unix(),
            host_boot: hello.boot,
            build: hello.build.clone(),
        };
        if let Some(session) = &mut self.session {
            session.hello = Some(judged);
        }
        if let Err(error) = self.record(record) {
            self.fail(&error, now);
        }
    }

    fn judge_hello(&self, hello: &Hello) -> Result<(), String> {
        if hello.protocol != wire::PROTOCOL_VERSION {
            return Err(format!(
                "the host speaks protocol version {}, the signer {}: install the same release",
                hello.protocol,
                wire::PROTOCOL_VERSION
            ));
        }
        // An honest host says nothing of these, since it cannot know them better.
        if hello.signer_id != 0 && hello.signer_id != self.signer_id {
            return Err(format!(
                "the host wants signer {}, this is {}: are the cables exchanged?",
                hello.signer_id, self.signer_id
            ));
        }
        if hello.policy != [0; 32] && hello.policy != self.policy.hash() {
            return Err("the host names another policy than this signer's".to_owned());
        }
        if hello.epoch != 0 && hello.epoch < self.memory.epoch() {
            return Err(format!(
                "the host knows promotion epoch {}, this is {}: was the host restored from a backup?",
                hello.epoch,
                self.memory.epoch()
            ));
        }
        if hello.log.sequence > self.log.head().sequence {
            return Err(format!(
                "the host has archived {} records of the log and {} are here: was the signer's disk restored from a backup?",
                hello.log.sequence,
                self.log.head().sequence
            ));
        }
        if hello.log.sequence > 0 && !self.log.contains(&hello.log) {
            return Err("what the host has archived is not this signer's log".to_owned());
        }
        Ok(())
    }

    /// Any message is a sign of life: on a slow line a Ping may wait behind a long one.
    pub(super) fn heard(&mut self, now: u64) {
        if let Some(pinged) = self
            .session
            .as_mut()
            .and_then(|session| session.pinged.as_mut())
        {
            *pinged = now;
        }
        if let Some(unlocked) = &mut self.unlocked {
            unlocked.heard = now;
        }
    }

    /// The host is there, and says what time it has.
    pub(super) fn ping(&mut self, host: Time, now: u64) {
        self.clock.hear(host, now);
        if let Some(session) = &mut self.session {
            session.pinged = Some(now);
        }
    }

    /// The host has archived the log up to here. Whether that is so.
    pub(super) fn archived(&mut self, archived: &Receipt) -> bool {
        let whole = self.log.contains(archived) && archived.sequence >= self.archived;
        if whole {
            self.archived = archived.sequence;
        }
        whole
    }

    /// The host announces its silence, once until the next unlock. Whether it may.
    pub(super) fn maintain(&mut self, seconds: u32, now: u64) -> bool {
        let most = self.limits.maintenance_hours.saturating_mul(3_600);
        match &mut self.unlocked {
            Some(unlocked) if unlocked.maintenance.is_none() && seconds <= most => {
                unlocked.maintenance = Some(now + u64::from(seconds) * 1_000);
                true
            }
            _ => false,
        }
    }

    /// Whether it may do this now; else how it is.
    pub(super) fn may_sign(&self, now: u64) -> Result<(), (Mode, String)> {
        match self.mode(now) {
            (Mode::Active, _) => Ok(()),
            other => Err(other),
        }
    }

    /// Puts what came of an act into the journal.
    pub(super) fn conclude(&mut self, record: Record) -> Result<Receipt, CoreError> {
        let receipt = self.log.append(&record)?;
        self.memory.replay(receipt, record);
        Ok(receipt)
    }
}
