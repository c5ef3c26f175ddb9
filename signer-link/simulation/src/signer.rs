//! A signer's machine: the core, its keys, its disk, and its end of a cable.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use fastrand::Rng;
use pki::{SignatureAlgorithm, Time};
use signer::ca::Ca;
use signer::checkpoint;
use signer::clock::SignerClock;
use signer::core::{Core, Opening, Rules};
use signer::journal_record::{Record, hash};
use signer::keys::KeysGone;
use signer::log::Log;
use signer::memory::Memory;
use signer::settings::Limits;
use signer_host::core::Directory as _;
use wire::link::{Breach, Endpoint, Event, Role};
use wire::{FromSigner, Mode};

use crate::authority::Authority;
use crate::checker::Checker;
use crate::clock::{Clock, START};
use crate::disk::{Disk, DiskFile};
use crate::host::SIGNER_IDS;
use crate::line::Line;
use crate::violation::{Invariant, Violation, violated};

/// The file on its disk.
pub(crate) const JOURNAL: &str = "journal";
/// Messages that are taken together, as by the policy process.
const TOGETHER: usize = 64;
const TICK: u64 = 1_000;

pub(crate) struct Machine {
    number: usize,
    pub(crate) disk: Disk,
    pub(crate) clock: Clock,
    authority: Arc<Authority>,
    checker: Rc<RefCell<Checker>>,
    running: Option<Running>,
    /// How long the policy process takes to wake.
    latency: u64,
}

struct Running {
    core: Core<DiskFile, Keys>,
    end: Endpoint,
    /// Sessions on the cable, counted; and what the policy process has not taken yet, each of its session.
    session: u64,
    said: VecDeque<(u64, Event)>,
    wake: Option<u64>,
    tick: u64,
}

/// The keys, which are looked over the shoulder.
#[derive(Debug)]
struct Keys {
    signer: usize,
    authority: Arc<Authority>,
    cas: Vec<Ca>,
    open: bool,
    disk: Disk,
    checker: Rc<RefCell<Checker>>,
}

impl Machine {
    /// A machine with a new journal.
    pub(crate) fn new(
        number: usize,
        authority: &Arc<Authority>,
        checker: &Rc<RefCell<Checker>>,
        random: &mut Rng,
    ) -> Result<Self, Violation> {
        let mut disk = Disk::default();
        let first = Record::Created {
            time: START.plus_seconds(-3_600).unix(),
        };
        let begun = disk
            .create(JOURNAL)
            .map_err(|error| error.to_string())
            .and_then(|file| {
                Log::begin(file, JOURNAL.to_owned(), &first).map_err(|error| error.to_string())
            });
        begun.map_err(|error| violated(Invariant::Starts, error))?;
        Ok(Self {
            number,
            disk,
            clock: Clock::new(random.i64(-100..=100), random.i64(-1_500..=1_500)),
            authority: Arc::clone(authority),
            checker: Rc::clone(checker),
            running: None,
            latency: [0, 5, 40][random.usize(0..3)],
        })
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Its program starts, with its keys not open. The disk may stop it at once.
    pub(crate) fn start(
        &mut self,
        line: &Line,
        random: &mut Rng,
        now: u64,
    ) -> Result<(), Violation> {
        self.clock.start(now);
        let started = self.open(now);
        if self.disk.is_crashed() {
            return Ok(());
        }
        let core = started.map_err(|error| {
            let id = SIGNER_IDS[self.number];
            violated(Invariant::Starts, format!("signer {id}: {error}"))
        })?;
        let (_, keys) = &self.authority.cables[self.number];
        self.running = Some(Running {
            core,
            end: line.end(Role::Signer, keys, random),
            session: 0,
            said: VecDeque::new(),
            wake: None,
            tick: now + TICK,
        });
        Ok(())
    }

    fn open(&mut self, now: u64) -> Result<Core<DiskFile, Keys>, String> {
        let file = self.disk.open(JOURNAL).map_err(|error| error.to_string())?;
        let mut memory = Memory::default();
        let log = Log::read_in(file, JOURNAL.to_owned(), |receipt, record| {
            memory.replay(receipt, record);
        })
        .map_err(|error| error.to_string())?;
        let keys = Keys {
            signer: self.number,
            authority: Arc::clone(&self.authority),
            cas: Vec::new(),
            open: false,
            disk: self.disk.clone(),
            checker: Rc::clone(&self.checker),
        };
        let rules = Rules {
            policy: self.authority.policy.clone(),
            limits: Limits::default(),
            signer_id: SIGNER_IDS[self.number],
        };
        let clock = SignerClock::confirmed(self.clock.date(now), 0);
        Core::start(keys, (log, memory), rules, clock, 0).map_err(|error| error.to_string())
    }

    /// Its program is gone.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// Two people confirm the date, and enough holders come.
    pub(crate) fn unlock(&mut self, date: Time, now: u64) -> Result<(), Violation> {
        let millis = self.clock.millis(now);
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        running.core.keys_mut().open = true;
        let opening = Opening {
            holders: vec!["one".to_owned(), "two".to_owned()],
            executable: [0; 32],
            time: date,
        };
        let opened = running.core.unlock(&opening, millis);
        self.unless_stopped(opened.map_err(|error| error.to_string()))
    }

    /// Somebody says at the console that this is the active signer from now on.
    pub(crate) fn promote(&mut self, now: u64) -> Result<(), Violation> {
        let millis = self.clock.millis(now);
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let promoted = running.core.promote(millis);
        self.unless_stopped(promoted.map(drop).map_err(|error| error.to_string()))
    }

    fn unless_stopped(&self, done: Result<(), String>) -> Result<(), Violation> {
        match done {
            Err(error) if !self.disk.is_crashed() => {
                Err(violated(Invariant::HonestIsServed, error))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn hear(&mut self, octets: &[u8], now: u64) {
        let millis = self.clock.millis(now);
        if let Some(running) = &mut self.running {
            running.end.receive(octets, millis);
        }
    }

    /// Does what is due. The machine may stop meanwhile, and then nothing leaves it.
    pub(crate) fn work(&mut self, now: u64) -> Result<(), Violation> {
        let millis = self.clock.millis(now);
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        while let Some(event) = running.end.event() {
            match event {
                // Nobody has proven anything: not the policy's matter.
                Event::Breach(Breach::Handshake) => continue,
                Event::Up => running.session += 1,
                _ => {}
            }
            running.said.push_back((running.session, event));
            running.wake.get_or_insert(now + self.latency);
        }
        let mut worked = false;
        if running.tick <= now {
            running.tick = now + TICK;
            running.core.tick(millis);
            worked = true;
        }
        if running.wake.is_some_and(|wake| wake <= now) {
            running.wake = None;
            self.take(millis)?;
            worked = true;
        }
        if worked { self.look(millis) } else { Ok(()) }
    }

    /// The policy process takes what the link process said.
    fn take(&mut self, millis: u64) -> Result<(), Violation> {
        let mut messages = Vec::new();
        let mut of = 0;
        loop {
            let Some(running) = &mut self.running else {
                return Ok(());
            };
            let next = running.said.pop_front();
            if let Some((session, Event::Message(message))) = next {
                messages.push(message);
                of = session;
                if messages.len() < TOGETHER {
                    continue;
                }
                self.answer(&std::mem::take(&mut messages), of, millis)?;
                continue;
            }
            self.answer(&std::mem::take(&mut messages), of, millis)?;
            let Some(running) = self.running.as_mut().filter(|_| !self.disk.is_crashed()) else {
                return Ok(());
            };
            match next {
                None => return Ok(()),
                Some((session, Event::Up)) => {
                    let hello = running.core.link_up(millis);
                    running.say(session, &hello)?;
                }
                Some((_, Event::Down(_))) => running.core.link_down(),
                Some((_, Event::Breach(breach))) => {
                    running.core.breach(&format!("{breach:?}"), millis);
                }
                Some(_) => {}
            }
        }
    }

    fn answer(&mut self, messages: &[Vec<u8>], session: u64, millis: u64) -> Result<(), Violation> {
        let Some(running) = self.running.as_mut().filter(|_| !self.disk.is_crashed()) else {
            return Ok(());
        };
        if messages.is_empty() {
            return Ok(());
        }
        let answers = running.core.receive(messages, millis);
        let mut checker = self.checker.borrow_mut();
        // What was seen when the key was used came first.
        if let Some(found) = checker.found.take() {
            return Err(found);
        }
        if let Some(durable) = self.disk.durable(JOURNAL) {
            checker.journal(self.number, &durable)?;
        }
        if self.disk.is_crashed() {
            return Ok(());
        }
        for answer in &answers {
            checker.leaves(self.number, answer)?;
            running.say(session, answer)?;
        }
        Ok(())
    }

    /// What can be seen of it from outside.
    fn look(&self, millis: u64) -> Result<(), Violation> {
        let Some(running) = self.running.as_ref().filter(|_| !self.disk.is_crashed()) else {
            return Ok(());
        };
        let mut checker = self.checker.borrow_mut();
        if let Some(durable) = self.disk.durable(JOURNAL) {
            checker.journal(self.number, &durable)?;
        }
        if !checker.signers[self.number].is_old {
            let status = running.core.status(millis);
            checker.acknowledged(self.number, status.archived)?;
        }
        Ok(())
    }

    /// What it is ready for, and why not; `None` while it is off.
    pub(crate) fn mode(&self, now: u64) -> Option<(Mode, String)> {
        let millis = self.clock.millis(now);
        Some(self.running.as_ref()?.core.mode(millis))
    }

    /// Its promotion epoch; 0 while it is off.
    pub(crate) fn epoch(&self) -> u32 {
        self.running
            .as_ref()
            .map_or(0, |running| running.core.memory().epoch())
    }

    /// How many records of the other signer's log it has.
    pub(crate) fn replicated(&self) -> u64 {
        let core = self.running.as_ref().map(|running| &running.core);
        core.map_or(0, |core| core.memory().replicated().sequence)
    }

    /// Up to which of them a checkpoint vouches.
    pub(crate) fn vouched_for(&self) -> u64 {
        let core = self.running.as_ref().map(|running| &running.core);
        core.and_then(|core| core.memory().vouched_for())
            .map_or(0, |(position, _)| position.sequence)
    }

    /// The next frame for the cable.
    pub(crate) fn transmit(&mut self, now: u64) -> Option<Vec<u8>> {
        let millis = self.clock.millis(now);
        self.running.as_mut()?.end.transmit(millis)
    }

    /// When there is something to do.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let running = self.running.as_ref()?;
        let end = running.end.deadline().map(|millis| self.clock.when(millis));
        [end, running.wake, Some(running.tick)]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Running {
    /// Says something in this session; if that is over, nobody is told.
    fn say(&mut self, session: u64, message: &FromSigner) -> Result<(), Violation> {
        let octets = message
            .encode()
            .map_err(|error| violated(Invariant::EverythingGetsDone, error.to_string()))?;
        if session == self.session {
            let _ = self.end.send(&octets);
        }
        Ok(())
    }
}

impl signer::keys::Keys for Keys {
    fn cas(&self) -> &[Ca] {
        &self.cas
    }

    fn reload(&mut self) -> Result<Vec<(String, String)>, KeysGone> {
        self.cas = match self.open {
            true => vec![self.authority.ca.clone()],
            false => Vec::new(),
        };
        Ok(Vec::new())
    }

    fn sign(
        &mut self,
        ca: &str,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeysGone> {
        if !self.open || self.ca(ca).is_none() {
            return Err(KeysGone("they are not open".to_owned()));
        }
        if !checkpoint::is_message(message)
            && let Some(durable) = self.disk.durable(JOURNAL)
        {
            let mut checker = self.checker.borrow_mut();
            checker.signs(self.signer, &durable, hash(message));
        }
        let signed = self.authority.key.sign(algorithm, message);
        signed.map_err(|error| KeysGone(error.to_string()))
    }

    fn wipe(&mut self) {
        self.open = false;
        self.cas.clear();
    }
}
