//! What the edge takes from the publication, what it refuses, and that a refusal changes nothing (V3, V4, V9).

mod common;

use std::fs;
use std::sync::Arc;

use common::authority::{Authority, Times, revoked, serial};
use common::edge::{TestEdge, config};
use common::wait_until;
use common::world::{World, good, object};
use keystore::SigningKey;
use pki::ocsp::response::{CertStatus, ErrorStatus};
use pki::{Clock, KeyKind};
use telemetry::Readiness;

#[test]
fn revocations_arrive_as_deltas_while_requests_go_on() {
    let world = World::new();
    let base = world.usual_answers();
    world.publish_answers(vec![base.clone()]);
    let edge = TestEdge::start(&world);
    let mut client = edge.client();
    let target = |number| {
        let request = world
            .authority
            .request(pki::HashAlgorithm::Sha1, &serial(number));
        format!("/{}", common::client::base64(&request))
    };
    let before = client.request("GET", &target(1), "", b"");
    let mut deltas = Vec::new();
    for number in 3..8 {
        let status = revoked(world.clock.now());
        deltas.push(
            world
                .authority
                .answers(&[(serial(number), Some(status))], world.times()),
        );
        let mut sets = vec![base.clone()];
        sets.extend(deltas.clone());
        let generation = world.publish_answers(sets);
        edge.wait_for("ocsp/member", generation);
        let reply = client.request("GET", &target(number), "", b"");
        let expected = pki::ocsp::verify::Expected {
            ca: &world.authority.ca,
            hash: pki::HashAlgorithm::Sha1,
            serial: &serial(number),
            now: world.clock.now(),
            status: Some(status),
            rules: pki::ocsp::verify::Rules::default(),
        };
        pki::ocsp::verify::verify_response(&reply.body, &expected).unwrap();
        assert_eq!(
            client.request("GET", &target(1), "", b"").header("etag"),
            before.header("etag")
        );
    }
    assert!(
        edge.metrics()
            .contains("avouch_edge_ocsp_answers{issuer=\"member\",status=\"revoked\"} 6\n")
    );
    // A removal (an expired certificate) hides what lies below it.
    deltas.push(world.authority.answers(&[(serial(3), None)], world.times()));
    let mut sets = vec![base];
    sets.extend(deltas);
    let generation = world.publish_answers(sets);
    edge.wait_for("ocsp/member", generation);
    assert_eq!(
        edge.ask(&world, &serial(3)).body,
        ErrorStatus::Unauthorized.der()
    );
}

#[test]
fn whatever_does_not_verify_is_refused_and_what_was_there_stays() {
    let world = World::published();
    let edge = TestEdge::with(&world, |config| config.limits.lag_seconds = 0);
    let before = edge.ask(&world, &good()).body;
    let stranger = Authority::new("Member CA", KeyKind::P256, world.clock.now());
    let entries = [(good(), Some(CertStatus::Good))];
    let times = world.times();
    let wrong_key = SigningKey::generate(KeyKind::P256).unwrap();
    let mut changed = world.usual_answers();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    let bad_sets = [
        (
            "of another CA with the same name",
            stranger.answers(&entries, times),
        ),
        (
            "signed with another key",
            world
                .authority
                .answers_signed_by(&wrong_key, &entries, times),
        ),
        ("an octet changed", changed),
        ("cut off", world.usual_answers()[..400].to_vec()),
        ("no answer set", b"hello".to_vec()),
    ];
    for (index, (what, set)) in bad_sets.into_iter().enumerate() {
        world.publish_answers(vec![set]);
        let line = format!(
            "avouch_edge_refusals_total{{channel=\"ocsp/member\",reason=\"unacceptable\"}} {}\n",
            index + 1
        );
        wait_until(what, || edge.metrics().contains(&line));
        assert_eq!(edge.ask(&world, &good()).body, before, "{what}");
        let Readiness::NotReady(why) = edge.readiness(None) else {
            panic!("{what}: it lags behind")
        };
        assert!(why[0].contains("behind the publication"), "{why:?}");
        assert_eq!(
            edge.readiness(Some("member")),
            Readiness::Ready,
            "{what}: the issuer is served"
        );
    }
    let generation = world.publish_answers(vec![world.usual_answers()]);
    edge.wait_for("ocsp/member", generation);
    wait_until("no longer behind", || {
        edge.readiness(None) == Readiness::Ready
    });
}

#[test]
fn crls_that_do_not_verify_are_refused() {
    let world = World::new();
    world.publish_crl(5, world.times());
    let edge = TestEdge::start(&world);
    let before = edge.get("/crl/member.crl").body;
    let times = world.times();
    let stranger = Authority::new("Member CA", KeyKind::P256, world.clock.now());
    let mut changed = before.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let later = Times::from(world.clock.now().plus_seconds(1));
    let bad = [
        (
            "another CA's with the same name",
            stranger.crl(6, times, &[]),
        ),
        ("a broken signature", changed),
        ("an older number", world.authority.crl(4, times, &[])),
        (
            "the same number with other content",
            world.authority.crl(5, later, &[]),
        ),
        ("nothing", Vec::new()),
        ("cut off", before[..before.len() - 1].to_vec()),
        ("a certificate", world.authority.ca.der().to_vec()),
    ];
    for (index, (what, der)) in bad.into_iter().enumerate() {
        world.publish_crl_octets(der, times);
        let line = format!(
            "avouch_edge_refusals_total{{channel=\"crl/member\",reason=\"unacceptable\"}} {}\n",
            index + 1
        );
        wait_until(what, || edge.metrics().contains(&line));
        assert_eq!(edge.get("/crl/member.crl").body, before, "{what}");
    }
    let generation = world.publish_crl(6, later);
    edge.wait_for("crl/member", generation);
}

#[test]
fn manifests_that_claim_what_is_not_theirs_are_refused() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let set = || {
        object(
            "answers",
            "base",
            answers::CONTENT_TYPE,
            Vec::new(),
            world.usual_answers(),
        )
    };
    let crl = |path: &str| {
        let der = world.authority.crl(1, world.times(), &[]);
        object(
            "crl",
            "x.crl",
            "application/pkix-crl",
            vec![path.to_owned()],
            der,
        )
    };
    let ca = || world.ca_certificate(Vec::new());
    for (channel, objects, what) in [
        (
            "crl/other",
            vec![ca(), crl("/crl/member.crl")],
            "another channel's path",
        ),
        ("crl/answers", vec![ca(), set()], "answers in a CRL channel"),
        (
            "ocsp/crl",
            vec![ca(), crl("/crl/x.crl")],
            "a CRL in an OCSP channel",
        ),
        ("ocsp/two", vec![ca(), ca(), set()], "two CA certificates"),
        ("ocsp/none", vec![set()], "no CA certificate"),
    ] {
        world.publish(channel, Vec::new(), objects);
        edge.wait_for_refusal(channel, "unacceptable");
        assert_eq!(edge.get("/crl/member.crl").status, 200, "{what}");
    }
    let new = publication::NewManifest {
        as_of: 1,
        issuer: "somebody".to_owned(),
        ocsp_paths: Vec::new(),
        settings: std::collections::BTreeMap::new(),
        objects: vec![ca(), set()],
    };
    world.publisher("ocsp/misnamed").publish(new).unwrap();
    edge.wait_for_refusal("ocsp/misnamed", "unacceptable");
}

/// Nobody needs to publish again because of another channel's mistake.
#[test]
fn a_path_is_free_when_the_other_channel_lets_go_of_it() {
    let world = World::new();
    let crl = |channel: &str, path: &str, number: u64| {
        let der = world.authority.crl(number, world.times(), &[]);
        let paths = vec![path.to_owned()];
        let crl = object("crl", "x.crl", "application/pkix-crl", paths, der);
        world.publish(
            channel,
            Vec::new(),
            vec![world.ca_certificate(Vec::new()), crl],
        )
    };
    crl("crl/member", "/shared.crl", 1);
    let edge = TestEdge::start(&world);
    let waiting = crl("crl/other", "/shared.crl", 1);
    edge.wait_for_refusal("crl/other", "unacceptable");
    assert_eq!(edge.get("/own.crl").status, 404);
    let generation = crl("crl/member", "/own.crl", 2);
    edge.wait_for("crl/member", generation);
    edge.wait_for("crl/other", waiting);
    for path in ["/own.crl", "/shared.crl"] {
        assert_eq!(edge.get(path).status, 200);
    }
    wait_until("no longer behind", || {
        edge.readiness(None) == Readiness::Ready
    });
}

#[test]
fn an_older_generation_is_refused_also_by_a_restarted_edge() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let backup = world.temporary.path().join("backup");
    copy(&world.root(), &backup);
    world.clock.advance(10);
    let generation = world.publish_answers(vec![world.usual_answers()]);
    edge.wait_for("ocsp/member", generation);
    let newer = edge.ask(&world, &good()).body;

    fs::remove_dir_all(world.root()).unwrap();
    copy(&backup, &world.root());
    edge.wait_for_refusal("ocsp/member", "older_generation");
    assert_eq!(
        edge.ask(&world, &good()).body,
        newer,
        "what was taken is served on"
    );
    assert_eq!(
        edge.readiness(None),
        Readiness::Ready,
        "being ahead is no fault of this edge"
    );
    edge.finish();

    let edge = TestEdge::start(&world);
    edge.wait_for_refusal("ocsp/member", "older_generation");
    assert_eq!(
        edge.ask(&world, &good()).body,
        ErrorStatus::Unauthorized.der(),
        "nothing rather than the old"
    );
    world.clock.advance(10);
    let generation = world.publish_answers(vec![world.usual_answers()]);
    edge.wait_for("ocsp/member", generation);
}

#[test]
fn a_restarted_edge_serves_the_same_octets_at_once() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let (answer, crl) = (edge.ask(&world, &good()), edge.get("/crl/member.crl"));
    edge.finish();
    let edge = TestEdge::start(&world);
    assert_eq!(edge.ask(&world, &good()), answer);
    assert_eq!(edge.get("/crl/member.crl"), crl);
    // And another edge the same (HTTP-14).
    let other = config(&world, &world.temporary.path().join("other-state"));
    let other = TestEdge::from_config(&other, Arc::new(world.clock.clone())).unwrap();
    assert_eq!(other.ask(&world, &good()), answer);
}

#[test]
fn a_damaged_memory_stops_the_start() {
    let world = World::published();
    TestEdge::start(&world).finish();
    let config = config(&world, &world.temporary.path().join("state"));
    fs::write(config.state.join("generations.json"), "{}}").unwrap();
    let error = TestEdge::from_config(&config, Arc::new(world.clock))
        .err()
        .unwrap();
    assert!(format!("{error:#}").contains("damaged"), "{error:#}");
}

#[test]
fn staleness_is_per_issuer() {
    let world = World::published();
    let other = Authority::new("Other CA", KeyKind::P256, world.clock.now());
    let long = Times {
        next_update: world.clock.now().plus_seconds(9 * 86_400),
        ..world.times()
    };
    let certificate = object(
        "ca-certificate",
        "other",
        "application/pkix-cert",
        Vec::new(),
        other.ca.der().to_vec(),
    );
    let set = other.answers(&[(serial(1), Some(CertStatus::Good))], long);
    let set = object("answers", "base", answers::CONTENT_TYPE, Vec::new(), set);
    world.publish("ocsp/other", Vec::new(), vec![certificate, set]);
    let edge = TestEdge::start(&world);
    for issuer in [None, Some("member"), Some("other")] {
        assert_eq!(edge.readiness(issuer), Readiness::Ready);
    }
    assert_eq!(edge.readiness(Some("nobody")), Readiness::UnknownIssuer);

    world.clock.advance(4 * 86_400);
    let Readiness::NotReady(why) = edge.readiness(Some("member")) else {
        panic!("its answers ended")
    };
    assert_eq!(why.len(), 2, "answers and CRL: {why:?}");
    assert_eq!(edge.readiness(Some("other")), Readiness::Ready);
    assert_eq!(
        edge.readiness(None),
        Readiness::Ready,
        "one issuer can be served"
    );
    assert_eq!(edge.ask(&world, &good()).body, ErrorStatus::TryLater.der());

    world.clock.advance(6 * 86_400);
    assert!(
        matches!(edge.readiness(None), Readiness::NotReady(_)),
        "no issuer can be served"
    );
}

#[test]
fn an_edge_that_has_nothing_is_not_ready_until_it_has() {
    let world = World::new();
    let edge = TestEdge::start(&world);
    assert!(matches!(edge.readiness(None), Readiness::NotReady(_)));
    world.publish_usual();
    wait_until("ready", || edge.readiness(None) == Readiness::Ready);
}

#[test]
fn metrics_count_and_name_nobody() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let asked = serial(0xdead_beef);
    edge.ask(&world, &good());
    edge.ask(&world, &serial(2));
    edge.ask(&world, &asked);
    edge.get("/crl/member.crl");
    edge.get_with("/crl/member.crl", "If-None-Match: *\r\n");
    edge.get("/favicon.ico");
    edge.post(b"nonsense");
    let metrics = edge.metrics();
    for line in [
        "avouch_edge_ocsp_requests_total{hash=\"sha1\",issuer=\"member\",method=\"get\",outcome=\"good\"} 1",
        "avouch_edge_ocsp_requests_total{hash=\"sha1\",issuer=\"member\",method=\"get\",outcome=\"revoked\"} 1",
        "avouch_edge_ocsp_requests_total{hash=\"sha1\",issuer=\"member\",method=\"get\",outcome=\"unauthorized\"} 1",
        "avouch_edge_ocsp_requests_total{hash=\"other\",issuer=\"\",method=\"post\",outcome=\"malformed\"} 1",
        "avouch_edge_object_requests_total{issuer=\"member\",role=\"crl\",status=\"200\"} 1",
        "avouch_edge_object_requests_total{issuer=\"member\",role=\"crl\",status=\"304\"} 1",
        "avouch_edge_http_refusals_total{status=\"404\"} 1",
        "avouch_edge_connections_total{event=\"accepted\"} 7",
        "avouch_edge_request_seconds_count 7",
        "avouch_edge_ocsp_next_update_seconds{issuer=\"member\"} 345600",
        "avouch_edge_crl_next_update_seconds{crl=\"member.crl\",issuer=\"member\"} 345600",
        "avouch_edge_ocsp_answers{issuer=\"member\",status=\"good\"} 8",
        "avouch_edge_age_seconds{channel=\"ocsp/member\"} 0",
    ] {
        assert!(metrics.contains(&format!("{line}\n")), "{line}\n{metrics}");
    }
    let lower = metrics.to_lowercase();
    assert!(!lower.contains("deadbeef") && !lower.contains(&asked.to_string().to_lowercase()));
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
