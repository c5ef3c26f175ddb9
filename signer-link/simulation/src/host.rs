//! The host's machine: the core, its disk, and its ends of both cables.

use fastrand::Rng;
use memchr::memmem;
use signer_host::core::{CableSettings, Caller, Core, Now, Output, Settings};
use wire::link::{Breach, Endpoint, Event, Role};
use wire::{FromHost, Outcome, Reply, Request};

use crate::authority::Authority;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::line::Line;
use crate::violation::{Invariant, Violation, check, violated};

/// The signers' ids, cable by cable.
pub(crate) const SIGNER_IDS: [u8; 2] = [17, 18];

/// The file of the outbox.
const OUTBOX: &str = "outbox";

pub(crate) struct Host {
    pub(crate) disk: Disk,
    pub(crate) clock: Clock,
    running: Option<Running>,
    settings: Settings,
}

struct Running {
    core: Core<Disk>,
    ends: Vec<Endpoint>,
    /// When the core wants to be run.
    due: u64,
    backlogs: [usize; 2],
}

impl Host {
    pub(crate) fn new(random: &mut Rng) -> Self {
        let settings = Settings {
            build: "simulation".to_owned(),
            // Small enough that the outbox is rewritten now and then.
            compact_octets: random.u64(8_000..60_000),
            ..Settings::default()
        };
        Self {
            disk: Disk::default(),
            clock: Clock::new(random.i64(-100..=100), 0),
            running: None,
            settings,
        }
    }

    pub(crate) const fn core(&self) -> Option<&Core<Disk>> {
        match &self.running {
            Some(running) => Some(&running.core),
            None => None,
        }
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Its program starts. The disk may stop it at once.
    pub(crate) fn start(
        &mut self,
        authority: &Authority,
        lines: &[Line; 2],
        random: &mut Rng,
        now: u64,
    ) -> Result<(), Violation> {
        self.clock.start(now);
        let cables: Vec<CableSettings> = SIGNER_IDS
            .iter()
            .zip(lines)
            .map(|(id, line)| CableSettings::new(*id, line.baud()))
            .collect();
        let settings = self.settings.clone();
        let opened = Core::open(self.disk.clone(), settings, &cables, self.now(now));
        if self.disk.is_crashed() {
            return Ok(());
        }
        let core =
            opened.map_err(|error| violated(Invariant::Starts, format!("the host: {error}")))?;
        let ends = lines
            .iter()
            .zip(&authority.cables)
            .map(|(line, (keys, _))| line.end(Role::Host, keys, random))
            .collect();
        self.running = Some(Running {
            core,
            ends,
            due: now,
            backlogs: [0; 2],
        });
        Ok(())
    }

    /// Its program is gone.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    pub(crate) fn hear(&mut self, cable: usize, octets: &[u8], now: u64) {
        let millis = self.clock.millis(now);
        if let Some(running) = &mut self.running {
            running.ends[cable].receive(octets, millis);
        }
    }

    pub(crate) fn ask(&mut self, caller: Caller, request: Request, now: u64) {
        let at = self.now(now);
        if let Some(running) = &mut self.running {
            running.core.ask(caller, request, at);
            running.due = now;
        }
    }

    /// Does what is due; gives the replies. The machine may stop meanwhile, and then nothing leaves it.
    pub(crate) fn work(&mut self, now: u64) -> Result<Vec<(Caller, Reply)>, Violation> {
        let at = self.now(now);
        let Some(running) = &mut self.running else {
            return Ok(Vec::new());
        };
        let mut awake = running.due <= now;
        for (cable, end) in running.ends.iter_mut().enumerate() {
            while let Some(event) = end.event() {
                awake = true;
                match event {
                    Event::Up => running.core.up(cable, at),
                    Event::Message(octets) => running.core.received(cable, &octets, at),
                    Event::Down(_) => running.core.down(cable, at),
                    Event::Breach(breach) => running.core.breach(cable, words(breach)),
                    _ => {}
                }
            }
            let backlog = end.backlog();
            awake |= backlog < running.backlogs[cable];
            running.backlogs[cable] = backlog;
        }
        if !awake {
            return Ok(Vec::new());
        }
        for (cable, backlog) in running.backlogs.iter().enumerate() {
            running.core.backlog(cable, *backlog);
        }
        let outputs = running.core.run(at);
        if self.disk.is_crashed() {
            return Ok(Vec::new());
        }
        let mut replies = Vec::new();
        for output in outputs {
            match output {
                Output::Send { cable, octets } => {
                    check_kept(&self.disk, &octets)?;
                    // A session that is over meanwhile: the next one begins with asking what arrived.
                    let _ = running.ends[cable].send(&octets);
                }
                Output::Reset { cable } => running.ends[cable].reset(at.millis),
                Output::Reply { caller, reply } => {
                    check_told(&self.disk, &reply)?;
                    replies.push((caller, reply));
                }
            }
        }
        for (cable, end) in running.ends.iter().enumerate() {
            running.backlogs[cable] = end.backlog();
        }
        // As the daemon: every second at least, and not more often than every millisecond.
        let idle = now + 1_000;
        let deadline = running.core.deadline(at.millis);
        let due = deadline.map_or(idle, |deadline| self.clock.when(deadline).min(idle));
        running.due = due.max(now + 1);
        Ok(replies)
    }

    /// The next frame for a cable.
    pub(crate) fn transmit(&mut self, cable: usize, now: u64) -> Option<Vec<u8>> {
        let millis = self.clock.millis(now);
        self.running.as_mut()?.ends[cable].transmit(millis)
    }

    /// When there is something to do.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let running = self.running.as_ref()?;
        let ends = running.ends.iter().filter_map(Endpoint::deadline);
        ends.map(|millis| self.clock.when(millis))
            .chain([running.due])
            .min()
    }

    pub(crate) fn now(&self, now: u64) -> Now {
        Now {
            millis: self.clock.millis(now),
            time: self.clock.date(now),
        }
    }
}

/// An act that leaves the host is on its disk.
fn check_kept(disk: &Disk, octets: &[u8]) -> Result<(), Violation> {
    let Ok(FromHost::Request(request)) = FromHost::decode(octets) else {
        return Ok(());
    };
    let kept = disk
        .durable(OUTBOX)
        .is_some_and(|outbox| memmem::find(&outbox, &request.id.0).is_some());
    check(
        kept || !request.operation.is_act(),
        Invariant::NothingLost,
        || format!("{} is sent and is not in the outbox", request.id),
    )
}

/// A signature that the host tells is on its disk.
fn check_told(disk: &Disk, reply: &Reply) -> Result<(), Violation> {
    let Outcome::Signed { signature } = &reply.outcome else {
        return Ok(());
    };
    let kept = disk
        .durable(OUTBOX)
        .is_some_and(|outbox| memmem::find(&outbox, signature).is_some());
    check(kept, Invariant::NothingLost, || {
        format!(
            "the answer to {} is told and is not in the outbox",
            reply.id
        )
    })
}

const fn words(breach: Breach) -> &'static str {
    match breach {
        Breach::Handshake => "a handshake that is none",
        Breach::Record => "a record that is none",
        _ => "a message that is none",
    }
}
