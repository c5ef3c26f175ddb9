//! When a URL is asked again. Pure: times come in, a pause goes out.

use std::time::Duration;

use pki::Time;

/// A fetch that failed is repeated after this long, then after twice as long each time.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// How often is asked at the most when a CRL is about to end.
const HURRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// How things stand when a fetch has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    pub(crate) interval: Duration,
    /// How often it failed in a row.
    pub(crate) failures: u32,
    /// thisUpdate of the CRL in use, and when it ends.
    pub(crate) in_use: Option<(Time, Time)>,
}

impl Situation {
    /// The pause after a fetch that ended at `now`; `spread` moves it by an eighth at most, so that those who were
    /// started together do not ask together.
    pub(crate) fn pause(&self, now: Time, spread: u16) -> Duration {
        let pause = match self.failures {
            0 => self.usual(now),
            failures => {
                let doublings = failures.saturating_sub(1).min(16);
                (FIRST_RETRY * 2_u32.pow(doublings)).min(self.usual(now))
            }
        };
        pause * 7 / 8 + pause / 4 * u32::from(spread) / u32::from(u16::MAX)
    }

    /// The interval; but once when a tenth of the CRL's life is left, when its successor should be there, and often
    /// from then on.
    fn usual(&self, now: Time) -> Duration {
        let Some((this_update, ends)) = self.in_use else {
            return self.interval;
        };
        let lead = this_update.seconds_until(ends).max(0) / 10;
        let left = now.seconds_until(ends) - lead;
        match u64::try_from(left) {
            Ok(left) if left > 0 => self.interval.min(Duration::from_secs(left)),
            _ => self
                .interval
                .min((self.interval / 10).clamp(HURRY.0, HURRY.1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_unix(1_795_000_000);
    const MIDDLE: u16 = u16::MAX / 2;

    fn situation(interval: u64) -> Situation {
        Situation {
            interval: Duration::from_secs(interval),
            failures: 0,
            in_use: None,
        }
    }

    fn seconds(pause: Duration) -> f64 {
        pause.as_secs_f64().round()
    }

    #[test]
    fn every_interval_more_or_less() {
        let situation = situation(800);
        assert_eq!(seconds(situation.pause(START, 0)), 700.0);
        assert_eq!(seconds(situation.pause(START, MIDDLE)), 800.0);
        assert_eq!(seconds(situation.pause(START, u16::MAX)), 900.0);
    }

    #[test]
    fn failures_are_repeated_ever_more_slowly() {
        let mut situation = situation(100);
        let pauses: Vec<_> = (1..8)
            .map(|failures| {
                situation.failures = failures;
                seconds(situation.pause(START, MIDDLE))
            })
            .collect();
        assert_eq!(pauses, [5.0, 10.0, 20.0, 40.0, 80.0, 100.0, 100.0]);
        situation.failures = u32::MAX;
        assert_eq!(seconds(situation.pause(START, MIDDLE)), 100.0);
        let impatient = Situation {
            interval: Duration::from_secs(2),
            ..situation
        };
        assert_eq!(seconds(impatient.pause(START, MIDDLE)), 2.0);
    }

    /// A weekly CRL asked for daily: also when 16.8 hours are left, and every minute after that, past its end too.
    #[test]
    fn ahead_of_the_end() {
        const DAY: i64 = 86_400;
        let situation = Situation {
            in_use: Some((START, START.plus_seconds(7 * DAY))),
            ..situation(86_400)
        };
        let pause = |after: i64| seconds(situation.pause(START.plus_seconds(after), MIDDLE));
        assert_eq!(pause(0), 86_400.0);
        let lead = 7 * DAY / 10;
        assert_eq!(pause(7 * DAY - lead - 3600), 3600.0);
        for after in [7 * DAY - lead, 7 * DAY - 1, 7 * DAY, 70 * DAY] {
            assert_eq!(pause(after), 60.0);
        }
    }

    #[test]
    fn hurrying_is_never_slower_than_the_interval() {
        let over = Some((START, START.plus_seconds(1)));
        for (interval, hurried) in [(2, 2.0), (30, 10.0), (300, 30.0), (6000, 60.0)] {
            let situation = Situation {
                in_use: over,
                ..situation(interval)
            };
            assert_eq!(
                seconds(situation.pause(START.plus_seconds(9), MIDDLE)),
                hurried
            );
        }
    }
}
