//! One cable: what it is, what it suffers, and random numbers for the ends.

use std::time::Duration;

use fastrand::Rng;
use serial_proxy::{Cable, End, Faults, Sometimes};
use wire::link::{Endpoint, LinkSettings, Role, SessionKeys};

/// A cable with its usual faults.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) cable: Cable,
    baud: u32,
    good: Faults,
    faults: Faults,
}

impl Line {
    pub(crate) fn new(random: &mut Rng) -> Self {
        let baud = [57_600, 115_200, 921_600, 3_000_000][random.usize(0..4)];
        let mut good = Faults::none(baud);
        good.latency = Duration::from_millis([0, 1, 16][random.usize(0..3)]);
        let mut faults = good;
        if random.bool() {
            let rate = [1e-5, 1e-4, 5e-4][random.usize(0..3)];
            let mut some = || match random.bool() {
                true => rate,
                false => 0.0,
            };
            faults.flip = some();
            faults.drop = some();
            faults.double = some();
            faults.reorder = some();
            faults.garbage = some() * 20.0;
            faults.stall = Sometimes {
                chance: some() / 10.0,
                time: Duration::from_millis(300),
            };
            faults.cut = Sometimes {
                chance: some() / 20.0,
                time: Duration::from_millis(700),
            };
        }
        if random.u8(0..4) == 0 {
            faults.split = random.usize(20..200);
        }
        Self {
            cable: Cable::new(faults, random.u64(..)),
            baud,
            good,
            faults,
        }
    }

    /// From now on nothing goes wrong, or as much as ever.
    pub(crate) fn set_good(&mut self, good: bool) {
        let faults = match good {
            true => self.good,
            false => self.faults,
        };
        self.cable.set_faults(faults);
    }

    pub(crate) const fn baud(&self) -> u32 {
        self.baud
    }

    /// What an end's program has when it starts.
    pub(crate) fn end(&self, role: Role, keys: &SessionKeys, random: &mut Rng) -> Endpoint {
        let mut random = random.fork();
        let fill = move |octets: &mut [u8]| random.fill(octets);
        let settings = LinkSettings::new(self.baud);
        Endpoint::new(role, keys.clone(), settings, Box::new(fill), 0)
    }

    /// What the reader at this end gets.
    pub(crate) fn pull(&mut self, end: End, now: u64) -> Vec<u8> {
        self.cable.pull(end, Duration::from_millis(now))
    }

    pub(crate) fn push(&mut self, end: End, octets: &[u8], now: u64) {
        self.cable.push(end, octets, Duration::from_millis(now));
    }

    pub(crate) fn cut(&mut self, now: u64) {
        self.cable.cut(Duration::from_millis(now), None);
    }

    pub(crate) fn restore(&mut self, now: u64) {
        self.cable.restore(Duration::from_millis(now));
    }

    /// When somebody gets something next.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let deadline = self.cable.deadline()?;
        // Lossless: a run takes minutes.
        Some(deadline.as_micros().div_ceil(1_000) as u64)
    }
}
