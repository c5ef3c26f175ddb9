//! Any order of cuts, crashes at any sync, a full disk, doubled requests, signers that are busy: nothing is lost, done
//! twice, or overtaken.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use signer_host::core::Settings;
use wire::{Mode, Operation, Outcome, Request, RequestId};

use crate::requests::{issue, revoke, sign_crl};
use crate::signer::{POISON, Signer};
use crate::world::{CALLER, Requests, World};

#[derive(Clone, Debug)]
enum Event {
    Ask { kind: u8, issuer: bool },
    Again { which: prop::sample::Index },
    Step,
    Deliver { count: u8 },
    BringBack { count: u8 },
    Cut,
    Plug,
    Crash { syncs: u8, part: u8 },
    Full { full: bool },
    Busy { crls: bool, clients: bool },
    Pass { millis: u16 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0..6_u8, any::<bool>()).prop_map(|(kind, issuer)| Event::Ask { kind, issuer }),
        2 => any::<prop::sample::Index>().prop_map(|which| Event::Again { which }),
        8 => Just(Event::Step),
        6 => (1..6_u8).prop_map(|count| Event::Deliver { count }),
        6 => (1..6_u8).prop_map(|count| Event::BringBack { count }),
        1 => Just(Event::Cut),
        3 => Just(Event::Plug),
        1 => (0..4_u8, any::<u8>()).prop_map(|(syncs, part)| Event::Crash { syncs, part }),
        1 => any::<bool>().prop_map(|full| Event::Full { full }),
        1 => any::<(bool, bool)>().prop_map(|(crls, clients)| Event::Busy { crls, clients }),
        3 => (0..3_000_u16).prop_map(|millis| Event::Pass { millis }),
    ]
}

struct Run {
    world: World,
    requests: Requests,
    order: Vec<RequestId>,
    /// Acts in the order in which the host took them; not those of which that is not known.
    taken: Vec<RequestId>,
    doubtful: HashSet<RequestId>,
    /// Asked since the last step.
    fresh: Vec<RequestId>,
    /// The final answer that the caller got.
    answers: HashMap<RequestId, Outcome>,
    /// How often the signer had received an act when its answer was told.
    settled: HashMap<RequestId, u32>,
    part: u8,
}

impl Run {
    fn new() -> Self {
        let settings = Settings {
            compact_octets: 20_000,
            ..Settings::default()
        };
        Self {
            world: World::with(vec![Signer::new(17, Mode::Active, 1)], settings, 6_000),
            requests: HashMap::new(),
            order: Vec::new(),
            taken: Vec::new(),
            doubtful: HashSet::new(),
            fresh: Vec::new(),
            answers: HashMap::new(),
            settled: HashMap::new(),
            part: 0,
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Ask { kind, issuer } => {
                let number = self.order.len() as u64;
                let issuer = if *issuer { "member" } else { "other" };
                let request = match kind {
                    0 | 1 => revoke(number, issuer),
                    2 => sign_crl(number, issuer),
                    3 => issue(number, "client"),
                    4 => issue(number, POISON),
                    _ => issue(number, "server"),
                };
                self.order.push(request.id);
                self.requests.insert(request.id, request.clone());
                self.ask(&request);
            }
            Event::Again { which } => {
                if !self.order.is_empty() {
                    let id = *which.get(&self.order);
                    let request = self.requests[&id].clone();
                    self.ask(&request);
                }
            }
            Event::Step => self.step(),
            Event::Deliver { count } => (0..*count).for_each(|_| self.deliver()),
            Event::BringBack { count } => (0..*count).for_each(|_| self.world.bring_back(0)),
            Event::Cut => self.world.cut(0),
            Event::Plug => self.world.plug(0),
            Event::Crash { syncs, part } => {
                self.part = *part;
                self.world.disk.crash_after(u64::from(*syncs));
            }
            Event::Full { full } => self.world.disk.set_full(*full),
            Event::Busy { crls, clients } => {
                let signer = &mut self.world.cables[0].signer;
                signer.busy_crls = *crls;
                signer.busy_profile = if *clients { "client" } else { "" }.to_owned();
            }
            Event::Pass { millis } => self.world.pass(u64::from(*millis)),
        }
    }

    fn ask(&mut self, request: &Request) {
        if self.world.core.is_some() {
            self.world.ask(CALLER, request);
            self.fresh.push(request.id);
        }
    }

    fn step(&mut self) {
        self.world.step();
        let fresh = std::mem::take(&mut self.fresh);
        let busy: HashSet<RequestId> = self
            .world
            .replies
            .iter()
            .filter(|(_, reply)| matches!(reply.outcome, Outcome::Busy { .. }))
            .map(|(_, reply)| reply.id)
            .collect();
        for (_, reply) in std::mem::take(&mut self.world.replies) {
            if matches!(reply.outcome, Outcome::Busy { .. }) {
                continue;
            }
            let times = self.world.cables[0].signer.times(reply.id);
            self.settled.entry(reply.id).or_insert(times);
            let before = self.answers.insert(reply.id, reply.outcome.clone());
            assert!(
                before.is_none_or(|before| before == reply.outcome),
                "two answers"
            );
        }
        let crashed = self.world.core.is_none();
        for id in fresh {
            if crashed || busy.contains(&id) {
                // It may stand in the outbox or not.
                self.doubtful.insert(id);
            } else if !self.taken.contains(&id) {
                self.taken.push(id);
            }
        }
        if crashed {
            self.world.restart(self.part);
        }
    }

    /// A message arrives at the signer; what it does now must not overtake.
    fn deliver(&mut self) {
        let before = self.world.cables[0].signer.done.len();
        self.world.deliver(0);
        let signer = &self.world.cables[0].signer;
        for id in &signer.done[before..] {
            let Operation::SignCrl(crl) = &self.requests[id].operation else {
                continue;
            };
            if self.doubtful.contains(id) {
                continue;
            }
            let earlier = self.taken.iter().take_while(|taken| *taken != id);
            for revocation in earlier.filter(|taken| !self.doubtful.contains(taken)) {
                if let Operation::Revoke(revoke) = &self.requests[revocation].operation
                    && revoke.issuer == crl.issuer
                {
                    assert!(
                        signer.acts.contains_key(revocation),
                        "a CRL overtakes a revocation"
                    );
                }
            }
        }
    }

    /// All is well again: everything that was ever asked gets its answer.
    fn finish(&mut self) {
        self.world.disk.set_full(false);
        self.world.cables[0].signer.busy_crls = false;
        self.world.cables[0].signer.busy_profile.clear();
        self.step();
        for _ in 0..20 {
            for id in self.order.clone() {
                if !self.answers.contains_key(&id) {
                    let request = self.requests[&id].clone();
                    self.ask(&request);
                }
            }
            self.step();
            for _ in 0..40 {
                self.world.plug(0);
                for _ in 0..10 {
                    self.step();
                    (0..20).for_each(|_| self.deliver());
                    (0..20).for_each(|_| self.world.bring_back(0));
                }
                self.step();
                self.world.pass(1_000);
            }
            if self.answers.len() == self.order.len() {
                break;
            }
        }
        let signer = &self.world.cables[0].signer;
        for id in &self.order {
            assert_eq!(Some(&signer.acts[id].1), self.answers.get(id), "{id}");
        }
        for (id, times) in &self.settled {
            assert_eq!(signer.times(*id), *times, "sent again after its answer");
        }
        assert_eq!(self.world.alarms(), []);
        let view = self.world.core().view(self.world.now());
        assert!(view.queues.values().all(|queue| queue.count == 0));
        assert_eq!(signer.acked, signer.end().sequence);
        assert_eq!(self.world.core().archived(0).head, signer.end().head);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_doubled_or_overtaken(events in prop::collection::vec(event(), 0..120)) {
        let mut run = Run::new();
        run.world.plug(0);
        for event in &events {
            run.event(event);
        }
        run.finish();
    }
}
