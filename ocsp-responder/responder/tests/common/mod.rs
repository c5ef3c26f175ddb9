//! A small CA, a publication of its answers and CRLs, an edge that follows it, and a raw HTTP client.

#![allow(dead_code)] // Each test program uses its own part of it.

pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod edge;
pub(crate) mod world;

use std::time::{Duration, Instant};

/// Waits for a condition that another thread brings about.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited for 30 s in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
