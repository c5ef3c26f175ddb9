//! What comes beside a CRL: variants, differences, earlier ones. Each is held against what it is about (V9).

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;

use common::authority::{DAY, Times, serial};
use common::edge::TestEdge;
use common::world::{World, object};
use flate2::Compression;
use flate2::write::GzEncoder;
use pki::Clock;
use pki::crl::difference::{self, Log};
use pki::crl::verify::Scope;
use publication::NewObject;

/// CRLs number 1 and 2 as the builder publishes them; each object may be spoiled.
struct Set {
    old: Vec<u8>,
    new: Vec<u8>,
    old_times: Times,
}

impl Set {
    fn new(world: &World) -> Self {
        let old_times = world.times();
        let revoked: Vec<_> = (1..40).map(serial).collect();
        let old = world.authority.crl(1, old_times, &revoked[..38]);
        world.clock.advance(DAY);
        let new = world.authority.crl(2, world.times(), &revoked);
        Self {
            old,
            new,
            old_times,
        }
    }

    fn log(&self) -> Vec<u8> {
        let changes = difference::between(&self.old, &self.new).unwrap();
        difference::next(&2.into(), &self.new, &1.into(), changes, None).unwrap()
    }

    fn objects(&self, world: &World, gzip: Vec<u8>, log: Vec<u8>) -> Vec<NewObject> {
        let of = hex::encode(aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA256,
            &self.new,
        ));
        let crl = |role: &str, paths: &[&str], der: &[u8]| {
            let paths = paths.iter().map(ToString::to_string).collect();
            object(role, role, "application/pkix-crl", paths, der.to_vec())
        };
        let mut variant = crl("variant", &[], &gzip);
        variant.details = details([("of", &of), ("coding", "gzip")]);
        let mut differences = crl("crl-difference", &["/crl/member.diff"], &log);
        differences.content_type = difference::CONTENT_TYPE.to_owned();
        differences.details = details([("of", &of)]);
        vec![
            world.ca_certificate(Vec::new()),
            crl("crl", &["/crl/member.crl", "/crl/member/2.crl"], &self.new),
            variant,
            differences,
            crl("crl-earlier", &["/crl/member/1.crl"], &self.old),
        ]
    }
}

fn details<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_is_not_what_it_stands_for_refuses_the_generation() {
    let world = World::published();
    let set = Set::new(&world);
    let edge = TestEdge::start(&world);
    let shown = edge.get("/crl/member.crl").body;
    let log = set.log();
    let read = Log::read(&log).unwrap();
    let head = read.prefixes().next().unwrap().1;
    let mut other_entry = log.clone();
    *other_entry.last_mut().unwrap() ^= 1;
    let of_old = difference::first(&1.into(), &set.old).unwrap();
    let renumbered = difference::first(&3.into(), &set.new).unwrap();
    for (variant, log, what) in [
        (gzip(&set.old), log.clone(), "another CRL, compressed"),
        (gzip(&set.new[1..]), log.clone(), "not all of it"),
        (set.new.clone(), log.clone(), "no gzip"),
        (gzip(&set.new), of_old, "differences to another CRL"),
        (gzip(&set.new), renumbered, "another number"),
        (gzip(&set.new), other_entry, "another entry"),
        (gzip(&set.new), log[..head + 3].to_vec(), "cut off"),
    ] {
        let refusals = || {
            let metrics = edge.metrics();
            let line = metrics
                .lines()
                .find(|line| line.starts_with("avouch_edge_refusals_total{channel=\"crl/member\""));
            line.map(ToOwned::to_owned)
        };
        let before = refusals();
        world.publish("crl/member", Vec::new(), set.objects(&world, variant, log));
        common::wait_until(what, || refusals() != before);
        assert_eq!(edge.get("/crl/member.crl").body, shown, "{what}");
        assert_eq!(edge.get("/crl/member.diff?from=1").status, 404, "{what}");
    }
    // A variant of nothing.
    let mut objects = set.objects(&world, gzip(&set.new), log.clone());
    objects[2].details.insert("of".to_owned(), "0".repeat(64));
    world.publish("crl/member", Vec::new(), objects);
    let objects = set.objects(&world, gzip(&set.new), log);
    let generation = world.publish("crl/member", Vec::new(), objects);
    edge.wait_for("crl/member", generation);
    assert_eq!(edge.get("/crl/member.crl").body, set.new);
}

/// V3, also for URLs that never show anything else; and an earlier CRL that has ended is nobody's alarm.
#[test]
fn numbered_crls_end_with_their_validity() {
    let world = World::new();
    let set = Set::new(&world);
    let objects = set.objects(&world, gzip(&set.new), set.log());
    world.publish("crl/member", Vec::new(), objects);
    let edge = TestEdge::start(&world);
    let get = |path: &str| edge.get(path);
    for (path, body) in [
        ("/crl/member/1.crl", &set.old),
        ("/crl/member/2.crl", &set.new),
    ] {
        let reply = get(path);
        assert_eq!((reply.status, &reply.body), (200, body), "{path}");
        assert!(reply.header("cache-control").ends_with("immutable"));
        let end = world.clock.now().plus_seconds(reply.max_age());
        let crl = pki::crl::Crl::from_der(body).unwrap();
        assert_eq!(Some(end.plus_seconds(1)), crl.next_update(), "{path}");
    }
    world.clock.set(set.old_times.next_update);
    assert_eq!(get("/crl/member/1.crl").status, 410);
    assert_eq!(get("/crl/member/2.crl").status, 200);
    assert_eq!(get("/crl/member.crl").status, 200);
    assert_eq!(edge.readiness(Some("member")), telemetry::Readiness::Ready);
    assert!(!edge.metrics().contains("crl=\"crl-earlier\""));
    world.clock.advance(DAY);
    assert_eq!(get("/crl/member/2.crl").status, 410);
    for path in [
        "/crl/member.crl",
        "/crl/member.diff?from=1",
        "/crl/member.diff?from=7",
    ] {
        assert_eq!(get(path).status, 503, "{path}");
        let reply = edge.get_with(path, "Accept-Encoding: gzip\r\nIf-None-Match: *\r\n");
        assert_eq!(reply.status, 503, "{path}");
    }
}

/// What names a part may be a number, even that of the CRL: it will show another one all the same. Its variants and
/// differences are its own.
#[test]
fn a_part_whose_name_is_a_number() {
    const URI: &str = "http://status.example/crl/member/part/2.crl";
    let world = World::new();
    let set = Set::new(&world);
    let revoked: Vec<_> = (1..30).map(serial).collect();
    let scope = Scope::Partition { uri: URI };
    let part = world.authority.list(scope, 2, world.times(), &revoked);
    let log = difference::first(&2.into(), &part).unwrap();
    let mut objects = set.objects(&world, gzip(&set.new), set.log());
    let of = hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &part));
    let list = |role: &str, path: &str, octets: &[u8]| {
        let paths = vec![path.to_owned()];
        object(role, URI, "application/pkix-crl", paths, octets.to_vec())
    };
    let mut published = list("crl-partition", "/crl/member/part/2.crl", &part);
    published.details = details([("uri", URI)]);
    let mut variant = list("variant", "", &gzip(&part));
    variant.paths.clear();
    variant.details = details([("of", &of), ("coding", "gzip")]);
    let mut differences = list("crl-difference", "/crl/member/part/2.diff", &log);
    differences.details = details([("of", &of)]);
    differences.content_type = difference::CONTENT_TYPE.to_owned();
    objects.extend([published, variant, differences]);
    world.publish("crl/member", Vec::new(), objects);
    let edge = TestEdge::start(&world);
    let reply = edge.get("/crl/member/part/2.crl");
    assert_eq!((reply.status, &reply.body), (200, &part));
    assert!(!reply.header("cache-control").contains("immutable"));
    assert!(
        edge.get("/crl/member/2.crl")
            .header("cache-control")
            .ends_with("immutable")
    );
    let reply = edge.get_with("/crl/member/part/2.crl", "Accept-Encoding: gzip\r\n");
    assert_eq!(reply.body, gzip(&part));
    assert_eq!(edge.get("/crl/member/part/2.diff?from=2").body, log);
    world.clock.set(world.times().next_update);
    assert_eq!(edge.get("/crl/member/part/2.crl").status, 503);
}
