//! A steady pace: so many questions per second, whoever asks them.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// What was missed while nobody asked may be made up for this long.
const BURST: Duration = Duration::from_millis(50);

/// Shared by all that ask one edge.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    pub(crate) fn per_second(questions: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / questions.max(1),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Returns when the next question may be asked.
    pub(crate) async fn turn(&self) {
        let slot = {
            // Unwrap safety: nothing panics while the lock is held.
            let mut next = self.next.lock().unwrap();
            let slot = (*next).max(Instant::now().checked_sub(BURST).unwrap_or(*next));
            *next = slot + self.interval;
            slot
        };
        tokio::time::sleep_until(slot).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_faster_than_asked() {
        let pace = Pace::per_second(200);
        let begun = Instant::now();
        for _ in 0..50 {
            pace.turn().await;
        }
        // 49 intervals of 5 ms, less the burst.
        assert!(begun.elapsed() >= Duration::from_millis(190));
    }
}
