//! When an answer ends and when its successor is made.
//!
//! The policy gives two numbers of hours. Answers that are signed at the same moment would also end and be renewed at
//! the same moment, so each batch stays below both by a random part (`spread`): an eighth of the validity at most, a
//! quarter of the renewal. What comes out still keeps OCSP-35, OCSP-36 and V8; the tests walk through weeks of it.

use ledger::{OcspPolicy, Subjects};
use pki::Time;

const HOUR: i64 = 3600;
const SHORTEST_VALIDITY: i64 = 8 * HOUR;
const LATEST_RENEWAL: i64 = 96 * HOUR;

/// The times of the answers of one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    validity: i64,
    refresh: i64,
    subjects: Subjects,
    /// No answer is valid after this.
    ends: Option<Time>,
}

/// When an answer signed now ends and is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// nextUpdate.
    pub(crate) next_update: Time,
    /// When its successor is there.
    pub(crate) refresh_at: Time,
}

impl Schedule {
    /// The schedule that a policy, validated by the ledger, asks for.
    pub(crate) fn new(policy: &OcspPolicy, subjects: Subjects) -> Self {
        Self {
            validity: i64::from(policy.validity_hours) * HOUR,
            refresh: i64::from(policy.refresh_hours) * HOUR,
            subjects,
            ends: None,
        }
    }

    /// The same, but that no answer is valid after `ends`, when what is known about the issuer ends.
    pub(crate) fn ending(self, ends: Option<Time>) -> Self {
        Self { ends, ..self }
    }

    /// The window of an answer signed at `now` by a responder whose certificate ends at `responder_ends`; `spread`
    /// moves it down, 0 not at all and 65,535 the most. `None` if the responder, or what is known about the issuer, has
    /// less than two seconds left.
    pub(crate) fn window(&self, now: Time, responder_ends: Time, spread: u16) -> Option<Window> {
        let part = |whole: i64| whole * i64::from(spread) / 65_536;
        let wanted = (self.validity - part(self.validity / 8)).max(self.least());
        // V8, OCSP-38.
        let ends = self
            .ends
            .map_or(responder_ends, |ends| ends.min(responder_ends));
        let validity = wanted.min(now.seconds_until(ends));
        if validity < 2 {
            return None;
        }
        let refresh = (self.refresh - part(self.refresh / 4)).min(self.latest_refresh(validity));
        Some(Window {
            next_update: now.plus_seconds(validity),
            refresh_at: now.plus_seconds(refresh.max(1)),
        })
    }

    /// How long before the planned renewal signing begins, so that the successor is there in time.
    pub(crate) fn lead(&self) -> i64 {
        (self.refresh / 96).clamp(60, HOUR)
    }

    /// What no answer falls below that nothing cuts short, in seconds (OCSP-35).
    pub(crate) fn least(&self) -> i64 {
        SHORTEST_VALIDITY.min(self.validity)
    }

    /// The validity without any spread, in seconds.
    pub(crate) fn validity(&self) -> i64 {
        self.validity
    }

    /// OCSP-36; for CA certificates alone OCSP-37 leaves more room.
    fn latest_refresh(&self, validity: i64) -> i64 {
        let before_end = if validity < 2 * SHORTEST_VALIDITY {
            validity / 2
        } else {
            validity - SHORTEST_VALIDITY
        };
        match self.subjects {
            Subjects::Subscribers => before_end.min(LATEST_RENEWAL),
            Subjects::CaCertificates => before_end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_unix(1_795_000_000);
    const FAR: Time = Time::from_unix(4_000_000_000);

    fn schedule(validity_hours: u32, refresh_hours: u32) -> Schedule {
        let policy = OcspPolicy {
            validity_hours,
            refresh_hours,
            ..OcspPolicy::default()
        };
        Schedule::new(&policy, Subjects::Subscribers)
    }

    fn every_policy() -> impl Iterator<Item = (u32, u32)> {
        (8..=240u32).flat_map(|validity| {
            let latest = if validity < 16 {
                validity / 2
            } else {
                (validity - 8).min(96)
            };
            (1..=latest).map(move |refresh| (validity, refresh))
        })
    }

    #[test]
    fn every_policy_at_every_spread_keeps_the_rules() {
        for (validity, refresh) in every_policy() {
            let schedule = schedule(validity, refresh);
            for spread in [0, 1, 20_000, 32_768, 50_000, 65_535] {
                let window = schedule.window(START, FAR, spread).unwrap();
                let validity = START.seconds_until(window.next_update);
                let refresh = START.seconds_until(window.refresh_at);
                assert!((8 * HOUR..=240 * HOUR).contains(&validity), "OCSP-35");
                if validity < 16 * HOUR {
                    assert!(
                        2 * refresh <= validity,
                        "OCSP-36: before half of it is left"
                    );
                } else {
                    assert!(
                        refresh + 8 * HOUR <= validity,
                        "OCSP-36: 8 h before nextUpdate"
                    );
                    assert!(refresh <= 96 * HOUR, "OCSP-36: 4 days after thisUpdate");
                }
            }
        }
    }

    #[test]
    fn no_answer_outlives_its_responder() {
        let schedule = schedule(96, 48);
        for left in [
            2,
            3,
            60,
            3 * HOUR,
            15 * HOUR,
            40 * HOUR,
            96 * HOUR,
            97 * HOUR,
        ] {
            let ends = START.plus_seconds(left);
            for spread in [0, 30_000, 65_535] {
                let window = schedule.window(START, ends, spread).unwrap();
                assert!(window.next_update <= ends, "V8");
                assert!(START < window.refresh_at && window.refresh_at <= window.next_update);
            }
        }
        assert_eq!(schedule.window(START, START, 0), None);
        assert_eq!(schedule.window(START, START.plus_seconds(-1), 0), None);
    }

    #[test]
    fn no_answer_outlives_the_crl_it_rests_on() {
        let ends = START.plus_seconds(3 * HOUR);
        let schedule = schedule(96, 48).ending(Some(ends));
        for spread in [0, 30_000, 65_535] {
            let window = schedule.window(START, FAR, spread).unwrap();
            assert_eq!(window.next_update, ends);
            let sooner = START.plus_seconds(HOUR);
            let window = schedule.window(START, sooner, spread).unwrap();
            assert_eq!(window.next_update, sooner, "V8 holds as well");
        }
        assert_eq!(schedule.window(ends.plus_seconds(-1), FAR, 0), None);
        assert_eq!(schedule.window(ends.plus_seconds(HOUR), FAR, 0), None);
    }

    #[test]
    fn answers_signed_together_do_not_end_together() {
        let schedule = schedule(96, 48);
        let windows: std::collections::HashSet<_> = (0..=65_535u16)
            .step_by(256)
            .map(|spread| {
                schedule
                    .window(START, FAR, spread)
                    .unwrap()
                    .next_update
                    .unix()
            })
            .collect();
        assert_eq!(windows.len(), 256);
    }

    /// Weeks of one certificate: it is always covered, and never by an answer older than the rules allow.
    #[test]
    fn weeks_without_a_gap() {
        for (validity, refresh) in [(8, 4), (15, 7), (16, 8), (96, 48), (240, 96)] {
            let schedule = schedule(validity, refresh);
            let mut signed_at = START;
            let mut spread = 1u16;
            while START.seconds_until(signed_at) < 8 * 7 * 86_400 {
                spread = spread.wrapping_mul(31_421).wrapping_add(6927);
                let window = schedule.window(signed_at, FAR, spread).unwrap();
                let successor = window.refresh_at.plus_seconds(-schedule.lead());
                assert!(signed_at < successor && successor < window.next_update);
                signed_at = successor;
            }
        }
    }

    #[test]
    fn a_root_speaks_for_months() {
        let policy = ledger::IssuerPolicy::ca_certificates();
        let schedule = Schedule::new(&policy.ocsp, policy.subjects);
        let window = schedule.window(START, FAR, 0).unwrap();
        assert_eq!(START.seconds_until(window.next_update), 8760 * HOUR);
        assert_eq!(START.seconds_until(window.refresh_at), 4380 * HOUR);
        let soon = START.plus_seconds(30 * 86_400);
        let window = schedule.window(START, soon, 0).unwrap();
        assert_eq!(
            (window.next_update, window.refresh_at),
            (soon, soon.plus_seconds(-8 * HOUR))
        );
    }
}
