//! The cable is cut under load, in mid-frame, again and again.

use std::thread;
use std::time::{Duration, Instant};

use e2e::{Random, wait_for};

use crate::installation::Installation;
use crate::is_long;

const CUTS: usize = 20;
const LONG_CUTS: usize = 1_000;
/// One of so many is longer than a session lasts.
const LONGER: usize = 10;
/// The most octets that a short cut swallows: some frames.
const SWALLOWED: usize = 1_500;
const CALLERS: usize = 4;
/// Milliseconds up to which a cut is put off, so that it comes anywhere in a frame.
const PUT_OFF: usize = 60;

#[test]
fn the_cable_is_cut_under_load() {
    let mut random = Random::seeded();
    let begun = Instant::now();
    let mut running = Installation::start(CALLERS);
    let cuts = if is_long() { LONG_CUTS } else { CUTS };
    for cut in 1..=cuts {
        running.goes_on(random.below(3) as u64);
        thread::sleep(Duration::from_millis(random.below(PUT_OFF) as u64));
        if cut.is_multiple_of(LONGER) {
            until_it_is_noticed(&mut running);
        } else {
            for_some_frames(&mut running, 1 + random.below(SWALLOWED) as u64);
        }
    }
    running.goes_on(10);
    let sessions =
        running.host_says("avouch_signer_host_link_total{signer=\"1\",what=\"sessions\"}");
    let lost = running.cable.lost();
    let totals = running.end();
    println!(
        "{cuts} cuts in {} s, {lost} octets lost in them, {} sessions: {totals}",
        begun.elapsed().as_secs(),
        sessions.unwrap_or_default()
    );
}

/// So short that only frames are repeated; on a line with little to carry it may last as long as the other kind.
fn for_some_frames(running: &mut Installation, octets: u64) {
    let before = running.cable.lost();
    running.cable.cut();
    wait_for(|| running.cable.lost() >= before + octets || is_down(running));
    running.cable.join();
}

/// Both ends give the session up, and what was open is asked for by its id.
fn until_it_is_noticed(running: &mut Installation) {
    running.goes_on(1);
    wait_for(|| !is_down(running));
    running.cable.cut();
    wait_for(|| is_down(running));
    running.cable.join();
}

fn is_down(running: &Installation) -> bool {
    running.host_says("avouch_signer_host_link_up{signer=\"1\"}") == Some(0.0)
}
