//! All that the host's end of the cable decides, without I/O of its own: fed with local requests, with what the signers
//! say, and with the time; it gives messages for the signers and replies for the callers.
//!
//! Feed it ([`Core::ask`], [`Core::up`], [`Core::received`] …) with all that there is, then call [`Core::run`] once: it
//! makes durable what came, with one sync for all of it, and gives everything that follows. Nothing leaves before that.
//!
//! - every act is in the outbox before it is sent, and its answer before anybody learns it, where it stays for a while;
//! - after a cut the signer is asked what became of the acts that it was sent; only those it does not know are sent
//!   again;
//! - what is urgent overtakes, except that no CRL overtakes an earlier revocation of its issuer;
//! - an act that was refused is not sent again, and one that the signer has no time for keeps nothing of another kind
//!   waiting;
//! - the signer's log is archived, record by record with the same chain, and handed on to a standby.

mod answers;
mod archive;
mod asking;
mod directory;
mod driving;
mod outbox;
mod queue;
mod record;
mod session;
mod settings;
mod view;
mod viewing;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use journal::JournalError;
use wire::{FromHost, Hello, Operation, Outcome, Reply, Request, RequestId, Status};

use self::archive::{Archive, receipt};
use self::outbox::{ActState, Outbox};
use self::queue::{LaneKey, Origin, Place, Queue};
use self::session::{Flight, Session};

pub use self::archive::file_name as archive_file_name;
pub use self::directory::{Directory, DiskDirectory};
pub use self::outbox::OutboxError;
pub use self::queue::Class;
pub use self::settings::{CableSettings, Millis, Now, Settings};
pub use self::view::{Alarm, AlarmKind, CableView, QueueView, View};

/// So many records of the active signer's log the standby may be given again after a restart of the host.
const FRESH_LOG: u64 = 1_000;

/// Somebody who asks; the reply goes to the same connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Caller {
    /// The user.
    pub uid: u32,
    /// Above 0, and never used twice while the host runs.
    pub connection: u64,
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Octets of one message for the signer at the end of this cable.
    Send {
        /// Which cable.
        cable: usize,
        /// The message.
        octets: Vec<u8>,
    },
    /// The link is to begin anew: the signer does not answer, or answers what it must not.
    Reset {
        /// Which cable.
        cable: usize,
    },
    /// A reply to a caller, who may be gone.
    Reply {
        /// To whom.
        caller: Caller,
        /// The reply.
        reply: Reply,
    },
}

/// Why the core cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// The archive of a signer's log.
    #[error(
        "{0}; this archive is what the signer's log is checked against: restore it, do not remove it"
    )]
    Archive(JournalError),
    /// The outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

/// The host's end of one or two cables.
pub struct Core<D: Directory> {
    directory: D,
    settings: Settings,
    outbox: Outbox<D>,
    queue: Queue,
    cables: Vec<Cable<D>>,
    /// Where each open act stands.
    places: HashMap<RequestId, Place>,
    /// Acts that were taken and are not yet on the disk.
    accepted: Vec<RequestId>,
    /// Open acts of which it is not known whether a signer has them.
    unresolved: BTreeSet<(Class, u64, RequestId)>,
    /// Who waits for the answer to an act.
    waiters: HashMap<RequestId, Vec<Caller>>,
    /// The cable whose signer gets the acts, and the one that got them last.
    active: Option<usize>,
    serving: Option<usize>,
    split: bool,
    /// Makes ids for this core's own questions.
    asked: u64,
    refused: BTreeMap<String, u64>,
    outputs: Vec<Output>,
}

struct Cable<D: Directory> {
    settings: CableSettings,
    archive: Archive<D>,
    session: Option<Session>,
    /// Octets under way.
    backlog: usize,
    /// The last answer to Ping, of any session, with when it came, how long it took, and the clock's offset.
    seen: Option<Seen>,
    /// Somebody else is on the cable.
    breach: Option<String>,
    /// How far the standby is, since the last time that it was written down.
    replicated: Option<(u8, u64)>,
    /// The standby did not take the records up to this one.
    not_taken: Option<u64>,
    /// When the log is offered to it again.
    replicate_at: Millis,
}

struct Seen {
    status: Status,
    at: Millis,
    round_trip: Millis,
    clock_offset: i64,
}

impl<D: Directory> Core<D> {
    /// Opens the outbox and the archives in `directory`, for one cable or for two: then one of the signers follows the
    /// other.
    pub fn open(
        mut directory: D,
        settings: Settings,
        cables: &[CableSettings],
        now: Now,
    ) -> Result<Self, CoreError> {
        let outbox = Outbox::open(&mut directory, &settings, now)?;
        let mut opened = Vec::new();
        for cable in cables {
            let archive =
                Archive::open(&mut directory, cable.signer_id).map_err(CoreError::Archive)?;
            opened.push(Cable {
                settings: *cable,
                archive,
                session: None,
                backlog: 0,
                seen: None,
                breach: None,
                replicated: None,
                not_taken: None,
                replicate_at: 0,
            });
        }
        let mut core = Self {
            directory,
            settings,
            outbox,
            queue: Queue::default(),
            cables: opened,
            places: HashMap::new(),
            accepted: Vec::new(),
            unresolved: BTreeSet::new(),
            waiters: HashMap::new(),
            active: None,
            serving: None,
            split: false,
            asked: 0,
            refused: BTreeMap::new(),
            outputs: Vec::new(),
        };
        let open: Vec<RequestId> = core.outbox.open_acts().map(|(id, _)| *id).collect();
        for id in open {
            core.reopen(id);
        }
        Ok(core)
    }

    /// The session on this cable stands.
    pub fn up(&mut self, cable: usize, now: Now) {
        self.down(cable, now);
        let hello = Hello {
            protocol: wire::PROTOCOL_VERSION,
            build: self.settings.build.clone(),
            signer_id: 0,
            boot: self.outbox.boot(),
            log: receipt(self.cables[cable].archive.end()),
            policy: [0; 32],
            time: now.time,
            mode: None,
            epoch: self.outbox.epoch(),
        };
        self.cables[cable].session = Some(Session::begin(hello.epoch, now.millis));
        self.cables[cable].replicate_at = 0;
        self.queue.resume();
        self.send(cable, &FromHost::Hello(hello));
    }

    /// The session on this cable is over. What was not answered may have been done or not.
    pub fn down(&mut self, cable: usize, _now: Now) {
        let Some(session) = self.cables[cable].session.take() else {
            return;
        };
        self.cables[cable].backlog = 0;
        // What was to leave in this session must not leave in the next.
        self.outputs
            .retain(|output| !matches!(output, Output::Send { cable: on, .. } if *on == cable));
        for (id, flight) in session.flights {
            match flight {
                Flight::Act => self.unresolve(id),
                Flight::Resolve { ids } => ids.into_iter().for_each(|id| self.unresolve(id)),
                Flight::Query { caller, id } | Flight::Results { caller, id, .. } => {
                    self.busy(caller, id, 1_000);
                }
                _ => {}
            }
        }
    }

    /// The link found somebody else on this cable; `what` says how.
    pub fn breach(&mut self, cable: usize, what: &str) {
        tracing::error!(
            signer_id = self.cables[cable].settings.signer_id,
            "the cable: {what}"
        );
        self.cables[cable].breach = Some(what.to_owned());
    }

    /// How many octets are under way in this cable: given to it and not yet acknowledged by the other end.
    pub fn backlog(&mut self, cable: usize, octets: usize) {
        self.cables[cable].backlog = octets;
    }

    /// A connection is closed: nobody there waits any more. What was asked is done all the same.
    pub fn forget(&mut self, connection: u64) {
        self.waiters.retain(|_, callers| {
            callers.retain(|caller| caller.connection != connection);
            !callers.is_empty()
        });
    }

    /// Makes durable all that came since the last time, and gives what follows.
    pub fn run(&mut self, now: Now) -> Vec<Output> {
        for id in self.outbox.heal(&mut self.directory, now) {
            self.reopen(id);
        }
        let committed = self.outbox.commit(now);
        for id in committed.answered {
            self.tell(id);
        }
        for id in &committed.lost {
            self.places.remove(id);
        }
        for id in committed.lost.into_iter().chain(committed.held) {
            for caller in self.waiters.remove(&id).unwrap_or_default() {
                self.busy(caller, id, 5_000);
            }
        }
        for id in std::mem::take(&mut self.accepted) {
            if let Some(place) = self.places.get(&id) {
                self.queue.opened(place);
                self.queue.put(id, place);
            }
        }
        for cable in &mut self.cables {
            cable.archive.heal(&mut self.directory, now.millis);
            if let (Some(end), Some(session)) =
                (cable.archive.commit(now.millis), &mut cable.session)
            {
                session.ack = Some(receipt(end));
            }
        }
        self.choose_active();
        for cable in 0..self.cables.len() {
            self.drive(cable, now);
        }
        self.outbox.tidy(&mut self.directory, &self.settings, now);
        std::mem::take(&mut self.outputs)
    }

    /// An open act is known again, and not whether a signer has it.
    fn reopen(&mut self, id: RequestId) {
        let Some(act) = self.outbox.act(&id) else {
            return;
        };
        let ActState::Open { request } = &act.state else {
            return;
        };
        let Some(lane) = Request::decode(request)
            .ok()
            .and_then(|request| LaneKey::of(&request.operation, &self.settings.responder_profiles))
        else {
            return;
        };
        let place = Place {
            arrival: act.arrival,
            origin: Origin {
                uid: act.owner,
                connection: 0,
            },
            lane,
        };
        self.queue.opened(&place);
        self.places.insert(id, place);
        self.unresolve(id);
    }

    fn unresolve(&mut self, id: RequestId) {
        if let Some(place) = self.places.get(&id) {
            self.unresolved
                .insert((place.lane.class, place.arrival, id));
        }
    }

    fn reply(&mut self, caller: Caller, id: RequestId, outcome: Outcome) {
        self.outputs.push(Output::Reply {
            caller,
            reply: Reply {
                id,
                outcome,
                receipt: None,
            },
        });
    }

    fn busy(&mut self, caller: Caller, id: RequestId, milliseconds: u32) {
        self.reply(caller, id, Outcome::Busy { milliseconds });
    }

    /// Sends a question of this core, or of a caller, under an id of its own.
    fn question(&mut self, cable: usize, operation: Operation, flight: Flight) {
        let id = self.fresh_id();
        self.request(cable, Request { id, operation }, flight);
    }

    fn request(&mut self, cable: usize, request: Request, flight: Flight) {
        let id = request.id;
        if self.send(cable, &FromHost::Request(request))
            && let Some(session) = &mut self.cables[cable].session
        {
            session.flights.insert(id, flight);
        }
    }

    fn send(&mut self, cable: usize, message: &FromHost) -> bool {
        match message.encode() {
            Ok(octets) => {
                self.cables[cable].backlog += octets.len();
                self.outputs.push(Output::Send { cable, octets });
                true
            }
            Err(error) => {
                // All that is sent was checked when it came.
                tracing::error!("a message cannot be sent: {error}");
                false
            }
        }
    }

    /// Neither an id of an act, nor one used before.
    fn fresh_id(&mut self) -> RequestId {
        loop {
            self.asked += 1;
            let mut id = [0; 16];
            id[..8].copy_from_slice(&self.outbox.boot().to_be_bytes());
            id[8..].copy_from_slice(&self.asked.to_be_bytes());
            let id = RequestId(id);
            if self.outbox.act(&id).is_none() {
                return id;
            }
        }
    }
}
