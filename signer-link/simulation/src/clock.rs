//! The clocks of a machine. All true times are milliseconds since the run began.

use pki::Time;

/// Noon of a day in 2026: when every run begins.
pub(crate) const START: Time = Time::from_unix(1_795_262_400);

const MILLION: u64 = 1_000_000;

/// A machine's monotonic clock, which begins when its program starts, and the date that it believes.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    started: u64,
    /// How much faster it is than true time, in parts per million.
    drift: i64,
    /// The date it shows less the true one, in milliseconds.
    pub(crate) ahead: i64,
}

impl Clock {
    pub(crate) fn new(drift: i64, ahead: i64) -> Self {
        Self {
            started: 0,
            drift,
            ahead,
        }
    }

    /// The program starts.
    pub(crate) fn start(&mut self, now: u64) {
        self.started = now;
    }

    /// The monotonic clock, at this true time.
    pub(crate) fn millis(&self, now: u64) -> u64 {
        (now - self.started) * self.rate() / MILLION
    }

    /// The first true time at which the monotonic clock shows `millis`.
    pub(crate) fn when(&self, millis: u64) -> u64 {
        self.started + (millis * MILLION).div_ceil(self.rate())
    }

    /// The date that it shows.
    pub(crate) fn date(&self, now: u64) -> Time {
        let drifted = (now * self.rate() / MILLION).cast_signed() + self.ahead;
        START.plus_seconds(drifted.div_euclid(1_000))
    }

    fn rate(&self) -> u64 {
        MILLION.saturating_add_signed(self.drift)
    }
}

/// The true date.
pub(crate) fn date(now: u64) -> Time {
    START.plus_seconds((now / 1_000).cast_signed())
}
