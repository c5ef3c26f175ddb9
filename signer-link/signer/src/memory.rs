//! What the signer remembers: requests, serial numbers, revocations, CRLs. All of it comes from the journal.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pki::{CrlNumber, Serial, Time};
use wire::{CrlScope, Receipt, RequestId, Revoke};

use crate::checkpoint::Checkpoint;
use crate::complete_history::CompleteHistory;
use crate::journal_record::{Act, Hash, Record};
use crate::lists::{List, Lists};
use crate::revoked::{Known, Revoked};

/// The memory.
#[derive(Debug, Default)]
pub struct Memory {
    requests: HashMap<RequestId, Seen>,
    authorities: HashMap<Hash, Authority>,
    keys_in_use: HashMap<String, Hash>,
    latest: Option<Time>,
    boots: u64,
    epoch: u32,
    follows: bool,
    promoted: bool,
    locked: Option<String>,
    winds_down: bool,
    /// Where the own log stands.
    own: Receipt,
    /// Its last checkpoint, and where it stood before that.
    checkpoint: Option<(Receipt, Checkpoint)>,
    replicated: journal::Position,
    /// The last checkpoint of the active signer's log, and where that stood with it.
    vouched_for: Option<(journal::Position, Checkpoint)>,
    /// Of a standby: records that no checkpoint follows yet. The first list is of the log that it follows; the second of the
    /// log that this one followed before its signer was promoted; and so on.
    unvouched: Vec<Vec<Relayed>>,
}

/// A record of another signer's log, and where in ours it stands.
#[derive(Debug)]
struct Relayed {
    receipt: Receipt,
    octets: Vec<u8>,
}

/// All about one Name of a CA.
#[derive(Debug, Default)]
pub struct Authority {
    /// The serial numbers used.
    serials: HashMap<Serial, Issued>,
    /// The parts of the CRL that certificates name.
    partitions: HashSet<Arc<str>>,
    /// What is revoked.
    pub revoked: Revoked,
    lists: HashMap<CrlScope, Lists>,
    /// At the last promotion: the highest CRL number that the signer before can ever have used.
    left_behind: Option<CrlNumber>,
    /// How the complete CRLs differ.
    pub history: CompleteHistory,
}

/// What is known about a certificate that was signed.
#[derive(Debug)]
struct Issued {
    /// When it ends, where the signer knows.
    not_after: Option<Time>,
    /// The part of the CRL that it names, its URI.
    partition: Option<Arc<str>>,
}

/// What is known about a request when it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing.
    Nothing,
    /// There is an intent on record, from before a crash: it is to be done now.
    Intent(Box<Act>),
    /// It was answered, by the record of this number.
    Answered(u64),
    /// The id belongs to a request of other content.
    OtherContent,
}

#[derive(Debug)]
struct Seen {
    digest: Hash,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Intent(Box<Act>),
    Answered(u64),
}

impl Memory {
    /// Takes over a record of the journal.
    pub fn replay(&mut self, receipt: Receipt, record: Record) {
        if let Some(time) = record.time() {
            self.latest = self.latest.max(Some(Time::from_unix(time)));
        }
        match record {
            Record::Created { .. } => {}
            Record::Follows { .. } => self.follows = true,
            Record::Session { .. } | Record::Noticed { .. } => {}
            Record::WindDown { begins, .. } => self.winds_down = begins,
            Record::Started { .. } => self.boots += 1,
            Record::CaCertificate {
                authority, serial, ..
            } => self.use_serial(authority, &serial, None, None),
            Record::KeyInUse {
                name, certificate, ..
            } => {
                self.keys_in_use.insert(name, certificate);
            }
            Record::Intent {
                id, digest, act, ..
            } => self.intend(id, digest, act),
            Record::Signed { id, .. } => self.answered(id, receipt.sequence),
            Record::Refused { id, digest, .. } => self.refused(id, digest, receipt.sequence),
            Record::Revoked {
                id,
                digest,
                authority,
                revoke,
                ..
            } => self.revoke(id, digest, authority, &revoke, receipt.sequence),
            Record::Unlocked { .. } => self.locked = None,
            Record::Locked { reason, .. } => self.locked = Some(reason),
            Record::Checkpoint(checkpoint) => self.checkpoint = Some((self.own, checkpoint)),
            Record::Promoted { epoch, .. } => {
                self.raise_epoch(epoch);
                self.promoted = true;
                self.unvouched.clear();
            }
            Record::Replicated { record, .. } => {
                self.replicated = self.replicated_after(&record);
                let octets = record;
                if let Some(checkpoint) = self.follow(0, Relayed { receipt, octets }) {
                    self.vouched_for = Some((self.replicated, checkpoint));
                }
            }
        }
        self.own = receipt;
    }

    /// What is known about a request.
    pub fn earlier(&self, id: &RequestId, digest: &Hash) -> Earlier {
        match self.requests.get(id) {
            None => Earlier::Nothing,
            Some(seen) if seen.digest != *digest => Earlier::OtherContent,
            Some(seen) => match &seen.stage {
                Stage::Intent(act) => Earlier::Intent(act.clone()),
                Stage::Answered(sequence) => Earlier::Answered(*sequence),
            },
        }
    }

    /// The number of the record that answers a request, if there is one.
    pub fn answer(&self, id: &RequestId) -> Option<u64> {
        match self.requests.get(id)?.stage {
            Stage::Answered(sequence) => Some(sequence),
            Stage::Intent(_) => None,
        }
    }

    /// An act is going to be done: its serial or CRL number is used up.
    pub fn intend(&mut self, id: RequestId, digest: Hash, act: Act) {
        match &act {
            Act::Certificate {
                authority,
                serial,
                not_after,
                partition,
                ..
            } => {
                let not_after = Some(Time::from_unix(*not_after));
                self.use_serial(*authority, serial, not_after, partition.as_deref());
            }
            Act::Crl {
                authority,
                scope,
                number,
                this_update,
                entries,
                ..
            } => {
                let authority = self.authorities.entry(*authority).or_default();
                let this_update = Time::from_unix(*this_update);
                // It was judged before it was written.
                if let Ok(number) = CrlNumber::from_be_bytes(number)
                    && let Ok(entries) = authority.changed(scope, entries, this_update)
                {
                    let list = List {
                        number,
                        this_update,
                        entries,
                        count: authority.revoked.count(),
                    };
                    authority.keep(scope, list);
                }
            }
            // Certifying a user id again uses nothing up.
            Act::PgpUserId { .. } => {}
        }
        let stage = Stage::Intent(Box::new(act));
        self.requests.insert(id, Seen { digest, stage });
    }

    /// An act was done.
    pub fn answered(&mut self, id: RequestId, sequence: u64) {
        if let Some(seen) = self.requests.get_mut(&id) {
            seen.stage = Stage::Answered(sequence);
        }
    }

    /// A request was refused.
    pub fn refused(&mut self, id: RequestId, digest: Hash, sequence: u64) {
        let stage = Stage::Answered(sequence);
        self.requests.insert(id, Seen { digest, stage });
    }

    /// Revocations came.
    pub fn revoke(
        &mut self,
        id: RequestId,
        digest: Hash,
        authority: Hash,
        revoke: &Revoke,
        sequence: u64,
    ) {
        let revoked = &mut self.authorities.entry(authority).or_default().revoked;
        // They were judged before they were written.
        let known = revoke.revocations.iter().flat_map(Known::read);
        known.for_each(|known| revoked.add(known));
        self.refused(id, digest, sequence);
    }

    /// Of a standby: the next record of a log that is followed, or at a greater `depth` of one that the signer of that log
    /// followed before. It is learnt from when a checkpoint comes, which was verified before it was written down. Gives the
    /// checkpoint, if it is one.
    fn follow(&mut self, depth: usize, relayed: Relayed) -> Option<Checkpoint> {
        if self.unvouched.len() <= depth {
            self.unvouched.resize_with(depth + 1, Vec::new);
        }
        let Ok(Record::Checkpoint(checkpoint)) = Record::decode(&relayed.octets) else {
            self.unvouched[depth].push(relayed);
            return None;
        };
        for relayed in std::mem::take(&mut self.unvouched[depth]) {
            self.learn(depth, relayed);
        }
        Some(checkpoint)
    }

    /// A record of that log that a checkpoint vouches for.
    fn learn(&mut self, depth: usize, Relayed { receipt, octets }: Relayed) {
        match Record::decode(&octets) {
            // About the other signer's own keys and console; and what cannot be read was written by a newer version,
            // which `Core` refuses before it is written here.
            Ok(
                Record::Locked { .. }
                | Record::Unlocked { .. }
                | Record::KeyInUse { .. }
                | Record::Follows { .. }
                | Record::Started { .. },
            )
            | Err(_) => {}
            Ok(Record::Promoted { epoch, .. }) => {
                // What that signer itself did not believe.
                self.unvouched.truncate(depth + 1);
                self.raise_epoch(epoch);
            }
            Ok(Record::Replicated { record, .. }) => {
                let octets = record;
                self.follow(depth + 1, Relayed { receipt, octets });
            }
            Ok(record) => self.replay(receipt, record),
        }
    }

    /// Where the active signer's journal would stand after one more record.
    pub fn replicated_after(&self, octets: &[u8]) -> journal::Position {
        Self::follows_on(self.replicated, octets)
    }

    /// Where a journal stands after one more record; the default position is before its first.
    pub fn follows_on(position: journal::Position, octets: &[u8]) -> journal::Position {
        match position.sequence {
            0 => journal::Position::start(journal::SIGNER_JOURNAL).after(octets),
            _ => position.after(octets),
        }
    }

    /// How far the active signer's journal is here.
    pub const fn replicated(&self) -> journal::Position {
        self.replicated
    }

    /// Where the active signer's log stands with its last checkpoint here. What comes after that is not believed yet.
    pub const fn vouched_for(&self) -> Option<&(journal::Position, Checkpoint)> {
        self.vouched_for.as_ref()
    }

    /// The last checkpoint of the own log, and where that stood before it.
    pub const fn checkpoint(&self) -> Option<&(Receipt, Checkpoint)> {
        self.checkpoint.as_ref()
    }

    /// Whether its journal was made for a standby.
    pub const fn follows(&self) -> bool {
        self.follows
    }

    /// Whether it was never made the active signer.
    pub const fn is_standby(&self) -> bool {
        !self.promoted
    }

    /// Whether it was said to wind down (G11). A standby winds down as the signer does that it follows.
    pub const fn winds_down(&self) -> bool {
        self.winds_down
    }

    /// The highest promotion epoch in the journal.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How often it was started.
    pub const fn boots(&self) -> u64 {
        self.boots
    }

    /// Why it is locked, if it is.
    pub fn locked(&self) -> Option<&str> {
        self.locked.as_deref()
    }

    /// Whether an authority has used this serial number, and when its certificate ends where that is known.
    pub fn serial(&self, authority: &Hash, serial: &Serial) -> Option<Option<Time>> {
        let authority = self.authorities.get(authority)?;
        let issued = authority.serials.get(serial)?;
        Some(issued.not_after)
    }

    /// What is known about an authority, if anything is.
    pub fn authority(&self, authority: &Hash) -> Option<&Authority> {
        self.authorities.get(authority)
    }

    /// The number that every CRL of an authority must be above since a signer was promoted, if one was: above all that was
    /// left to those before, also for an authority of which nothing is known yet.
    pub fn left_behind(&self, authority: &Hash) -> Option<CrlNumber> {
        let promotions = u128::from(self.epoch.saturating_sub(1));
        let runs = (promotions << CrlNumber::RUN_BITS).checked_sub(1);
        let least = runs.and_then(|last| CrlNumber::from_be_bytes(&last.to_be_bytes()).ok());
        let known = self.authorities.get(authority);
        least.max(known.and_then(|known| known.left_behind.clone()))
    }

    /// The newest list of a scope.
    pub fn last_list(&self, authority: &Hash, scope: &CrlScope) -> Option<&List> {
        let authority = self.authorities.get(authority)?;
        authority.lists.get(scope)?.last()
    }

    /// Whether the journal says that this key, with this certificate, is in use.
    pub fn is_in_use(&self, name: &str, certificate: &Hash) -> bool {
        self.keys_in_use.get(name) == Some(certificate)
    }

    /// The latest time in the journal; the clock must not be before it.
    pub const fn latest(&self) -> Option<Time> {
        self.latest
    }

    /// A signer was promoted: CRL numbers go on where no signer before it can come, whatever it does unseen. The first one
    /// ever has nobody before it.
    fn raise_epoch(&mut self, epoch: u32) {
        self.epoch = self.epoch.max(epoch);
        if epoch > 1 {
            self.authorities.values_mut().for_each(Authority::lift);
        }
    }

    fn use_serial(
        &mut self,
        authority: Hash,
        serial: &[u8],
        not_after: Option<Time>,
        partition: Option<&str>,
    ) {
        // What is on record was a serial number when it was written.
        if let Ok(serial) = Serial::from_be_bytes(serial) {
            let authority = self.authorities.entry(authority).or_default();
            let partition = partition.map(|uri| authority.same_partition(uri));
            let issued = Issued {
                not_after,
                partition,
            };
            authority.serials.insert(serial, issued);
        }
    }
}

impl Authority {
    /// Each promotion leaves a run of numbers behind, also when nothing is known of what was signed in it.
    fn lift(&mut self) {
        let lists = self.lists.values().filter_map(Lists::last);
        let last = lists.map(|list| &list.number).max();
        let left_behind = self.left_behind.as_ref();
        self.left_behind = match left_behind {
            Some(left_behind) if last <= Some(left_behind) => {
                left_behind.next().ok().map(|next| next.last_of_run())
            }
            _ => last.map(CrlNumber::last_of_run),
        };
    }

    /// A CRL of this scope is going to be signed.
    pub fn keep(&mut self, scope: &CrlScope, list: List) {
        let lists = self.lists.entry(scope.clone()).or_default();
        if *scope == CrlScope::Complete {
            self.history.push(lists.last(), &list);
        }
        lists.push(list);
    }

    /// The lists of a scope, if there are any.
    pub fn lists(&self, scope: &CrlScope) -> Option<&Lists> {
        self.lists.get(scope)
    }

    /// Whether the signer has signed a certificate of this serial number.
    pub fn has_signed(&self, serial: &Serial) -> bool {
        self.serials.contains_key(serial)
    }

    /// The part of the CRL that the certificate of this serial number names, if the signer has signed it.
    pub fn partition(&self, serial: &Serial) -> Option<&str> {
        self.serials.get(serial)?.partition.as_deref()
    }

    /// The URI of a part: one copy for all certificates that name it.
    fn same_partition(&mut self, uri: &str) -> Arc<str> {
        if let Some(known) = self.partitions.get(uri) {
            return Arc::clone(known);
        }
        let new: Arc<str> = uri.into();
        self.partitions.insert(Arc::clone(&new));
        new
    }
}
