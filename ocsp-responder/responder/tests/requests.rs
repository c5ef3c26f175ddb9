//! Every way to ask, and every answer there is (standards sections 1 and 4).

mod common;

use common::authority::serial;
use common::client::{Reply, base64};
use common::edge::TestEdge;
use common::world::{World, good, object};
use pki::ocsp::IssuerHashes;
use pki::ocsp::request::build;
use pki::ocsp::response::{CertStatus, ErrorStatus};
use pki::ocsp::verify::{Expected, Rules, verify_response};
use pki::{Certificate, Clock, HashAlgorithm, Serial, Time, der_encode};

fn assert_answer(
    reply: &Reply,
    world: &World,
    hash: HashAlgorithm,
    serial: &Serial,
    status: CertStatus,
) {
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/ocsp-response");
    let expected = Expected {
        ca: &world.authority.ca,
        hash,
        serial,
        now: world.clock.now(),
        status: Some(status),
        rules: Rules::default(),
    };
    verify_response(&reply.body, &expected).unwrap();
}

fn assert_error(reply: &Reply, status: ErrorStatus, what: &str) {
    assert_eq!(reply.status, 200, "{what}");
    assert_eq!(reply.body, status.der(), "{what}");
    assert_eq!(
        reply.header("content-type"),
        "application/ocsp-response",
        "{what}"
    );
    assert_eq!(reply.header("content-length"), "5", "{what}");
    assert_eq!(
        reply.header("cache-control"),
        "no-store, no-cache",
        "{what}"
    );
    assert_eq!(reply.header("pragma"), "no-cache", "{what}");
    assert!(
        !reply.headers.contains_key("etag") && !reply.headers.contains_key("expires"),
        "{what}"
    );
}

/// A request whose base64 holds `+`, `/`, and `//`: looked for among nonces.
fn awkward_request(world: &World) -> Vec<u8> {
    let issuer = IssuerHashes::of(HashAlgorithm::Sha1, &world.authority.ca);
    (0..=u8::MAX)
        .flat_map(|first| {
            (0..=u8::MAX)
                .map(move |second| [first, second, 0xff, 0xff, 0xfb, 0xef, 0xbe, 0xff, 0xff])
        })
        .map(|nonce| build(&issuer, &[good()], Some(&nonce)))
        .find(|request| {
            let text = base64(request);
            text.contains('+') && text.contains("//") && text.ends_with('=')
        })
        .unwrap()
}

#[test]
fn get_in_every_spelling_gives_the_same_answer() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let plain = base64(&awkward_request(&world));
    let upper = plain
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let url = plain.replace('+', "-").replace('/', "_");
    let escaped: String = plain.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let targets = [
        format!("/{plain}"),
        format!("/{upper}"),
        format!(
            "/{}",
            plain
                .replace('+', "%2b")
                .replace('/', "%2f")
                .replace('=', "%3d")
        ),
        format!("/{}", plain.replace('/', "%2F")),
        format!("/{}", plain.trim_end_matches('=')),
        format!("/{}", upper.trim_end_matches("%3D")),
        format!("/{url}"),
        format!("/{}", url.trim_end_matches('=')),
        format!("/{escaped}"),
        format!("//{plain}"),
        format!("///{upper}"),
        format!("/configured/{plain}"),
        format!("/configured//{upper}"),
        format!("//configured/{plain}"),
        format!("/old/ocsp/{plain}"),
        format!("/old/ocsp//{plain}"),
        format!("http://ocsp.example.org/{plain}"),
        format!("http://ocsp.example.org//{upper}"),
        format!("http://ocsp.example.org:80/old/ocsp/{plain}"),
    ];
    let first = edge.get(&targets[0]);
    assert_answer(
        &first,
        &world,
        HashAlgorithm::Sha1,
        &good(),
        CertStatus::Good,
    );
    for target in &targets {
        let reply = edge.get(target);
        assert_eq!(reply.body, first.body, "{target}");
        assert_eq!(reply.header("etag"), first.header("etag"), "{target}");
    }
}

#[test]
fn a_plus_is_never_a_space_and_dots_are_never_resolved() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let plain = base64(&world.authority.request(HashAlgorithm::Sha1, &good()));
    for target in [
        format!("/x/../{plain}"),
        format!("/./{plain}"),
        format!("/configured/../{plain}"),
        format!("/{}", plain.replacen('M', "M/../M", 1)),
    ] {
        let reply = edge.get(&target);
        let refused = reply.status == 404 || reply.body == ErrorStatus::MalformedRequest.der();
        assert!(refused, "{target}: {reply:?}");
    }
}

#[test]
fn post_in_every_spelling() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let request = world.authority.request(HashAlgorithm::Sha256, &serial(2));
    for target in [
        "/",
        "//",
        "/configured",
        "/configured/",
        "/old/ocsp",
        "/old/ocsp/",
        "http://ocsp.example.org/",
    ] {
        for content_type in [
            "",
            "Content-Type: application/ocsp-request\r\n",
            "Content-Type: application/ocsp-request; charset=binary\r\n",
            "Content-Type: text/plain\r\n",
        ] {
            let reply = edge
                .client()
                .request("POST", target, content_type, &request);
            assert_answer(
                &reply,
                &world,
                HashAlgorithm::Sha256,
                &serial(2),
                world.usual_status(2),
            );
        }
    }
    let chunked = [
        format!(
            "POST / HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
            request.len()
        )
        .as_bytes(),
        &request,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let mut client = edge.client();
    client.send(&chunked);
    let reply = client.reply(false).unwrap();
    assert_answer(
        &reply,
        &world,
        HashAlgorithm::Sha256,
        &serial(2),
        world.usual_status(2),
    );
}

#[test]
fn head_is_get_without_its_body() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let targets = [
        format!(
            "/{}",
            base64(&world.authority.request(HashAlgorithm::Sha1, &good()))
        ),
        "/crl/member.crl".to_owned(),
        "/ca/member.cer".to_owned(),
        "/nowhere.html".to_owned(),
        "/MALFORMED".to_owned(),
    ];
    for target in targets {
        let mut client = edge.client();
        let get = client.request("GET", &target, "", b"");
        let head = client.request("HEAD", &target, "", b"");
        assert_eq!(head.status, get.status, "{target}");
        assert_eq!(head.headers, get.headers, "{target}");
        assert!(head.body.is_empty());
        // Nothing of a body is in the way of the next response.
        assert_eq!(client.request("GET", &target, "", b""), get, "{target}");
    }
}

#[test]
fn http_1_0_works() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let request = world.authority.request(HashAlgorithm::Sha1, &good());
    let mut client = edge.client();
    client.send(format!("GET /{} HTTP/1.0\r\n\r\n", base64(&request)).as_bytes());
    assert_answer(
        &client.reply(false).unwrap(),
        &world,
        HashAlgorithm::Sha1,
        &good(),
        CertStatus::Good,
    );
    assert!(client.is_closed());
    let mut client = edge.client();
    client.send(
        &[
            format!(
                "POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n",
                request.len()
            )
            .as_bytes(),
            &request,
        ]
        .concat(),
    );
    assert_answer(
        &client.reply(false).unwrap(),
        &world,
        HashAlgorithm::Sha1,
        &good(),
        CertStatus::Good,
    );
}

#[test]
fn other_methods_are_405_with_what_is_allowed() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    for (target, allow) in [
        ("/", "GET, HEAD, POST"),
        ("/old/ocsp", "GET, HEAD, POST"),
        ("/crl/member.crl", "GET, HEAD"),
        ("/ca/member.cer", "GET, HEAD"),
    ] {
        for method in ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"] {
            let reply = edge.client().request(method, target, "", b"");
            assert_eq!(
                (reply.status, reply.header("allow")),
                (405, allow),
                "{method} {target}"
            );
        }
    }
    let reply = edge.client().request("POST", "/crl/member.crl", "", b"x");
    assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD"));
}

#[test]
fn paths_outside_the_service_are_404() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    for target in [
        "/favicon.ico",
        "/robots.txt",
        "/crl/",
        "/crl/other.crl",
        "/crl/member.crl/",
        "/CRL/member.crl",
        "/ca/x",
        "/.well-known/acme-challenge/x",
    ] {
        let reply = edge.get(target);
        assert_eq!(reply.status, 404, "{target}");
        assert_eq!(reply.header("cache-control"), "no-store, no-cache");
    }
    assert_eq!(
        edge.client().request("POST", "/elsewhere", "", b"x").status,
        404
    );
    assert_eq!(edge.client().request("OPTIONS", "*", "", b"").status, 404);
}

#[test]
fn what_is_not_ocsp_syntax_is_malformed() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let good_request = world.authority.request(HashAlgorithm::Sha1, &good());
    let mut bodies: Vec<(String, Vec<u8>)> = (0..good_request.len())
        .map(|length| (format!("cut at {length}"), good_request[..length].to_vec()))
        .collect();
    bodies.push((
        "trailing octet".to_owned(),
        [&good_request[..], b"\0"].concat(),
    ));
    bodies.push(("random".to_owned(), vec![0xa5; 300]));
    bodies.push(("zeros".to_owned(), vec![0; 300]));
    let nested = (0..2000).fold(Vec::new(), |inner, _| der_encode::sequence(&[&inner]));
    bodies.push(("deep".to_owned(), nested));
    let empty_list = der_encode::sequence(&[&der_encode::sequence(&[&der_encode::sequence(&[])])]);
    bodies.push(("no Request in the list (OCSP-11)".to_owned(), empty_list));
    bodies.push(("indefinite length".to_owned(), vec![0x30, 0x80, 0, 0]));
    bodies.push((
        "length of 2^64".to_owned(),
        vec![0x30, 0x88, 255, 255, 255, 255, 255, 255, 255, 255],
    ));
    let mut client = edge.client();
    for (what, body) in &bodies {
        let more = if body.is_empty() {
            "Content-Length: 0\r\n"
        } else {
            ""
        };
        assert_error(
            &client.request("POST", "/", more, body),
            ErrorStatus::MalformedRequest,
            what,
        );
        let target = format!("/{}", base64(body));
        assert_error(
            &client.request("GET", &target, "", b""),
            ErrorStatus::MalformedRequest,
            what,
        );
    }
    for target in [
        "/",
        "//",
        "/M",
        "/MFE",
        "/MF%zz",
        "/configured/favicon.ico",
        "/MFE?MFE=",
        "/abc",
    ] {
        assert_error(&edge.get(target), ErrorStatus::MalformedRequest, target);
    }
}

#[test]
fn a_request_beyond_the_limit_is_malformed_and_the_connection_ends() {
    let world = World::published();
    let edge = TestEdge::with(&world, |config| config.limits.request_octets = 1000);
    let mut client = edge.client();
    let reply = client.request("POST", "/", "", &vec![0x30; 1001]);
    assert_error(&reply, ErrorStatus::MalformedRequest, "1001 octets");
    assert!(client.is_closed());
    // The sender of a huge body is answered before it has sent it.
    let mut client = edge.client();
    client.send(b"POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 9999999999\r\n\r\n");
    client.send(&[0x30; 2000]);
    assert_error(
        &client.reply(false).unwrap(),
        ErrorStatus::MalformedRequest,
        "10 GB",
    );
    let reply = edge.get(&format!("/{}", base64(&[0x30; 1001])));
    assert_error(&reply, ErrorStatus::MalformedRequest, "1001 octets by GET");
}

#[test]
fn without_an_authoritative_record_it_is_unauthorized() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let ca = &world.authority.ca;
    let ours = IssuerHashes::of(HashAlgorithm::Sha1, ca);
    let other = World::new();
    let stranger = IssuerHashes::of(HashAlgorithm::Sha1, &other.authority.ca);
    let mixed = IssuerHashes {
        key_hash: stranger.key_hash.clone(),
        ..ours.clone()
    };
    let cases = [
        ("a serial never issued", build(&ours, &[serial(1000)], None)),
        (
            "another issuer with our name",
            build(&stranger, &[good()], None),
        ),
        ("our name with another key", build(&mixed, &[good()], None)),
        (
            "SHA-384",
            build(
                &IssuerHashes::of(HashAlgorithm::Sha384, ca),
                &[good()],
                None,
            ),
        ),
        (
            "SHA-512",
            build(
                &IssuerHashes::of(HashAlgorithm::Sha512, ca),
                &[good()],
                None,
            ),
        ),
        (
            "two certificates (OCSP-10)",
            build(&ours, &[good(), serial(2)], None),
        ),
        ("the same twice", build(&ours, &[good(), good()], None)),
        (
            "an unknown hash",
            replaced(
                &build(&ours, &[good()], None),
                &[0x2b, 0x0e, 3, 2, 0x1a],
                &[0x2b, 0x0e, 3, 2, 0x1b],
            ),
        ),
        ("serial 0 (OCSP-23)", with_serial(&ours, &[0])),
        ("a negative serial", with_serial(&ours, &[0xff])),
        ("a serial of 21 octets", with_serial(&ours, &[0x11; 21])),
        ("a serial of 200 octets", with_serial(&ours, &[0x11; 200])),
    ];
    for (what, request) in cases {
        assert_error(&edge.post(&request), ErrorStatus::Unauthorized, what);
        assert_error(
            &edge.get(&format!("/{}", base64(&request))),
            ErrorStatus::Unauthorized,
            what,
        );
    }
}

/// A request about a serial number that a certificate cannot have.
fn with_serial(issuer: &IssuerHashes, content: &[u8]) -> Vec<u8> {
    let one = Serial::from_be_bytes(&[1]).unwrap();
    let id = issuer.cert_id(&one);
    // The serial is the last field: its three octets are replaced.
    let fields = pki::der_read::single(&id, "CertID").unwrap().content;
    let id = der_encode::sequence(&[&fields[..fields.len() - 3], &der_encode::tlv(2, content)]);
    der_encode::sequence(&[&der_encode::sequence(&[&der_encode::sequence(&[
        &der_encode::sequence(&[&id]),
    ])])])
}

fn replaced(octets: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = octets
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    [&octets[..at], to, &octets[at + from.len()..]].concat()
}

#[test]
fn nonces_of_every_length() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let ours = IssuerHashes::of(HashAlgorithm::Sha1, &world.authority.ca);
    let mut client = edge.client();
    for length in 0..=140 {
        let request = build(&ours, &[good()], Some(&vec![7; length]));
        let reply = client.request("POST", "/", "", &request);
        if (1..=128).contains(&length) {
            assert_answer(
                &reply,
                &world,
                HashAlgorithm::Sha1,
                &good(),
                CertStatus::Good,
            );
        } else {
            assert_error(
                &reply,
                ErrorStatus::MalformedRequest,
                &format!("nonce of {length} octets (OCSP-14)"),
            );
        }
    }
}

#[test]
fn an_unknown_critical_extension_is_malformed_and_an_uncritical_one_ignored() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let ours = IssuerHashes::of(HashAlgorithm::Sha1, &world.authority.ca);
    for (critical, allowed) in [(true, false), (false, true)] {
        let flag = if critical {
            der_encode::boolean_true()
        } else {
            Vec::new()
        };
        let extension =
            der_encode::sequence(&[&[6, 3, 0x2a, 3, 4], &flag, &der_encode::octet_string(b"x")]);
        let request = der_encode::sequence(&[&ours.cert_id(&good())]);
        let extensions = der_encode::explicit(2, &der_encode::sequence(&[&extension]));
        let request = der_encode::sequence(&[&der_encode::sequence(&[
            &der_encode::sequence(&[&request]),
            &extensions,
        ])]);
        let reply = edge.post(&request);
        if allowed {
            assert_answer(
                &reply,
                &world,
                HashAlgorithm::Sha1,
                &good(),
                CertStatus::Good,
            );
        } else {
            assert_error(
                &reply,
                ErrorStatus::MalformedRequest,
                "unknown critical extension (OCSP-12)",
            );
        }
    }
}

#[test]
fn outside_its_validity_an_answer_is_try_later() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let times = world.times();
    let first = edge.ask(&world, &good());
    for (offset, current) in [
        (-1, false),
        (0, true),
        (4 * 86_400 - 1, true),
        (4 * 86_400, false),
        (10 * 86_400, false),
    ] {
        world.clock.set(times.this_update.plus_seconds(offset));
        let reply = edge.ask(&world, &good());
        if current {
            assert_eq!(reply.body, first.body, "{offset}");
        } else {
            assert_error(
                &reply,
                ErrorStatus::TryLater,
                &format!("{offset} s after thisUpdate (OCSP-06, V3)"),
            );
        }
    }
}

#[test]
fn an_edge_without_a_publication_is_unauthorized_for_everything() {
    let world = World::new();
    let edge = TestEdge::start(&world);
    assert_error(
        &edge.ask(&world, &good()),
        ErrorStatus::Unauthorized,
        "nothing published",
    );
    assert_eq!(edge.get("/crl/member.crl").status, 404);
}

#[test]
fn two_certificates_of_one_ca_are_one_issuer() {
    // Re-issued with the same key and name (OCSP-22): both channels answer for the same CertIDs.
    let world = World::published();
    let entries = [(serial(77), Some(CertStatus::Good))];
    let set = world.authority.answers(&entries, world.times());
    let renewed = Certificate::from_der(world.authority.ca.der()).unwrap();
    let certificate = object(
        "ca-certificate",
        "renewed",
        "application/pkix-cert",
        Vec::new(),
        renewed.der().to_vec(),
    );
    let answers = object("answers", "base", answers::CONTENT_TYPE, Vec::new(), set);
    world.publish("ocsp/renewed", Vec::new(), vec![certificate, answers]);
    let edge = TestEdge::start(&world);
    assert_answer(
        &edge.ask(&world, &serial(77)),
        &world,
        HashAlgorithm::Sha1,
        &serial(77),
        CertStatus::Good,
    );
    assert_answer(
        &edge.ask(&world, &good()),
        &world,
        HashAlgorithm::Sha1,
        &good(),
        CertStatus::Good,
    );
}

#[test]
fn the_caching_headers_hold_at_every_instant() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let times = world.times();
    let target = format!(
        "/{}",
        base64(&world.authority.request(HashAlgorithm::Sha1, &good()))
    );
    let mut client = edge.client();
    let etag = client
        .request("GET", &target, "", b"")
        .header("etag")
        .to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    for offset in (0..4 * 86_400)
        .step_by(997)
        .chain([2 * 86_400 - 1, 2 * 86_400, 4 * 86_400 - 1])
    {
        let now = times.this_update.plus_seconds(offset);
        world.clock.set(now);
        let reply = client.request("GET", &target, "", b"");
        assert_eq!(http_time(reply.header("date")), now);
        assert_eq!(http_time(reply.header("last-modified")), times.this_update);
        assert_eq!(http_time(reply.header("expires")), times.next_update);
        assert_eq!(reply.header("etag"), etag);
        assert!(
            reply
                .header("cache-control")
                .ends_with(", public, no-transform, must-revalidate")
        );
        assert!(!reply.headers.contains_key("pragma"));
        let end = now.plus_seconds(reply.max_age());
        assert!(reply.max_age() <= 3600);
        assert!(
            end <= times.next_update.plus_seconds(-1),
            "HTTP-10 at {offset}"
        );
        assert!(
            end <= times.refresh_at || reply.max_age() == 0,
            "planned refresh at {offset}"
        );
    }
}

fn http_time(text: &str) -> Time {
    let time = httpdate::parse_http_date(text).unwrap_or_else(|_| panic!("{text:?}"));
    let seconds = time
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    Time::from_unix(seconds.try_into().unwrap())
}

#[test]
fn an_unchanged_answer_is_304() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let target = format!(
        "/{}",
        base64(&world.authority.request(HashAlgorithm::Sha1, &good()))
    );
    let whole = edge.get(&target);
    let etag = whole.header("etag");
    for method in ["GET", "HEAD"] {
        let mut client = edge.client();
        let reply = client.request(
            method,
            &target,
            &format!("If-None-Match: \"x\", W/{etag}\r\n"),
            b"",
        );
        assert_eq!(reply.status, 304);
        assert!(reply.body.is_empty());
        for name in ["etag", "cache-control", "expires", "date", "last-modified"] {
            assert_eq!(reply.header(name), whole.header(name), "{name}");
        }
        let changed = client.request(method, &target, "If-None-Match: \"x\"\r\n", b"");
        assert_eq!(changed.status, 200);
    }
    // Only the tag decides: two answers may be signed within one second.
    let since = format!("If-Modified-Since: {}\r\n", whole.header("last-modified"));
    assert_eq!(edge.get_with(&target, &since).status, 200);
    // The status of each serial and hash has a tag of its own.
    let mut tags: Vec<String> = (1..10)
        .flat_map(|number| {
            [HashAlgorithm::Sha1, HashAlgorithm::Sha256]
                .map(|hash| world.authority.request(hash, &serial(number)))
        })
        .map(|request| edge.post(&request).header("etag").to_owned())
        .collect();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 18);
}
