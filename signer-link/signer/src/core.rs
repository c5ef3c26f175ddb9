//! The policy process without its surroundings: a state machine that is fed messages, events and time.
//!
//! Nothing is signed twice (G6, V10): what was judged good is written to the journal and synced before it is signed; the
//! signature is written and synced before it is released. Whoever asks again under the same id gets what stands in the
//! journal. What comes together shares its syncs.
//!
//! Three kinds of badness: noise on the line is the link's matter and never comes here; a well-formed request against
//! the policy is refused, written down and counted; what only an attacker would send locks ([`Core::breach`]).

mod acts;
mod certificates;
mod checkpoints;
mod crls;
mod heal;
mod mode;
mod notices;
mod pending;
mod pgp;
mod replication;
mod rules;
mod session;
mod wind_down;

use std::collections::VecDeque;

use journal::Storage;
use pki::Time;
use wire::{FromHost, FromSigner, Hello, Receipt};

use crate::clock::SignerClock;
use crate::journal_record::{Hash, Record};
use crate::keys::{Keys, KeysGone};
use crate::log::{Log, LogError};
use crate::memory::Memory;
use crate::policy::Policy;
use crate::settings::Limits;

use self::notices::Notices;
use self::rules::refused;

/// The signer without its link, its disk and its keys.
#[derive(Debug)]
pub struct Core<S, K> {
    keys: K,
    log: Log<S>,
    memory: Memory,
    policy: Policy,
    limits: Limits,
    signer_id: u8,
    clock: SignerClock,
    session: Option<Session>,
    unlocked: Option<Unlocked>,
    /// Why it locked without being able to write so.
    failed: Option<String>,
    /// Up to where the journal is certain to be on the disk.
    durable: Receipt,
    archived: u64,
    /// When a certificate of an issuer and profile was signed, within a day.
    recent: VecDeque<(Time, String, String)>,
    notices: Notices,
    /// Whether the next unlock ends the wind-down.
    ending_wind_down: bool,
}

/// A session with the host.
#[derive(Debug)]
struct Session {
    /// Whether the host has said hello, and what is wrong with it.
    hello: Option<Result<(), String>>,
    /// When the last Ping came.
    pinged: Option<u64>,
}

/// The time since the keys were opened.
#[derive(Debug)]
struct Unlocked {
    /// When the host was last heard of, or the keys were opened.
    heard: u64,
    signatures: u64,
    strikes: u32,
    /// Until when the host may be silent because it said so.
    maintenance: Option<u64>,
}

/// What its owner has set.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What may be signed.
    pub policy: Policy,
    /// When it stops by itself.
    pub limits: Limits,
    /// What its serial numbers begin with: 1 to 127.
    pub signer_id: u8,
}

/// Who opened the keys.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The holders of the shares.
    pub holders: Vec<String>,
    /// SHA-256 of the program that has the keys.
    pub executable: Hash,
    /// The date that was confirmed.
    pub time: Time,
}

/// Why the signer cannot go on: its keys are wiped, and it must be opened at the console.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The journal.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysGone),
    /// The journal says something else than it must.
    #[error("record {0} of the journal is no answer where one must be")]
    NoAnswer(u64),
    /// Only a standby can be promoted. One that was promoted before another was lacks what that other has done.
    #[error(
        "this signer is no standby: it was promoted before, or is the first one. If another signer was active since, make \
         a new standby of this machine (signer standby)"
    )]
    NotStandby,
    /// It would use CRL numbers again.
    #[error(
        "nothing of the active signer's journal is here yet that its key vouches for: connect the host, and see `replicated` \
         in `status`"
    )]
    NothingFollowed,
    /// No promotion can follow.
    #[error(
        "the journal of the signer before has the last promotion epoch there is: no honest signer counts so far. Look into it \
         (`avouch signer log`) before anything is signed again"
    )]
    LastEpoch,
    /// Somebody made the journal up.
    #[error("the journal is not one that {0} has signed for this signer: put back the true one")]
    NotItsJournal(String),
    /// A message of its own could not be made.
    #[error("an answer could not be encoded: {0}")]
    Wire(#[from] wire::WireError),
}

impl<S: Storage, K: Keys> Core<S, K> {
    /// A sealed signer over an open journal, whose records `memory` has taken over. Writes that it was started.
    pub fn start(
        keys: K,
        (log, memory): (Log<S>, Memory),
        rules: Rules,
        clock: SignerClock,
        now: u64,
    ) -> Result<Self, CoreError> {
        let log_head = log.head();
        let mut core = Self {
            keys,
            log,
            memory,
            policy: rules.policy,
            limits: rules.limits,
            signer_id: rules.signer_id,
            clock,
            session: None,
            unlocked: None,
            failed: None,
            durable: log_head,
            archived: 0,
            recent: VecDeque::new(),
            notices: Notices::default(),
            ending_wind_down: false,
        };
        core.record(Record::Started {
            time: core.clock.time(now).unix(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })?;
        Ok(core)
    }

    /// The link is up: what the signer says first.
    pub fn link_up(&mut self, now: u64) -> FromSigner {
        self.session = Some(Session {
            hello: None,
            pinged: None,
        });
        FromSigner::Hello(Hello {
            protocol: wire::PROTOCOL_VERSION,
            build: env!("CARGO_PKG_VERSION").to_owned(),
            signer_id: self.signer_id,
            boot: self.memory.boots(),
            log: self.head(),
            policy: self.policy.hash(),
            time: self.clock.time(now),
            mode: Some(self.mode(now).0),
            epoch: self.memory.epoch(),
        })
    }

    /// The link is down. An act that is being done is finished; whoever asked will ask what became of it.
    pub fn link_down(&mut self) {
        self.session = None;
    }

    /// What only an attacker would do: the keys are wiped.
    pub fn breach(&mut self, what: &str, now: u64) {
        self.wipe(&format!("security: {what}"), now);
    }

    /// Messages of the host that came together, in their order. Gives the answers, in the same order.
    pub fn receive(&mut self, messages: &[Vec<u8>], now: u64) -> Vec<FromSigner> {
        let mut answers = Vec::new();
        let mut requests = Vec::new();
        for octets in messages {
            match FromHost::decode(octets) {
                Ok(FromHost::Hello(hello)) => self.hello(&hello, now),
                Ok(FromHost::Request(request)) => requests.push(request),
                // It came through an authenticated session: no line does that.
                Err(error) => {
                    self.breach(&format!("a message that is none: {error}"), now);
                    break;
                }
            }
        }
        match self.answer_all(requests, now) {
            Ok(replies) => answers.extend(replies.into_iter().map(FromSigner::Reply)),
            Err(error) => self.fail(&error, now),
        }
        self.watch_itself(now);
        answers
    }

    /// To be called every second or so: the dead-man switch.
    pub fn tick(&mut self, now: u64) {
        if let Some(unlocked) = &self.unlocked {
            let silent = now.saturating_sub(unlocked.heard);
            let allowed = unlocked.maintenance.is_some_and(|until| now < until);
            if silent >= self.limits.silence() && !allowed {
                let seconds = self.limits.silence_seconds;
                self.lock(&format!("the host was silent for {seconds} seconds"), now);
            }
        }
        self.watch_itself(now);
    }

    /// The keys were opened at the console, and the date confirmed.
    pub fn unlock(&mut self, opening: &Opening, now: u64) -> Result<(), CoreError> {
        self.clock = SignerClock::confirmed(opening.time, now);
        self.failed = None;
        self.record(Record::Unlocked {
            time: opening.time.unix(),
            holders: opening.holders.clone(),
            executable: opening.executable,
            policy: self.policy.hash(),
        })?;
        self.opened_by(&opening.holders, now)?;
        self.unlocked = Some(Unlocked {
            heard: now,
            signatures: 0,
            strikes: 0,
            maintenance: None,
        });
        self.take_keys(now)?;
        self.check_journal(now)
    }

    /// Makes this signer the active one: the host follows the highest epoch, and the signer before locks when it hears
    /// of it.
    pub fn promote(&mut self, now: u64) -> Result<u32, CoreError> {
        self.may_be_promoted()?;
        // Whom it follows was promoted, even if the record of that has not come yet.
        let followed = u32::from(self.memory.vouched_for().is_some());
        let epoch = self.memory.epoch().max(followed).checked_add(1);
        let epoch = epoch.ok_or(CoreError::LastEpoch)?;
        self.record(Record::Promoted {
            time: self.clock.time(now).unix(),
            epoch,
        })?;
        Ok(epoch)
    }

    /// Whether it can be made the active one.
    pub fn may_be_promoted(&self) -> Result<(), CoreError> {
        if !self.memory.is_standby() {
            return Err(CoreError::NotStandby);
        }
        if self.memory.follows() && self.memory.vouched_for().is_none() {
            return Err(CoreError::NothingFollowed);
        }
        Ok(())
    }

    /// Two people have confirmed the date at the console.
    pub fn confirm_date(&mut self, time: Time, now: u64) -> Result<(), CoreError> {
        self.clock = SignerClock::confirmed(time, now);
        self.record(Record::Noticed {
            time: time.unix(),
            what: "date and time were confirmed at the console".to_owned(),
        })
    }

    /// Locks without haste: what was done until now is vouched for, so that a standby knows it.
    pub fn lock(&mut self, reason: &str, now: u64) {
        if let Err(error) = self.vouch(now) {
            tracing::error!("the log has no checkpoint: {error}");
        }
        self.wipe(reason, now);
    }

    /// Wipes the keys.
    fn wipe(&mut self, reason: &str, now: u64) {
        self.keys.wipe();
        self.unlocked = None;
        if self.memory.locked().is_some() || self.failed.is_some() {
            return;
        }
        tracing::error!(
            "LOCKED: {reason}. The keys are wiped; they are opened again at the console"
        );
        let record = Record::Locked {
            time: self.clock.time(now).unix(),
            reason: reason.to_owned(),
        };
        if let Err(error) = self.record(record) {
            self.failed = Some(format!("{reason}; and {error}"));
        }
    }

    /// The keys themselves, for whoever opens them.
    pub const fn keys_mut(&mut self) -> &mut K {
        &mut self.keys
    }

    /// What it remembers.
    pub const fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Its journal.
    pub const fn log(&self) -> &Log<S> {
        &self.log
    }

    /// Everything but what lies on the disk is lost, as in a crash.
    pub fn into_storage(self) -> S {
        self.log.into_storage()
    }

    /// Takes keys that are new in the store into use, each with a record in the journal.
    fn take_keys(&mut self, now: u64) -> Result<(), CoreError> {
        for (name, reason) in self.keys.reload()? {
            tracing::error!("the key {name} is in the store but cannot be used: {reason}");
        }
        let pgp_keys = self.keys.pgp_keys().iter();
        let pgp_keys = pgp_keys.map(|key| (&key.name, &*key.transferable));
        let new: Vec<_> = self
            .keys
            .cas()
            .iter()
            .map(|ca| (&ca.name, ca.certificate.der()))
            .chain(pgp_keys)
            .map(|(name, public)| (name.clone(), crate::journal_record::hash(public)))
            .filter(|(name, certificate)| !self.memory.is_in_use(name, certificate))
            .collect();
        for (name, certificate) in new {
            tracing::info!("signing for {name}");
            self.record(Record::KeyInUse {
                time: self.clock.time(now).unix(),
                name,
                certificate,
            })?;
        }
        Ok(())
    }

    /// Writes a record, makes it durable, and remembers it.
    fn record(&mut self, record: Record) -> Result<(), CoreError> {
        let receipt = self.log.record(&record)?;
        self.durable = receipt;
        self.memory.replay(receipt, record);
        Ok(())
    }

    /// Where the journal stands. Once the disk has failed, nothing counts but what is certain to be on it: nobody may get
    /// an answer, or archive a record, that is gone after the next start.
    pub(super) fn head(&self) -> Receipt {
        match self.failed {
            Some(_) => self.durable,
            None => self.log.head(),
        }
    }

    /// What must not go on: the disk or the keys have failed.
    fn fail(&mut self, error: &CoreError, now: u64) {
        self.keys.wipe();
        self.unlocked = None;
        match error {
            CoreError::Log(_) => {
                tracing::error!("LOCKED: {error}");
                self.failed = Some(error.to_string());
            }
            _ => self.wipe(&error.to_string(), now),
        }
    }
}
