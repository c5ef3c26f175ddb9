//! Sessions: what holds over cuts, and with which signer nothing is done.

use signer_host::core::AlarmKind;
use wire::Mode;

use crate::requests::{id, issue, revoke};
use crate::signer::Signer;
use crate::world::{CALLER, World};

fn world() -> World {
    World::new(vec![Signer::new(17, Mode::Active, 1)])
}

#[test]
fn after_a_cut_only_what_the_signer_does_not_know_is_sent_again() {
    let mut world = world();
    world.plug(0);
    world.settle(100);
    for number in 0..5 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.step();
    // Two arrive and are done; their answers, and the other three, are lost.
    world.deliver(0);
    world.deliver(0);
    world.cut(0);
    world.settle(1_000);
    world.plug(0);
    world.settle(1_000);
    let signer = &world.cables[0].signer;
    assert_eq!(signer.done.len(), 5);
    assert!((0..5).all(|number| signer.times(id(number)) == 1));
    assert!((0..5).all(|number| world.outcomes(id(number)).len() == 1));
    assert!(signer.heard.contains(&"get-result"));
}

#[test]
fn after_a_crash_too() {
    let mut world = world();
    world.plug(0);
    world.settle(100);
    for number in 0..5 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.step();
    world.deliver(0);
    world.deliver(0);
    world.restart(0);
    world.plug(0);
    world.settle(1_000);
    let signer = &world.cables[0].signer;
    assert!((0..5).all(|number| signer.times(id(number)) == 1));
    // Nobody waits any more; whoever asks again gets the answer from here.
    for number in 0..5 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.step();
    assert!((0..5).all(|number| world.outcomes(id(number)).len() == 1));
}

#[test]
fn the_log_is_archived_with_its_chain_and_acknowledged() {
    let mut world = world();
    world.plug(0);
    for number in 0..50 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.settle(30_000);
    let signer = &world.cables[0].signer;
    assert_eq!(signer.log.len(), 101);
    assert_eq!(signer.acked, 101);
    let mut records = Vec::new();
    let mut disk = world.disk.copy();
    let file = signer_host::core::Directory::open(&mut disk, "signer-log-17").unwrap();
    let first_line = journal::SIGNER_JOURNAL;
    let archive = journal::Journal::read_in(file, "archive".to_owned(), first_line, |_, record| {
        records.push(record);
    })
    .unwrap();
    assert_eq!(records, signer.log);
    assert_eq!(archive.head(), signer.end());
    // It goes on where it ended.
    world.restart(0);
    world.plug(0);
    world.ask(CALLER, &issue(50, "server"));
    world.settle(5_000);
    assert_eq!(world.cables[0].signer.acked, 103);
    assert_eq!(world.alarms(), []);
}

#[test]
fn a_signer_whose_journal_is_older_than_its_archive_gets_no_work() {
    let mut world = world();
    world.plug(0);
    let backup = world.cables[0].signer.clone();
    world.ask(CALLER, &issue(1, "server"));
    world.settle(5_000);
    world.cut(0);
    world.cables[0].signer = backup;
    world.plug(0);
    world.ask(CALLER, &issue(2, "server"));
    world.settle(20_000);
    assert_eq!(world.alarms(), [AlarmKind::LogOlder]);
    let signer = &world.cables[0].signer;
    assert_eq!(signer.times(id(2)), 0);
    // It is told the time, so that it does not lock while somebody looks.
    assert!(
        signer
            .heard
            .iter()
            .all(|heard| ["hello", "ping"].contains(heard))
    );
    assert!(signer.heard.len() > 3);
}

#[test]
fn a_signer_on_another_chain_gets_no_work_and_no_acknowledgement() {
    let mut world = world();
    world.plug(0);
    world.settle(1_000);
    let fork = world.cables[0].signer.clone();
    world.ask(CALLER, &issue(1, "server"));
    world.settle(5_000);
    world.cut(0);
    let acked = fork.acked;
    for longer in [false, true] {
        let mut fork = fork.clone();
        fork.write(b"another".to_vec());
        fork.write(b"and another".to_vec());
        if longer {
            fork.write(b"and one more".to_vec());
        }
        world.cables[0].signer = fork;
        world.plug(0);
        world.ask(CALLER, &issue(2, "server"));
        world.settle(20_000);
        assert_eq!(world.alarms(), [AlarmKind::Chain]);
        assert_eq!(world.cables[0].signer.acked, acked);
        // The archive is as it was.
        assert_eq!(world.core().archived(0).sequence, 3);
        world.cut(0);
    }
}

#[test]
fn a_stranger_gets_nothing() {
    for (protocol, signer_id, alarm) in [
        (wire::PROTOCOL_VERSION, 18, AlarmKind::SignerId),
        (wire::PROTOCOL_VERSION + 1, 17, AlarmKind::Protocol),
    ] {
        let mut world = world();
        world.cables[0].signer.protocol = protocol;
        world.cables[0].signer.id = signer_id;
        world.plug(0);
        world.ask(CALLER, &issue(1, "server"));
        world.settle(60_000);
        assert_eq!(world.alarms(), [alarm]);
        assert_eq!(world.cables[0].signer.heard, ["hello"]);
        // The right one comes back.
        world.cut(0);
        world.cables[0].signer = Signer::new(17, Mode::Active, 1);
        world.plug(0);
        world.settle(1_000);
        assert_eq!(world.alarms(), []);
        assert_eq!(world.cables[0].signer.times(id(1)), 1);
    }
}

#[test]
fn a_message_that_is_none_begins_the_session_anew() {
    let mut world = world();
    world.plug(0);
    world.settle(1_000);
    for octets in [
        b"\xff".to_vec(),
        Vec::new(),
        world.cables[0].signer.clone().greet(),
    ] {
        let resets = world.cables[0].resets;
        world.cables[0].back.push_back(octets);
        world.settle(10);
        assert_eq!(world.cables[0].resets, resets + 1);
        assert_eq!(world.alarms(), [AlarmKind::Breach]);
        world.plug(0);
        world.settle(10);
        assert_eq!(world.alarms(), []);
    }
}

#[test]
fn acts_wait_for_a_signer_that_is_active() {
    let mut world = world();
    world.cables[0].signer.mode = Mode::Sealed;
    world.plug(0);
    world.ask(CALLER, &revoke(1, "member"));
    world.settle(20_000);
    assert_eq!(world.cables[0].signer.times(id(1)), 0);
    let view = world.core().view(world.now());
    assert_eq!(view.active, None);
    assert_eq!(view.cables[0].reason, "signer 17 is sealed");
    world.cables[0].signer.mode = Mode::Active;
    world.settle(6_000);
    assert_eq!(world.cables[0].signer.times(id(1)), 1);
    assert_eq!(world.core().view(world.now()).cables[0].reason, "");
}

#[test]
fn a_signer_that_answers_nothing_is_greeted_anew() {
    let mut world = world();
    world.plug(0);
    world.settle(1_000);
    world.ask(CALLER, &issue(1, "server"));
    // It takes everything and says nothing.
    for _ in 0..40 {
        world.step();
        world.deliver(0);
        world.cables[0].back.clear();
        world.pass(1_000);
    }
    assert_eq!(world.cables[0].resets, 1);
    world.plug(0);
    world.settle(1_000);
    assert_eq!(world.outcomes(id(1)).len(), 1);
    assert_eq!(world.cables[0].signer.done, [id(1)]);
}

#[test]
fn pings_go_every_five_seconds_also_beside_work() {
    let mut world = world();
    world.plug(0);
    for number in 0..100 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.settle(60_000);
    let pings = world.cables[0]
        .signer
        .heard
        .iter()
        .filter(|heard| **heard == "ping")
        .count();
    assert!((12..=14).contains(&pings), "{pings}");
}

#[test]
fn clocks_that_differ_are_an_alarm() {
    let mut world = world();
    world.clock_offset = 7;
    world.plug(0);
    world.settle(6_000);
    assert_eq!(world.alarms(), [AlarmKind::ClockOffset]);
    assert_eq!(world.core().view(world.now()).cables[0].clock_offset, 7);
    world.clock_offset = 0;
    world.settle(6_000);
    assert_eq!(world.alarms(), []);
}
