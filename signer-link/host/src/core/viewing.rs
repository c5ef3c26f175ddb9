//! How everything is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use wire::Outcome;
use wire::local::RefusedAct;

use super::directory::Directory;
use super::outbox::ActState;
use super::queue::Class;
use super::session::Session;
use super::settings::Now;
use super::view::{Alarm, AlarmKind, CableView, QueueView, View};
use super::{Cable, Core};

impl<D: Directory> Core<D> {
    /// How everything is now.
    pub fn view(&self, now: Now) -> View {
        let (_, open_octets) = self.outbox.open_size();
        View {
            cables: (0..self.cables.len())
                .map(|cable| self.view_cable(cable))
                .collect(),
            active: self.active,
            epoch: self.outbox.epoch(),
            queues: self.view_queues(now),
            open_octets,
            refused: self.refused.clone(),
            outbox_octets: self.outbox.octets(),
            alarms: self.alarms(),
        }
    }

    /// How many refused acts are remembered, and the newest of them.
    pub fn refused(&self, most: usize) -> (u64, Vec<RefusedAct>) {
        let mut refused: Vec<_> = self
            .outbox
            .acts()
            .filter_map(|(id, act)| match &act.state {
                ActState::Done {
                    outcome: Outcome::Refused(refused),
                    ..
                } => Some((id, act, refused)),
                _ => None,
            })
            .collect();
        refused.sort_unstable_by_key(|(_, act, _)| Reverse((act.time, act.arrival)));
        let count = refused.len() as u64;
        let newest = refused.into_iter().take(most);
        let newest = newest.map(|(id, act, refused)| RefusedAct {
            id: *id,
            owner: act.owner,
            time: act.time,
            refused: refused.clone(),
        });
        (count, newest.collect())
    }

    fn view_queues(&self, now: Now) -> BTreeMap<Class, QueueView> {
        let mut queues: BTreeMap<Class, QueueView> = Class::ALL
            .into_iter()
            .map(|class| (class, QueueView::default()))
            .collect();
        for (id, act) in self.outbox.open_acts() {
            let Some(queue) = self
                .places
                .get(id)
                .and_then(|place| queues.get_mut(&place.lane.class))
            else {
                continue;
            };
            queue.count += 1;
            queue.oldest_seconds = queue.oldest_seconds.max(act.time.seconds_until(now.time));
        }
        queues
    }

    fn view_cable(&self, cable: usize) -> CableView {
        let this = &self.cables[cable];
        let session = this.session.as_ref();
        let seen = this.seen.as_ref();
        let archived = this.archive.end().sequence;
        CableView {
            signer_id: this.settings.signer_id,
            up: session.is_some_and(|session| session.hello.is_some()),
            build: session.and_then(|session| Some(session.hello.as_ref()?.build.clone())),
            status: seen.map(|seen| seen.status.clone()),
            status_at: seen.map_or(0, |seen| seen.at),
            round_trip: seen.map_or(0, |seen| seen.round_trip),
            clock_offset: seen.map_or(0, |seen| seen.clock_offset),
            head: session.map_or(archived, |session| session.head.max(archived)),
            archived,
            unanswered: session.map_or(0, |session| session.flights.len()),
            backlog: this.backlog,
            replicated: this.replicated.map(|(_, sequence)| sequence),
            reason: match self.active == Some(cable) {
                true => String::new(),
                false => self.why_not(cable),
            },
        }
    }

    /// Why the signer at this cable gets no acts.
    fn why_not(&self, cable: usize) -> String {
        let this = &self.cables[cable];
        let id = this.settings.signer_id;
        let Some(session) = &this.session else {
            return match &this.breach {
                Some(breach) => format!("the cable to signer {id} is not up: {breach}"),
                None => format!("the cable to signer {id} is not up"),
            };
        };
        if let Some((_, why)) = &session.fault {
            return why.clone();
        }
        if self.is_superseded(cable) {
            return superseded(session, self.outbox.epoch());
        }
        match &session.status {
            None => format!("signer {id} has not said yet how it is"),
            Some(_) if self.split => "two signers say that they are active".to_owned(),
            Some(_) if !self.outbox.keeps_epoch() => format!(
                "signer {id} was promoted, and that cannot be written down: make room for the outbox"
            ),
            Some(status) if status.reason.is_empty() => format!("signer {id} is {}", status.mode),
            Some(status) => format!("signer {id} is {}: {}", status.mode, status.reason),
        }
    }

    fn alarms(&self) -> Vec<Alarm> {
        let outbox = self.outbox.failure().map(|why| Alarm {
            kind: AlarmKind::Outbox,
            signer_id: None,
            text: why.to_owned(),
        });
        let split = self.split.then(|| Alarm {
            kind: AlarmKind::SplitBrain,
            signer_id: None,
            text: "two signers say that they are active in the same promotion epoch; nothing is asked of either. Lock one \
                   of them at its console"
                .to_owned(),
        });
        let cables = (0..self.cables.len()).flat_map(|cable| self.alarms_of(cable));
        outbox.into_iter().chain(split).chain(cables).collect()
    }

    fn alarms_of(&self, cable: usize) -> Vec<Alarm> {
        let this = &self.cables[cable];
        let mut found = Vec::new();
        let mut alarm = |kind, text: String| {
            found.push(Alarm {
                kind,
                signer_id: Some(this.settings.signer_id),
                text,
            });
        };
        if let Some(breach) = &this.breach {
            alarm(AlarmKind::Breach, breach.clone());
        }
        if let Some(why) = this.archive.failure() {
            alarm(AlarmKind::Archive, why.to_owned());
        }
        if let Some((kind, why)) = this
            .session
            .as_ref()
            .and_then(|session| session.fault.clone())
        {
            alarm(kind, why);
        }
        if let Some(session) = this.session.as_ref().filter(|_| self.is_superseded(cable)) {
            alarm(
                AlarmKind::Superseded,
                superseded(session, self.outbox.epoch()),
            );
        }
        if let Some(offset) = self.offset(this) {
            alarm(
                AlarmKind::ClockOffset,
                format!(
                    "the signer's clock is {offset} s from this host's; it signs no CRLs while they differ. Set the one \
                     that is wrong"
                ),
            );
        }
        found
    }

    /// The clock offset, where it is too large.
    fn offset(&self, cable: &Cable<D>) -> Option<i64> {
        cable.session.as_ref()?.status.as_ref()?;
        let offset = cable.seen.as_ref()?.clock_offset;
        (offset.abs() > self.settings.clock_offset_seconds).then_some(offset)
    }
}

fn superseded(session: &Session, highest: u32) -> String {
    format!(
        "it was active in promotion epoch {}, and another signer was promoted to {highest}: nothing is asked of it",
        session.epoch
    )
}
