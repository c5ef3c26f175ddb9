//! How long a cache may keep an answer (HTTP-10, CRL-31).

use pki::Time;

/// The validity of something served, and when a newer one is planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freshness {
    pub(crate) this_update: Time,
    pub(crate) next_update: Time,
    pub(crate) refresh_at: Time,
}

impl Freshness {
    /// Whether it may leave at this moment: thisUpdate <= `now` < nextUpdate (V3).
    pub(crate) fn is_current(&self, now: Time) -> bool {
        self.this_update <= now && now < self.next_update
    }

    /// Seconds such that `now` plus them is before nextUpdate: how long something that is never replaced may be kept.
    pub(crate) fn max_lifetime(&self, now: Time) -> u32 {
        let left = now.seconds_until(self.next_update.plus_seconds(-1));
        u32::try_from(left.max(0)).unwrap_or(u32::MAX)
    }

    /// Seconds such that `now` plus them is before nextUpdate and before the planned renewal, at most `cap`.
    ///
    /// Zero when the renewal is overdue: a newer answer may be there at any moment.
    pub(crate) fn max_age(&self, now: Time, cap: u32) -> u32 {
        let end = self.next_update.min(self.refresh_at).plus_seconds(-1);
        let left = now.seconds_until(end).clamp(0, i64::from(cap));
        // Lossless: between 0 and a u32.
        left as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_ends_before_next_update_and_renewal_at_every_instant() {
        let at = Time::from_unix;
        for refresh_at in [at(150), at(200)] {
            let freshness = Freshness {
                this_update: at(100),
                next_update: at(200),
                refresh_at,
            };
            for now in 100..200 {
                for cap in [0, 10, 3600] {
                    let end = now + i64::from(freshness.max_age(at(now), cap));
                    assert!(end < 200, "before nextUpdate");
                    assert!(
                        end <= refresh_at.unix() || end == now,
                        "by the planned renewal"
                    );
                    assert!(end - now <= i64::from(cap));
                }
            }
            assert!(!freshness.is_current(at(99)) && freshness.is_current(at(100)));
            assert!(freshness.is_current(at(199)) && !freshness.is_current(at(200)));
        }
    }
}
