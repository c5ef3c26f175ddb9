//! The signer's own clock (G9). It has no network, never believes the host alone, and never runs backwards.
//!
//! Time is what was confirmed at the console when the keys were opened, and what has passed since by the machine's
//! monotonic clock; whoever sets the machine's clock meanwhile changes nothing. The host's time, which comes with every
//! Ping, is followed a little: what a quartz drifts, not more. A larger difference is an alarm and, from a limit on, a
//! reason to sign nothing; who is right only people can tell.

use pki::Time;

/// What the clock may be moved for each second that passes: twice what a common quartz is off.
const SLEW_PARTS_PER_MILLION: i64 = 50;
/// What it may be moved altogether before somebody confirms the date again.
const MOST_SLEW: i64 = 60 * SECOND;
/// Below this difference it is not moved: the host tells whole seconds.
const NOTHING: u64 = SECOND.unsigned_abs();
/// From this difference on there is an alarm, and no CRL is signed.
const ALARM: u64 = 5 * SECOND.unsigned_abs();
/// From this difference on nothing is signed.
const SUSPEND: u64 = 60 * SECOND.unsigned_abs();
/// In microseconds, as all times here.
const SECOND: i64 = 1_000_000;

/// A clock that counts on from a confirmed time.
#[derive(Clone, Debug)]
pub struct SignerClock {
    /// Microseconds since 1970 at `since`.
    base: i64,
    /// The machine's monotonic milliseconds when `base` was right.
    since: u64,
    /// How far it was moved since it was confirmed.
    slewed: i64,
    /// How far the host was before it at the last Ping.
    host_ahead: i64,
}

impl SignerClock {
    /// A clock that says `time` when the machine's monotonic clock says `now` milliseconds.
    pub fn confirmed(time: Time, now: u64) -> Self {
        Self {
            base: time.unix().saturating_mul(SECOND),
            since: now,
            slewed: 0,
            host_ahead: 0,
        }
    }

    /// What it says.
    pub fn time(&self, now: u64) -> Time {
        Time::from_unix(self.microseconds(now).div_euclid(SECOND))
    }

    /// The host says that it is `host`: moves the clock as much towards that as it may.
    pub fn hear(&mut self, host: Time, now: u64) {
        let own = self.microseconds(now);
        // The host tells whole seconds: in the middle of one it is right on average.
        let told = host
            .unix()
            .saturating_mul(SECOND)
            .saturating_add(SECOND / 2);
        self.host_ahead = told.saturating_sub(own);
        let may = self.passed(now) / SECOND * SLEW_PARTS_PER_MILLION
            + self.passed(now) % SECOND * SLEW_PARTS_PER_MILLION / SECOND;
        let left = (MOST_SLEW - self.slewed.abs()).max(0);
        let wish = match self.host_ahead.unsigned_abs() {
            0..NOTHING | SUSPEND.. => 0,
            _ => self.host_ahead,
        };
        let step = wish.clamp(-may.min(left), may.min(left));
        // Slower, never back: a step takes away less than has passed.
        self.base = own.saturating_add(step);
        self.since = now;
        self.slewed += step;
    }

    /// How far the host's clock was before this one at the last Ping, in milliseconds.
    pub const fn host_ahead(&self) -> i64 {
        self.host_ahead / 1_000
    }

    /// Whether CRLs may be signed by it.
    pub const fn is_good_for_crls(&self) -> bool {
        self.host_ahead.unsigned_abs() < ALARM
    }

    /// Whether anything may be signed by it.
    pub const fn is_good(&self) -> bool {
        self.host_ahead.unsigned_abs() < SUSPEND
    }

    fn microseconds(&self, now: u64) -> i64 {
        self.base.saturating_add(self.passed(now))
    }

    fn passed(&self, now: u64) -> i64 {
        let milliseconds = i64::try_from(now.saturating_sub(self.since)).unwrap_or(i64::MAX);
        milliseconds.saturating_mul(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Time = Time::from_unix(1_795_262_400);

    #[test]
    fn it_follows_a_drift_and_no_jump() {
        let mut clock = SignerClock::confirmed(NOON, 0);
        // A host that is three seconds ahead is caught up with within a day, a little at a time.
        for ping in 1..=24 * 720_u64 {
            let now = ping * 5_000;
            let before = clock.time(now);
            clock.hear(NOON.plus_seconds((now / 1_000) as i64 + 3), now);
            assert!(clock.time(now) >= before);
        }
        assert!(clock.host_ahead().abs() <= 1_500, "{}", clock.host_ahead());
        let day = clock.time(86_400_000).unix() - NOON.plus_seconds(86_400).unix();
        assert!((2..=4).contains(&day), "{day}");
    }

    #[test]
    fn a_hostile_host_moves_it_by_a_minute_at_most() {
        let mut clock = SignerClock::confirmed(NOON, 0);
        // Always just below the limit, for a year.
        for ping in 1..=365 * 24_u64 {
            let now = ping * 3_600_000;
            let told = clock.time(now).plus_seconds(55);
            clock.hear(told, now);
        }
        let moved = clock.time(365 * 86_400_000).unix() - NOON.unix() - 365 * 86_400;
        assert!((0..=61).contains(&moved), "{moved}");
    }

    #[test]
    fn it_never_runs_backwards() {
        let mut clock = SignerClock::confirmed(NOON, 0);
        let mut last = clock.time(0);
        for ping in 1..20_000_u64 {
            let now = ping * 500;
            clock.hear(clock.time(now).plus_seconds(-59), now);
            assert!(clock.time(now) >= last);
            last = clock.time(now);
        }
    }

    #[test]
    fn differences_are_told() {
        let mut clock = SignerClock::confirmed(NOON, 0);
        for (ahead, crls, anything) in [
            (0, true, true),
            (-4, true, true),
            (6, false, true),
            (-61, false, false),
            (i64::MIN, false, false),
            (i64::MAX, false, false),
        ] {
            clock.hear(NOON.plus_seconds(ahead), 0);
            assert_eq!(
                (clock.is_good_for_crls(), clock.is_good()),
                (crls, anything),
                "{ahead}"
            );
        }
    }
}
