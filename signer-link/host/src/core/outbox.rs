//! Every act that was asked for, and what came of it, on disk before anything follows from it.

use std::collections::{BTreeSet, HashMap};
use std::io;

use aws_lc_rs::digest::{SHA256, digest};
use journal::{Journal, JournalError};
use pki::Time;
use wire::{Outcome, Receipt, Request, RequestId, WireError};

use super::directory::Directory;
use super::record::{FIRST_LINE, Record};
use super::settings::{Millis, Now, Settings};

const NAME: &str = "outbox";
const NEXT: &str = "outbox.new";
/// After a write that failed.
const TRY_AGAIN: Millis = 1_000;
/// What a record has beside its content, about.
const OVERHEAD: u64 = 120;

/// An act.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    /// Its place among all acts.
    pub(crate) arrival: u64,
    /// The user who asked.
    pub(crate) owner: u32,
    /// When it came, or, when it is done, when that was.
    pub(crate) time: Time,
    hash: [u8; 32],
    pub(crate) state: ActState,
}

#[derive(Clone, Debug)]
pub(crate) enum ActState {
    /// There is no answer yet.
    Open {
        /// The octets of the request.
        request: Vec<u8>,
    },
    /// The answer, for good.
    Done {
        outcome: Outcome,
        receipt: Option<Receipt>,
    },
}

impl Act {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, ActState::Open { .. })
    }

    /// Whether these are the octets of its request.
    pub(crate) fn is_of(&self, request: &[u8]) -> bool {
        self.hash == hash(request)
    }

    fn octets(&self) -> u64 {
        let content = match &self.state {
            ActState::Open { request } => request.len(),
            ActState::Done { outcome, .. } => match outcome {
                Outcome::Signed { signature } => signature.len(),
                Outcome::Refused(refused) => refused.message.len() + refused.field.len(),
                _ => 0,
            },
        };
        content as u64 + OVERHEAD
    }
}

/// Why the outbox cannot be used at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// The file.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record of a later version, or none.
    #[error(
        "the outbox has a record that this program does not know: {0}; install the release that wrote it"
    )]
    Record(String),
}

/// All that the file says.
#[derive(Debug, Default)]
struct Memory {
    acts: HashMap<RequestId, Act>,
    arrivals: u64,
    boot: u64,
    epoch: u32,
    leader: u8,
    replicated: HashMap<(u8, u8), u64>,
}

pub(crate) struct Outbox<D: Directory> {
    /// Absent after a failed write, until it can be opened again.
    journal: Option<Journal<D::File>>,
    again: Millis,
    /// Why the last write failed; `None` when all is well.
    failure: Option<String>,
    memory: Memory,
    /// Done acts, the oldest answer first.
    done: BTreeSet<(i64, u64, RequestId)>,
    open: usize,
    open_octets: usize,
    /// At how many octets it is worth looking whether rewriting pays.
    compact_at: u64,
    dirty: bool,
    /// Acts that were taken since the last commit.
    fresh: Vec<RequestId>,
    /// Acts whose answers are not on the disk yet.
    unkept: BTreeSet<RequestId>,
    /// The highest promotion epoch on the disk.
    kept_epoch: u32,
}

/// What became of all that came since the last commit.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Acts that were taken and could not be written: they are taken no more.
    pub(crate) lost: Vec<RequestId>,
    /// Acts whose answers are on the disk now.
    pub(crate) answered: Vec<RequestId>,
    /// Acts whose answers cannot be written now.
    pub(crate) held: Vec<RequestId>,
}

impl<D: Directory> Outbox<D> {
    /// Opens the outbox, or makes it, and counts the start.
    pub(crate) fn open(
        directory: &mut D,
        settings: &Settings,
        now: Now,
    ) -> Result<Self, OutboxError> {
        let first = Record::Started {
            time: now.time.unix(),
            boot: 0,
        };
        let mut memory = Memory::default();
        let journal = match read(directory, &mut memory) {
            Err(OutboxError::Journal(JournalError::Missing(_))) => begin(directory, &first)?,
            read => read?,
        };
        let mut outbox = Self {
            journal: Some(journal),
            again: 0,
            failure: None,
            memory,
            done: BTreeSet::new(),
            open: 0,
            open_octets: 0,
            compact_at: settings.compact_octets,
            dirty: false,
            fresh: Vec::new(),
            unkept: BTreeSet::new(),
            kept_epoch: 0,
        };
        outbox.count();
        outbox.kept_epoch = outbox.memory.epoch;
        outbox.memory.boot += 1;
        outbox.append(
            &Record::Started {
                time: now.time.unix(),
                boot: outbox.memory.boot,
            },
            now,
        );
        // A full disk does not keep the host from starting: what is open can be done all the same.
        outbox.commit(now);
        Ok(outbox)
    }

    pub(crate) fn act(&self, id: &RequestId) -> Option<&Act> {
        self.memory.acts.get(id)
    }

    /// All acts that are remembered.
    pub(crate) fn acts(&self) -> impl Iterator<Item = (&RequestId, &Act)> {
        self.memory.acts.iter()
    }

    /// The acts without an answer.
    pub(crate) fn open_acts(&self) -> impl Iterator<Item = (&RequestId, &Act)> {
        self.memory.acts.iter().filter(|(_, act)| act.is_open())
    }

    /// How many acts have no answer, and the octets of their requests.
    pub(crate) const fn open_size(&self) -> (usize, usize) {
        (self.open, self.open_octets)
    }

    pub(crate) const fn boot(&self) -> u64 {
        self.memory.boot
    }

    /// The highest promotion epoch of a signer that was ever met.
    pub(crate) const fn epoch(&self) -> u32 {
        self.memory.epoch
    }

    /// Whether that epoch is on the disk: this host will know it after a crash.
    pub(crate) const fn keeps_epoch(&self) -> bool {
        self.kept_epoch == self.memory.epoch
    }

    /// The signer id of the one that was active in that epoch; 0 if none was met.
    pub(crate) const fn leader(&self) -> u8 {
        self.memory.leader
    }

    pub(crate) fn octets(&self) -> u64 {
        self.journal.as_ref().map_or(0, Journal::octets)
    }

    /// Why nothing can be written now.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// How far the standby has the active signer's log.
    pub(crate) fn replicated(&self, standby: u8, active: u8) -> u64 {
        let replicated = self.memory.replicated.get(&(standby, active));
        replicated.copied().unwrap_or_default()
    }

    /// Takes an act; it counts after [`Self::commit`]. Whether it could be written.
    pub(crate) fn accept(
        &mut self,
        request: &Request,
        octets: Vec<u8>,
        owner: u32,
        now: Now,
    ) -> bool {
        let record = Record::Act {
            owner,
            time: now.time.unix(),
            request: octets.clone(),
        };
        if self.journal.is_none() || !self.append(&record, now) {
            return false;
        }
        self.open += 1;
        self.open_octets += octets.len();
        self.fresh.push(request.id);
        self.memory.put(request.id, owner, now.time, octets);
        true
    }

    /// The final answer to an act, if it is on the disk. Nobody learns it before: the signer gives the same again, but
    /// not one that was promoted without having heard of it.
    pub(crate) fn kept_answer(&self, id: &RequestId) -> Option<(&Outcome, Option<Receipt>)> {
        match &self.memory.acts.get(id)?.state {
            ActState::Done { outcome, receipt } if !self.unkept.contains(id) => {
                Some((outcome, *receipt))
            }
            _ => None,
        }
    }

    /// Takes the final answer to an open act; it counts when [`Self::commit`] gives the act as answered.
    pub(crate) fn answered(
        &mut self,
        id: RequestId,
        outcome: &Outcome,
        receipt: Option<Receipt>,
        now: Now,
    ) {
        self.append(
            &Record::Answer {
                id,
                time: now.time.unix(),
                outcome: outcome.clone(),
                receipt,
            },
            now,
        );
        let Some(act) = self.memory.acts.get_mut(&id) else {
            return;
        };
        if let ActState::Open { request } = &act.state {
            self.open -= 1;
            self.open_octets -= request.len();
        }
        act.time = now.time;
        act.state = ActState::Done {
            outcome: outcome.clone(),
            receipt,
        };
        self.done.insert((now.time.unix(), act.arrival, id));
        self.unkept.insert(id);
    }

    /// Remembers the promotion epoch, if it is a higher one or its signer is met active for the first time.
    pub(crate) fn met_epoch(&mut self, epoch: u32, active: Option<u8>, now: Now) {
        let leader = match active {
            Some(active) => active,
            None if epoch > self.memory.epoch => 0,
            None => return,
        };
        if epoch < self.memory.epoch || (epoch, leader) == (self.memory.epoch, self.memory.leader) {
            return;
        }
        self.memory.epoch = epoch;
        self.memory.leader = leader;
        self.append(&Record::Epoch { epoch, leader }, now);
    }

    /// Remembers how far the standby is.
    pub(crate) fn met_replicated(&mut self, standby: u8, active: u8, sequence: u64, now: Now) {
        let known = self.memory.replicated.insert((standby, active), sequence);
        if known != Some(sequence) {
            let record = Record::Replicated {
                standby,
                active,
                sequence,
            };
            self.append(&record, now);
        }
    }

    /// One sync for all that came together.
    pub(crate) fn commit(&mut self, now: Now) -> Committed {
        if self.dirty
            && let Some(journal) = &mut self.journal
        {
            match journal.sync() {
                Ok(()) => self.dirty = false,
                Err(error) => self.fail(&error, now),
            }
        }
        let fresh = std::mem::take(&mut self.fresh);
        if self.journal.is_some() {
            self.kept_epoch = self.memory.epoch;
            return Committed {
                answered: std::mem::take(&mut self.unkept).into_iter().collect(),
                ..Committed::default()
            };
        }
        for id in &fresh {
            self.memory.acts.remove(id);
        }
        if !fresh.is_empty() {
            self.count();
        }
        Committed {
            lost: fresh,
            held: self.unkept.iter().copied().collect(),
            ..Committed::default()
        }
    }

    /// Opens the file again after a failed write. Gives the acts that stand in it although they were given up: they
    /// are open again.
    pub(crate) fn heal(&mut self, directory: &mut D, now: Now) -> Vec<RequestId> {
        if self.journal.is_some() || now.millis < self.again {
            return Vec::new();
        }
        let mut there = Memory::default();
        let healed = read(directory, &mut there).and_then(|mut journal| {
            // Room for little is not enough to go on with.
            for record in self.memory.missing_in(&there) {
                journal.append(&record.encode())?;
            }
            journal.append(
                &Record::Started {
                    time: now.time.unix(),
                    boot: self.memory.boot,
                }
                .encode(),
            )?;
            journal.sync()?;
            Ok(journal)
        });
        match healed {
            Ok(journal) => {
                tracing::info!("the outbox can be written again");
                self.journal = Some(journal);
                self.failure = None;
                self.dirty = false;
                let found = self.memory.take_new(there);
                self.count();
                found
            }
            Err(error) => {
                self.fail(&error, now);
                Vec::new()
            }
        }
    }

    /// When [`Self::heal`] is worth a try.
    pub(crate) fn deadline(&self) -> Option<Millis> {
        self.journal.is_none().then_some(self.again)
    }

    /// Forgets answers that are too old or too many, and rewrites the file when most of it is such.
    pub(crate) fn tidy(&mut self, directory: &mut D, settings: &Settings, now: Now) {
        if self.journal.is_none() {
            return;
        }
        let oldest = now.time.plus_seconds(-settings.answers_seconds).unix();
        while let Some(&(time, arrival, id)) = self.done.first()
            && (time < oldest || self.done.len() > settings.answers)
        {
            self.done.remove(&(time, arrival, id));
            self.memory.acts.remove(&id);
        }
        if self.octets() < self.compact_at {
            return;
        }
        let live: u64 = self.memory.acts.values().map(Act::octets).sum();
        self.compact_at = settings.compact_octets.max(2 * live);
        if self.octets() < self.compact_at {
            return;
        }
        if let Err(error) = self.rewrite(directory, now) {
            tracing::warn!("the outbox cannot be made smaller, and grows on: {error}");
            self.compact_at = 2 * self.octets();
        }
    }

    /// Writes a new file with what is still needed, and puts it in place of the old one.
    fn rewrite(&mut self, directory: &mut D, now: Now) -> Result<(), OutboxError> {
        let before = self.octets();
        let first = Record::Started {
            time: now.time.unix(),
            boot: self.memory.boot,
        };
        let storage = directory.create(NEXT).map_err(file(NEXT))?;
        let mut journal = Journal::begin(storage, NEXT.to_owned(), FIRST_LINE, &first.encode())?;
        for record in self.memory.missing_in(&Memory::default()) {
            journal.append(&record.encode())?;
        }
        journal.sync()?;
        directory.rename(NEXT, NAME).map_err(file(NAME))?;
        tracing::info!(before, after = journal.octets(), "the outbox is rewritten");
        self.journal = Some(journal);
        self.dirty = false;
        Ok(())
    }

    fn append(&mut self, record: &Record, now: Now) -> bool {
        let Some(journal) = &mut self.journal else {
            return false;
        };
        match journal.append(&record.encode()) {
            Ok(_) => {
                self.dirty = true;
                true
            }
            Err(error) => {
                self.fail(&error, now);
                false
            }
        }
    }

    fn fail(&mut self, error: &dyn std::error::Error, now: Now) {
        let text = format!("the outbox cannot be written ({error}); make room on its disk");
        if self.failure.as_ref() != Some(&text) {
            tracing::error!("{text}; new acts are told to come again");
        }
        self.failure = Some(text);
        // Closed, so that it can be opened again.
        self.journal = None;
        self.again = now.millis + TRY_AGAIN;
    }

    fn count(&mut self) {
        self.done.clear();
        self.open = 0;
        self.open_octets = 0;
        for (id, act) in &self.memory.acts {
            match &act.state {
                ActState::Open { request } => {
                    self.open += 1;
                    self.open_octets += request.len();
                }
                ActState::Done { .. } => {
                    self.done.insert((act.time.unix(), act.arrival, *id));
                }
            }
        }
    }
}

impl Memory {
    fn replay(&mut self, record: Record) -> Result<(), WireError> {
        match record {
            Record::Started { boot, .. } => self.boot = self.boot.max(boot),
            Record::Act {
                owner,
                time,
                request,
            } => {
                let id = Request::decode(&request)?.id;
                self.put(id, owner, Time::from_unix(time), request);
            }
            Record::Answer {
                id,
                time,
                outcome,
                receipt,
            } => {
                if let Some(act) = self.acts.get_mut(&id) {
                    act.time = Time::from_unix(time);
                    act.state = ActState::Done { outcome, receipt };
                }
            }
            Record::Done {
                owner,
                id,
                hash,
                time,
                outcome,
                receipt,
            } => {
                let arrival = self.arrive();
                let act = Act {
                    arrival,
                    owner,
                    time: Time::from_unix(time),
                    hash,
                    state: ActState::Done { outcome, receipt },
                };
                self.acts.insert(id, act);
            }
            Record::Epoch { epoch, leader } => {
                self.epoch = epoch;
                self.leader = leader;
            }
            Record::Replicated {
                standby,
                active,
                sequence,
            } => {
                self.replicated.insert((standby, active), sequence);
            }
        }
        Ok(())
    }

    fn put(&mut self, id: RequestId, owner: u32, time: Time, request: Vec<u8>) {
        let arrival = self.arrive();
        // An act whose answer was forgotten may be asked for again; one that is known is not taken twice.
        self.acts.insert(
            id,
            Act {
                arrival,
                owner,
                time,
                hash: hash(&request),
                state: ActState::Open { request },
            },
        );
    }

    fn arrive(&mut self) -> u64 {
        self.arrivals += 1;
        self.arrivals
    }

    /// The records that another memory needs to know all of this one, in the order of arrival.
    fn missing_in(&self, there: &Self) -> Vec<Record> {
        let mut acts: Vec<_> = self.acts.iter().collect();
        acts.sort_unstable_by_key(|(_, act)| act.arrival);
        let acts = acts.into_iter().filter_map(|(id, act)| {
            let known = there.acts.get(id);
            let time = act.time.unix();
            match (&act.state, known) {
                (ActState::Open { request }, None) => Some(Record::Act {
                    owner: act.owner,
                    time,
                    request: request.clone(),
                }),
                (ActState::Done { outcome, receipt }, None) => Some(Record::Done {
                    owner: act.owner,
                    id: *id,
                    hash: act.hash,
                    time,
                    outcome: outcome.clone(),
                    receipt: *receipt,
                }),
                (ActState::Done { outcome, receipt }, Some(known)) if known.is_open() => {
                    Some(Record::Answer {
                        id: *id,
                        time,
                        outcome: outcome.clone(),
                        receipt: *receipt,
                    })
                }
                _ => None,
            }
        });
        let epoch =
            ((self.epoch, self.leader) != (there.epoch, there.leader)).then_some(Record::Epoch {
                epoch: self.epoch,
                leader: self.leader,
            });
        let replicated = self
            .replicated
            .iter()
            .filter(|(of, sequence)| there.replicated.get(of) != Some(sequence))
            .map(|(&(standby, active), &sequence)| Record::Replicated {
                standby,
                active,
                sequence,
            });
        acts.chain(epoch).chain(replicated).collect()
    }

    /// Takes over the acts that only the other one has; gives those that are open.
    fn take_new(&mut self, there: Self) -> Vec<RequestId> {
        let mut found = Vec::new();
        let mut acts: Vec<_> = there.acts.into_iter().collect();
        acts.sort_unstable_by_key(|(_, act)| act.arrival);
        for (id, mut act) in acts {
            if !self.acts.contains_key(&id) {
                act.arrival = self.arrive();
                if act.is_open() {
                    found.push(id);
                }
                self.acts.insert(id, act);
            }
        }
        found
    }
}

fn read<D: Directory>(
    directory: &mut D,
    memory: &mut Memory,
) -> Result<Journal<D::File>, OutboxError> {
    let storage = directory.open(NAME).map_err(file(NAME))?;
    let mut wrong = None;
    let replay = |_, octets: Vec<u8>| {
        let replayed = Record::decode(&octets)
            .map_err(|error| error.to_string())
            .and_then(|record| memory.replay(record).map_err(|error| error.to_string()));
        if let Err(error) = replayed {
            wrong.get_or_insert(error);
        }
    };
    let journal = match Journal::read_in(storage, NAME.to_owned(), FIRST_LINE, replay) {
        // A crash while the very first record was written: nothing was ever promised.
        Ok(journal) if journal.head().sequence == 0 => {
            return Err(JournalError::Missing(NAME.to_owned()).into());
        }
        journal => journal?,
    };
    match wrong {
        Some(error) => Err(OutboxError::Record(error)),
        None => Ok(journal),
    }
}

fn begin<D: Directory>(directory: &mut D, first: &Record) -> Result<Journal<D::File>, OutboxError> {
    // Made under another name: there is a whole outbox or none.
    let storage = directory.create(NEXT).map_err(file(NEXT))?;
    let journal = Journal::begin(storage, NAME.to_owned(), FIRST_LINE, &first.encode())?;
    directory.rename(NEXT, NAME).map_err(file(NAME))?;
    Ok(journal)
}

fn file(name: &'static str) -> impl FnOnce(io::Error) -> JournalError {
    move |source| match source.kind() {
        io::ErrorKind::NotFound => JournalError::Missing(name.to_owned()),
        io::ErrorKind::WouldBlock => JournalError::InUse(name.to_owned()),
        _ => JournalError::File {
            name: name.to_owned(),
            source,
        },
    }
}

fn hash(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, octets).as_ref());
    hash
}
