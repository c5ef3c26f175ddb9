//! Many runs, on all processors.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::authority::Authority;
use crate::run::{Report, run};
use crate::trace::Detail;
use crate::world::Totals;

/// How long.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// So many seeds.
    Seeds(u64),
    /// For this time.
    Time(Duration),
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many runs went well.
    pub runs: u64,
    /// What they did together.
    pub totals: Totals,
    /// The failure of the lowest seed.
    pub failure: Option<Report>,
}

/// Runs seeds from `from` on until one fails; tells `progress` how many are done.
pub fn many(
    authority: &Arc<Authority>,
    from: u64,
    length: Length,
    progress: &(dyn Fn(u64) + Sync),
) -> Summary {
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let summary = Mutex::new(Summary::default());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let over = match length {
                Length::Seeds(count) => number >= count,
                Length::Time(time) => begun.elapsed() >= time,
            };
            if over || stop.load(Ordering::Relaxed) {
                return;
            }
            let report = run(authority, from.wrapping_add(number), Detail::Digest);
            // Nothing panics while it holds the lock.
            let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
            match &report.result {
                Ok(totals) => {
                    summary.runs += 1;
                    summary.totals.add(totals);
                    progress(summary.runs);
                }
                Err(_) => {
                    stop.store(true, Ordering::Relaxed);
                    if summary
                        .failure
                        .as_ref()
                        .is_none_or(|known| known.seed > report.seed)
                    {
                        summary.failure = Some(report);
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    summary.into_inner().unwrap_or_else(PoisonError::into_inner)
}
