//! One run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::authority::Authority;
use crate::trace::Detail;
use crate::violation::{Invariant, Violation, violated};
use crate::world::{Totals, World};

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Whether everything held.
    pub result: Result<Totals, Violation>,
    /// Over every octet on both cables, and when.
    pub digest: u64,
    /// Every event, where it was asked for.
    pub lines: Vec<String>,
}

/// Runs one seed.
pub fn run(authority: &Arc<Authority>, seed: u64, detail: Detail) -> Report {
    let report = |result, digest, lines| Report {
        seed,
        result,
        digest,
        lines,
    };
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut world = match World::new(authority, seed, detail) {
            Ok(world) => world,
            Err(violation) => return report(Err(violation), 0, Vec::new()),
        };
        let result = world.run();
        let (digest, lines) = world.trace.finish();
        report(result, digest, lines)
    }));
    ran.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        let what = format!("a panic: {}", text.unwrap_or("without words"));
        let violation = violated(Invariant::EverythingGetsDone, what);
        report(Err(violation), 0, Vec::new())
    })
}
