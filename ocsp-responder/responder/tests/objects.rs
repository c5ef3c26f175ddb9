//! CRLs and CA certificates, as they are (CRL-30, CRL-31, S10).

mod common;

use common::authority::{DAY, Times};
use common::edge::TestEdge;
use common::world::World;
use pki::{Certificate, Clock};
use telemetry::Readiness;

#[test]
fn they_are_served_at_all_their_paths_with_their_types() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    for path in [
        "/crl/member.crl",
        "/old.crl",
        "//old.crl",
        "/old.crl?cache=buster",
        "http://host/old.crl",
    ] {
        let reply = edge.get(path);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, "application/pkix-crl"),
            "{path}"
        );
        let crl = pki::crl::Crl::from_der(&reply.body).unwrap();
        assert_eq!(crl.number().unwrap().to_string(), "1");
        assert_eq!(reply.header("accept-ranges"), "bytes");
    }
    let reply = edge.get("/ca/member.cer");
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, "application/pkix-cert")
    );
    assert_eq!(
        Certificate::from_der(&reply.body).unwrap().der(),
        world.authority.ca.der()
    );
    assert_eq!(reply.max_age(), 86_400);
    assert!(!reply.headers.contains_key("expires"));
}

#[test]
fn conditional_requests() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let whole = edge.get("/crl/member.crl");
    let (etag, modified) = (whole.header("etag"), whole.header("last-modified"));
    let before = httpdate::fmt_http_date(
        httpdate::parse_http_date(modified).unwrap() - std::time::Duration::from_secs(1),
    );
    for (condition, status) in [
        (format!("If-None-Match: {etag}\r\n"), 304),
        (format!("If-None-Match: W/{etag}\r\n"), 304),
        (format!("If-None-Match: \"a\", {etag}\r\n"), 304),
        ("If-None-Match: *\r\n".to_owned(), 304),
        ("If-None-Match: \"a\"\r\n".to_owned(), 200),
        (format!("If-Modified-Since: {modified}\r\n"), 304),
        (format!("If-Modified-Since: {before}\r\n"), 200),
        (
            format!("If-None-Match: \"a\"\r\nIf-Modified-Since: {modified}\r\n"),
            200,
        ),
        ("If-Modified-Since: yesterday\r\n".to_owned(), 200),
    ] {
        let reply = edge.get_with("/crl/member.crl", &condition);
        assert_eq!(reply.status, status, "{condition}");
        assert_eq!(reply.header("etag"), etag, "{condition}");
        if status == 304 {
            assert!(reply.body.is_empty());
            assert_eq!(reply.header("cache-control"), whole.header("cache-control"));
            assert_eq!(reply.header("expires"), whole.header("expires"));
        }
    }
}

#[test]
fn ranges() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let whole = edge.get("/crl/member.crl");
    let length = whole.body.len();
    let etag = whole.header("etag");
    for (range, part) in [
        ("bytes=0-99", 0..100),
        ("bytes=100-", 100..length),
        ("bytes=-10", length - 10..length),
        ("bytes=0-999999", 0..length),
    ] {
        let reply = edge.get_with("/crl/member.crl", &format!("Range: {range}\r\n"));
        assert_eq!(reply.status, 206, "{range}");
        assert_eq!(reply.body, whole.body[part.clone()]);
        assert_eq!(
            reply.header("content-range"),
            format!("bytes {}-{}/{length}", part.start, part.end - 1)
        );
        assert_eq!(reply.header("etag"), etag);
    }
    let reply = edge.get_with("/crl/member.crl", &format!("Range: bytes={length}-\r\n"));
    assert_eq!(
        (reply.status, reply.header("content-range")),
        (416, format!("bytes */{length}").as_str())
    );
    for (condition, status) in [
        (format!("If-Range: {etag}\r\n"), 206),
        (
            format!("If-Range: {}\r\n", whole.header("last-modified")),
            206,
        ),
        (format!("If-Range: W/{etag}\r\n"), 200),
        ("If-Range: \"old\"\r\n".to_owned(), 200),
    ] {
        let reply = edge.get_with(
            "/crl/member.crl",
            &format!("Range: bytes=0-9\r\n{condition}"),
        );
        assert_eq!(reply.status, status, "{condition}");
    }
    for whole_range in ["bytes=0-1,5-6", "lines=1-2", "bytes=9-1"] {
        let reply = edge.get_with("/crl/member.crl", &format!("Range: {whole_range}\r\n"));
        assert_eq!(
            (reply.status, reply.body.len()),
            (200, length),
            "{whole_range}"
        );
    }
    let head = edge
        .client()
        .request("HEAD", "/crl/member.crl", "Range: bytes=0-9\r\n", b"");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, length.to_string().as_str())
    );
}

#[test]
fn a_crl_outside_its_validity_is_503_and_never_the_octets() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let times = world.times();
    for (offset, status) in [
        (-1, 503),
        (0, 200),
        (4 * DAY - 1, 200),
        (4 * DAY, 503),
        (400 * DAY, 503),
    ] {
        world.clock.set(times.this_update.plus_seconds(offset));
        for condition in ["", "Range: bytes=0-9\r\n", "If-None-Match: *\r\n"] {
            let reply = edge.get_with("/crl/member.crl", condition);
            if status == 503 {
                assert_eq!(reply.status, 503, "{offset} {condition}");
                assert_eq!(reply.header("retry-after"), "60");
                assert_eq!(reply.header("cache-control"), "no-store, no-cache");
                assert!(reply.body.starts_with(b"this CRL is not valid now"));
            } else {
                assert_ne!(reply.status, 503, "{offset} {condition}");
            }
        }
        assert_eq!(
            edge.get("/ca/member.cer").status,
            200,
            "a certificate has no end here"
        );
    }
    assert!(matches!(
        edge.readiness(Some("member")),
        Readiness::NotReady(_)
    ));
}

#[test]
fn its_max_age_ends_before_the_next_crl() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let times = world.times();
    for offset in (0..4 * DAY).step_by(1801) {
        let now = times.this_update.plus_seconds(offset);
        world.clock.set(now);
        let max_age = edge.get("/crl/member.crl").max_age();
        assert!(max_age <= 3600);
        assert!(now.plus_seconds(max_age) < times.next_update);
        assert!(
            now.plus_seconds(max_age) < times.refresh_at || max_age == 0,
            "CRL-31"
        );
    }
}

#[test]
fn a_newer_crl_replaces_the_old_one_at_once() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let old = edge.get("/crl/member.crl");
    world.clock.advance(60);
    let generation = world.publish_crl(2, Times::from(world.clock.now()));
    edge.wait_for("crl/member", generation);
    let new = edge.get_with(
        "/crl/member.crl",
        &format!("If-None-Match: {}\r\n", old.header("etag")),
    );
    assert_eq!(new.status, 200);
    assert_ne!(new.header("etag"), old.header("etag"));
    assert_eq!(
        pki::crl::Crl::from_der(&new.body)
            .unwrap()
            .number()
            .unwrap()
            .to_string(),
        "2"
    );
}
