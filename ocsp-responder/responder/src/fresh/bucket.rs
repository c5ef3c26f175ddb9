//! A budget of so many in a second, in one number that all threads share.

use std::sync::atomic::{AtomicU64, Ordering};

/// Time in nanoseconds since the edge started.
pub(super) type Nanoseconds = u64;

const SECOND: Nanoseconds = 1_000_000_000;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// What one costs: the time until there is another one.
    price: Nanoseconds,
}

impl Rate {
    /// So many in a second; a second's worth may come at once.
    pub(super) fn per_second(count: u32) -> Self {
        let price = SECOND.checked_div(u64::from(count));
        Self {
            price: price.unwrap_or(u64::MAX).max(1),
        }
    }
}

/// What is used up of a budget: it is all there again at this moment (the generic cell rate algorithm).
#[derive(Debug, Default)]
pub(crate) struct Bucket(AtomicU64);

impl Bucket {
    /// Whether something is left. Only reads, so that a flood on all threads does not fight over it.
    pub(super) fn has_room(&self, rate: Rate, now: Nanoseconds) -> bool {
        after(self.0.load(Ordering::Relaxed), rate, now).is_some()
    }

    /// Takes one, if something is left.
    pub(super) fn take(&self, rate: Rate, now: Nanoseconds) -> bool {
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| {
                after(full, rate, now)
            })
            .is_ok()
    }
}

/// When all will be there again once one more is taken; `None` if there is none to take.
fn after(full: Nanoseconds, rate: Rate, now: Nanoseconds) -> Option<Nanoseconds> {
    let full = full.max(now).checked_add(rate.price)?;
    (full - now <= SECOND).then_some(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bucket: &Bucket, rate: Rate, now: Nanoseconds) -> usize {
        (0..1000)
            .take_while(|_| bucket.has_room(rate, now) && bucket.take(rate, now))
            .count()
    }

    #[test]
    fn a_second_s_worth_at_once_and_then_as_many_as_time_brings() {
        let (bucket, rate) = (Bucket::default(), Rate::per_second(50));
        assert_eq!(taken(&bucket, rate, 7), 50);
        assert!(!bucket.take(rate, 7) && !bucket.has_room(rate, 7));
        assert_eq!(taken(&bucket, rate, 7 + SECOND / 10), 5);
        assert_eq!(taken(&bucket, rate, 7 + SECOND / 10), 0);
        assert_eq!(
            taken(&bucket, rate, 100 * SECOND),
            50,
            "no more is saved up"
        );
        assert_eq!(
            taken(&bucket, rate, 99 * SECOND),
            0,
            "nor when time goes back"
        );
    }

    #[test]
    fn rates_at_the_limits() {
        assert_eq!(taken(&Bucket::default(), Rate::per_second(0), SECOND), 0);
        assert_eq!(taken(&Bucket::default(), Rate::per_second(1), SECOND), 1);
        assert_eq!(
            taken(&Bucket::default(), Rate::per_second(u32::MAX), SECOND),
            1000
        );
    }

    #[test]
    fn threads_never_take_more_together() {
        let (bucket, rate) = (Bucket::default(), Rate::per_second(100));
        let all: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..1000).filter(|_| bucket.take(rate, 5)).count()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(all, 100);
    }
}
