//! Two endpoints and a line between them, in virtual time.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod hostile;

use std::collections::VecDeque;

use wire::link::{Endpoint, Event, KeyPair, LinkSettings, Millis, Random, Role, SessionKeys};
use zeroize::Zeroizing;

/// Repeats itself for the same seed (SplitMix64).
#[derive(Clone)]
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit.max(1)
    }

    /// True so often in a million.
    pub(crate) fn chance(&mut self, millionths: u64) -> bool {
        self.below(1_000_000) < millionths
    }
}

impl Random for Seeded {
    fn fill(&mut self, octets: &mut [u8]) {
        octets.fill_with(|| self.number() as u8);
    }
}

/// The keys of a host and a signer that belong together.
pub(crate) fn keys() -> (SessionKeys, SessionKeys) {
    let host = KeyPair::of(Zeroizing::new([1; 32]));
    let signer = KeyPair::of(Zeroizing::new([2; 32]));
    let psk = [3; 32];
    (
        SessionKeys {
            private: *host.private,
            peer: signer.public,
            psk,
        },
        SessionKeys {
            private: *signer.private,
            peer: host.public,
            psk,
        },
    )
}

/// What goes wrong on a line, in millionths.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) flip_octet: u64,
    pub(crate) drop_octet: u64,
    pub(crate) lose_frame: u64,
    pub(crate) double_frame: u64,
    pub(crate) delay_frame: u64,
    pub(crate) garbage: u64,
    /// Frames of more octets than this never arrive; zero: all do.
    pub(crate) longest: usize,
}

/// One direction. It carries pieces of frames as a USB bridge gives them.
pub(crate) struct Line {
    pub(crate) baud: u64,
    /// Octets are given to the reader at multiples of this.
    pub(crate) bridge: Millis,
    pub(crate) cut: bool,
    pub(crate) faults: Faults,
    pub(crate) carried: u64,
    free_at: u64,
    under_way: VecDeque<(Millis, Vec<u8>)>,
}

impl Line {
    pub(crate) fn new(baud: u64, bridge: Millis) -> Self {
        Self {
            baud,
            bridge,
            cut: false,
            faults: Faults::default(),
            carried: 0,
            free_at: 0,
            under_way: VecDeque::new(),
        }
    }

    pub(crate) fn write(&mut self, frame: Vec<u8>, now: Millis, random: &mut Seeded) {
        let mut frame = frame;
        if random.chance(self.faults.garbage) {
            let mut garbage = vec![0; random.below(3000) as usize];
            random.fill(&mut garbage);
            self.carry(garbage, now, 0);
        }
        let too_long = self.faults.longest > 0 && frame.len() > self.faults.longest;
        if too_long || random.chance(self.faults.lose_frame) {
            frame.clear();
        }
        if self.faults.flip_octet + self.faults.drop_octet > 0 {
            let faults = self.faults;
            frame = frame
                .into_iter()
                .filter_map(|octet| {
                    let octet = if random.chance(faults.flip_octet) {
                        octet ^ 1 << random.below(8)
                    } else {
                        octet
                    };
                    (!random.chance(faults.drop_octet)).then_some(octet)
                })
                .collect();
        }
        if random.chance(self.faults.double_frame) {
            self.carry(frame.clone(), now, random.below(2000));
        }
        let later = if random.chance(self.faults.delay_frame) {
            random.below(1000)
        } else {
            0
        };
        self.carry(frame, now, later);
    }

    fn carry(&mut self, octets: Vec<u8>, now: Millis, later: Millis) {
        for piece in octets.chunks(62) {
            self.free_at =
                self.free_at.max(now * 1000) + piece.len() as u64 * 10_000_000 / self.baud;
            self.carried += piece.len() as u64;
            if !self.cut {
                let arrives = self
                    .free_at
                    .div_ceil(1000)
                    .next_multiple_of(self.bridge.max(1));
                self.under_way.push_back((arrives + later, piece.to_vec()));
            }
        }
        if later > 0 {
            self.under_way.make_contiguous().sort_by_key(|(at, _)| *at);
        }
    }

    pub(crate) fn read(&mut self, now: Millis) -> Vec<u8> {
        let mut read = Vec::new();
        while self.under_way.front().is_some_and(|(at, _)| *at <= now) {
            read.extend(
                self.under_way
                    .pop_front()
                    .into_iter()
                    .flat_map(|(_, piece)| piece),
            );
        }
        read
    }

    /// Everything on it is lost.
    pub(crate) fn clear(&mut self) {
        self.under_way.clear();
    }
}

/// Host and signer and both lines.
pub(crate) struct Cable {
    pub(crate) now: Millis,
    pub(crate) random: Seeded,
    pub(crate) host: Endpoint,
    pub(crate) signer: Endpoint,
    pub(crate) to_signer: Line,
    pub(crate) to_host: Line,
}

impl Cable {
    pub(crate) fn new(baud: u32, bridge: Millis, seed: u64) -> Self {
        let mut random = Seeded(seed);
        Self {
            now: 1,
            host: end(Role::Host, baud, random.number(), 1),
            signer: end(Role::Signer, baud, random.number(), 1),
            to_signer: Line::new(baud.into(), bridge),
            to_host: Line::new(baud.into(), bridge),
            random,
        }
    }

    /// Lets what is due now happen; gives when the next thing is due.
    pub(crate) fn step(&mut self) -> Millis {
        let Self {
            now,
            random,
            host,
            signer,
            to_signer,
            to_host,
        } = self;
        turn(host, to_signer, to_host, *now, random);
        turn(signer, to_host, to_signer, *now, random);
        let arrivals = [&self.to_signer, &self.to_host]
            .into_iter()
            .filter_map(|line| line.under_way.front().map(|(at, _)| *at));
        let deadlines = [&self.host, &self.signer]
            .into_iter()
            .filter_map(Endpoint::deadline);
        arrivals.chain(deadlines).min().unwrap().max(self.now + 1)
    }

    /// Runs until this says so, at most until that time.
    pub(crate) fn run_until(
        &mut self,
        end: Millis,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        loop {
            let next = self.step();
            if done(self) {
                return true;
            }
            if self.now >= end {
                return false;
            }
            self.now = next.min(end);
        }
    }

    /// Runs for so long.
    pub(crate) fn run(&mut self, time: Millis) {
        let end = self.now + time;
        self.run_until(end, |_| false);
    }

    /// Runs until a session stands on both sides; the events until then are taken.
    pub(crate) fn up(&mut self) {
        let mut up = [false; 2];
        let end = self.now + 60_000;
        let done = self.run_until(end, |cable| {
            for (end, up) in [&mut cable.host, &mut cable.signer]
                .into_iter()
                .zip(&mut up)
            {
                while let Some(event) = end.event() {
                    *up = event == Event::Up;
                }
            }
            up == [true; 2]
        });
        assert!(done, "no session within a minute");
    }
}

/// What the owner of an end does whenever it wakes.
fn turn(end: &mut Endpoint, out: &mut Line, back: &mut Line, now: Millis, random: &mut Seeded) {
    let octets = back.read(now);
    if !octets.is_empty() {
        end.receive(&octets, now);
    }
    while let Some(frame) = end.transmit(now) {
        out.write(frame, now, random);
    }
    let deadline = end
        .deadline()
        .expect("an endpoint always waits for something");
    assert!(
        deadline > now,
        "it would be asked again and again for nothing"
    );
}

pub(crate) fn end(role: Role, baud: u32, seed: u64, now: Millis) -> Endpoint {
    let (host, signer) = keys();
    let keys = match role {
        Role::Host => host,
        Role::Signer => signer,
    };
    Endpoint::new(
        role,
        keys,
        LinkSettings::new(baud),
        Box::new(Seeded(seed)),
        now,
    )
}

/// The events that are there.
pub(crate) fn events(end: &mut Endpoint) -> Vec<Event> {
    std::iter::from_fn(|| end.event()).collect()
}
