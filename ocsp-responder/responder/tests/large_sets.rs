//! Answer sets too large to be read at once: mapped, verified before first use, swapped in when they are verified (V9).

mod common;

use answers::{ROLE, ROLE_AHEAD};
use common::authority::{revoked, serial};
use common::edge::TestEdge;
use common::wait_until;
use common::world::World;
use pki::Clock;
use pki::ocsp::response::{CertStatus, ErrorStatus};
use telemetry::Readiness;

const COUNT: u32 = 1100;

#[test]
fn a_large_set_is_served_at_once_and_under_deltas() {
    let world = World::new();
    let base = world.large_answers(COUNT);
    world.publish_layers(&[(ROLE, &base)]);
    let edge = TestEdge::start(&world);
    for number in [1, 600, COUNT] {
        assert_answered(&edge, &world, number, CertStatus::Good);
    }
    let status = revoked(world.clock.now());
    let delta = world
        .authority
        .answers(&[(serial(600), Some(status))], world.times());
    let generation = world.publish_layers(&[(ROLE, &base), (ROLE, &delta)]);
    edge.wait_for("ocsp/member", generation);
    assert_answered(&edge, &world, 600, status);
    assert_answered(&edge, &world, 601, CertStatus::Good);
}

/// Announced or not, alone or with a revocation: the new base comes, and the revocation does not wait for it.
#[test]
fn a_large_set_replaces_another() {
    let world = World::new();
    let bases = [COUNT, COUNT + 1, COUNT + 2, COUNT + 3].map(|count| world.large_answers(count));
    world.publish_layers(&[(ROLE, &bases[0])]);
    let edge = TestEdge::start(&world);

    let announced = world.publish_layers(&[(ROLE, &bases[0]), (ROLE_AHEAD, &bases[1])]);
    edge.wait_for("ocsp/member", announced);
    assert_eq!(
        edge.ask(&world, &serial(COUNT + 1)).body,
        ErrorStatus::Unauthorized.der(),
        "announced, not used"
    );
    let generation = world.publish_layers(&[(ROLE, &bases[1])]);
    edge.wait_for("ocsp/member", generation);
    assert_answered(&edge, &world, COUNT + 1, CertStatus::Good);

    let generation = world.publish_layers(&[(ROLE, &bases[2])]);
    edge.wait_for("ocsp/member", generation);
    assert_answered(&edge, &world, COUNT + 2, CertStatus::Good);

    let status = revoked(world.clock.now());
    let delta = world
        .authority
        .answers(&[(serial(7), Some(status))], world.times());
    let generation = world.publish_layers(&[(ROLE, &bases[3]), (ROLE, &delta)]);
    edge.wait_for("ocsp/member", generation);
    assert_answered(&edge, &world, 7, status);
    assert_answered(&edge, &world, COUNT + 3, CertStatus::Good);
    assert_eq!(edge.readiness(None), Readiness::Ready);
}

/// The tail is right, a chunk of the index is not: nobody gets an answer from it, and everybody is told.
#[test]
fn a_damaged_part_is_not_answered_from() {
    let world = World::new();
    let base = damaged(world.large_answers(COUNT));
    world.publish_layers(&[(ROLE, &base)]);
    let edge = TestEdge::start(&world);
    let reply = edge.ask(&world, &serial(5));
    assert_eq!(reply.body, ErrorStatus::TryLater.der());
    wait_until("not ready", || edge.readiness(None) != Readiness::Ready);
    let Readiness::NotReady(why) = edge.readiness(Some("member")) else {
        panic!("a part of its answers is damaged")
    };
    assert!(why[0].contains("damaged"), "{why:?}");
    assert!(
        edge.metrics()
            .contains("avouch_edge_ocsp_damaged{issuer=\"member\"} 1\n")
    );

    // What arrives on top of it is answered from all the same.
    let status = revoked(world.clock.now());
    let delta = world
        .authority
        .answers(&[(serial(5), Some(status))], world.times());
    let generation = world.publish_layers(&[(ROLE, &base), (ROLE, &delta)]);
    edge.wait_for("ocsp/member", generation);
    assert_answered(&edge, &world, 5, status);
    assert!(edge.readiness(None) != Readiness::Ready);

    let whole = world.large_answers(COUNT);
    let generation = world.publish_layers(&[(ROLE, &whole)]);
    edge.wait_for("ocsp/member", generation);
    assert_answered(&edge, &world, 5, CertStatus::Good);
    assert_eq!(edge.readiness(None), Readiness::Ready);
}

#[test]
fn a_damaged_set_never_replaces_a_good_one() {
    let world = World::new();
    let base = world.large_answers(COUNT);
    world.publish_layers(&[(ROLE, &base)]);
    let edge = TestEdge::start(&world);
    let bad = damaged(world.large_answers(COUNT + 1));
    world.publish_layers(&[(ROLE, &bad)]);
    edge.wait_for_refusal("ocsp/member", "unacceptable");
    assert_answered(&edge, &world, 5, CertStatus::Good);
    assert_eq!(edge.readiness(Some("member")), Readiness::Ready);
}

/// The octets of a set with one in its index changed.
fn damaged(mut octets: Vec<u8>) -> Vec<u8> {
    let end = octets.len();
    let tail = u64::from_be_bytes(octets[end - 8..].try_into().unwrap());
    // Lossless: it fits into the object.
    octets[end - tail as usize - 64] ^= 1;
    octets
}

fn assert_answered(edge: &TestEdge, world: &World, number: u32, status: CertStatus) {
    let expected = pki::ocsp::verify::Expected {
        ca: &world.authority.ca,
        hash: pki::HashAlgorithm::Sha1,
        serial: &serial(number),
        now: world.clock.now(),
        status: Some(status),
        rules: pki::ocsp::verify::Rules::default(),
    };
    let reply = edge.ask(world, &serial(number));
    pki::ocsp::verify::verify_response(&reply.body, &expected).unwrap();
}
