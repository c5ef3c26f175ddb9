//! When the next CRL is due. Pure: times come in, a decision goes out.

use std::time::Duration;

use ledger::CrlPolicy;
use pki::Time;

/// The clock is looked at again after this long, whatever was decided: it may have been set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// A failed attempt is repeated after this long, then after twice as long each time …
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// … but never later than this.
const LAST_RETRY: Duration = Duration::from_secs(60);

/// What there is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Situation {
    /// The published CRL, if one that verifies is published.
    pub(crate) published: Option<Window>,
    /// The last event of the ledger that changes this CRL.
    pub(crate) concerned: u64,
    /// The last event of the ledger that was read.
    pub(crate) head: u64,
    /// How long ago the last CRL was built, if one was since the start.
    pub(crate) since_built: Option<Duration>,
    /// How often it failed since then, and how long ago the last time.
    pub(crate) failed: Option<(u32, Duration)>,
}

/// A CRL's place in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Window {
    pub(crate) this_update: Time,
    pub(crate) next_update: Time,
    /// The event of the ledger it holds everything up to.
    pub(crate) as_of: u64,
}

/// What to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Due {
    /// Wait for an event, but no longer than this.
    In(Duration),
    /// Build now.
    Now(Occasion),
}

/// Why a CRL is built.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Occasion {
    /// The ledger changed.
    Changed,
    /// None is published.
    First,
    /// The ledger was restored to an earlier state than the published CRL shows.
    LedgerWentBack,
    /// It is time.
    Scheduled,
}

impl Situation {
    /// The decision at `now`.
    pub(crate) fn due(&self, policy: &CrlPolicy, now: Time) -> Due {
        let occasion = match self.published {
            None => Occasion::First,
            Some(window) if window.as_of < self.concerned => Occasion::Changed,
            Some(window) if window.as_of > self.head => Occasion::LedgerWentBack,
            Some(window) => {
                let left = now.seconds_until(window.renew_at(policy));
                if left > 0 {
                    return Due::In(LOOK_AGAIN.min(Duration::from_secs(left.unsigned_abs())));
                }
                Occasion::Scheduled
            }
        };
        let pause = self.pause(policy);
        if pause.is_zero() {
            Due::Now(occasion)
        } else {
            Due::In(pause)
        }
    }

    /// How long to wait before the next attempt, whatever the occasion.
    fn pause(&self, policy: &CrlPolicy) -> Duration {
        let interval = Duration::from_millis(u64::from(policy.min_interval_ms));
        let after_build = self
            .since_built
            .map_or(Duration::ZERO, |since| interval.saturating_sub(since));
        let after_failure = self.failed.map_or(Duration::ZERO, |(times, since)| {
            retry_after(times).saturating_sub(since)
        });
        after_build.max(after_failure)
    }
}

impl Window {
    /// When its successor is due: after the policy's time, or after three quarters of its life where that is
    /// shorter than usual because the CA's certificate ends.
    pub(crate) fn renew_at(&self, policy: &CrlPolicy) -> Time {
        let life = self.this_update.seconds_until(self.next_update);
        let refresh = i64::from(policy.refresh_hours) * 3600;
        self.this_update
            .plus_seconds(refresh.min(life / 4 * 3).max(1))
    }
}

fn retry_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    (FIRST_RETRY * 2_u32.pow(doublings)).min(LAST_RETRY)
}

#[cfg(test)]
mod tests {
    use pki::{Clock as _, ManualClock};

    use super::*;

    const DAY: i64 = 86_400;

    fn policy() -> CrlPolicy {
        CrlPolicy::default()
    }

    fn start() -> Time {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    /// Published at `this_update`, nothing new, nothing failed.
    fn quiet(this_update: Time) -> Situation {
        Situation {
            published: Some(Window {
                this_update,
                next_update: this_update.plus_seconds(7 * DAY),
                as_of: 10,
            }),
            concerned: 10,
            head: 10,
            since_built: Some(Duration::from_secs(3600)),
            failed: None,
        }
    }

    #[test]
    fn the_first_one_at_once() {
        let situation = Situation {
            published: None,
            concerned: 0,
            head: 0,
            since_built: None,
            failed: None,
        };
        assert_eq!(situation.due(&policy(), start()), Due::Now(Occasion::First));
    }

    #[test]
    fn a_revocation_at_once_then_at_most_every_interval() {
        let mut situation = quiet(start());
        situation.concerned = 11;
        situation.head = 11;
        assert_eq!(
            situation.due(&policy(), start()),
            Due::Now(Occasion::Changed)
        );
        for (since, due) in [
            (0, Due::In(Duration::from_millis(2000))),
            (500, Due::In(Duration::from_millis(1500))),
            (1999, Due::In(Duration::from_millis(1))),
            (2000, Due::Now(Occasion::Changed)),
        ] {
            situation.since_built = Some(Duration::from_millis(since));
            assert_eq!(situation.due(&policy(), start()), due, "{since} ms");
        }
    }

    /// S2: however fast revocations come, each is on a CRL within an interval and what building takes.
    #[test]
    fn revocations_never_wait_longer_than_the_interval() {
        let mut published = 10;
        let mut since_built = Duration::ZERO;
        let mut oldest_waiting: Option<Duration> = None;
        for step in 0..10_000_u64 {
            let mut situation = quiet(start());
            situation.published.as_mut().unwrap().as_of = published;
            situation.concerned = 10 + step;
            situation.head = 10 + step;
            situation.since_built = Some(since_built);
            if let Due::Now(_) = situation.due(&policy(), start()) {
                published = situation.head;
                since_built = Duration::ZERO;
                oldest_waiting = None;
            } else if published < situation.concerned {
                oldest_waiting.get_or_insert(Duration::ZERO);
            }
            let tick = Duration::from_millis(7);
            since_built += tick;
            oldest_waiting = oldest_waiting.map(|waiting| waiting + tick);
            assert!(oldest_waiting.is_none_or(|waiting| waiting <= Duration::from_millis(2007)));
        }
    }

    /// Nothing revoked for weeks: still a CRL every day, each well before the last one ends.
    #[test]
    fn weeks_of_silence() {
        let clock = ManualClock::new(start());
        let mut situation = quiet(start());
        let mut built = vec![start()];
        while clock.now() < start().plus_seconds(28 * DAY) {
            match situation.due(&policy(), clock.now()) {
                Due::In(wait) => {
                    assert!(wait <= LOOK_AGAIN);
                    clock.advance(i64::try_from(wait.as_secs()).unwrap().max(1));
                }
                Due::Now(occasion) => {
                    assert_eq!(occasion, Occasion::Scheduled);
                    situation = quiet(clock.now());
                    built.push(clock.now());
                }
            }
        }
        assert_eq!(built.len(), 28);
        for pair in built.windows(2) {
            assert_eq!(pair[0].seconds_until(pair[1]), DAY);
        }
    }

    /// After a long stop the CRL that is overdue comes at once, and also when nextUpdate is past.
    #[test]
    fn overdue() {
        for days in [1, 6, 7, 30] {
            let now = start().plus_seconds(days * DAY);
            assert_eq!(
                quiet(start()).due(&policy(), now),
                Due::Now(Occasion::Scheduled)
            );
        }
    }

    #[test]
    fn failures_are_repeated_ever_more_slowly_and_for_ever() {
        let mut situation = quiet(start());
        situation.concerned = 11;
        situation.head = 11;
        let mut waits = vec![];
        for times in 1..=40 {
            situation.failed = Some((times, Duration::ZERO));
            match situation.due(&policy(), start()) {
                Due::In(wait) => waits.push(wait.as_secs()),
                Due::Now(_) => panic!("at once after failure {times}"),
            }
            situation.failed = Some((times, LAST_RETRY));
            assert_eq!(
                situation.due(&policy(), start()),
                Due::Now(Occasion::Changed)
            );
        }
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(waits.last(), Some(&60));
    }

    #[test]
    fn a_restored_ledger() {
        let mut situation = quiet(start());
        situation.concerned = 5;
        situation.head = 5;
        assert_eq!(
            situation.due(&policy(), start()),
            Due::Now(Occasion::LedgerWentBack)
        );
    }

    /// Near the CA's end CRLs are short: they are still renewed before they end, but not all the time.
    #[test]
    fn short_ones() {
        let window = Window {
            this_update: start(),
            next_update: start().plus_seconds(3600),
            as_of: 10,
        };
        assert_eq!(window.renew_at(&policy()), start().plus_seconds(2700));
        let tiny = Window {
            next_update: start().plus_seconds(1),
            ..window
        };
        assert_eq!(tiny.renew_at(&policy()), start().plus_seconds(1));
    }
}
