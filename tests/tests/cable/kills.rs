//! `kill -9` of every process in turn, under load.

use std::time::Instant;

use e2e::{Random, System, wait_for};

use crate::installation::Installation;
use crate::load::Load;
use crate::supervisor::{self, Process};
use crate::{is_long, judge, look};

/// Each process is killed so often.
const TURNS: usize = 1;
const LONG_TURNS: usize = 20;
const CALLERS: usize = 3;

#[test]
fn every_process_is_killed_in_turn() {
    let mut random = Random::seeded();
    let begun = Instant::now();
    let mut running = Installation::start(CALLERS);
    let turns = if is_long() { LONG_TURNS } else { TURNS };
    for _ in 0..turns {
        for process in Process::ALL {
            running.goes_on(1 + random.below(4) as u64);
            let killed = supervisor::kill(&running.system, process);
            comes_back(&mut running.system, process, killed);
            running.goes_on(2);
        }
    }
    let kills = turns * Process::ALL.len();
    let totals = running.end();
    println!("{kills} kills in {} s: {totals}", begun.elapsed().as_secs());
}

/// By itself, but for what only people start again.
fn comes_back(system: &mut System, process: Process, killed: u32) {
    match process {
        // Whoever had the keys is gone, and a signer without keys is locked, also a demo's: nothing opens them but a new
        // start.
        Process::OfSigner("key") => {
            wait_for(|| look::signer(system)["mode"] == "locked");
            let reason = look::signer(system)["reason"].to_string();
            assert!(reason.contains("key process"), "{reason}");
            let address = system.address();
            system.stop();
            system.up(&address);
        }
        Process::Everything => {
            let address = system.address();
            system.kill();
            system.up(&address);
        }
        Process::OfSigner(_) | Process::Daemon(_) => {
            wait_for(|| process.pid(system).is_some_and(|pid| pid != killed));
        }
    }
}

/// Where no passphrase lies beside the keys, a signer that died stays down, and what was asked meanwhile is done when
/// people have started it again.
#[test]
fn a_signer_that_died_waits_for_people() {
    let mut system = System::start_prepared(
        |_, _| e2e::repository().join(e2e::system::EC),
        |system| {
            let file = system.data().join("config/avouch.toml");
            let text = std::fs::read_to_string(&file).expect("a configuration");
            let attended = text.replace("mode = \"demo\"", "mode = \"attended\"");
            assert_ne!(text, attended);
            std::fs::write(&file, attended).expect("written");
        },
    );
    let load = Load::start(&system, "caller", 2);
    load.goes_on(&system, 3);
    supervisor::kill(&system, Process::OfSigner("link"));
    wait_for(|| {
        system
            .said()
            .contains("signer stays down: its keys are unlocked by somebody who is there")
    });
    assert_eq!(Process::Daemon("signer").pid(&system), None);
    wait_for(|| look::not_ready(&system).contains("the cable to signer 1 is not up"));

    // At once: a stop would let the issuer wait for the signer to the end of its patience.
    let address = system.address();
    system.kill();
    system.up(&address);
    load.goes_on(&system, 4);
    let orders = load.stop();
    println!("{}", judge::everything(&system, &orders));
}
