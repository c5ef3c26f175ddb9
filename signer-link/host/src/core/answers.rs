//! What the signers say.

use wire::{FromSigner, Hello, Mode, Outcome, Receipt, Reply, RequestId, SignedResult, Status};

use super::archive::{ArchiveError, receipt};
use super::directory::Directory;
use super::queue::Class;
use super::session::Flight;
use super::settings::{Millis, Now};
use super::view::AlarmKind;
use super::{Core, Output, Seen};

/// After a question of this core's own that the signer refused.
const REFUSED: Millis = 5_000;
/// After a standby refused the same records twice.
const NOT_REPLICATED: Millis = 60_000;
/// The first time: it says meanwhile how much it has.
const ASK_FIRST: Millis = 1_000;

impl<D: Directory> Core<D> {
    /// A message of the signer at the end of this cable, as the session gave it.
    pub fn received(&mut self, cable: usize, octets: &[u8], now: Now) {
        let Some(session) = &mut self.cables[cable].session else {
            return;
        };
        session.alive_at = now.millis;
        match (FromSigner::decode(octets), &session.hello) {
            (Ok(FromSigner::Hello(hello)), None) if session.fault.is_none() => {
                self.greeted(cable, hello, now);
            }
            (Ok(FromSigner::Reply(reply)), Some(_)) => self.replied(cable, reply, now),
            // What follows on a Hello that does not fit.
            (Ok(_), None) if session.fault.is_some() => {}
            (Ok(_), _) => self.rejected(cable, "it does not keep the order of messages", now),
            (Err(error), _) => self.rejected(cable, &error.to_string(), now),
        }
    }

    /// The signer says what no signer of this protocol says: the session begins anew.
    fn rejected(&mut self, cable: usize, what: &str, now: Now) {
        self.breach(
            cable,
            &format!("the signer's message is not to be understood: {what}"),
        );
        self.reset(cable, now);
    }

    pub(super) fn reset(&mut self, cable: usize, now: Now) {
        self.down(cable, now);
        self.outputs.push(Output::Reset { cable });
    }

    fn greeted(&mut self, cable: usize, hello: Hello, now: Now) {
        let this = &mut self.cables[cable];
        let Some(session) = &mut this.session else {
            return;
        };
        let signer_id = this.settings.signer_id;
        let archived = receipt(this.archive.end());
        let fault = judge(&hello, signer_id, archived);
        let stranger = matches!(fault, Some((AlarmKind::Protocol | AlarmKind::SignerId, _)));
        if let Some((kind, why)) = &fault {
            tracing::error!(signer_id, kind = kind.name(), "{why}");
        }
        session.fault = fault;
        if stranger {
            return;
        }
        this.breach = None;
        session.mode = hello.mode.unwrap_or(Mode::Sealed);
        session.epoch = hello.epoch;
        session.knows_head(hello.log.sequence);
        tracing::info!(
            signer_id,
            build = hello.build,
            boot = hello.boot,
            mode = %session.mode,
            epoch = hello.epoch,
            log = hello.log.sequence,
            archived = archived.sequence,
            "the signer says hello"
        );
        let (mode, epoch) = (session.mode, session.epoch);
        // It was promoted while nobody listened, and suspends itself in a session with a host that does not know.
        let outdated = (1..epoch).contains(&session.said) && mode != Mode::Standby;
        session.hello = Some(hello);
        // What was archived and not acknowledged before the cut.
        session.ack = (archived.sequence > 0).then_some(archived);
        self.met(signer_id, mode, epoch, now);
        if outdated {
            self.reset(cable, now);
        }
    }

    fn met(&mut self, signer_id: u8, mode: Mode, epoch: u32, now: Now) {
        let before = self.outbox.epoch();
        let active = (mode == Mode::Active).then_some(signer_id);
        self.outbox.met_epoch(epoch, active, now);
        if self.outbox.epoch() > before && before > 0 {
            tracing::warn!(signer_id, epoch, "a signer was promoted");
            self.tell_others(signer_id, now);
        }
    }

    /// The one that was active before hears of a promotion in a new Hello, on which it locks itself.
    fn tell_others(&mut self, promoted: u8, now: Now) {
        for cable in 0..self.cables.len() {
            let this = &self.cables[cable];
            let unaware = this.session.as_ref().is_some_and(|session| {
                session.said < self.outbox.epoch() && session.mode != Mode::Standby
            });
            if this.settings.signer_id != promoted && unaware {
                self.reset(cable, now);
            }
        }
    }

    fn replied(&mut self, cable: usize, reply: Reply, now: Now) {
        let Reply {
            id,
            outcome,
            receipt,
        } = reply;
        let Some(session) = &mut self.cables[cable].session else {
            return;
        };
        if let Some(receipt) = receipt {
            session.knows_head(receipt.sequence);
        }
        match session.flights.remove(&id) {
            Some(Flight::Act) => self.act_replied(cable, id, outcome, receipt, now),
            // It was withdrawn when another signer was promoted, but this one had done it.
            None if self.fits(&id, &outcome) => self.answered(id, outcome, receipt, now),
            None | Some(Flight::Unheard) => {}
            Some(Flight::Query { caller, id }) => self.outputs.push(Output::Reply {
                caller,
                reply: Reply {
                    id,
                    outcome,
                    receipt,
                },
            }),
            Some(Flight::Results { caller, id, known }) => {
                let outcome = match outcome {
                    Outcome::Results { results } => merge(known, results),
                    other => other,
                };
                self.reply(caller, id, outcome);
            }
            Some(Flight::Resolve { ids }) => self.resolved(cable, ids, outcome, now),
            Some(Flight::Ping { sent }) => self.pinged(cable, sent, outcome, now),
            Some(Flight::Log) => self.log_came(cable, outcome, now),
            Some(Flight::Ack) => self.acknowledged(cable, outcome, now),
            Some(Flight::Replicate { active, last }) => {
                self.replicated(cable, active, last, outcome, now);
            }
        }
    }

    fn act_replied(
        &mut self,
        cable: usize,
        id: RequestId,
        outcome: Outcome,
        receipt: Option<Receipt>,
        now: Now,
    ) {
        // It has its answer from elsewhere.
        let Some(place) = self.places.get(&id) else {
            return;
        };
        match outcome {
            Outcome::Busy { milliseconds } => {
                let wait = u64::from(milliseconds);
                self.queue.busy(id, place, now.millis, wait);
            }
            outcome if self.fits(&id, &outcome) => {
                self.queue.not_busy(place);
                self.answered(id, outcome, receipt, now);
            }
            _ => {
                self.unresolve(id);
                self.rejected(cable, "it answers an act with something else", now);
            }
        }
    }

    /// Whether this is an answer to that act, which is open.
    fn fits(&self, id: &RequestId, outcome: &Outcome) -> bool {
        let revocation = self
            .places
            .get(id)
            .map(|place| place.lane.class == Class::Revocation);
        match outcome {
            Outcome::Signed { .. } => revocation == Some(false),
            Outcome::Remembered { .. } => revocation == Some(true),
            Outcome::Refused(_) => revocation.is_some(),
            _ => false,
        }
    }

    /// An act has its answer, for good. Those who wait learn it when it is on the disk.
    fn answered(&mut self, id: RequestId, outcome: Outcome, receipt: Option<Receipt>, now: Now) {
        let Some(place) = self.places.remove(&id) else {
            return;
        };
        self.queue.closed(&place);
        self.unresolved
            .remove(&(place.lane.class, place.arrival, id));
        self.outbox.answered(id, &outcome, receipt, now);
        if let Outcome::Refused(refused) = &outcome {
            // Not its text: that may have a name in it. Its owner gets all of it.
            tracing::warn!(
                request = %id,
                owner = place.origin.uid,
                code = %refused.code,
                field = refused.field,
                "the signer refuses this request; it is not sent again"
            );
            *self.refused.entry(refused.code.to_string()).or_default() += 1;
        }
    }

    /// Tells those who wait for an act its answer, which is on the disk.
    pub(super) fn tell(&mut self, id: RequestId) {
        let Some(waiters) = self.waiters.remove(&id) else {
            return;
        };
        let Some((outcome, receipt)) = self.outbox.kept_answer(&id) else {
            return;
        };
        let reply = Reply {
            id,
            outcome: outcome.clone(),
            receipt,
        };
        self.outputs
            .extend(waiters.into_iter().map(|caller| Output::Reply {
                caller,
                reply: reply.clone(),
            }));
    }

    fn resolved(&mut self, cable: usize, ids: Vec<RequestId>, outcome: Outcome, now: Now) {
        match outcome {
            Outcome::Results { results } if results.len() == ids.len() => {
                for (id, result) in ids.into_iter().zip(results) {
                    match result {
                        SignedResult::Signed { signature } => {
                            let outcome = Outcome::Signed { signature };
                            if self.fits(&id, &outcome) {
                                self.answered(id, outcome, None, now);
                            }
                        }
                        SignedResult::Refused(refused) => {
                            self.answered(id, Outcome::Refused(refused), None, now);
                        }
                        // Remembered: sent again, the signer says the count and the digest again.
                        _ => {
                            if let Some(place) = self.places.get(&id) {
                                self.queue.put(id, place);
                            }
                        }
                    }
                }
            }
            Outcome::Busy { .. } | Outcome::Refused(_) => {
                ids.into_iter().for_each(|id| self.unresolve(id));
                self.pause(cable, "GetResult", &outcome, now);
            }
            _ => {
                ids.into_iter().for_each(|id| self.unresolve(id));
                self.rejected(cable, "it answers GetResult with something else", now);
            }
        }
    }

    fn pinged(&mut self, cable: usize, sent: Millis, outcome: Outcome, now: Now) {
        match outcome {
            Outcome::Pong(status) => self.pong(cable, sent, status, now),
            // The next one is not far.
            Outcome::Busy { .. } => {}
            Outcome::Refused(_) => self.pause(cable, "Ping", &outcome, now),
            _ => self.rejected(cable, "it answers Ping with something else", now),
        }
    }

    fn pong(&mut self, cable: usize, sent: Millis, status: Status, now: Now) {
        let this = &mut self.cables[cable];
        let signer_id = this.settings.signer_id;
        let Some(session) = &mut this.session else {
            return;
        };
        if session.mode != status.mode {
            tracing::info!(
                signer_id,
                reason = status.reason,
                "the signer is {}",
                status.mode
            );
        }
        session.mode = status.mode;
        session.epoch = status.epoch;
        session.knows_head(status.head.sequence);
        session.status = Some(status.clone());
        let (mode, epoch) = (status.mode, status.epoch);
        // Promoted after its own Hello and before it heard this host's.
        let outdated = (1..epoch).contains(&session.said) && mode == Mode::Suspended;
        this.seen = Some(Seen {
            clock_offset: now.time.seconds_until(status.time),
            status,
            at: now.millis,
            round_trip: now.millis.saturating_sub(sent),
        });
        self.met(signer_id, mode, epoch, now);
        if outdated {
            self.reset(cable, now);
        }
    }

    fn log_came(&mut self, cable: usize, outcome: Outcome, now: Now) {
        let (records, head) = match outcome {
            Outcome::Log { records, head } => (records, head),
            Outcome::Busy { .. } | Outcome::Refused(_) => {
                return self.pause(cable, "GetLog", &outcome, now);
            }
            _ => return self.rejected(cable, "it answers GetLog with something else", now),
        };
        let this = &mut self.cables[cable];
        // The signer has said meanwhile that its log does not go on where the archive ends.
        if this
            .session
            .as_ref()
            .is_some_and(|session| session.fault.is_some())
        {
            return;
        }
        let appended = this
            .archive
            .append(&mut self.directory, &records, head, now.millis);
        let Some(session) = &mut this.session else {
            return;
        };
        session.knows_head(head.sequence);
        session.log_at = now.millis + self.settings.log_interval;
        match appended {
            // More of it waits.
            Ok(()) if !records.is_empty() && this.archive.end().sequence < head.sequence => {
                session.log_at = now.millis;
            }
            Ok(()) => {}
            Err(ArchiveError::Chain(why)) => {
                let why = format!(
                    "the signer's log and its archive are not on one chain ({why}): one of the two was restored from a \
                     backup or changed. Nothing is asked of this signer"
                );
                tracing::error!(signer_id = this.settings.signer_id, "{why}");
                session.fault = Some((AlarmKind::Chain, why));
            }
            // It is said in the log already, and asked for again when there is room.
            Err(ArchiveError::Disk(_)) => {}
        }
    }

    fn acknowledged(&mut self, cable: usize, outcome: Outcome, now: Now) {
        match outcome {
            Outcome::Done => {}
            Outcome::Busy { .. } => {
                self.pause(cable, "AckLog", &outcome, now);
                let this = &mut self.cables[cable];
                let end = receipt(this.archive.end());
                if let Some(session) = &mut this.session
                    && this.archive.failure().is_none()
                {
                    session.ack.get_or_insert(end);
                }
            }
            Outcome::Refused(refused) => {
                let why = format!(
                    "the signer does not know the end of its log's archive ({refused}): one of the two was restored from a \
                     backup or changed. Nothing is asked of this signer"
                );
                tracing::error!(signer_id = self.cables[cable].settings.signer_id, "{why}");
                if let Some(session) = &mut self.cables[cable].session {
                    session.fault = Some((AlarmKind::Chain, why));
                }
            }
            _ => self.rejected(cable, "it answers AckLog with something else", now),
        }
    }

    fn replicated(&mut self, cable: usize, active: u8, last: u64, outcome: Outcome, now: Now) {
        let this = &mut self.cables[cable];
        let Some(session) = &mut this.session else {
            return;
        };
        match outcome {
            Outcome::Done => {
                this.replicated = Some((active, last));
                this.not_taken = this.not_taken.filter(|refused| *refused > last);
            }
            Outcome::Refused(refused) => {
                tracing::warn!(
                    signer_id = this.settings.signer_id,
                    code = %refused.code,
                    "the standby does not take what follows: {}", refused.message
                );
                // How much it has, as after a restore, or that it was promoted, it says in answer to a Ping. What it refuses
                // twice is not offered again for a while.
                session.ping_at = now.millis;
                let again = this.not_taken == Some(last);
                this.replicate_at = now.millis + if again { NOT_REPLICATED } else { ASK_FIRST };
                (this.replicated, this.not_taken) = (None, Some(last));
            }
            Outcome::Busy { .. } => self.pause(cable, "Replicate", &outcome, now),
            _ => self.rejected(cable, "it answers Replicate with something else", now),
        }
    }

    /// Asks nothing of its own for a while.
    fn pause(&mut self, cable: usize, what: &str, outcome: &Outcome, now: Now) {
        let wait = match outcome {
            Outcome::Busy { milliseconds } => u64::from(*milliseconds).max(10),
            Outcome::Refused(refused) => {
                let signer_id = self.cables[cable].settings.signer_id;
                tracing::warn!(signer_id, "the signer refuses {what}: {refused}");
                REFUSED
            }
            _ => return,
        };
        if let Some(session) = &mut self.cables[cable].session {
            session.pause_until = now.millis + wait;
        }
    }
}

/// Whether this is the signer that must be there, and its log goes on where the archive ends.
fn judge(hello: &Hello, signer_id: u8, archived: Receipt) -> Option<(AlarmKind, String)> {
    if hello.protocol != wire::PROTOCOL_VERSION {
        return Some((
            AlarmKind::Protocol,
            format!(
                "the signer speaks protocol version {}, this host version {}: install the same release on both",
                hello.protocol,
                wire::PROTOCOL_VERSION
            ),
        ));
    }
    if hello.signer_id != signer_id {
        return Some((
            AlarmKind::SignerId,
            format!(
                "signer {} is on the cable of signer {signer_id}: are the cables exchanged?",
                hello.signer_id
            ),
        ));
    }
    if hello.log.sequence < archived.sequence {
        return Some((
            AlarmKind::LogOlder,
            format!(
                "the signer's journal is older than its archive: it ends at record {}, {} are archived. Was a backup \
                 restored? It would use serial numbers again; nothing is asked of it",
                hello.log.sequence, archived.sequence
            ),
        ));
    }
    if hello.log.sequence == archived.sequence && hello.log.head != archived.head {
        return Some((
            AlarmKind::Chain,
            "the signer's journal has other records than its archive. One of the two was restored or changed; nothing is \
             asked of it"
                .to_owned(),
        ));
    }
    None
}

/// The results that were known here, and between them those that the signer knows.
fn merge(known: Vec<Option<SignedResult>>, results: Vec<SignedResult>) -> Outcome {
    let mut results = results.into_iter();
    let results = known
        .into_iter()
        .map(|known| known.or_else(|| results.next()))
        .map(|result| result.unwrap_or(SignedResult::Unknown))
        .collect();
    Outcome::Results { results }
}
