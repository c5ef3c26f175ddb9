//! When the next request is due.

use std::time::Duration;

use crate::Pace;

/// Hands out the moments at which requests are due, in nanoseconds since the start.
#[derive(Debug)]
pub(crate) struct Pacer {
    pace: Pace,
    given: u64,
}

impl Pacer {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, given: 0 }
    }

    /// The moment of a request that may go out now; `None` if none is due yet. With a closed loop that is now.
    pub(crate) fn take(&mut self, now: u64) -> Option<u64> {
        match self.pace {
            Pace::Closed => Some(now),
            Pace::Open(_) => {
                let due = self.due()?;
                (due <= now).then(|| {
                    self.given += 1;
                    due
                })
            }
        }
    }

    /// How long the event loop may sleep. The kernel sleeps by the millisecond, so what is due sooner is waited for
    /// awake.
    pub(crate) fn sleep(&self, now: u64) -> Duration {
        const LONGEST: Duration = Duration::from_millis(50);
        const COARSE: u64 = 2_000_000;
        match self.due() {
            None => LONGEST,
            Some(due) if due < now + COARSE => Duration::ZERO,
            Some(due) => LONGEST.min(Duration::from_nanos(due - now - COARSE)),
        }
    }

    /// When the next request is due; `None` with a closed loop.
    fn due(&self) -> Option<u64> {
        match self.pace {
            Pace::Closed => None,
            // Lossy by nanoseconds only.
            Pace::Open(rate) => Some((self.given as f64 * 1e9 / rate) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_makes_up_for_a_stall() {
        let mut pacer = Pacer::new(Pace::Open(1000.0));
        assert_eq!(pacer.take(0), Some(0));
        assert_eq!(pacer.take(999_999), None);
        assert_eq!(pacer.take(5_000_000), Some(1_000_000));
        assert_eq!(pacer.take(5_000_000), Some(2_000_000));
    }

    #[test]
    fn a_closed_loop_asks_at_once() {
        let mut pacer = Pacer::new(Pace::Closed);
        assert_eq!(pacer.take(7), Some(7));
        assert_eq!(pacer.take(7), Some(7));
    }
}
