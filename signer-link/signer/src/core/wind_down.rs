//! Winding down (G11): revocations, CRLs and the certificates of responders, and nothing for subscribers any more.
//!
//! It begins at the console or by the configuration, and is written into the journal: no restart ends it. It ends by an
//! unlock that was announced as such, so that as many people agree as open the keys.

use journal::Storage;
use wire::{RefusalCode, Refused};

use super::{Core, CoreError, refused};
use crate::journal_record::Record;
use crate::keys::Keys;

impl<S: Storage, K: Keys> Core<S, K> {
    /// Issues nothing to subscribers from here on. Whether that is new.
    pub fn wind_down(&mut self, now: u64) -> Result<bool, CoreError> {
        self.ending_wind_down = false;
        if self.memory.winds_down() {
            return Ok(false);
        }
        self.record_wind_down(true, Vec::new(), now)?;
        Ok(true)
    }

    /// Has the next unlock end it. Whether there is something to end, and the keys are not open yet.
    pub fn end_wind_down(&mut self) -> bool {
        self.ending_wind_down = self.memory.winds_down() && self.unlocked.is_none();
        self.ending_wind_down
    }

    /// These holders have opened the keys; if they were told so before, it ends.
    pub(super) fn opened_by(&mut self, holders: &[String], now: u64) -> Result<(), CoreError> {
        match std::mem::take(&mut self.ending_wind_down) {
            true => self.record_wind_down(false, holders.to_vec(), now),
            false => Ok(()),
        }
    }

    /// Status must go on for what was issued: responders are certified all the same.
    pub(super) fn judge_wind_down(&self, is_responder: bool) -> Result<(), Refused> {
        if !self.memory.winds_down() || is_responder {
            return Ok(());
        }
        Err(refused(
            RefusalCode::NotAllowed,
            "profile",
            "this CA is being wound down: its signer signs revocations, CRLs and certificates of OCSP responders, and \
             issues nothing to subscribers any more (G11)",
        ))
    }

    fn record_wind_down(
        &mut self,
        begins: bool,
        holders: Vec<String>,
        now: u64,
    ) -> Result<(), CoreError> {
        match begins {
            true => tracing::warn!("winding down: nothing is issued to subscribers any more"),
            false => tracing::warn!("no longer winding down: certificates are issued again"),
        }
        self.record(Record::WindDown {
            time: self.clock.time(now).unix(),
            begins,
            holders,
        })
    }
}
