//! When the signer stops by itself, and what makes it go on: the dead-man switch, strikes, clocks, the log, budgets.

mod common;

use common::{Bench, Fixture, Leaf, crl, noon, policy, refusal, signature};
use journal::Storage;
use pki::Clock as _;
use signer::journal_record::Record;
use signer::settings::Limits;
use wire::{Mode, Operation, Outcome, RefusalCode};

const HOUR: u32 = 3_600;

/// The records of the journal, the oldest first.
fn records<S: Storage>(bench: &Bench<S>) -> Vec<Record> {
    let log = bench.core.log();
    let all = 1..=log.head().sequence;
    all.map(|sequence| log.read(sequence).unwrap().0).collect()
}

/// Why it locked, each time that it did.
fn locks<S: Storage>(bench: &Bench<S>) -> Vec<String> {
    let reason = |record| match record {
        Record::Locked { reason, .. } => Some(reason),
        _ => None,
    };
    records(bench).into_iter().filter_map(reason).collect()
}

/// A request that policy refuses.
fn bad(fixture: &Fixture) -> wire::IssueCertificate {
    let mut leaf = Leaf::new(&fixture.member);
    leaf.not_after = leaf.not_after.plus_seconds(100 * 366 * 86_400);
    leaf.request()
}

/// One that it signs, at whatever time it is.
fn good(fixture: &Fixture) -> wire::IssueCertificate {
    let mut leaf = Leaf::new(&fixture.member);
    leaf.not_before = fixture.clock.now().plus_seconds(-300);
    leaf.not_after = leaf.not_before.plus_seconds(30 * 86_400 - 1);
    leaf.request()
}

#[track_caller]
fn assert_busy(reply: &wire::Reply) {
    assert!(matches!(reply.outcome, Outcome::Busy { .. }), "{reply:?}");
}

/// Whether its keys are there.
fn has_keys<S: Storage>(bench: &mut Bench<S>) -> bool {
    match bench.ask(0xfe, Operation::Info).outcome {
        Outcome::Info { issuers, .. } => !issuers.is_empty(),
        other => panic!("no info: {other:?}"),
    }
}

#[test]
fn a_silent_host_suspends_it_and_a_word_of_it_makes_it_go_on() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    bench.pass(14);
    assert_eq!(bench.mode(), Mode::Active);
    bench.pass(1);
    let (mode, reason) = bench.core.mode(bench.now);
    assert_eq!(mode, Mode::Suspended);
    assert!(reason.contains("15 seconds"), "{reason}");
    let noticed = |record: &Record| matches!(record, Record::Noticed { what, .. } if what.contains("15 seconds"));
    assert!(records(&bench).iter().any(noticed));
    bench.ping(fixture.clock.now());
    assert_eq!(bench.mode(), Mode::Active);
}

#[test]
fn a_new_session_signs_nothing_before_hello_and_ping() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    bench.core.link_down();
    assert_eq!(bench.mode(), Mode::Suspended);
    bench.core.link_up(bench.now);
    assert_eq!(bench.mode(), Mode::Suspended);
    bench.greet_with(bench.core.log().head(), 1);
    assert_busy(&bench.issue(1, good(&fixture)));
    bench.ping(fixture.clock.now());
    signature(&bench.issue(1, good(&fixture)));
    // What comes before the hello comes from nobody who knows the protocol.
    bench.core.link_up(bench.now);
    assert_busy(&bench.issue(2, good(&fixture)));
    assert_eq!(bench.mode(), Mode::Locked);
}

#[test]
fn long_silence_wipes_the_keys_and_only_the_console_brings_them_back() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    bench.pass(24 * HOUR - 1);
    assert_eq!(bench.mode(), Mode::Suspended);
    assert!(has_keys(&mut bench));
    // That question was a sign of life: the day begins anew.
    bench.pass(24 * HOUR - 1);
    assert_eq!(bench.mode(), Mode::Suspended);
    bench.pass(1);
    assert_eq!(bench.mode(), Mode::Locked);
    assert_eq!(locks(&bench), ["the host was silent for 86400 seconds"]);
    // Neither the host nor a new start of the program opens it.
    bench.greet();
    assert_eq!(bench.mode(), Mode::Locked);
    assert_busy(&bench.issue(1, good(&fixture)));
    assert!(!has_keys(&mut bench));
    drop(bench);
    let mut bench = fixture.sealed(policy(), Limits::default());
    bench.greet();
    assert_eq!(bench.mode(), Mode::Locked);
    bench.unlock();
    assert_eq!(bench.mode(), Mode::Active);
    signature(&bench.issue(1, good(&fixture)));
}

#[test]
fn a_rebooted_host_costs_no_journey() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    bench.core.link_down();
    bench.pass(23 * HOUR);
    assert_eq!(bench.mode(), Mode::Suspended);
    bench.greet();
    signature(&bench.issue(1, good(&fixture)));
    // And the silence counts from then on.
    bench.core.link_down();
    bench.pass(23 * HOUR);
    assert!(locks(&bench).is_empty());
}

#[test]
fn announced_maintenance_extends_the_silence_once() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    let announce = |bench: &mut Bench, hours| {
        let seconds = hours * HOUR;
        bench.ask(9, Operation::Maintenance { seconds })
    };
    assert_eq!(
        refusal(&announce(&mut bench, 73)).code,
        RefusalCode::NotAllowed
    );
    assert_eq!(announce(&mut bench, 48).outcome, Outcome::Done);
    assert_eq!(refusal(&announce(&mut bench, 1)).field, "seconds");
    bench.pass(48 * HOUR - 1);
    assert_eq!(bench.mode(), Mode::Suspended);
    bench.pass(1);
    assert_eq!(bench.mode(), Mode::Locked);
    // Once for each unlock.
    bench.unlock();
    bench.greet();
    assert_eq!(announce(&mut bench, 30).outcome, Outcome::Done);
    bench.ping(fixture.clock.now());
    bench.pass(29 * HOUR);
    assert_eq!(bench.mode(), Mode::Suspended);
}

#[test]
fn too_many_refusals_lock() {
    let fixture = Fixture::new();
    let limits = Limits {
        strikes: 3,
        ..Limits::default()
    };
    let mut bench = fixture.bench_with(policy(), limits);
    for id in 1..=2 {
        assert_eq!(
            refusal(&bench.issue(id, bad(&fixture))).code,
            RefusalCode::Policy
        );
        signature(&bench.issue(id + 10, good(&fixture)));
    }
    // A refusal that is asked for again is the same one.
    let mistake = bad(&fixture);
    let again = bench.issue(3, bad(&fixture));
    assert_eq!(refusal(&again).code, RefusalCode::Policy);
    assert_eq!(bench.mode(), Mode::Locked);
    assert_busy(&bench.issue(4, mistake));
    assert_eq!(
        locks(&bench),
        ["security: 3 requests were refused by policy"]
    );
    assert!(!has_keys(&mut bench));
    // Unlocked, it counts from the beginning.
    bench.unlock();
    bench.greet();
    assert_eq!(bench.core.status(bench.now).strikes, 0);
    signature(&bench.issue(5, good(&fixture)));
}

#[test]
fn a_refusal_that_is_asked_for_again_counts_once() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    let request = bad(&fixture);
    let first = bench.issue(1, request.clone());
    for _ in 0..5 {
        assert_eq!(bench.issue(1, request.clone()), first);
    }
    assert_eq!(bench.core.status(bench.now).strikes, 1);
}

#[test]
fn strict_locks_at_the_first_refusal() {
    let fixture = Fixture::new();
    let limits = Limits {
        strict: true,
        ..Limits::default()
    };
    let mut bench = fixture.bench_with(policy(), limits);
    signature(&bench.issue(1, good(&fixture)));
    assert_eq!(
        refusal(&bench.issue(2, bad(&fixture))).code,
        RefusalCode::Policy
    );
    assert_eq!(bench.mode(), Mode::Locked);
}

/// G9: more than 5 s stop CRLs, more than 60 s everything, and nothing of it ever locks.
#[test]
fn clocks_that_differ() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    let mut number = 0;
    let mut list = |bench: &mut Bench| {
        number += 1;
        let request = crl(&fixture.member, u64::from(number), noon(), &[]);
        bench.ask(number, Operation::SignCrl(request))
    };
    signature(&list(&mut bench));
    for (id, ahead) in (100..).zip([6, -6, 59, -59]) {
        let status = bench.ping(fixture.clock.now().plus_seconds(ahead));
        assert_eq!(status.host_ahead_milliseconds.signum(), ahead.signum());
        let refused = refusal(&list(&mut bench));
        assert_eq!(
            (refused.code, refused.field.as_str()),
            (RefusalCode::NotAllowed, "this_update")
        );
        signature(&bench.issue(id, good(&fixture)));
    }
    for ahead in [61, -61, 86_400, -86_400] {
        bench.ping(fixture.clock.now().plus_seconds(ahead));
        assert_eq!(bench.mode(), Mode::Suspended);
        assert_busy(&bench.issue(200, good(&fixture)));
    }
    bench.ping(fixture.clock.now());
    assert_eq!(bench.mode(), Mode::Active);
    signature(&list(&mut bench));
    assert!(locks(&bench).is_empty());
}

/// A host that lies about the time moves the clock by no more than a bad quartz would, and never back.
#[test]
fn the_clock_follows_by_50_parts_per_million() {
    let fixture = Fixture::new();
    for lie in [-50, 50] {
        let mut bench = fixture.bench();
        let began = bench.core.status(bench.now).time;
        let mut last = began;
        for _ in 0..1_000 {
            bench.pass(10);
            let told = last.plus_seconds(lie);
            let time = bench.ping(told).time;
            assert!(time >= last);
            last = time;
        }
        // 10,000 s by 50 ppm: half a second.
        let moved = began.seconds_until(last) - 10_000;
        assert!(moved.abs() <= 1, "{moved}");
        fixture.clock.set(noon());
    }
}

#[test]
fn a_log_that_nobody_archives_suspends() {
    let fixture = Fixture::new();
    let limits = Limits {
        unarchived_records: 6,
        ..Limits::default()
    };
    let mut bench = fixture.bench_with(policy(), limits);
    // Two records each, and the session's own.
    let mut id = 0;
    while bench.mode() == Mode::Active {
        id += 1;
        signature(&bench.issue(id, good(&fixture)));
        assert!(id < 10);
    }
    assert!((2..=3).contains(&id), "{id}");
    let (mode, reason) = bench.core.mode(bench.now);
    assert_eq!(mode, Mode::Suspended);
    assert!(reason.contains("not archived"), "{reason}");
    assert_busy(&bench.issue(50, good(&fixture)));
    // What is not so is not believed.
    let mut wrong = bench.core.log().head();
    wrong.head[0] ^= 1;
    let wrong = Operation::AckLog { archived: wrong };
    assert_eq!(refusal(&bench.ask(51, wrong)).field, "archived");
    assert_eq!(bench.mode(), Mode::Suspended);
    let archived = bench.core.log().head();
    let reply = bench.ask(52, Operation::AckLog { archived });
    assert_eq!(reply.outcome, Outcome::Done);
    signature(&bench.issue(50, good(&fixture)));
}

#[test]
fn each_unlock_has_its_budget_of_signatures() {
    let fixture = Fixture::new();
    let limits = Limits {
        signatures: 2,
        ..Limits::default()
    };
    let mut bench = fixture.bench_with(policy(), limits);
    let request = good(&fixture);
    let first = bench.issue(1, request.clone());
    signature(&first);
    // What was signed already costs nothing.
    assert_eq!(bench.issue(1, request.clone()), first);
    assert_eq!(bench.core.status(bench.now).signatures_left, 1);
    signature(&bench.issue(2, good(&fixture)));
    assert_eq!(bench.mode(), Mode::Suspended);
    assert_busy(&bench.issue(3, good(&fixture)));
    assert_eq!(bench.issue(1, request), first);
    bench.unlock();
    signature(&bench.issue(3, good(&fixture)));
}

/// The budget holds among requests that come together, too.
#[test]
fn requests_that_come_together_share_the_budget() {
    let fixture = Fixture::new();
    let limits = Limits {
        signatures: 3,
        ..Limits::default()
    };
    let mut bench = fixture.bench_with(policy(), limits);
    let issue = |id| (id, Operation::IssueCertificate(good(&fixture)));
    let replies = bench.ask_all((1..=8).map(issue).collect());
    let signed = |reply: &&wire::Reply| matches!(reply.outcome, Outcome::Signed { .. });
    assert_eq!(replies.iter().filter(signed).count(), 3);
    replies
        .iter()
        .filter(|reply| !signed(reply))
        .for_each(assert_busy);
}

#[test]
fn certificates_of_a_day_are_limited() {
    let fixture = Fixture::new();
    let limits = Limits {
        certificates_a_day: 2,
        ..Limits::default()
    };
    let mut bench = fixture.bench_with(policy(), limits);
    for id in 1..=2 {
        signature(&bench.issue(id, good(&fixture)));
    }
    let refused = refusal(&bench.issue(3, good(&fixture)));
    assert_eq!(
        (refused.code, refused.field.as_str()),
        (RefusalCode::NotAllowed, "profile")
    );
    // No strike: an honest host may be in a hurry.
    assert_eq!(bench.core.status(bench.now).strikes, 0);
    // CRLs go on.
    let list = crl(&fixture.member, 1, noon(), &[]);
    signature(&bench.ask(4, Operation::SignCrl(list)));
    bench.pass(12 * HOUR);
    bench.ping(fixture.clock.now());
    refusal(&bench.issue(5, good(&fixture)));
    bench.pass(12 * HOUR);
    bench.ping(fixture.clock.now());
    signature(&bench.issue(6, good(&fixture)));
}

#[test]
fn the_host_may_lock_it() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    let reason = "a drill".to_owned();
    assert_eq!(
        bench.ask(1, Operation::Lock { reason }).outcome,
        Outcome::Done
    );
    assert_eq!(bench.mode(), Mode::Locked);
    assert_eq!(locks(&bench), ["the host asked: a drill"]);
    assert!(!has_keys(&mut bench));
}
