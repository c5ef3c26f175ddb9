//! One direction of the cable.

use std::collections::VecDeque;
use std::time::Duration;

use fastrand::Rng;

use crate::cuts::Cuts;
use crate::{Counters, Faults, Sometimes};

/// What the buffer of a writer's terminal takes before the line.
const WRITER_BUFFER: usize = 4096;
/// What a USB bridge sends at once.
const PACKET: usize = 62;
/// Between pieces, so that the reader wakes for each.
const PAUSE: Duration = Duration::from_millis(1);
/// Without a bridge, octets are given as they come, but nobody is woken for less than this.
const GRAIN: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Direction {
    random: Rng,
    /// Octets, each with the time at which its last bit is over.
    line: VecDeque<(Duration, u8)>,
    /// Until then the line is busy, or stands still.
    busy: Duration,
    /// Comes after the next octet.
    held: Option<u8>,
    /// No piece before that.
    pause: Duration,
    pub(crate) counters: Counters,
}

impl Direction {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            line: VecDeque::new(),
            busy: Duration::ZERO,
            held: None,
            pause: Duration::ZERO,
            counters: Counters::default(),
        }
    }

    /// How many octets the writer can give before it has to wait.
    pub(crate) fn room(&self) -> usize {
        WRITER_BUFFER.saturating_sub(self.line.len())
    }

    /// The writer gives octets; some never get far. Cuts may begin.
    pub(crate) fn push(&mut self, octets: &[u8], now: Duration, faults: &Faults, cuts: &mut Cuts) {
        self.counters.taken += octets.len() as u64;
        for &octet in octets {
            if self.happens(faults.drop) {
                self.counters.dropped += 1;
                self.busy = self.busy.max(now) + faults.octet_time();
                continue;
            }
            let octet = if self.happens(faults.flip) {
                self.counters.flipped += 1;
                octet ^ 1 << self.random.u8(0..8)
            } else {
                octet
            };
            if self.held.is_none() && self.happens(faults.reorder) {
                self.counters.reordered += 1;
                self.held = Some(octet);
                continue;
            }
            self.carry(octet, now, faults, cuts);
            if let Some(held) = self.held.take() {
                self.carry(held, now, faults, cuts);
            }
            if self.happens(faults.double) {
                self.counters.doubled += 1;
                self.carry(octet, now, faults, cuts);
            }
            if octet == 0 && self.happens(faults.garbage) {
                for _ in 0..self.random.usize(1..=64) {
                    self.counters.garbage += 1;
                    let garbage = self.random.u8(..);
                    self.carry(garbage, now, faults, cuts);
                }
            }
        }
    }

    fn carry(&mut self, octet: u8, now: Duration, faults: &Faults, cuts: &mut Cuts) {
        self.busy = self.busy.max(now) + faults.octet_time();
        let Sometimes { chance, time } = faults.stall;
        if self.happens(chance) {
            self.counters.stalls += 1;
            self.busy += time;
        }
        let Sometimes { chance, time } = faults.cut;
        if self.happens(chance) {
            cuts.cut(self.busy, Some(time));
        }
        self.line.push_back((self.busy, octet));
    }

    /// What the reader gets now: one piece, empty if there is none.
    pub(crate) fn pull(&mut self, now: Duration, faults: &Faults, cuts: &Cuts) -> Vec<u8> {
        if self.deadline(faults).is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        let limit = if faults.split == 0 {
            usize::MAX
        } else {
            self.pause = now + PAUSE;
            self.random.usize(1..=faults.split)
        };
        let mut piece = Vec::new();
        while let Some((time, octet)) = self.line.front().copied()
            && time <= now
            && piece.len() < limit
        {
            self.line.pop_front();
            if cuts.at(time) {
                self.counters.cut += 1;
            } else {
                piece.push(octet);
            }
        }
        self.counters.given += piece.len() as u64;
        piece
    }

    /// When the reader gets something next, if nothing is written before.
    pub(crate) fn deadline(&self, faults: &Faults) -> Option<Duration> {
        let (first, last) = (self.line.front()?.0, self.line.back()?.0);
        let ready = if faults.latency > Duration::ZERO {
            let packet = self
                .line
                .get(PACKET - 1)
                .map_or(Duration::MAX, |(time, _)| *time);
            packet.min(first + faults.latency)
        } else {
            last.min(first + GRAIN)
        };
        Some(ready.max(self.pause))
    }

    /// The oldest octet on the line.
    pub(crate) fn oldest(&self) -> Option<Duration> {
        self.line.front().map(|(time, _)| *time)
    }

    fn happens(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.random.f64() < chance
    }
}
