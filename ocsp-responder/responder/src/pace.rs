//! Work beside requests that must not wait for it.
//!
//! A core that requests keep busy is given to another thread for milliseconds at a time, and so long every request waits.
//! Whoever takes a new generation therefore works in stretches too short to be noticed, and sleeps in between.

use std::cell::Cell;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time that a request may lose: a fraction of what it waits for others of its kind under load.
const STRETCH: Duration = Duration::from_micros(150);
const REST: Duration = Duration::from_micros(500);

/// The pace of one piece of work.
#[derive(Debug)]
pub(crate) struct Pace {
    /// When the stretch began; `None` for work for which nobody waits.
    since: Cell<Option<Instant>>,
}

impl Pace {
    /// Without rests, for when there is no request that could wait.
    pub(crate) fn alone() -> Self {
        Self {
            since: Cell::new(None),
        }
    }

    /// With rests.
    pub(crate) fn beside_requests() -> Self {
        Self {
            since: Cell::new(Some(Instant::now())),
        }
    }

    /// To be called after each small part of the work: rests when it is time.
    pub(crate) fn part_done(&self) {
        if self
            .since
            .get()
            .is_some_and(|since| since.elapsed() >= STRETCH)
        {
            sleep(REST);
            self.since.set(Some(Instant::now()));
        }
    }
}
