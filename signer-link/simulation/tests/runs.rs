//! The simulation itself: the same seed is the same run, and the planted faults can be planted.

use std::path::Path;
use std::sync::Arc;

use simulation::many::{Length, many};
use simulation::{Authority, Detail, faults, run};

fn authority() -> Arc<Authority> {
    Arc::new(Authority::new().unwrap())
}

#[test]
fn the_same_seed_is_the_same_run() {
    let (one, other) = (authority(), authority());
    let mut digests = Vec::new();
    for seed in 0..12 {
        let first = run(&one, seed, Detail::Lines);
        let second = run(&other, seed, Detail::Lines);
        first.result.as_ref().unwrap();
        assert!(first.lines.len() > 20, "{:?}", first.lines);
        assert_eq!(first.lines, second.lines, "seed {seed}");
        assert_eq!(first.digest, second.digest, "seed {seed}");
        // What is written down changes nothing.
        assert_eq!(run(&one, seed, Detail::Digest).digest, first.digest);
        digests.push(first.digest);
    }
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 12);
}

#[test]
fn everything_happens_and_everything_holds() {
    let summary = many(&authority(), 1_000_000, Length::Seeds(300), &|_| {});
    if let Some(failure) = summary.failure {
        panic!("seed {}: {}", failure.seed, failure.result.unwrap_err());
    }
    let totals = summary.totals;
    assert_eq!(summary.runs, 300);
    let counts = totals.counts;
    for (what, count) in [
        ("certificates", counts.certificates),
        ("revocations", counts.revocations),
        ("CRLs", counts.crls),
        ("refusals", counts.refusals),
        ("divergences", counts.compared),
        ("crashes", totals.crashes),
        ("cuts", totals.cuts),
        ("promotions", totals.promotions),
        ("old disks", totals.images),
    ] {
        assert!(count > 0, "no {what} in 300 runs");
    }
}

#[test]
fn each_fault_has_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let faults = faults::all().unwrap();
    assert!(faults.len() >= 10);
    for fault in faults {
        let text = std::fs::read_to_string(root.join(&fault.file)).unwrap();
        let broken = fault.plant(&text).unwrap();
        assert_ne!(broken, text);
    }
}
