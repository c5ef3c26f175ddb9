//! What the signers are asked, and when.

use wire::{Mode, Operation, Request, limits};

use super::archive::receipt;
use super::directory::Directory;
use super::outbox::ActState;
use super::queue::Class;
use super::session::Flight;
use super::settings::{Millis, Now};
use super::{Core, FRESH_LOG};

impl<D: Directory> Core<D> {
    /// When to call [`Core::run`] if nothing else happens.
    pub fn deadline(&self, now: Millis) -> Option<Millis> {
        let mut next = vec![self.outbox.deadline(), self.queue.deadline(now)];
        for (index, cable) in self.cables.iter().enumerate() {
            next.push(cable.archive.deadline());
            let Some(session) = &cable.session else {
                continue;
            };
            next.push(session.silent_at(self.settings.silence));
            if session.is_pinged() && !self.is_superseded(index) && !session.has(is_ping) {
                next.push(Some(session.ping_at));
            }
            next.push((session.pause_until > now).then_some(session.pause_until));
            next.push((cable.replicate_at > now).then_some(cable.replicate_at));
            if self.wants_log(index) {
                next.push(Some(session.log_at.max(session.pause_until)));
            }
        }
        next.into_iter().flatten().min()
    }

    /// The one signer that gets the acts: active, in the highest promotion epoch, and told so in this session.
    pub(super) fn choose_active(&mut self) {
        let candidates: Vec<usize> = (0..self.cables.len())
            .filter(|cable| self.is_active(*cable))
            .collect();
        self.split = candidates.len() > 1;
        self.active = match candidates[..] {
            [only] => Some(only),
            _ => None,
        };
        let Some(active) = self.active.filter(|active| self.serving != Some(*active)) else {
            return;
        };
        self.serving = Some(active);
        self.queue.resume();
        // What another signer was asked and has not answered: this one may know it from that one's log.
        for cable in (0..self.cables.len()).filter(|cable| *cable != active) {
            let Some(session) = &mut self.cables[cable].session else {
                continue;
            };
            let withdrawn: Vec<_> = session
                .flights
                .extract_if(|_, flight| matches!(flight, Flight::Act | Flight::Resolve { .. }))
                .collect();
            for (id, flight) in withdrawn {
                match flight {
                    Flight::Resolve { ids } => ids.into_iter().for_each(|id| self.unresolve(id)),
                    _ => self.unresolve(id),
                }
            }
        }
    }

    fn is_active(&self, cable: usize) -> bool {
        let session = self.cables[cable].session.as_ref();
        session.is_some_and(|session| {
            session.is_usable()
                && session.status.is_some()
                && session.mode == Mode::Active
                && session.epoch == self.outbox.epoch()
                // After a crash, the one before must not get them.
                && self.outbox.keeps_epoch()
        })
    }

    /// Whether another signer was promoted since this one was active: it is told nothing but that, on which it locks.
    pub(super) fn is_superseded(&self, cable: usize) -> bool {
        let session = self.cables[cable].session.as_ref();
        session.is_some_and(|session| {
            session.hello.is_some()
                && session.epoch < self.outbox.epoch()
                && !matches!(session.mode, Mode::Sealed | Mode::Standby)
        })
    }

    /// Whether questions can be put to this signer.
    pub(super) fn is_askable(&self, cable: usize) -> bool {
        let session = self.cables[cable].session.as_ref();
        session.is_some_and(|session| session.is_usable()) && !self.is_superseded(cable)
    }

    /// Sends on one cable what is due.
    pub(super) fn drive(&mut self, cable: usize, now: Now) {
        let silence = self.settings.silence;
        let backlog = self.cables[cable].backlog;
        let Some(session) = &mut self.cables[cable].session else {
            return;
        };
        if backlog > 0 {
            session.alive_at = now.millis;
        }
        if session
            .silent_at(silence)
            .is_some_and(|silent| silent <= now.millis)
        {
            let signer_id = self.cables[cable].settings.signer_id;
            tracing::warn!(
                signer_id,
                "the signer does not answer; the session is begun anew"
            );
            return self.reset(cable, now);
        }
        if self.is_superseded(cable) {
            return;
        }
        self.ping(cable, now);
        if !self.is_askable(cable) {
            return;
        }
        self.ask_for_log(cable, now);
        if self.active == Some(cable) {
            self.ask_what_became(cable, now);
            self.send_acts(cable, now);
        } else {
            self.replicate(cable, now);
        }
    }

    fn ping(&mut self, cable: usize, now: Now) {
        let Some(session) = &mut self.cables[cable].session else {
            return;
        };
        if !session.is_pinged() || now.millis < session.ping_at || session.has(is_ping) {
            return;
        }
        session.ping_at = now.millis + self.settings.ping;
        let sent = now.millis;
        self.question(
            cable,
            Operation::Ping { time: now.time },
            Flight::Ping { sent },
        );
    }

    /// Archives its log, and says so: of few octets, so that it goes on beside everything else.
    fn ask_for_log(&mut self, cable: usize, now: Now) {
        let after = self.cables[cable].archive.end().sequence;
        let wants = self.wants_log(cable);
        let Some(session) = &mut self.cables[cable].session else {
            return;
        };
        if now.millis < session.pause_until {
            return;
        }
        let may_ack = !session.has(|flight| matches!(flight, Flight::Ack));
        let ack = session.ack.take_if(|_| may_ack);
        let get = wants && now.millis >= session.log_at;
        if let Some(archived) = ack {
            self.question(cable, Operation::AckLog { archived }, Flight::Ack);
        }
        if get {
            self.question(cable, Operation::GetLog { after }, Flight::Log);
        }
    }

    fn wants_log(&self, cable: usize) -> bool {
        let this = &self.cables[cable];
        this.session.as_ref().is_some_and(|session| {
            session.head > this.archive.end().sequence
                && this.archive.failure().is_none()
                && !session.has(|flight| matches!(flight, Flight::Log))
        }) && self.is_askable(cable)
    }

    /// Asks what became of acts that a signer may have.
    fn ask_what_became(&mut self, cable: usize, now: Now) {
        let Some(session) = &self.cables[cable].session else {
            return;
        };
        if now.millis < session.pause_until
            || session.has(|flight| matches!(flight, Flight::Resolve { .. }))
        {
            return;
        }
        let mut ids = Vec::new();
        while ids.len() < limits::LIST
            && let Some((_, _, id)) = self.unresolved.pop_first()
        {
            ids.push(id);
        }
        if !ids.is_empty() {
            let operation = Operation::GetResult { ids: ids.clone() };
            self.question(cable, operation, Flight::Resolve { ids });
        }
    }

    fn send_acts(&mut self, cable: usize, now: Now) {
        loop {
            let this = &self.cables[cable];
            let Some(session) = &this.session else {
                return;
            };
            let unanswered = session.flights.len();
            if unanswered >= self.settings.window || this.backlog >= this.settings.window_octets {
                return;
            }
            // A place is always left for what is urgent.
            let last = match unanswered >= self.settings.window * 3 / 4 {
                true => Class::Crl,
                false => Class::Certificate,
            };
            let Some(id) = self.queue.take(now.millis, last) else {
                return;
            };
            let request = self.outbox.act(&id).and_then(|act| match &act.state {
                ActState::Open { request } => Request::decode(request).ok(),
                ActState::Done { .. } => None,
            });
            if let Some(request) = request {
                self.request(cable, request, Flight::Act);
            }
        }
    }

    /// Hands the log of the signer that leads on to one that stands by.
    fn replicate(&mut self, cable: usize, now: Now) {
        let leader = self.outbox.leader();
        let this = &self.cables[cable];
        let standby = this.settings.signer_id;
        let source = self
            .cables
            .iter()
            .position(|other| other.settings.signer_id == leader)
            .filter(|source| *source != cable);
        let (Some(session), Some(source)) = (&this.session, source) else {
            return;
        };
        if session.mode != Mode::Standby
            || now.millis < session.pause_until
            || now.millis < this.replicate_at
            || this.backlog >= this.settings.window_octets
            || session.has(|flight| matches!(flight, Flight::Replicate { .. }))
        {
            return;
        }
        let written = self.outbox.replicated(standby, leader);
        let said = session.status.as_ref().map(|status| status.replicated);
        let after = match (this.replicated, this.not_taken) {
            (Some((of, after)), _) if of == leader => after,
            (_, Some(_)) => said.unwrap_or(0),
            (_, None) => written,
        };
        // Written down now and then: a standby takes again what it has.
        let caught_up = after >= self.cables[source].archive.end().sequence;
        if after != written && (caught_up || after.abs_diff(written) >= FRESH_LOG) {
            self.outbox.met_replicated(standby, leader, after, now);
        }
        if caught_up {
            return;
        }
        let records = match self.cables[source].archive.after(after) {
            Ok(records) if records.is_empty() => return,
            Ok(records) => records,
            Err(error) => {
                tracing::error!("the archive of the active signer's log cannot be read: {error}");
                return;
            }
        };
        let last = after + records.len() as u64;
        self.question(
            cable,
            Operation::Replicate { after, records },
            Flight::Replicate {
                active: leader,
                last,
            },
        );
    }

    /// Where the archive of a signer's log ends.
    pub fn archived(&self, cable: usize) -> wire::Receipt {
        receipt(self.cables[cable].archive.end())
    }
}

fn is_ping(flight: &Flight) -> bool {
    matches!(flight, Flight::Ping { .. })
}
