//! Which responder certificates an issuer must have, so that status goes on while the signer is away (S9).
//!
//! They are issued ahead, each with a beginning of its own, and each takes over from the one before:
//!
//! ```text
//! begins                the next one begins                               ends
//!   ├──────── turn ──────────────┼── 1 h ──┼── an answer's whole validity ──┤
//! ```
//!
//! No answer outlives its responder certificate (V8), so the next one begins while an answer still gets its whole
//! validity, and an hour before: that is the time to notice it and to let the clocks differ. With certificates of 7 days
//! and answers of 96 hours a turn is 71 hours, and 28 days ahead take 9 certificates besides the one in use. Where answers
//! are valid for nearly as long as their responder, a turn is a quarter of its life, and answers are a little shorter than
//! the policy says. Where they are short, it is two thirds, which leaves time to renew it where none is in stock.

use ledger::IssuerPolicy;
use pki::profile::RuleSet;
use pki::{Certificate, Time};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Between the beginning of a turn and the latest moment for it.
const MARGIN: i64 = HOUR;
/// A turn may begin so much later than planned, as it does when the one before it was issued anew.
const SLOP: i64 = 600;

/// What the policy of an issuer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stock {
    life: i64,
    turn: i64,
    ahead: i64,
    /// When the CA's own certificate ends; none of these lasts longer.
    last: Time,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) begins: Time,
    pub(crate) ends: Time,
}

impl Span {
    pub(crate) fn of(certificate: &Certificate) -> Self {
        Self {
            begins: certificate.not_before(),
            ends: certificate.not_after(),
        }
    }
}

impl Stock {
    /// For an issuer whose CA certificate ends at `last`.
    pub(crate) fn new(policy: &IssuerPolicy, rule_set: RuleSet, last: Time) -> Self {
        let life = i64::from(policy.responder_days()) * DAY;
        let answer = i64::from(policy.ocsp.validity_hours) * HOUR;
        // OCSP-65: under the CA/Browser Forum's rules a certificate begins when it is signed.
        let ahead = match rule_set {
            RuleSet::Cabf => 0,
            RuleSet::Community => i64::from(policy.responder_ahead_days()) * DAY,
        };
        Self {
            life,
            turn: (life - answer - MARGIN).clamp(life / 4, life / 3 * 2),
            ahead,
            last,
        }
    }

    /// When the certificates begin that are missing beside those in `held`; `now` for one that is needed at once.
    pub(crate) fn missing(&self, held: &[Span], now: Time) -> Vec<Time> {
        let mut held = held.to_vec();
        let mut missing = Vec::new();
        let mut at = now;
        while now.seconds_until(at) <= self.ahead {
            // What begins in a moment is there already; what is needed at once must be valid now.
            let ends = match at == now {
                true => ends_of_valid(&held, now),
                false => ends_of_valid(&held, at.plus_seconds(SLOP)),
            };
            if ends.is_some_and(|ends| ends >= self.last) {
                break;
            }
            match ends {
                Some(ends) if at.seconds_until(ends) > self.life - self.turn => {
                    at = ends.plus_seconds(self.turn - self.life);
                }
                _ => {
                    missing.push(at);
                    // notAfter is the last second of validity.
                    let ends = at.plus_seconds(self.life - 1).min(self.last);
                    held.push(Span { begins: at, ends });
                    if ends <= at {
                        break;
                    }
                }
            }
        }
        missing
    }

    /// For how many seconds ahead there ought to be certificates.
    pub(crate) fn ahead(&self) -> i64 {
        self.ahead
    }

    /// How long a certificate is valid, in seconds.
    pub(crate) fn life(&self) -> i64 {
        self.life
    }
}

/// When the last of those ends that are valid at this moment.
fn ends_of_valid(held: &[Span], at: Time) -> Option<Time> {
    held.iter()
        .filter(|span| span.begins <= at && at <= span.ends)
        .map(|span| span.ends)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_unix(1_795_000_000);
    const FAR: Time = Time::from_unix(4_000_000_000);

    fn policy(days: u32, validity_hours: u32, ahead: Option<u32>) -> IssuerPolicy {
        let mut policy = IssuerPolicy::default();
        policy.ocsp.responder_validity_days = days;
        policy.ocsp.validity_hours = validity_hours;
        policy.ocsp.responder_ahead_days = ahead;
        policy
    }

    fn stock(policy: &IssuerPolicy) -> Stock {
        Stock::new(policy, RuleSet::Community, FAR)
    }

    /// As the signer makes it of an order.
    fn issued(stock: &Stock, begins: Time, now: Time) -> Span {
        let begins = match begins == now {
            true => now.plus_seconds(-300),
            false => begins,
        };
        let ends = begins.plus_seconds(stock.life - 1).min(stock.last);
        Span { begins, ends }
    }

    #[test]
    fn ten_certificates_reach_over_four_weeks() {
        let stock = stock(&IssuerPolicy::default());
        let missing = stock.missing(&[], NOW);
        let hours: Vec<_> = missing
            .iter()
            .map(|begins| (NOW.seconds_until(*begins) + 60) / HOUR)
            .collect();
        assert_eq!(hours, [0, 71, 142, 213, 284, 355, 426, 497, 568, 639]);
        let held: Vec<_> = missing
            .iter()
            .map(|begins| issued(&stock, *begins, NOW))
            .collect();
        assert_eq!(stock.missing(&held, NOW), []);

        // One that goes missing is replaced by one with the same beginning, and no other.
        for gone in 1..held.len() {
            let mut rest = held.clone();
            let begins = rest.remove(gone).begins;
            let again = stock.missing(&rest, NOW);
            assert_eq!(again.len(), 1, "{gone}");
            assert!(begins.seconds_until(again[0]).abs() <= 301, "{gone}");
        }
    }

    #[test]
    fn none_ahead_under_the_rules_of_the_forum() {
        let policy = IssuerPolicy::default();
        let cabf = Stock::new(&policy, RuleSet::Cabf, FAR);
        let first = cabf.missing(&[], NOW);
        assert_eq!(first, [NOW]);
        let held = [issued(&cabf, NOW, NOW)];
        for hour in 0..70 {
            assert_eq!(cabf.missing(&held, NOW.plus_seconds(hour * HOUR)), []);
        }
        let later = NOW.plus_seconds(71 * HOUR);
        assert_eq!(cabf.missing(&held, later), [later]);
        let mut forum = IssuerPolicy::default();
        forum.crl.browser_forum = true;
        assert_eq!(Stock::new(&forum, RuleSet::Community, FAR).ahead(), 0);
    }

    /// Weeks of every policy: never a moment without a certificate, none too early, and room for a whole answer where
    /// that is possible at all.
    #[test]
    fn weeks_of_every_policy() {
        for days in 1..=7 {
            for validity_hours in [8, 24, 48, 96, 143, 144, 168, 240] {
                for ahead in [0, 1, 7, 28] {
                    weeks_of(
                        &stock(&policy(days, validity_hours, Some(ahead))),
                        validity_hours,
                    );
                }
            }
        }
    }

    fn weeks_of(stock: &Stock, validity_hours: u32) {
        let mut held = Vec::new();
        let mut count = 0;
        let room = i64::from(validity_hours) * HOUR;
        let room = room.min(stock.life - stock.turn - MARGIN);
        for minute in (0..10 * 7 * 24 * 60).step_by(30) {
            let now = NOW.plus_seconds(minute * 60);
            for begins in stock.missing(&held, now) {
                assert!(now <= begins && now.seconds_until(begins) <= stock.ahead);
                held.push(issued(stock, begins, now));
                count += 1;
            }
            assert_eq!(stock.missing(&held, now), [], "{stock:?}");
            let ends = ends_of_valid(&held, now).expect("always one");
            assert!(now.seconds_until(ends) >= room, "{stock:?} {now}");
            held.retain(|span| now <= span.ends);
        }
        let turns = (10 * 7 * DAY + stock.ahead) / stock.turn;
        assert!(count <= turns + 2, "{count} for {turns} turns: {stock:?}");
        // The signer's daily limit leaves room for twice as many.
        assert!(stock.missing(&[], NOW).len() <= 114, "{stock:?}");
    }

    /// What came under another policy is used up, and nothing is asked for twice.
    #[test]
    fn a_certificate_of_thirty_days_counts() {
        let stock = stock(&IssuerPolicy::default());
        let long = Span {
            begins: NOW.plus_seconds(-20 * DAY),
            ends: NOW.plus_seconds(10 * DAY),
        };
        let missing = stock.missing(&[long], NOW);
        assert_eq!(
            NOW.seconds_until(missing[0]),
            10 * DAY - 97 * HOUR,
            "when a whole answer no longer fits"
        );
    }

    #[test]
    fn nothing_outlasts_the_ca() {
        let mut stock = stock(&IssuerPolicy::default());
        stock.last = NOW.plus_seconds(9 * DAY);
        let missing = stock.missing(&[], NOW);
        assert_eq!(missing.len(), 2);
        let held: Vec<_> = missing
            .iter()
            .map(|begins| issued(&stock, *begins, NOW))
            .collect();
        assert_eq!(held[1].ends, stock.last);
        for hour in 0..9 * 24 {
            assert_eq!(stock.missing(&held, NOW.plus_seconds(hour * HOUR)), []);
        }
        // Past its end it is asked for, and refused, and nothing turns in circles.
        stock.last = NOW.plus_seconds(-1);
        assert_eq!(stock.missing(&[], NOW), [NOW]);
    }

    /// A root's certificate is valid for a year, its answers too.
    #[test]
    fn a_root_has_none_in_stock_until_its_turn_is_near() {
        let stock = stock(&IssuerPolicy::ca_certificates());
        assert_eq!(stock.missing(&[], NOW), [NOW]);
        let held = [issued(&stock, NOW, NOW)];
        assert_eq!(stock.missing(&held, NOW.plus_seconds(70 * DAY)), []);
        let soon = stock.missing(&held, NOW.plus_seconds(72 * DAY));
        assert_eq!(soon.len(), 1);
    }
}
