//! All machines and cables together, and the time.

mod acts;
mod finish;
mod tasks;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use fastrand::Rng;
use serial_proxy::End;
use signer_host::core::{Caller as Connection, archive_file_name};
use wire::{Outcome, RefusalCode};

use self::tasks::Task;
use crate::authority::Authority;
use crate::caller::{Caller, Counts};
use crate::checker::Checker;
use crate::disk::Image;
use crate::host::{Host, SIGNER_IDS};
use crate::line::Line;
use crate::signer::Machine;
use crate::trace::{Detail, Trace};
use crate::violation::{Invariant, Violation, check};

/// Who asks in earnest, and who asks with ids that are not his own.
const HONEST: Connection = Connection {
    uid: 1_000,
    connection: 1,
};
const IMPOSTOR: Connection = Connection {
    uid: 1_001,
    connection: 2,
};

/// What happened in a run, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// What came of the requests.
    pub counts: Counts,
    /// Machines that stopped at a sync or in between.
    pub crashes: u64,
    /// Syncs of all disks.
    pub syncs: u64,
    /// Cuts of the cables.
    pub cuts: u64,
    /// Promotions.
    pub promotions: u64,
    /// Old images that were put back.
    pub images: u64,
    /// Milliseconds of virtual time.
    pub time: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.counts.certificates += other.counts.certificates;
        self.counts.revocations += other.counts.revocations;
        self.counts.crls += other.counts.crls;
        self.counts.refusals += other.counts.refusals;
        self.counts.compared += other.counts.compared;
        self.crashes += other.crashes;
        self.syncs += other.syncs;
        self.cuts += other.cuts;
        self.promotions += other.promotions;
        self.images += other.images;
        self.time += other.time;
    }
}

pub(crate) struct World {
    now: u64,
    random: Rng,
    authority: Arc<Authority>,
    host: Host,
    signers: [Machine; 2],
    lines: [Line; 2],
    caller: Caller,
    checker: Rc<RefCell<Checker>>,
    /// What people do, and when.
    tasks: BTreeMap<(u64, u64), Task>,
    planned: u64,
    pub(crate) trace: Trace,
    totals: Totals,
    /// The cable of the signer that gets the acts, as last seen.
    active: usize,
    /// Signers that may lock, since somebody or something made them.
    may_lock: [bool; 2],
    /// Of each signer, an image of its disk with how much of its journal was on it.
    images: [Option<(Image, u64)>; 2],
    /// The newest state of a disk that an old image has replaced.
    newest: [Option<Image>; 2],
    host_image: Option<Image>,
    /// A run has a promotion or a host's old image, not both: together they lose what only the outbox knew.
    may_promote: bool,
}

impl World {
    pub(crate) fn new(
        authority: &Arc<Authority>,
        seed: u64,
        detail: Detail,
    ) -> Result<Self, Violation> {
        let mut random = Rng::with_seed(seed);
        let checker = Rc::new(RefCell::new(Checker::new()));
        let lines = [Line::new(&mut random), Line::new(&mut random)];
        let host = Host::new(&mut random);
        let signers = [
            Machine::new(0, authority, &checker, &mut random)?,
            Machine::new(1, authority, &checker, &mut random)?,
        ];
        let mut world = Self {
            now: 0,
            caller: Caller::new(authority, random.fork()),
            authority: Arc::clone(authority),
            host,
            signers,
            lines,
            checker,
            tasks: BTreeMap::new(),
            planned: 0,
            trace: Trace::new(detail),
            totals: Totals::default(),
            active: 0,
            may_lock: [false; 2],
            images: [None, None],
            newest: [None, None],
            host_image: None,
            may_promote: random.u8(0..3) > 0,
            random,
        };
        world.start_host()?;
        for number in 0..2 {
            world.start_signer(number)?;
            world.unlock(number)?;
        }
        world.signers[0].promote(0)?;
        Ok(world)
    }

    /// All of a run.
    pub(crate) fn run(&mut self) -> Result<Totals, Violation> {
        for _ in 0..self.random.u32(15..45) {
            let pause = match self.random.u8(0..10) {
                0..4 => self.random.u64(0..30),
                4..8 => self.random.u64(0..400),
                _ => self.random.u64(0..4_000),
            };
            self.pass(pause)?;
            self.act()?;
        }
        self.finish()?;
        self.totals.time = self.now;
        self.totals.counts = self.caller.counts;
        self.totals.syncs = self.host.disk.syncs()
            + self
                .signers
                .iter()
                .map(|signer| signer.disk.syncs())
                .sum::<u64>();
        Ok(self.totals)
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, millis: u64) -> Result<(), Violation> {
        let end = self.now + millis;
        loop {
            self.settle()?;
            if self.now >= end {
                return Ok(());
            }
            self.now = self.next_event().clamp(self.now + 1, end);
        }
    }

    fn next_event(&self) -> u64 {
        let task = self.tasks.first_key_value().map(|((at, _), _)| *at);
        let asks = self.caller.deadline().filter(|_| self.host.is_running());
        let machines = self.signers.iter().map(Machine::deadline);
        let lines = self.lines.iter().map(Line::deadline);
        machines
            .chain(lines)
            .chain([task, asks, self.host.deadline()])
            .flatten()
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Everything that is due now.
    fn settle(&mut self) -> Result<(), Violation> {
        while let Some(entry) = self.tasks.first_entry()
            && entry.key().0 <= self.now
        {
            let task = entry.remove();
            self.do_task(task)?;
        }
        for cable in 0..2 {
            let to_signer = self.lines[cable].pull(End::B, self.now);
            if !to_signer.is_empty() {
                self.signers[cable].hear(&to_signer, self.now);
            }
            let to_host = self.lines[cable].pull(End::A, self.now);
            if !to_host.is_empty() {
                self.host.hear(cable, &to_host, self.now);
            }
        }
        for signer in 0..2 {
            self.signers[signer].work(self.now)?;
            if self.signers[signer].disk.is_crashed() && self.signers[signer].is_running() {
                self.signer_stops(signer);
            }
        }
        self.host_works()?;
        for cable in 0..2 {
            while let Some(octets) = self.host.transmit(cable, self.now) {
                self.trace.octets(self.now, 2 * cable as u8, &octets);
                self.lines[cable].push(End::A, &octets, self.now);
            }
            while let Some(octets) = self.signers[cable].transmit(self.now) {
                self.trace.octets(self.now, 2 * cable as u8 + 1, &octets);
                self.lines[cable].push(End::B, &octets, self.now);
            }
        }
        Ok(())
    }

    fn host_works(&mut self) -> Result<(), Violation> {
        if !self.host.is_running() {
            return Ok(());
        }
        for request in self.caller.due(self.now) {
            let (name, id) = (request.operation.name(), request.id);
            self.trace.note(self.now, || format!("asks {name} {id}"));
            self.host.ask(HONEST, request, self.now);
        }
        let replies = self.host.work(self.now)?;
        self.look_at_archives()?;
        if self.host.disk.is_crashed() {
            self.host_stops();
            return Ok(());
        }
        for (connection, reply) in replies {
            self.reply_came(connection, reply.id, reply.outcome)?;
        }
        Ok(())
    }

    fn look_at_archives(&self) -> Result<(), Violation> {
        let mut checker = self.checker.borrow_mut();
        for (number, id) in SIGNER_IDS.into_iter().enumerate() {
            if let Some(durable) = self.host.disk.durable(&archive_file_name(id)) {
                checker.archive(number, &durable)?;
            }
        }
        Ok(())
    }

    fn reply_came(
        &mut self,
        connection: Connection,
        id: wire::RequestId,
        outcome: Outcome,
    ) -> Result<(), Violation> {
        if connection == IMPOSTOR {
            let refused = match &outcome {
                Outcome::Refused(refused) => refused.code == RefusalCode::IdReused,
                Outcome::Busy { .. } => true,
                _ => false,
            };
            return check(refused, Invariant::WrongIsRefused, || {
                format!("{id} with other content: {outcome:?}")
            });
        }
        self.trace
            .note(self.now, || format!("reply to {id}: {}", brief(&outcome)));
        if let Some(outcome) = self.caller.replied(id, outcome, self.now)? {
            self.checker.borrow_mut().answered(id, &outcome)?;
        }
        Ok(())
    }

    /// The signer that was made the active one last.
    fn promoted(&self) -> usize {
        self.checker.borrow().promoted()
    }

    /// The signer that gets the acts, as far as those who ask can know.
    fn active(&mut self) -> usize {
        let at = self.host.now(self.now);
        let seen = self.host.core().and_then(|core| core.view(at).active);
        self.active = seen.unwrap_or(self.active);
        self.active
    }
}

fn brief(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Signed { .. } => "signed".to_owned(),
        Outcome::Refused(refused) => format!("refused: {refused}"),
        Outcome::Busy { milliseconds } => format!("busy for {milliseconds} ms"),
        Outcome::Remembered { count, .. } => format!("remembered, {count} by now"),
        Outcome::Results { results } => format!("{} results", results.len()),
        Outcome::Revoked { count, .. } => format!("{count} revoked"),
        Outcome::Bucket { revocations, .. } => format!("{} in the bucket", revocations.len()),
        _ => "other".to_owned(),
    }
}
