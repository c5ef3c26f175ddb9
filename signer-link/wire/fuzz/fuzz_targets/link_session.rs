//! Two ends and a line that the fuzzer drives. Nothing arrives that was not sent, nothing twice, nothing in another
//! order; only forged frames are a breach; and afterwards the link comes back.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wire::link::frame::{Acknowledgement, Body, Decoded, Decoder, Frame};
use wire::link::{Endpoint, Event, KeyPair, LinkSettings, Role, SessionKeys};
use zeroize::Zeroizing;

fuzz_target!(|input: &[u8]| {
    let mut cable = Cable::new();
    let mut input = input.iter().copied();
    while let Some(operation) = input.next() {
        let side = usize::from(operation >> 7);
        let mut argument = || input.next().unwrap_or(0);
        match operation & 0x0f {
            0 => cable.run(u64::from(argument()) * 4, &mut Fault::None),
            1 => cable.run(1, &mut Fault::Lose(argument())),
            2 => cable.run(1, &mut Fault::Flip(argument(), argument())),
            3 => cable.run(1, &mut Fault::Double(argument())),
            4 => cable.run(u64::from(argument()) * 100, &mut Fault::Cut),
            5 => {
                let octets: Vec<u8> = (0..argument()).map(|_| argument()).collect();
                cable.ends[side].endpoint.receive(&octets, cable.now);
            }
            6 => {
                let payload = (0..argument()).map(|_| argument()).collect();
                cable.forge(side, argument(), payload);
            }
            7 => cable.ends[side].endpoint.reset(cable.now),
            8 => cable.replay(side, argument(), argument()),
            _ => cable.ends[side].say(usize::from(argument()) * 20),
        }
        cable.listen();
    }
    // A forged frame may still wait for its turn to be a breach.
    if cable.forged {
        cable.ends[0].endpoint.reset(cable.now);
    }
    // A rest after forged handshakes may come first; then a session that stays.
    let mut stands = 0;
    for _ in 0..120 {
        cable.run(1_000, &mut Fault::None);
        stands = if cable.ends[0].up && cable.ends[1].up {
            stands + 1
        } else {
            0
        };
        if stands == 6 {
            break;
        }
    }
    assert_eq!(stands, 6, "the link does not come back");
    for end in &mut cable.ends {
        end.say(100);
    }
    // A megabyte may have been waiting.
    for _ in 0..60 {
        cable.run(1_000, &mut Fault::None);
        if cable.ends.iter().all(|end| end.endpoint.backlog() == 0) {
            break;
        }
    }
    for (end, peer) in [(0, 1), (1, 0)] {
        assert_eq!(
            cable.ends[end].endpoint.backlog(),
            0,
            "{:?}",
            cable.ends[end].endpoint.quality()
        );
        assert!(
            cable.ends[peer].received.1 > 0,
            "{:?}",
            cable.ends[end].endpoint.quality()
        );
    }
});

/// What happens to a frame; the count says to which one from now on.
enum Fault {
    None,
    Lose(u8),
    Flip(u8, u8),
    Double(u8),
    Cut,
}

struct Cable {
    now: u64,
    /// Host and signer.
    ends: [End; 2],
    /// A forged frame was given to one of them.
    forged: bool,
}

struct End {
    role: Role,
    endpoint: Endpoint,
    up: bool,
    session: u64,
    sent: u64,
    /// The other end's session, and how many of its messages came.
    received: (u64, u64),
    /// The last frames that this end sent.
    recorded: Vec<Vec<u8>>,
}

impl Cable {
    fn new() -> Self {
        static KEYS: LazyLock<[KeyPair; 2]> =
            LazyLock::new(|| [1, 2].map(|octet| KeyPair::of(Zeroizing::new([octet; 32]))));
        let [host, signer] = &*KEYS;
        let end = |role, private: &KeyPair, peer: &KeyPair, seed| {
            let keys = SessionKeys {
                private: *private.private,
                peer: peer.public,
                psk: [3; 32],
            };
            let mut counter = seed;
            let random = move |octets: &mut [u8]| {
                octets.fill_with(|| {
                    counter = u64::wrapping_mul(counter, 0x5851_f42d_4c95_7f2d).wrapping_add(1);
                    (counter >> 33) as u8
                });
            };
            End {
                role,
                endpoint: Endpoint::new(
                    role,
                    keys,
                    LinkSettings::new(921_600),
                    Box::new(random),
                    0,
                ),
                up: false,
                session: 0,
                sent: 0,
                received: (0, 0),
                recorded: Vec::new(),
            }
        };
        Self {
            now: 0,
            ends: [
                end(Role::Host, host, signer, 1),
                end(Role::Signer, signer, host, 2),
            ],
            forged: false,
        }
    }

    /// Lets time pass on a line with this fault.
    fn run(&mut self, time: u64, fault: &mut Fault) {
        let end = self.now + time;
        loop {
            let mut quiet = true;
            for from in [0, 1] {
                while let Some(octets) = self.ends[from].endpoint.transmit(self.now) {
                    quiet = false;
                    self.ends[from].record(&octets);
                    let to = &mut self.ends[1 - from].endpoint;
                    fault.carry(octets, |octets| to.receive(octets, self.now));
                }
                assert!(
                    self.ends[from]
                        .endpoint
                        .deadline()
                        .is_some_and(|at| at > self.now || !quiet)
                );
            }
            self.listen();
            if !quiet {
                continue;
            }
            let next = self
                .ends
                .iter()
                .filter_map(|end| end.endpoint.deadline())
                .min();
            if self.now >= end {
                return;
            }
            self.now = next.unwrap_or(end).clamp(self.now + 1, end);
        }
    }

    fn listen(&mut self) {
        for end in &mut self.ends {
            end.listen(self.forged);
        }
    }

    /// A DATA frame with a right CRC and tag, near its place.
    fn forge(&mut self, to: usize, place: u8, payload: Vec<u8>) {
        let Some(Body::Data {
            acknowledgement,
            seq,
            ..
        }) = self.ends[1 - to].last_data()
        else {
            return;
        };
        if payload.is_empty() {
            return;
        }
        self.forged = true;
        let seq = seq.wrapping_add(place.into());
        let body = Body::Data {
            acknowledgement,
            seq,
            payload,
        };
        let frame = Frame {
            from: self.ends[1 - to].role,
            body,
        };
        self.ends[to].endpoint.receive(&frame.encode(), self.now);
    }

    /// An earlier frame again, as it was or with the newest tag in another place.
    fn replay(&mut self, to: usize, which: u8, place: u8) {
        let from = &self.ends[1 - to];
        let Some(octets) = from.recorded.iter().rev().nth(which.into()).cloned() else {
            return;
        };
        if place == 0 {
            self.ends[to].endpoint.receive(&octets, self.now);
        } else if let Some(Body::Data { payload, .. }) = body(&octets) {
            self.forge(to, place, payload);
        }
    }
}

impl End {
    fn say(&mut self, size: usize) {
        let mut message = self.session.to_be_bytes().to_vec();
        message.extend(self.sent.to_be_bytes());
        message.resize(16 + size, 7);
        if self.endpoint.send(&message).is_ok() {
            self.sent += 1;
        }
    }

    fn listen(&mut self, forged: bool) {
        while let Some(event) = self.endpoint.event() {
            match event {
                Event::Up => {
                    assert!(!self.up);
                    self.up = true;
                    self.session += 1;
                    self.sent = 0;
                    self.received = (0, 0);
                }
                Event::Down(_) => {
                    assert!(self.up);
                    self.up = false;
                }
                Event::Message(message) => {
                    let (session, rest) = message.split_first_chunk().expect("a message of ours");
                    let (number, _) = rest.split_first_chunk().expect("a message of ours");
                    let (of, count) = &mut self.received;
                    if *count == 0 {
                        *of = u64::from_be_bytes(*session);
                    }
                    assert_eq!(
                        (u64::from_be_bytes(*session), u64::from_be_bytes(*number)),
                        (*of, *count)
                    );
                    *count += 1;
                }
                Event::Breach(breach) => assert!(forged, "{breach:?} without a forged frame"),
                _ => {}
            }
        }
    }

    fn record(&mut self, octets: &[u8]) {
        if self.recorded.len() == 64 {
            self.recorded.remove(0);
        }
        self.recorded.push(octets.to_vec());
    }

    /// The last DATA frame of this end; an acknowledgement will do for its tag.
    fn last_data(&self) -> Option<Body> {
        self.recorded
            .iter()
            .rev()
            .find_map(|octets| match body(octets)? {
                Body::Ack(acknowledgement) => Some(Body::Data {
                    acknowledgement: Acknowledgement {
                        sack: 0,
                        ..acknowledgement
                    },
                    seq: 0,
                    payload: Vec::new(),
                }),
                data @ Body::Data { .. } => Some(data),
                Body::Reset { .. } => None,
            })
    }
}

impl Fault {
    fn carry(&mut self, mut octets: Vec<u8>, mut to: impl FnMut(&[u8])) {
        match self {
            Self::Cut => return,
            Self::Lose(0) => *self = Self::None,
            Self::Flip(0, place) => {
                let place = usize::from(*place) * octets.len() / 256;
                octets[place] ^= 0x10;
                to(&octets);
                *self = Self::None;
            }
            Self::Double(0) => {
                to(&octets);
                to(&octets);
                *self = Self::None;
            }
            Self::Lose(count) | Self::Flip(count, _) | Self::Double(count) => {
                *count -= 1;
                to(&octets);
            }
            Self::None => to(&octets),
        }
    }
}

fn body(octets: &[u8]) -> Option<Body> {
    let mut body = None;
    Decoder::default().push(octets, |decoded| {
        if let Decoded::Frame(frame) = decoded {
            body = Some(frame.body);
        }
    });
    body
}
