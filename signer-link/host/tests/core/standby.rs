//! Two signers on two cables.

use signer_host::core::AlarmKind;
use wire::Mode;

use crate::requests::{id, issue, revoke};
use crate::signer::Signer;
use crate::world::{CALLER, World};

fn world() -> World {
    let mut world = World::new(vec![
        Signer::new(17, Mode::Active, 1),
        Signer::new(18, Mode::Standby, 1),
    ]);
    world.plug(0);
    world.plug(1);
    world.settle(1_000);
    world
}

#[test]
fn the_standby_gets_the_log_and_no_act() {
    let mut world = world();
    for number in 0..40 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.settle(30_000);
    let [active, standby] = &world.cables[..] else {
        unreachable!();
    };
    assert_eq!(active.signer.done.len(), 40);
    assert_eq!(standby.signer.followed, active.signer.log.len() as u64);
    assert!((0..40).all(|number| standby.signer.acts.contains_key(&id(number))));
    assert!(standby.signer.done.is_empty());
    // It goes on where it was, over restarts of both.
    world.restart(0);
    world.plug(0);
    world.plug(1);
    world.ask(CALLER, &issue(40, "server"));
    world.settle(6_000);
    assert!(world.cables[1].signer.acts.contains_key(&id(40)));
    let heard = &world.cables[1].signer.heard;
    assert_eq!(
        heard.iter().filter(|heard| **heard == "replicate").count(),
        1
    );
}

#[test]
fn a_standby_with_less_than_thought_gets_what_it_lacks() {
    let mut world = world();
    for number in 0..10 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.settle(10_000);
    let standby = &mut world.cables[1].signer;
    standby.followed = 3;
    standby.acts.retain(|act, _| *act == id(0));
    world.ask(CALLER, &issue(10, "server"));
    world.settle(10_000);
    let standby = &world.cables[1].signer;
    assert_eq!(standby.acts.len(), 11);
    assert_eq!(standby.followed, world.cables[0].signer.log.len() as u64);
}

#[test]
fn after_a_promotion_the_old_one_gets_nothing_but_hello() {
    let mut world = world();
    for number in 0..10 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.settle(10_000);
    // The active one is lost with acts under way: of three, one is done and archived, one is done, one is not.
    world.ask(CALLER, &issue(10, "server"));
    world.settle(5_000);
    world.ask(CALLER, &revoke(11, "member"));
    world.ask(CALLER, &revoke(12, "member"));
    world.step();
    world.deliver(0);
    world.cut(0);
    world.settle(10_000);
    world.cables[1].signer.mode = Mode::Active;
    world.cables[1].signer.epoch = 2;
    world.settle(6_000);
    let view = world.core().view(world.now());
    assert_eq!((view.active, view.epoch), (Some(1), 2));
    let promoted = &world.cables[1].signer;
    assert_eq!(promoted.times(id(10)), 0, "its answer was known");
    assert_eq!((promoted.times(id(11)), promoted.times(id(12))), (1, 1));
    // The old one comes back, after a restart of the host as well.
    world.plug(0);
    world.ask(CALLER, &issue(13, "server"));
    world.settle(30_000);
    assert_eq!(world.cables[0].signer.heard, ["hello"]);
    assert_eq!(world.cables[0].signer.mode, Mode::Locked);
    assert_eq!(world.alarms(), [AlarmKind::Superseded]);
    world.restart(0);
    world.cables[0].signer.mode = Mode::Active;
    world.plug(0);
    world.settle(10_000);
    assert_eq!(world.cables[0].signer.heard, ["hello"]);
    assert_eq!(world.cables[1].signer.times(id(13)), 1);
}

#[test]
fn a_promotion_while_the_old_one_works_takes_its_acts_away() {
    let mut world = world();
    for number in 0..3 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.step();
    world.cables[1].signer.mode = Mode::Active;
    world.cables[1].signer.epoch = 2;
    // The old one is silent; the new one answers its next Ping.
    for _ in 0..20 {
        world.pass(1_000);
        world.step();
        while !world.cables[1].there.is_empty() || !world.cables[1].back.is_empty() {
            world.deliver(1);
            world.bring_back(1);
            world.step();
        }
    }
    assert!((0..3).all(|number| world.outcomes(id(number)).len() == 1));
    assert_eq!(world.cables[1].signer.done.len(), 3);
}

/// What the new one refuses, since it follows nobody any more, makes nobody wait.
#[test]
fn a_promotion_that_is_met_by_a_refusal_is_seen_at_once() {
    let mut world = world();
    let exchange = |world: &mut World, cable: usize| {
        world.step();
        while !world.cables[cable].there.is_empty() || !world.cables[cable].back.is_empty() {
            world.deliver(cable);
            world.bring_back(cable);
            world.step();
        }
    };
    world.ask(CALLER, &issue(0, "server"));
    exchange(&mut world, 0);
    world.cables[1].signer.mode = Mode::Active;
    world.cables[1].signer.epoch = 2;
    // The old one's log is archived, and handed on.
    world.pass(1_000);
    exchange(&mut world, 0);
    for number in 1..4 {
        world.ask(CALLER, &issue(number, "server"));
    }
    world.step();
    // From here on the old one is silent.
    exchange(&mut world, 1);
    assert!(world.cables[1].signer.heard.contains(&"replicate"));
    assert_eq!(world.core().view(world.now()).active, Some(1));
    world.pass(1_000);
    exchange(&mut world, 1);
    assert!((1..4).all(|number| world.outcomes(id(number)).len() == 1));
}

#[test]
fn two_that_are_active_get_nothing() {
    let mut world = world();
    world.cables[1].signer.mode = Mode::Active;
    world.settle(6_000);
    world.ask(CALLER, &issue(1, "server"));
    world.settle(10_000);
    assert_eq!(world.alarms(), [AlarmKind::SplitBrain]);
    assert!(
        world
            .cables
            .iter()
            .all(|cable| cable.signer.times(id(1)) == 0)
    );
    world.cables[1].signer.mode = Mode::Standby;
    world.settle(6_000);
    assert_eq!(world.cables[0].signer.times(id(1)), 1);
}

#[test]
fn a_lock_goes_to_both() {
    let mut world = world();
    let request = wire::Request {
        id: id(1),
        operation: wire::Operation::Lock {
            reason: "a burglar".to_owned(),
        },
    };
    world.ask(CALLER, &request);
    world.settle(1_000);
    assert!(
        world
            .cables
            .iter()
            .all(|cable| cable.signer.mode == Mode::Locked)
    );
    assert_eq!(world.outcomes(id(1)), [&wire::Outcome::Done]);
}
