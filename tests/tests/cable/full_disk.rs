//! The disk of the signer, or of its host, is full under load.

use std::fs;
use std::path::Path;

use e2e::system::{EC, path, signal};
use e2e::{Random, SmallDisk, System, program, repository, wait_for};

use crate::load::Load;
use crate::supervisor::{self, Process};
use crate::{is_long, judge, look};

const ROUNDS: usize = 3;
const LONG_ROUNDS: usize = 12;
/// Far more than is written here.
const MEGABYTES: u32 = 16;
/// At most so many pages are left, so that a disk becomes full at any write.
const PAGES: usize = 8;
const PAGE: u64 = 4096;
const CALLERS: usize = 2;

#[test]
fn a_signer_with_a_full_disk_locks_and_goes_on_after_an_unlock() {
    let disk = SmallDisk::mount(MEGABYTES);
    let mut random = Random::seeded();
    let system = System::start_prepared(
        |_, _| repository().join(EC),
        |system| {
            let (before, there) = (
                system.data().join("signer/journal"),
                disk.path().join("journal"),
            );
            carry(&before, &there);
            let file = system.data().join("config/signer.toml");
            let text = fs::read_to_string(&file).expect("a configuration");
            let moved = text.replace(path(&before), path(&there));
            assert_ne!(text, moved);
            fs::write(&file, moved).expect("written");
        },
    );
    let load = Load::start(&system, "caller", CALLERS);
    for _ in 0..rounds() {
        load.goes_on(&system, 3);
        disk.fill_but(random.below(PAGES) as u64 * PAGE);
        wait_for(|| look::signer(&system)["mode"] == "locked");
        let reason = look::signer(&system)["reason"].to_string();
        assert!(reason.contains("No space left on device"), "{reason}");
        wait_for(|| look::not_ready(&system).contains("No space left on device"));
        let locked = Process::Daemon("signer").pid(&system).expect("it runs on");
        disk.clear();
        // There is room again, and it is still locked: it takes a new start and an unlock, which a demo does by itself.
        assert_eq!(look::signer(&system)["mode"], "locked");
        signal("-TERM", locked);
        load.goes_on(&system, 3);
    }
    println!("{}", judge::everything(&system, &load.stop()));
}

#[test]
fn a_host_with_a_full_disk_tells_nothing_and_heals_by_itself() {
    let disk = SmallDisk::mount(MEGABYTES);
    let mut random = Random::seeded();
    let system = System::start_prepared(
        |_, _| repository().join(EC),
        |system| {
            let (before, there) = (system.data().join("signer-host"), disk.path().join("state"));
            carry(&before, &there);
            std::os::unix::fs::symlink(&there, &before).expect("a link");
        },
    );
    let load = Load::start(&system, "caller", CALLERS);
    for round in 0..rounds() {
        load.goes_on(&system, 3);
        disk.fill_but(random.below(PAGES) as u64 * PAGE);
        wait_for(|| look::alarms(&system).iter().any(|alarm| alarm == "outbox"));
        wait_for(|| look::not_ready(&system).contains("make room on its disk"));
        // What it could not write down, it does not know after a crash.
        if round % 2 == 0 {
            let killed = supervisor::kill(&system, Process::Daemon("signer-host"));
            let process = Process::Daemon("signer-host");
            wait_for(|| process.pid(&system).is_some_and(|pid| pid != killed));
        }
        disk.clear();
        wait_for(|| look::alarms(&system).is_empty() && look::state(&system)["active"] == 1);
        load.goes_on(&system, 3);
    }
    println!("{}", judge::everything(&system, &load.stop()));
}

fn rounds() -> usize {
    if is_long() { LONG_ROUNDS } else { ROUNDS }
}

/// To another disk.
fn carry(from: &Path, to: &Path) {
    program(Path::new("/"), "mv", [path(from), path(to)]).ok();
}
