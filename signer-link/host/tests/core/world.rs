//! A host, its disk, one or two signers, and the cables between them, one step at a time.

use std::collections::{HashMap, VecDeque};

use pki::Time;
use signer_host::core::{AlarmKind, CableSettings, Caller, Core, Now, Output, Settings};
use wire::{Outcome, Reply, Request, RequestId};

use crate::disk::Disk;
use crate::signer::Signer;

pub(crate) const CALLER: Caller = Caller {
    uid: 1_000,
    connection: 1,
};

pub(crate) struct World {
    pub(crate) disk: Disk,
    pub(crate) core: Option<Core<Disk>>,
    pub(crate) settings: Settings,
    pub(crate) cables: Vec<Cable>,
    pub(crate) millis: u64,
    pub(crate) time: Time,
    /// The signers' clocks less the host's, in seconds.
    pub(crate) clock_offset: i64,
    pub(crate) replies: Vec<(Caller, Reply)>,
    window: usize,
}

pub(crate) struct Cable {
    pub(crate) signer: Signer,
    pub(crate) up: bool,
    /// Octets on their way to the signer, and to the host.
    pub(crate) there: VecDeque<Vec<u8>>,
    pub(crate) back: VecDeque<Vec<u8>>,
    /// How often the host wanted the session anew.
    pub(crate) resets: u32,
}

impl World {
    pub(crate) fn new(signers: Vec<Signer>) -> Self {
        Self::with(signers, Settings::default(), 6_000)
    }

    pub(crate) fn with(signers: Vec<Signer>, settings: Settings, window: usize) -> Self {
        let time = signers[0].time;
        let mut world = Self {
            disk: Disk::default(),
            core: None,
            settings,
            cables: signers
                .into_iter()
                .map(|signer| Cable {
                    signer,
                    up: false,
                    there: VecDeque::new(),
                    back: VecDeque::new(),
                    resets: 0,
                })
                .collect(),
            millis: 0,
            time,
            clock_offset: 0,
            replies: Vec::new(),
            window,
        };
        world.start();
        world
    }

    /// The host is started; with a disk that fails it may stop at once.
    pub(crate) fn start(&mut self) {
        let cables: Vec<CableSettings> = self
            .cables
            .iter()
            .map(|cable| CableSettings {
                signer_id: cable.signer.id,
                window_octets: self.window,
            })
            .collect();
        let now = self.now();
        let opened = Core::open(self.disk.clone(), self.settings.clone(), &cables, now);
        match opened {
            Ok(core) => self.core = Some(core),
            Err(error) => assert!(self.disk.is_crashed(), "{error}"),
        }
        if self.disk.is_crashed() {
            self.core = None;
        }
    }

    /// The host is gone; its cables with it.
    pub(crate) fn stop(&mut self) {
        self.core = None;
        for cable in 0..self.cables.len() {
            self.cut(cable);
        }
    }

    pub(crate) fn restart(&mut self, part: u8) {
        self.stop();
        self.disk.restart(part);
        self.start();
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            millis: self.millis,
            time: self.time,
        }
    }

    pub(crate) fn core(&self) -> &Core<Disk> {
        self.core.as_ref().unwrap()
    }

    pub(crate) fn ask(&mut self, caller: Caller, request: &Request) {
        let now = self.now();
        if let Some(core) = &mut self.core {
            core.ask(caller, request.clone(), now);
        }
    }

    pub(crate) fn plug(&mut self, cable: usize) {
        let now = self.now();
        let Some(core) = &mut self.core else {
            return;
        };
        let this = &mut self.cables[cable];
        if !this.up {
            this.up = true;
            this.signer.time = self.time.plus_seconds(self.clock_offset);
            core.up(cable, now);
            this.back.push_back(this.signer.greet());
        }
    }

    pub(crate) fn cut(&mut self, cable: usize) {
        let now = self.now();
        let this = &mut self.cables[cable];
        this.there.clear();
        this.back.clear();
        if std::mem::take(&mut this.up)
            && let Some(core) = &mut self.core
        {
            core.down(cable, now);
        }
    }

    /// The host does what is due. A disk that fails meanwhile ends it, and nothing leaves.
    pub(crate) fn step(&mut self) {
        let now = self.now();
        let Some(core) = &mut self.core else {
            return;
        };
        for (number, cable) in self.cables.iter().enumerate() {
            core.backlog(number, cable.there.iter().map(Vec::len).sum());
        }
        let outputs = core.run(now);
        if self.disk.is_crashed() {
            return self.stop();
        }
        for output in outputs {
            match output {
                Output::Send { cable, octets } => {
                    assert!(self.cables[cable].up, "nothing is sent without a session");
                    self.cables[cable].there.push_back(octets);
                }
                Output::Reset { cable } => {
                    self.cables[cable].resets += 1;
                    self.cut(cable);
                }
                Output::Reply { caller, reply } => self.replies.push((caller, reply)),
            }
        }
    }

    /// One message arrives at the signer.
    pub(crate) fn deliver(&mut self, cable: usize) {
        let this = &mut self.cables[cable];
        if let Some(octets) = this.there.pop_front()
            && let Some(answer) = this.signer.hear(&octets)
        {
            this.back.push_back(answer);
        }
    }

    /// One message arrives at the host.
    pub(crate) fn bring_back(&mut self, cable: usize) {
        let now = self.now();
        if let (Some(core), Some(octets)) = (&mut self.core, self.cables[cable].back.pop_front()) {
            core.received(cable, &octets, now);
        }
    }

    pub(crate) fn pass(&mut self, millis: u64) {
        self.millis += millis;
        // Both clocks run.
        let seconds = i64::try_from(self.millis / 1_000).unwrap();
        let start = 1_800_000_000;
        self.time = Time::from_unix(start + seconds);
        for cable in &mut self.cables {
            cable.signer.time = self.time.plus_seconds(self.clock_offset);
        }
    }

    /// Everything that is under way arrives, and what follows from it, for so long.
    pub(crate) fn settle(&mut self, millis: u64) {
        let end = self.millis + millis;
        loop {
            self.step();
            let mut moved = false;
            for cable in 0..self.cables.len() {
                while !self.cables[cable].there.is_empty() {
                    self.deliver(cable);
                    moved = true;
                }
                while !self.cables[cable].back.is_empty() {
                    self.bring_back(cable);
                    moved = true;
                }
            }
            if moved {
                continue;
            }
            if self.millis >= end {
                return;
            }
            let due = self
                .core
                .as_ref()
                .and_then(|core| core.deadline(self.millis))
                .unwrap_or(end);
            let wait = due.clamp(self.millis + 1, end.max(self.millis + 1)) - self.millis;
            self.pass(wait);
        }
    }

    /// The outcomes of the replies to this id, in order.
    pub(crate) fn outcomes(&self, id: RequestId) -> Vec<&Outcome> {
        let replies = self.replies.iter().filter(|(_, reply)| reply.id == id);
        replies.map(|(_, reply)| &reply.outcome).collect()
    }

    pub(crate) fn alarms(&self) -> Vec<AlarmKind> {
        let view = self.core().view(self.now());
        view.alarms.into_iter().map(|alarm| alarm.kind).collect()
    }
}

/// Which request each id is.
pub(crate) type Requests = HashMap<RequestId, Request>;
