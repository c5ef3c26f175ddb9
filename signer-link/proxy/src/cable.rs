//! The cable: both directions.

use std::time::Duration;

use crate::cuts::Cuts;
use crate::direction::Direction;
use crate::{Counters, Faults};

/// One end of the cable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The first.
    A,
    /// The second.
    B,
}

/// A cable that carries octets from either end to the other, at its speed and with its faults. Times are since any
/// start and never go back.
#[derive(Debug)]
pub struct Cable {
    faults: Faults,
    cuts: Cuts,
    from_a: Direction,
    from_b: Direction,
}

impl Cable {
    /// A cable whose faults repeat themselves for the same seed and the same octets at the same times.
    #[must_use]
    pub fn new(faults: Faults, seed: u64) -> Self {
        Self {
            faults,
            cuts: Cuts::default(),
            from_a: Direction::new(seed),
            from_b: Direction::new(!seed),
        }
    }

    /// How many octets the writer at this end can give now; more would have to wait in a real terminal.
    #[must_use]
    pub fn room(&self, at: End) -> usize {
        self.from(at).room()
    }

    /// The writer at this end gives octets.
    pub fn push(&mut self, at: End, octets: &[u8], now: Duration) {
        let direction = match at {
            End::A => &mut self.from_a,
            End::B => &mut self.from_b,
        };
        direction.push(octets, now, &self.faults, &mut self.cuts);
    }

    /// What the reader at this end gets now: one piece; empty if there is none.
    pub fn pull(&mut self, at: End, now: Duration) -> Vec<u8> {
        let direction = match at {
            End::A => &mut self.from_b,
            End::B => &mut self.from_a,
        };
        let piece = direction.pull(now, &self.faults, &self.cuts);
        let oldest = [self.from_a.oldest(), self.from_b.oldest()];
        self.cuts
            .forget(oldest.into_iter().flatten().min().unwrap_or(now).min(now));
        piece
    }

    /// When a reader gets something next, if nobody writes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let deadlines = [
            self.from_a.deadline(&self.faults),
            self.from_b.deadline(&self.faults),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Cuts the cable: all that is on it is lost, and all that is written, for so long or until [`Cable::restore`].
    pub fn cut(&mut self, now: Duration, time: Option<Duration>) {
        self.cuts.cut(now, time);
    }

    /// Joins the cable again.
    pub fn restore(&mut self, now: Duration) {
        self.cuts.restore(now);
    }

    /// From now on these, for what is written from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// What has happened to octets written at this end.
    #[must_use]
    pub fn counters(&self, at: End) -> Counters {
        self.from(at).counters
    }

    /// How often it was cut.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.cuts.count()
    }

    /// Octets that could not be given to the reader at this end, since it did not read.
    pub fn overrun(&mut self, at: End, octets: usize) {
        let direction = match at {
            End::A => &mut self.from_b,
            End::B => &mut self.from_a,
        };
        direction.counters.overrun += octets as u64;
    }

    fn from(&self, at: End) -> &Direction {
        match at {
            End::A => &self.from_a,
            End::B => &self.from_b,
        }
    }
}
