//! What local processes ask for, and what becomes of it.

use signer_host::core::{AlarmKind, Caller, Class, Settings};
use wire::{Mode, Operation, Outcome, RefusalCode, Request, SignedResult, limits};

use crate::requests::{id, issue, revoke, sign_crl};
use crate::signer::{POISON, Signer};
use crate::world::{CALLER, World};

fn world() -> World {
    World::new(vec![Signer::new(17, Mode::Active, 1)])
}

fn refusal(outcome: &Outcome) -> Option<RefusalCode> {
    match outcome {
        Outcome::Refused(refused) => Some(refused.code),
        _ => None,
    }
}

#[test]
fn an_act_is_on_the_disk_before_it_is_sent_and_many_share_one_sync() {
    let mut world = world();
    world.plug(0);
    world.settle(100);
    let before = world.disk.syncs();
    for number in 0..100 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.step();
    assert_eq!(world.disk.syncs(), before + 1);
    assert!(!world.cables[0].there.is_empty());
    // What is durable now is enough to do all of it.
    let mut other = self::world();
    other.disk = world.disk.copy();
    other.start();
    other.plug(0);
    other.settle(5_000);
    assert_eq!(other.cables[0].signer.done.len(), 100);
}

#[test]
fn the_same_request_gets_the_same_answer_and_is_not_sent_again() {
    let mut world = world();
    world.plug(0);
    for _ in 0..3 {
        world.ask(CALLER, &issue(1, "server"));
        world.settle(100);
    }
    assert_eq!(world.outcomes(id(1)).len(), 3);
    assert!(
        world
            .outcomes(id(1))
            .windows(2)
            .all(|pair| pair[0] == pair[1])
    );
    assert_eq!(world.cables[0].signer.times(id(1)), 1);
    world.restart(0);
    world.ask(CALLER, &issue(1, "server"));
    world.step();
    assert_eq!(world.outcomes(id(1)).len(), 4);
}

#[test]
fn an_id_with_other_content_is_refused_here() {
    let mut world = world();
    world.plug(0);
    world.ask(CALLER, &issue(1, "server"));
    world.ask(CALLER, &issue(1, "client"));
    world.settle(100);
    world.ask(CALLER, &revoke(1, "member"));
    world.settle(100);
    let codes: Vec<_> = world.outcomes(id(1)).into_iter().map(refusal).collect();
    assert_eq!(
        codes,
        [
            Some(RefusalCode::IdReused),
            None,
            Some(RefusalCode::IdReused)
        ]
    );
    assert_eq!(world.cables[0].signer.times(id(1)), 1);
}

#[test]
fn a_refused_act_keeps_nothing_waiting_and_is_never_sent_again() {
    let mut world = world();
    world.plug(0);
    world.settle(100);
    for number in 0..20 {
        let profile = if number % 2 == 0 { POISON } else { "server" };
        world.ask(CALLER, &issue(number, profile));
    }
    world.settle(1_000);
    assert_eq!(world.cables[0].signer.done.len(), 20);
    assert_eq!(world.core().view(world.now()).refused["policy"], 10);
    // Its owner asks again, before and after a restart of the host, and gets the refusal that is on record.
    world.ask(CALLER, &issue(0, POISON));
    world.restart(0);
    world.ask(CALLER, &issue(0, POISON));
    world.plug(0);
    world.settle(1_000);
    assert!(
        world
            .outcomes(id(0))
            .iter()
            .all(|outcome| refusal(outcome).is_some())
    );
    assert_eq!(world.cables[0].signer.times(id(0)), 1);
}

#[test]
fn what_is_urgent_overtakes() {
    let mut world = world();
    // They wait while the signer is away.
    for number in 0..30 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.ask(CALLER, &issue(30, "ocsp-responder"));
    world.ask(CALLER, &sign_crl(31, "other"));
    world.ask(CALLER, &revoke(32, "member"));
    world.step();
    let view = world.core().view(world.now());
    assert_eq!(view.queues[&Class::Certificate].count, 30);
    assert_eq!(view.queues[&Class::Revocation].count, 1);
    world.plug(0);
    world.settle(1_000);
    let done = &world.cables[0].signer.done;
    assert_eq!(done[..3], [id(32), id(31), id(30)]);
    assert!(done[3..].is_sorted());
}

#[test]
fn an_urgent_act_waits_for_no_more_than_the_window() {
    let mut world = world();
    world.plug(0);
    world.settle(100);
    for number in 0..200 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.step();
    let under_way: usize = world.cables[0].there.iter().map(Vec::len).sum();
    assert!((6_000..8_000).contains(&under_way), "{under_way}");
    world.ask(CALLER, &revoke(500, "member"));
    world.deliver(0);
    world.deliver(0);
    world.step();
    world.settle(10);
    let place = world.cables[0]
        .signer
        .done
        .iter()
        .position(|done| *done == id(500));
    assert!(place.unwrap() < 10, "{place:?}");
}

#[test]
fn small_requests_go_beside_a_full_window_of_certificates() {
    let settings = Settings::default();
    let window = settings.window;
    let mut world = World::with(vec![Signer::new(17, Mode::Active, 1)], settings, usize::MAX);
    world.plug(0);
    world.settle(100);
    for number in 0..200 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.step();
    assert_eq!(world.cables[0].there.len(), window * 3 / 4);
    world.ask(CALLER, &revoke(500, "member"));
    world.ask(
        CALLER,
        &Request {
            id: id(501),
            operation: Operation::Info,
        },
    );
    world.step();
    assert_eq!(world.cables[0].there.len(), window * 3 / 4 + 2);
}

#[test]
fn no_crl_overtakes_an_earlier_revocation_of_its_issuer() {
    let mut world = world();
    world.plug(0);
    world.settle(100);
    world.ask(CALLER, &revoke(1, "member"));
    world.ask(CALLER, &sign_crl(2, "member"));
    world.ask(CALLER, &sign_crl(3, "other"));
    world.ask(CALLER, &revoke(4, "member"));
    let stranger = Caller {
        uid: 1_000,
        connection: 2,
    };
    world.ask(stranger, &revoke(5, "member"));
    world.settle(1_000);
    let done = &world.cables[0].signer.done;
    let place = |number| done.iter().position(|done| *done == id(number)).unwrap();
    assert!(place(1) < place(2) && place(2) < place(4));
    assert!(
        place(5) < place(2),
        "another caller's revocation waits for no CRL"
    );
}

#[test]
fn a_signer_that_is_busy_for_one_kind_is_asked_for_the_others() {
    let mut world = world();
    world.cables[0].signer.busy_profile = "client".to_owned();
    world.plug(0);
    world.settle(100);
    for number in 0..20 {
        let profile = if number < 10 { "client" } else { "server" };
        world.ask(CALLER, &issue(number, profile));
    }
    world.settle(150);
    assert_eq!(world.cables[0].signer.done.len(), 10);
    world.settle(10_000);
    // With longer and longer waits, not with all of them each time.
    let tries: u32 = (0..10)
        .map(|number| world.cables[0].signer.times(id(number)))
        .sum();
    assert!((10..100).contains(&tries), "{tries}");
    world.cables[0].signer.busy_profile.clear();
    world.settle(30_000);
    assert_eq!(world.cables[0].signer.done.len(), 20);
    // A CRL that is put off keeps no revocation of its issuer waiting.
    world.cables[0].signer.busy_crls = true;
    world.ask(CALLER, &sign_crl(30, "member"));
    world.settle(300);
    world.ask(CALLER, &revoke(31, "member"));
    world.settle(300);
    assert!(world.cables[0].signer.done.contains(&id(31)));
}

#[test]
fn a_full_disk_refuses_new_acts_and_heals_by_itself() {
    let mut world = world();
    world.plug(0);
    world.settle(100);
    world.ask(CALLER, &issue(1, "server"));
    world.step();
    world.disk.set_full(true);
    world.ask(CALLER, &issue(2, "server"));
    world.settle(300);
    assert!(matches!(world.outcomes(id(2))[..], [Outcome::Busy { .. }]));
    // The signer has answered, and nobody learns what this host would not know after a crash.
    assert_eq!(world.cables[0].signer.done, [id(1)]);
    assert!(matches!(world.outcomes(id(1))[..], [Outcome::Busy { .. }]));
    world.ask(CALLER, &issue(1, "server"));
    let question = Request {
        id: id(9_000),
        operation: Operation::GetResult { ids: vec![id(1)] },
    };
    world.ask(CALLER, &question);
    world.settle(300);
    assert!(matches!(
        world.outcomes(id(1))[..],
        [Outcome::Busy { .. }, Outcome::Busy { .. }]
    ));
    let unknown = Outcome::Results {
        results: vec![SignedResult::Unknown],
    };
    assert_eq!(world.outcomes(id(9_000)), [&unknown]);
    assert!(world.alarms().contains(&AlarmKind::Outbox));
    world.disk.set_full(false);
    world.settle(10_000);
    assert_eq!(world.alarms(), []);
    for number in [1, 2] {
        world.ask(CALLER, &issue(number, "server"));
        world.settle(300);
        let last = world.outcomes(id(number)).pop();
        assert!(matches!(last, Some(Outcome::Signed { .. })), "{last:?}");
    }
    // The answer that came while nothing could be written is on the disk now.
    world.restart(0);
    world.ask(CALLER, &issue(1, "server"));
    world.step();
    assert_eq!(world.outcomes(id(1)).len(), 4);
    assert_eq!(world.cables[0].signer.times(id(1)), 1);
    assert_eq!(
        world.core().archived(0).sequence,
        world.cables[0].signer.end().sequence
    );
}

#[test]
fn a_promotion_that_cannot_be_written_down_is_not_followed() {
    let mut world = world();
    world.ask(CALLER, &issue(1, "server"));
    world.step();
    world.disk.set_full(true);
    world.plug(0);
    world.settle(300);
    assert_eq!(world.cables[0].signer.done, []);
    world.disk.set_full(false);
    world.settle(10_000);
    assert_eq!(world.cables[0].signer.done, [id(1)]);
}

#[test]
fn an_answer_that_could_not_be_written_down_is_told_when_there_is_room() {
    let mut world = world();
    world.plug(0);
    world.settle(100);
    world.ask(CALLER, &issue(1, "server"));
    world.step();
    world.deliver(0);
    // Full just when the answer comes, and empty again before the host looks.
    world.disk.set_full(true);
    world.bring_back(0);
    world.disk.set_full(false);
    world.settle(10_000);
    assert!(matches!(world.outcomes(id(1))[..], [Outcome::Busy { .. }]));
    world.ask(CALLER, &issue(1, "server"));
    world.step();
    assert!(matches!(
        world.outcomes(id(1))[..],
        [_, Outcome::Signed { .. }]
    ));
    assert_eq!(world.cables[0].signer.times(id(1)), 1);
}

#[test]
fn the_outbox_is_bounded() {
    let settings = Settings {
        open_acts: 10,
        answers: 50,
        compact_octets: 50_000,
        ..Settings::default()
    };
    let mut world = World::with(vec![Signer::new(17, Mode::Active, 1)], settings, 6_000);
    for number in 0..12 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.step();
    assert!(matches!(world.outcomes(id(11))[..], [Outcome::Busy { .. }]));
    world.plug(0);
    for number in 0..2_000 {
        world.ask(CALLER, &issue(number, "server"));
        world.settle(0);
    }
    assert_eq!(world.cables[0].signer.done.len(), 2_000);
    let octets = world.disk.content("outbox").unwrap().len();
    assert!(octets < 60_000, "{octets}");
    // An answer that is here no more comes from the signer; a late one from here.
    let question = Request {
        id: id(9_000),
        operation: Operation::GetResult {
            ids: vec![id(3), id(1_999), id(8_000)],
        },
    };
    world.ask(CALLER, &question);
    world.settle(100);
    let signed = |number| SignedResult::Signed {
        signature: id(number).0.repeat(4),
    };
    assert_eq!(
        world.outcomes(id(9_000)),
        [&Outcome::Results {
            results: vec![signed(3), signed(1_999), SignedResult::Unknown]
        }]
    );
    world.ask(CALLER, &issue(3, "server"));
    world.settle(100);
    assert_eq!(world.outcomes(id(3)).len(), 3);
    // And all of it is there after a restart.
    world.restart(0);
    world.ask(CALLER, &issue(1_999, "server"));
    world.step();
    assert_eq!(world.outcomes(id(1_999)).len(), 2);
}

#[test]
fn answers_of_yesterday_are_forgotten_here() {
    let mut world = world();
    world.plug(0);
    world.ask(CALLER, &issue(1, "server"));
    world.settle(100);
    world.pass(25 * 3_600_000);
    world.settle(10_000);
    world.ask(CALLER, &issue(1, "server"));
    world.settle(1_000);
    assert_eq!(world.outcomes(id(1)).len(), 2);
    assert_eq!(world.cables[0].signer.times(id(1)), 2);
    assert_eq!(world.cables[0].signer.done.len(), 1);
}

#[test]
fn questions_are_answered_from_what_is_here() {
    let mut world = world();
    let ask = |world: &mut World, number, operation| {
        world.ask(
            CALLER,
            &Request {
                id: id(number),
                operation,
            },
        );
        world.settle(0);
    };
    let time = world.time;
    ask(&mut world, 1, Operation::Ping { time });
    assert!(matches!(world.outcomes(id(1))[..], [Outcome::Busy { .. }]));
    ask(&mut world, 2, Operation::Info);
    assert!(matches!(world.outcomes(id(2))[..], [Outcome::Busy { .. }]));
    world.plug(0);
    world.settle(1_000);
    ask(&mut world, 3, Operation::Ping { time });
    assert!(matches!(world.outcomes(id(3))[..], [Outcome::Pong(_)]));
    ask(&mut world, 4, Operation::Info);
    assert!(matches!(world.outcomes(id(4))[..], [Outcome::Info { .. }]));
    world.ask(CALLER, &issue(5, "server"));
    world.settle(1_000);
    ask(&mut world, 6, Operation::GetLog { after: 1 });
    let log = &world.cables[0].signer.log;
    let [Outcome::Log { records, head }] = world.outcomes(id(6))[..] else {
        panic!("{:?}", world.outcomes(id(6)));
    };
    assert_eq!(
        records.iter().map(|record| &record.0).collect::<Vec<_>>(),
        log[1..].iter().collect::<Vec<_>>()
    );
    assert_eq!(head.sequence, 3);
    let archived = *head;
    ask(&mut world, 7, Operation::AckLog { archived });
    ask(
        &mut world,
        8,
        Operation::Replicate {
            after: 0,
            records: Vec::new(),
        },
    );
    for number in [7, 8] {
        assert_eq!(
            refusal(world.outcomes(id(number))[0]),
            Some(RefusalCode::NotAllowed)
        );
    }
    // A status that is too old is none.
    world.cut(0);
    world.pass(16_000);
    ask(&mut world, 9, Operation::Ping { time });
    assert!(matches!(world.outcomes(id(9))[..], [Outcome::Busy { .. }]));
}

#[test]
fn what_the_cable_cannot_carry_is_refused_at_once() {
    let mut world = world();
    let mut request = sign_crl(1, "member");
    // As large as a request may be, and too large with what the session puts around it.
    if let Operation::SignCrl(crl) = &mut request.operation {
        crl.entries.removed = vec![wire::SerialOctets(vec![7; 20]); 199_000];
    }
    let grow = |request: &mut Request, by: usize| {
        if let Operation::SignCrl(crl) = &mut request.operation {
            crl.before.resize(crl.before.len() + by, 0);
        }
    };
    let left = |request: &Request| limits::MESSAGE - request.encode().unwrap().len();
    let most = left(&request) - 10;
    grow(&mut request, most);
    while left(&request) > 0 {
        grow(&mut request, 1);
    }
    world.ask(CALLER, &request);
    world.step();
    assert_eq!(
        refusal(world.outcomes(id(1))[0]),
        Some(RefusalCode::Malformed)
    );
}
