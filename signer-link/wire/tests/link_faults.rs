//! Whatever the line does: what was acknowledged arrived, once, in order, and the link comes back.

mod cable;

use cable::{Cable, Faults, events};
use proptest::prelude::*;
use wire::link::{DownReason, Endpoint, Event, Role};

/// One end's view of a conversation in which each message says its session and its place in it.
struct Talker {
    role: Role,
    up: bool,
    /// How often a session has stood here.
    session: u64,
    sent: u64,
    /// What was sent in each session, and how much of it was acknowledged when nothing was open any more.
    acknowledged: Vec<u64>,
    /// For each session here: the peer's session whose messages came, and how many.
    received: Vec<Option<(u64, u64)>>,
}

impl Talker {
    fn new(role: Role) -> Self {
        Self {
            role,
            up: false,
            session: 0,
            sent: 0,
            acknowledged: Vec::new(),
            received: Vec::new(),
        }
    }

    fn say(&mut self, end: &mut Endpoint, size: usize) {
        let mut message = self.session.to_be_bytes().to_vec();
        message.extend(self.sent.to_be_bytes());
        message.resize(16 + size, self.sent as u8);
        if end.send(&message).is_ok() {
            self.sent += 1;
        }
    }

    fn listen(&mut self, end: &mut Endpoint) {
        // The session may have changed since it was last looked at: only then is the backlog that of another one.
        let events = events(end);
        let changed = events
            .iter()
            .any(|event| !matches!(event, Event::Message(_)));
        for event in events {
            match event {
                Event::Up => {
                    assert!(!self.up);
                    self.up = true;
                    self.session += 1;
                    self.sent = 0;
                    self.acknowledged.push(0);
                    self.received.push(None);
                }
                Event::Down(_) => {
                    assert!(self.up);
                    self.up = false;
                }
                Event::Message(message) => {
                    assert!(self.up, "a message outside a session");
                    let session = u64::from_be_bytes(message[..8].try_into().unwrap());
                    let number = u64::from_be_bytes(message[8..16].try_into().unwrap());
                    assert!(message[16..].iter().all(|octet| *octet == number as u8));
                    let (of, count) = self
                        .received
                        .last_mut()
                        .unwrap()
                        .get_or_insert((session, 0));
                    assert_eq!((session, number), (*of, *count), "{:?}", self.role);
                    *count += 1;
                }
                event => panic!("{:?}: {event:?}", self.role),
            }
        }
        if self.up && !changed && end.backlog() == 0 {
            *self.acknowledged.last_mut().unwrap() = self.sent;
        }
    }

    /// Everything that was acknowledged to this one has come to that one.
    fn check(&self, peer: &Self) {
        for (session, acknowledged) in self.acknowledged.iter().enumerate() {
            let received = peer
                .received
                .iter()
                .flatten()
                .find(|(of, _)| *of == session as u64 + 1)
                .map_or(0, |(_, count)| *count);
            assert!(
                received >= *acknowledged,
                "{:?}, session {session}: {acknowledged} acknowledged, {received} received",
                self.role
            );
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Say { host: bool, size: usize },
    Run(u64),
    Cut { to_signer: bool, to_host: bool },
    Restore,
    Reset { host: bool },
    Restart { host: bool },
    Faults(Faults),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (any::<bool>(), prop_oneof![0..400usize, 0..4000usize, 0..60_000usize])
            .prop_map(|(host, size)| Op::Say { host, size }),
        8 => prop_oneof![0..50u64, 0..1000u64, 0..10_000u64].prop_map(Op::Run),
        1 => (any::<bool>(), any::<bool>())
            .prop_map(|(to_signer, to_host)| Op::Cut { to_signer, to_host }),
        2 => Just(Op::Restore),
        1 => any::<bool>().prop_map(|host| Op::Reset { host }),
        1 => any::<bool>().prop_map(|host| Op::Restart { host }),
        2 => faults().prop_map(Op::Faults),
    ]
}

fn faults() -> impl Strategy<Value = Faults> {
    let rate = || prop_oneof![3 => Just(0), 1 => 0..400_000u64];
    let octet_rate = || prop_oneof![3 => Just(0), 1 => 0..3000u64];
    (octet_rate(), octet_rate(), rate(), rate(), rate(), rate()).prop_map(
        |(flip_octet, drop_octet, lose_frame, double_frame, delay_frame, garbage)| Faults {
            flip_octet,
            drop_octet,
            lose_frame,
            double_frame,
            delay_frame,
            garbage,
            longest: 0,
        },
    )
}

fn converse(seed: u64, bridge: u64, baud: u32, ops: &[Op]) {
    let mut cable = Cable::new(baud, bridge, seed);
    let (mut host, mut signer) = (Talker::new(Role::Host), Talker::new(Role::Signer));
    for op in ops {
        match *op {
            Op::Say { host: true, size } => host.say(&mut cable.host, size),
            Op::Say { host: false, size } => signer.say(&mut cable.signer, size),
            Op::Run(time) => {
                let end = cable.now + time;
                cable.run_until(end, |cable| {
                    host.listen(&mut cable.host);
                    signer.listen(&mut cable.signer);
                    false
                });
            }
            Op::Cut { to_signer, to_host } => {
                cable.to_signer.cut = to_signer;
                cable.to_host.cut = to_host;
            }
            Op::Restore => {
                cable.to_signer.cut = false;
                cable.to_host.cut = false;
            }
            Op::Reset { host: true } => cable.host.reset(cable.now),
            Op::Reset { host: false } => cable.signer.reset(cable.now),
            Op::Restart {
                host: restarts_host,
            } => {
                let (talker, end) = if restarts_host {
                    (&mut host, &mut cable.host)
                } else {
                    (&mut signer, &mut cable.signer)
                };
                talker.listen(end);
                talker.up = false;
                *end = cable::end(talker.role, baud, cable.random.number(), cable.now);
            }
            Op::Faults(faults) => {
                cable.to_signer.faults = faults;
                cable.to_host.faults = faults;
            }
        }
        host.listen(&mut cable.host);
        signer.listen(&mut cable.signer);
    }

    // The line is good again: so is the link, soon, and everything said now arrives.
    for line in [&mut cable.to_signer, &mut cable.to_host] {
        line.cut = false;
        line.faults = Faults::default();
    }
    let end = cable.now + 120_000;
    let mut healed_since = None;
    let healed = cable.run_until(end, |cable| {
        host.listen(&mut cable.host);
        signer.listen(&mut cable.signer);
        let idle = host.up && signer.up && cable.host.backlog() == 0 && cable.signer.backlog() == 0;
        let since = *healed_since.get_or_insert(cable.now);
        if !idle {
            healed_since = None;
        }
        // No session is left over on one side only.
        idle && cable.now > since + 10_000
    });
    assert!(healed, "no session after two minutes on a good line");
    for _ in 0..20 {
        host.say(&mut cable.host, 1300);
        signer.say(&mut cable.signer, 300);
    }
    let end = cable.now + 60_000;
    assert!(cable.run_until(end, |cable| {
        host.listen(&mut cable.host);
        signer.listen(&mut cable.signer);
        cable.host.backlog() == 0 && cable.signer.backlog() == 0
    }));
    cable.run(1000);
    host.listen(&mut cable.host);
    signer.listen(&mut cable.signer);
    assert!(signer.received.last().unwrap().unwrap().1 >= 20);
    assert!(host.received.last().unwrap().unwrap().1 >= 20);
    host.check(&signer);
    signer.check(&host);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if long() { 20_000 } else { 300 }))]

    #[test]
    fn nothing_acknowledged_is_lost_or_doubled(
        seed in any::<u64>(),
        bridge in prop_oneof![Just(0), Just(16)],
        baud in prop_oneof![Just(115_200), Just(921_600)],
        ops in prop::collection::vec(op(), 0..60),
    ) {
        converse(seed, bridge, baud, &ops);
    }
}

fn long() -> bool {
    std::env::var("AVOUCH_LONG").is_ok_and(|long| !long.is_empty())
}

/// A cut shorter than the silence costs no session; a longer one does, is noticed, and heals.
#[test]
fn cuts() {
    for (time, sessions) in [(2_000, 1), (60_000, 2), (3_600_000, 2)] {
        let mut cable = Cable::new(115_200, 16, time);
        cable.up();
        for _ in 0..100 {
            cable.host.send(&[7; 1300]).unwrap();
        }
        cable.run(500);
        cable.to_signer.cut = true;
        cable.to_host.cut = true;
        let before = cable.host.quality().frames_sent;
        cable.run(time);
        let sent = cable.host.quality().frames_sent - before;
        // Once every two seconds in the long run, not as fast as the line goes.
        assert!(
            sent < 30 + time / 1900,
            "{sent} frames into a cut of {time} ms"
        );
        cable.to_signer.cut = false;
        cable.to_host.cut = false;
        let end = cable.now + 10_000;
        assert!(cable.run_until(end, |cable| {
            cable.host.quality().sessions == sessions && cable.signer.quality().sessions == sessions
        }));
    }
}

/// The cable is cut again and again while both sides talk as fast as it goes.
#[test]
fn many_cuts_under_load() {
    let mut cable = Cable::new(921_600, 16, 9);
    let (mut host, mut signer) = (Talker::new(Role::Host), Talker::new(Role::Signer));
    let mut random = cable.random.clone();
    let cuts = if long() { 1000 } else { 50 };
    for _ in 0..cuts {
        for (cut, time) in [(false, random.below(8000)), (true, random.below(8000))] {
            cable.to_signer.cut = cut;
            cable.to_host.cut = cut;
            let end = cable.now + time;
            cable.run_until(end, |cable| {
                host.listen(&mut cable.host);
                signer.listen(&mut cable.signer);
                if cable.host.backlog() < 32_000 {
                    host.say(&mut cable.host, 1300);
                }
                if cable.signer.backlog() < 32_000 {
                    signer.say(&mut cable.signer, 300);
                }
                false
            });
            if cut {
                cable.to_signer.clear();
                cable.to_host.clear();
            }
        }
    }
    cable.to_signer.cut = false;
    cable.to_host.cut = false;
    let end = cable.now + 30_000;
    assert!(cable.run_until(end, |cable| {
        host.listen(&mut cable.host);
        signer.listen(&mut cable.signer);
        host.up && signer.up && cable.host.backlog() == 0 && cable.signer.backlog() == 0
    }));
    cable.run(1000);
    host.listen(&mut cable.host);
    signer.listen(&mut cable.signer);
    host.check(&signer);
    signer.check(&host);
    let sessions = host.session;
    assert!(
        sessions > cuts / 5 && sessions < cuts + 2,
        "{sessions} sessions, {cuts} cuts"
    );
    let received: u64 = signer
        .received
        .iter()
        .flatten()
        .map(|(_, count)| count)
        .sum();
    assert!(received > cuts * 50, "{received} messages");
}

/// What the line never carries is sent again slowly, and not for ever in the same form.
#[test]
fn a_frame_that_never_gets_through() {
    let mut cable = Cable::new(115_200, 0, 8);
    cable.up();
    cable.to_signer.faults.longest = 200;
    cable.host.send(&[7; 1300]).unwrap();
    let end = cable.now + 120_000;
    assert!(cable.run_until(end, |cable| {
        let events = events(&mut cable.host);
        assert!(
            events.is_empty() || events == [Event::Down(DownReason::Undeliverable)],
            "{events:?}"
        );
        !events.is_empty()
    }));
    assert!(cable.now > 50_000, "{} ms", cable.now);
    assert_eq!(cable.host.quality().retransmissions, 31);
}

/// A cut in one direction only is noticed by both ends within seconds.
#[test]
fn half_a_cut() {
    let mut cable = Cable::new(115_200, 0, 5);
    cable.up();
    cable.to_host.cut = true;
    cable.run(10_000);
    assert!(
        events(&mut cable.host)
            .iter()
            .any(|event| matches!(event, Event::Down(_)))
    );
    assert!(
        events(&mut cable.signer)
            .iter()
            .any(|event| matches!(event, Event::Down(_)))
    );
}

/// Whoever does not take messages is not sent more than it can hold, and loses none.
#[test]
fn a_reader_that_does_not_read() {
    let mut cable = Cable::new(3_000_000, 0, 6);
    cable.up();
    let mut sent = 0_u64;
    let end = cable.now + 20_600;
    cable.run_until(end, |cable| {
        while cable.host.backlog() < 500_000 {
            cable.host.send(&[7; 100_000]).unwrap();
            sent += 1;
        }
        false
    });
    let carried = cable.to_signer.carried;
    assert!(
        carried < 1_000_000,
        "{carried} octets to a reader that does not read"
    );
    // It goes on as soon as there is room.
    let mut received = events(&mut cable.signer).len() as u64;
    cable.run(200);
    assert!(cable.to_signer.carried > carried + 10_000);
    let end = cable.now + 20_000;
    assert!(cable.run_until(end, |cable| {
        received += events(&mut cable.signer).len() as u64;
        received == sent
    }));
    assert_eq!(cable.host.quality().sessions, 1);
}

/// Memory stays bounded under garbage, and the next frame is found at once.
#[test]
fn garbage() {
    let mut cable = Cable::new(3_000_000, 0, 7);
    cable.up();
    let mut random = cable.random.clone();
    for _ in 0..2000 {
        let mut noise = [0; 1000];
        wire::link::Random::fill(&mut random, &mut noise);
        cable.signer.receive(&noise, cable.now);
        cable.signer.receive(&[0x55; 1000], cable.now);
    }
    cable.host.send(b"heard").unwrap();
    cable.run(1000);
    assert_eq!(
        events(&mut cable.signer),
        [Event::Message(b"heard".to_vec())]
    );
    assert!(cable.signer.quality().noise > 1000);
}

/// A plug that joins both wires, or a terminal that echoes: an end does not talk to itself.
#[test]
fn an_echo_is_nobody() {
    let mut host = cable::end(Role::Host, 115_200, 1, 0);
    for now in 0..30_000 {
        while let Some(octets) = host.transmit(now) {
            host.receive(&octets, now);
        }
    }
    assert!(host.quality().echoes > 10);
    assert_eq!(events(&mut host), []);
}
