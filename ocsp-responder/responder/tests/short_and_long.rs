//! The short way of a common request and the long way through hyper say the same, octet by octet.

mod common;

use std::io::Write;
use std::net::Shutdown;

use common::authority::serial;
use common::client::{Client, base64};
use common::edge::TestEdge;
use common::world::{World, good};
use pki::HashAlgorithm;
use pki::ocsp::IssuerHashes;
use pki::ocsp::request::build;
use proptest::prelude::*;

/// Answered by hyper, whatever came before; then the connection ends.
const LAST: &[u8] = b"GET /ca/member.cer HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n";
/// Answered by hyper, with whatever comes behind it at once.
const FIRST: &[u8] = b"GET /ca/member.cer HTTP/1.1\r\nHost: e\r\n\r\n";

/// Everything that the edge says to these octets in pieces, and to a last request behind them.
fn said(edge: &TestEdge, pieces: &[&[u8]]) -> String {
    all(send(edge, pieces))
}

/// The same by hyper.
fn said_the_long_way(edge: &TestEdge, octets: &[u8]) -> String {
    let mut client = send(edge, &[&[FIRST, octets].concat()]);
    assert_eq!(client.reply(false).unwrap().status, 200);
    all(client)
}

fn send(edge: &TestEdge, pieces: &[&[u8]]) -> Client {
    let mut client = edge.client();
    for octets in pieces {
        // It may end the connection before everything is sent.
        let _ = client.stream.write_all(octets);
    }
    let _ = client.stream.write_all(LAST);
    // Whoever still waits for a body waits no longer.
    let _ = client.stream.shutdown(Shutdown::Write);
    client
}

fn all(client: Client) -> String {
    client.rest().escape_ascii().to_string()
}

fn assert_same(edge: &TestEdge, octets: &[u8]) {
    let long = said_the_long_way(edge, octets);
    let what = octets[..octets.len().min(300)].escape_ascii();
    assert_eq!(said(edge, &[octets]), long, "{what}");
    // In two reads, as from a client that sends head and body apart.
    let (first, second) = octets.split_at(octets.len() * 2 / 3);
    assert_eq!(said(edge, &[first, second]), long, "{what}");
}

fn requests(world: &World) -> Vec<Vec<u8>> {
    let ours = IssuerHashes::of(HashAlgorithm::Sha1, &world.authority.ca);
    let theirs = IssuerHashes::of(HashAlgorithm::Sha1, &World::new().authority.ca);
    let request = |hash, number| world.authority.request(hash, &serial(number));
    vec![
        request(HashAlgorithm::Sha1, 1),
        request(HashAlgorithm::Sha256, 1),
        request(HashAlgorithm::Sha1, 2),
        request(HashAlgorithm::Sha256, 2),
        request(HashAlgorithm::Sha1, 1000),
        request(HashAlgorithm::Sha384, 1),
        build(&theirs, &[good()], None),
        build(&ours, &[good()], Some(&[7; 32])),
        build(&ours, &[good()], Some(&[7; 200])),
        build(&ours, &[good(), serial(2)], None),
        b"0".to_vec(),
        vec![0x30; 900],
        Vec::new(),
    ]
}

#[test]
fn every_kind_of_answer_by_every_method() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let tag = edge.ask(&world, &good()).header("etag").to_owned();
    for (number, request) in requests(&world).into_iter().enumerate() {
        let text = base64(&request);
        let header_fields = [
            "",
            "Connection: keep-alive\r\n",
            "connection: CLOSE\r\n",
            "Connection: close, x\r\n",
            "Connection: upgrade\r\nUpgrade: h2c\r\n",
            "Expect: 100-continue\r\n",
            "Content-Length: 0\r\n",
            "If-None-Match: *\r\n",
            &format!("If-None-Match: \"x\", {tag}\r\n"),
            &format!("If-None-Match: \"x\"\r\nIf-None-Match: W/{tag}\r\n"),
            "If-Modified-Since: Sun, 06 Nov 2094 08:49:37 GMT\r\n",
            "Range: bytes=0-1\r\n",
            "Accept: */*\r\nUser-Agent: x\r\nAccept-Encoding: gzip\r\n",
        ];
        // All of them with the first request only.
        let fields = if number == 0 { header_fields.len() } else { 1 };
        for more in &header_fields[..fields] {
            for target in [
                format!("/{text}"),
                format!("//{}", text.replace('/', "%2F").replace('=', "")),
                format!("/old/ocsp/{text}"),
                format!("/configured//{text}"),
                format!("/{text}?x"),
                format!("/{text}#x"),
                format!("http://e/{text}"),
            ] {
                for method in ["GET", "HEAD"] {
                    let head = format!("{method} {target} HTTP/1.1\r\nHost: e\r\n{more}\r\n");
                    assert_same(&edge, head.as_bytes());
                }
            }
            for target in ["/", "//", "/old/ocsp", "/configured/", "/elsewhere", "/M"] {
                let length = request.len();
                let head = format!(
                    "POST {target} HTTP/1.1\r\nHost: e\r\nContent-Length: {length}\r\n{more}\r\n"
                );
                assert_same(&edge, &[head.as_bytes(), &request].concat());
            }
        }
    }
}

#[test]
fn whatever_is_odd() {
    let world = World::published();
    let edge = TestEdge::with(&world, |config| config.limits.request_octets = 500);
    let request = world.authority.request(HashAlgorithm::Sha1, &good());
    let text = base64(&request);
    let get = |more: &str| format!("GET /{text} HTTP/1.1\r\n{more}\r\n").into_bytes();
    let post = |more: &str| {
        let head = format!("POST / HTTP/1.1\r\nHost: e\r\n{more}\r\n");
        [head.as_bytes(), &request].concat()
    };
    let length = request.len();
    let chunk = format!("Transfer-Encoding: chunked\r\n\r\n{length:x}");
    for octets in [
        get(""),
        get("Host: a\r\nHost: b\r\n"),
        get("Host:\r\n"),
        get("Host : e\r\n"),
        get("Host: e\r\nX: a\r\n b\r\n"),
        get(&format!("Host: e\r\nX: {}\r\n", "x".repeat(20_000))),
        get(&format!("Host: e\r\nX: {}\r\n", "x".repeat(100_000))),
        get(&format!("Host: e\r\n{}", "X: y\r\n".repeat(40))),
        get(&format!("Host: e\r\n{}", "X: y\r\n".repeat(120))),
        get("Host: e\r\nX: \u{e4}\r\n"),
        get("Host: e\r\nX: \0\r\n"),
        post(""),
        post("Content-Length: 1\r\n"),
        post(&format!("Content-Length: {}\r\n", length + 1)),
        post(&format!("Content-Length: +{length}\r\n")),
        post(&format!("Content-Length: {length}, {length}\r\n")),
        post(&format!("Content-Length: 000{length}\r\n")),
        post(&format!(
            "Content-Length: {length}\r\nContent-Length: {length}\r\n"
        )),
        post(&format!(
            "Content-Length: {length}\r\nContent-Length: 1\r\n"
        )),
        post(&format!(
            "Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"
        )),
        post("Content-Length: 501\r\n"),
        post("Content-Length: 99999999999999999999\r\n"),
        post(&chunk),
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\nHost: e\n\n".to_vec(),
        b"GET /\xff HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
        b"GET /M\"<>{}|^` HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
        b"GET  / HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1 \r\nHost: e\r\n\r\n".to_vec(),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_vec(),
        b"GET / HTTP/2.0\r\nHost: e\r\n\r\n".to_vec(),
        b"GET * HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
        b"OPTIONS * HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
        b"BREW / HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
        b"get / HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        format!("GET /{} HTTP/1.1\r\nHost: e\r\n\r\n", "M".repeat(15_000)).into_bytes(),
        format!("GET /{} HTTP/1.1\r\nHost: e\r\n\r\n", "M".repeat(70_000)).into_bytes(),
        [
            get("Host: e\r\n"),
            post(&format!("Content-Length: {length}\r\n")),
        ]
        .concat(),
        get("Host: e\r\n").repeat(100),
        [
            get("Host: e\r\n"),
            b"GET /crl/member.crl HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
        ]
        .concat(),
    ] {
        assert_same(&edge, &octets);
    }
}

#[test]
fn common_clients_stay_on_the_short_way() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let request = world.authority.request(HashAlgorithm::Sha1, &good());
    let mut client = edge.client();
    for more in [
        "",
        "Connection: keep-alive\r\nAccept: */*\r\n",
        "Content-Type: application/ocsp-request\r\n",
    ] {
        let target = format!("/{}", base64(&request));
        assert!(client.request("GET", &target, more, b"").body.len() > 5);
        assert_eq!(client.request("HEAD", &target, more, b"").status, 200);
        assert!(client.request("POST", "/", more, &request).body.len() > 5);
        let head = format!(
            "POST / HTTP/1.1\r\nHost: e\r\n{more}Content-Length: {}\r\n\r\n",
            request.len()
        );
        client.send(head.as_bytes());
        client.send(&request);
        assert!(client.reply(false).unwrap().body.len() > 5);
        let whole = client.request("GET", &target, more, b"");
        let seen = format!("If-None-Match: {}\r\n", whole.header("etag"));
        assert_eq!(client.request("GET", &target, &seen, b"").status, 304);
    }
    let left = "avouch_edge_connections_total{event=\"long_way\"}";
    // And they come back to it after something else.
    for times in 0..4 {
        assert!(edge.metrics().contains(&format!("{left} {times}\n")));
        let crl = client.request("GET", "/crl/member.crl", "", b"");
        assert_eq!(crl.status, 200);
        assert!(client.request("POST", "/", "", &request).body.len() > 5);
    }
}

#[test]
fn a_long_head_may_begin_behind_a_request_for_hyper() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let request = world.authority.request(HashAlgorithm::Sha1, &good());
    let head = format!(
        "GET /{} HTTP/1.1\r\nHost: e\r\nX: {}\r\n\r\n",
        base64(&request),
        "x".repeat(60_000)
    );
    for begun in [1, 100, 10_000, 20_000, 50_000] {
        let (begin, rest) = head.as_bytes().split_at(begun);
        let mut client = edge.client();
        client.send(&[FIRST, begin].concat());
        assert_eq!(client.reply(false).unwrap().status, 200);
        client.send(rest);
        assert!(client.reply(false).unwrap().body.len() > 5);
    }
}

#[test]
fn any_octet_may_be_another() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let request = world.authority.request(HashAlgorithm::Sha1, &good());
    let head = format!(
        "GET /{} HTTP/1.1\r\nHost: e\r\nIf-None-Match: \"x\"\r\n\r\nPOST / HTTP/1.1\r\nHost: e\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\r\n",
        base64(&request),
        request.len()
    );
    let octets = [head.as_bytes(), &request].concat();
    let strategy = proptest::collection::vec((0..octets.len(), any::<u8>()), 1..3);
    let config = ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(changes in strategy)| {
        let mut octets = octets.clone();
        for (at, octet) in changes {
            octets[at] = octet;
        }
        prop_assert_eq!(said(&edge, &[&octets]), said_the_long_way(&edge, &octets));
    });
}
