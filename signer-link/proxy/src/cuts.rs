//! When the cable is cut.

use std::time::Duration;

/// Times at which nothing passes, in either direction.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// From, and until; the end of the last one may be open.
    times: Vec<(Duration, Option<Duration>)>,
    count: u64,
}

impl Cuts {
    /// From then on, for that long or until [`Cuts::restore`].
    pub(crate) fn cut(&mut self, from: Duration, time: Option<Duration>) {
        self.count += 1;
        self.times.push((from, time.map(|time| from + time)));
    }

    /// All cuts end.
    pub(crate) fn restore(&mut self, now: Duration) {
        self.times.retain(|(from, _)| *from < now);
        for (_, until) in &mut self.times {
            *until = Some(until.map_or(now, |until| until.min(now)));
        }
    }

    /// Whether what is on the line at this time is lost.
    pub(crate) fn at(&self, time: Duration) -> bool {
        self.times
            .iter()
            .any(|(from, until)| *from <= time && until.is_none_or(|until| time < until))
    }

    /// Nobody asks about times before this one any more.
    pub(crate) fn forget(&mut self, before: Duration) {
        self.times
            .retain(|(_, until)| until.is_none_or(|until| until >= before));
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}
