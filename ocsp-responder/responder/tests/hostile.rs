//! Clients that mean harm or are broken: the right answer or a clean end, and the next honest request is answered.

mod common;

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use common::authority::serial;
use common::client::base64;
use common::edge::TestEdge;
use common::wait_until;
use common::world::{World, good};
use pki::HashAlgorithm;

fn target(world: &World, number: u32) -> String {
    format!(
        "/{}",
        base64(
            &world
                .authority
                .request(HashAlgorithm::Sha1, &serial(number))
        )
    )
}

/// The proof that the edge is well.
fn assert_honest(edge: &TestEdge, world: &World) {
    let reply = edge.ask(world, &good());
    assert_eq!(reply.status, 200);
    assert!(reply.body.len() > 5);
}

#[test]
fn nonsense_gets_an_error_or_a_clean_end() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let long = "x".repeat(100_000);
    let many: String = (0..200)
        .map(|number| format!("X-{number}: y\r\n"))
        .collect();
    let post = |headers: &str| format!("POST / HTTP/1.1\r\nHost: e\r\n{headers}\r\n");
    // Each with the statuses that are right; 0: the connection ends without an answer.
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        (
            "not HTTP",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "HTTP/2",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            &[400, 505, 0],
        ),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec(), &[400]),
        (
            "HTTP/3.0",
            b"GET / HTTP/3.0\r\nHost: e\r\n\r\n".to_vec(),
            &[400, 505],
        ),
        ("no Host", b"GET / HTTP/1.1\r\n\r\n".to_vec(), &[400]),
        (
            "two Hosts",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "a space in a name",
            b"GET / HTTP/1.1\r\nHost : e\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "a folded line",
            b"GET / HTTP/1.1\r\nHost: e\r\nX: a\r\n b\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "a NUL",
            b"GET /\0 HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "a header of 100,000 octets",
            format!("GET / HTTP/1.1\r\nHost: e\r\nX: {long}\r\n\r\n").into(),
            &[431],
        ),
        (
            "200 headers",
            format!("GET / HTTP/1.1\r\nHost: e\r\n{many}\r\n").into(),
            &[431],
        ),
        (
            "a path of 100,000 octets",
            format!("GET /{long} HTTP/1.1\r\nHost: e\r\n\r\n").into(),
            &[414, 431],
        ),
        (
            "Content-Length twice, unlike",
            post("Content-Length: 1\r\nContent-Length: 2\r\n").into(),
            &[400],
        ),
        (
            "Content-Length of letters",
            post("Content-Length: x\r\n").into(),
            &[400],
        ),
        (
            "Content-Length with a sign",
            post("Content-Length: +1\r\n").into(),
            &[400],
        ),
        (
            "Content-Length beyond 64 bits",
            post("Content-Length: 99999999999999999999\r\n").into(),
            &[400],
        ),
        (
            "an unknown Transfer-Encoding",
            post("Transfer-Encoding: gzip\r\n").into(),
            &[400],
        ),
        (
            "chunked, then something",
            post("Transfer-Encoding: chunked, gzip\r\n").into(),
            &[400],
        ),
        (
            "Transfer-Encoding in HTTP/1.0",
            b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "a chunk size of letters",
            [post("Transfer-Encoding: chunked\r\n").as_bytes(), b"zz\r\n"].concat(),
            &[200],
        ),
        (
            "a chunk size beyond 64 bits",
            [
                post("Transfer-Encoding: chunked\r\n").as_bytes(),
                b"fffffffffffffffff\r\n",
            ]
            .concat(),
            &[200],
        ),
        (
            "CONNECT",
            b"CONNECT e:80 HTTP/1.1\r\nHost: e\r\n\r\n".to_vec(),
            &[404, 405, 400],
        ),
    ];
    for (what, octets, statuses) in cases {
        let mut client = edge.client();
        // The edge may end the connection while we still write.
        let _ = client.stream.write_all(&octets);
        let status = client.reply(false).map_or(0, |reply| reply.status);
        assert!(statuses.contains(&status), "{what}: {status}");
        assert!(client.is_closed(), "{what}: the connection ends");
        assert_honest(&edge, &world);
    }
}

#[test]
fn a_path_of_64_kib_is_answered() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let reply = edge.get(&format!("/M{}", "F".repeat(65_000)));
    assert_eq!(
        (reply.status, reply.body.as_slice()),
        (200, &[0x30, 3, 0x0a, 1, 1][..])
    );
    let mut client = edge.client();
    client.send(format!("GET /{} HTTP/1.1\r\nHost: e\r\n\r\n", "M".repeat(65_600)).as_bytes());
    assert_eq!(client.reply(false).unwrap().status, 414);
}

#[test]
fn nothing_is_smuggled() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let smuggled = format!("GET {} HTTP/1.1\r\nHost: e\r\n\r\n", target(&world, 1));
    let chunks = format!("0\r\n\r\n{smuggled}");
    for (what, head) in [
        (
            "length, then chunked",
            format!(
                "Content-Length: {}\r\nTransfer-Encoding: chunked\r\n",
                chunks.len()
            ),
        ),
        (
            "chunked, then length",
            format!(
                "Transfer-Encoding: chunked\r\nContent-Length: {}\r\n",
                chunks.len()
            ),
        ),
        (
            "chunked twice",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n"
                .to_owned(),
        ),
    ] {
        let mut client = edge.client();
        let _ = client
            .stream
            .write_all(format!("POST / HTTP/1.1\r\nHost: e\r\n{head}\r\n{chunks}").as_bytes());
        // The one request gets one answer; what was hidden behind it none.
        if let Some(reply) = client.reply(false) {
            assert!(
                reply.status == 400 || reply.body == [0x30, 3, 0x0a, 1, 1],
                "{what}: {reply:?}"
            );
        }
        assert!(client.is_closed(), "{what}");
        assert_honest(&edge, &world);
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let post = world.authority.request(HashAlgorithm::Sha256, &serial(9));
    let mut octets = Vec::new();
    for number in 1..9 {
        octets.extend(
            format!("GET {} HTTP/1.1\r\nHost: e\r\n\r\n", target(&world, number)).into_bytes(),
        );
    }
    octets.extend(
        format!(
            "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: {}\r\n\r\n",
            post.len()
        )
        .into_bytes(),
    );
    octets.extend(&post);
    octets.extend(b"GET /crl/member.crl HTTP/1.1\r\nHost: e\r\n\r\n");
    let mut client = edge.client();
    client.send(&octets);
    for number in 1..9 {
        let expected = edge.ask(&world, &serial(number)).body;
        assert_eq!(client.reply(false).unwrap().body, expected, "{number}");
    }
    assert_eq!(client.reply(false).unwrap().body, edge.post(&post).body);
    assert_eq!(
        client.reply(false).unwrap().header("content-type"),
        "application/pkix-crl"
    );
}

#[test]
fn a_request_in_single_octets_is_answered() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let mut client = edge.client();
    for octet in format!("GET {} HTTP/1.1\r\nHost: e\r\n\r\n", target(&world, 1)).bytes() {
        client.send(&[octet]);
    }
    assert_eq!(
        client.reply(false).unwrap().body,
        edge.ask(&world, &good()).body
    );
}

#[test]
fn a_client_that_closes_its_sending_side_still_gets_its_answer() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let mut client = edge.client();
    client.send(format!("GET {} HTTP/1.1\r\nHost: e\r\n\r\n", target(&world, 1)).as_bytes());
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.reply(false).unwrap().status, 200);
    assert!(client.is_closed());
}

#[test]
fn half_sent_requests_and_idle_connections_are_cut() {
    let world = World::published();
    let edge = TestEdge::with(&world, |config| {
        config.limits.request_seconds = 1;
        config.limits.idle_seconds = 1;
    });
    let request = world.authority.request(HashAlgorithm::Sha1, &good());
    let halves: [&[u8]; 4] = [
        b"",
        b"GET /MF",
        b"GET / HTTP/1.1\r\nHost: e\r\n",
        b"POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 80\r\n\r\nabc",
    ];
    for half in halves {
        let mut clients: Vec<_> = (0..40).map(|_| edge.client()).collect();
        for client in &mut clients {
            client.send(half);
        }
        assert_honest(&edge, &world);
        for client in &mut clients {
            assert!(client.reply(false).is_none(), "{half:?}");
        }
    }
    let mut idle = edge.client();
    assert_eq!(idle.request("POST", "/", "", &request).status, 200);
    assert!(idle.is_closed());
    let metrics = edge.metrics();
    assert!(
        metrics.contains("avouch_edge_connections_total{event=\"cut_slow_request\"} 160\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("avouch_edge_connections_total{event=\"cut_idle\"} 1\n"),
        "{metrics}"
    );
}

#[test]
fn dripping_octets_do_not_lengthen_the_time() {
    let world = World::published();
    let edge = TestEdge::with(&world, |config| config.limits.request_seconds = 1);
    let mut client = edge.client();
    client.send(b"GET / HTTP/1.1\r\nHost: e\r\n");
    let start = std::time::Instant::now();
    while client.stream.write_all(b"X: y\r\n").is_ok() {
        assert!(start.elapsed() < Duration::from_secs(20), "never cut");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_honest(&edge, &world);
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    let world = World::new();
    // A CRL larger than the socket buffers hold.
    let many: Vec<_> = (0..200_000).map(serial).collect();
    let times = world.times();
    world.publish_crl_octets(world.authority.crl(1, times, &many), times);
    let edge = TestEdge::with(&world, |config| config.limits.write_stall_seconds = 1);
    let mut client = edge.client();
    client.send(b"GET /crl/member.crl HTTP/1.1\r\nHost: e\r\n\r\n");
    wait_until("cut", || {
        edge.metrics()
            .contains("avouch_edge_connections_total{event=\"cut_slow_reader\"} 1\n")
    });
    // Who takes it gets it whole.
    let reply = edge.get("/crl/member.crl");
    assert_eq!(pki::crl::Crl::from_der(&reply.body).unwrap().len(), 200_000);
}

#[test]
fn when_all_places_are_taken_the_longest_idle_gives_way() {
    let world = World::published();
    let edge = TestEdge::with(&world, |config| {
        config.cores = Some(1);
        config.limits.connections = 8;
    });
    let mut hoarders: Vec<_> = (0..50).map(|_| edge.client()).collect();
    for _ in 0..5 {
        assert_honest(&edge, &world);
    }
    assert!(
        hoarders[0].is_closed(),
        "the first to come was idle longest"
    );
    assert!(
        edge.metrics()
            .contains("avouch_edge_connections_total{event=\"cut_crowded\"}")
    );
}

#[test]
fn a_graceful_stop_answers_what_has_begun() {
    let world = World::published();
    let edge = TestEdge::start(&world);
    let request = world.authority.request(HashAlgorithm::Sha1, &good());
    let mut idle = edge.client();
    idle.request("POST", "/", "", &request);
    let mut begun = edge.client();
    begun.send(
        format!(
            "POST / HTTP/1.1\r\nHost: e\r\nContent-Length: {}\r\n\r\n",
            request.len()
        )
        .as_bytes(),
    );
    // The edge has read the head when it has read the next connection's whole request.
    begun.send(&request[..10]);
    wait_until("both are open", || {
        edge.metrics().contains("avouch_edge_connections_open 2\n")
    });
    edge.stop.stop();
    assert!(idle.is_closed(), "an idle connection ends at once");
    begun.send(&request[10..]);
    let reply = begun.reply(false).unwrap();
    assert!(reply.body.len() > 5, "{reply:?}");
    assert!(begun.is_closed());
    let address = edge.address;
    edge.finish();
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "nobody listens any more"
    );
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let world = World::published();
    let edge = TestEdge::with(&world, |config| config.limits.drain_seconds = 1);
    let mut begun = edge.client();
    begun.send(b"POST / HTTP/1.1\r\nHost: e\r\nContent-Length: 100\r\n\r\nhalf");
    wait_until("it is open", || {
        edge.metrics().contains("avouch_edge_connections_open 1\n")
    });
    edge.finish();
    assert!(begun.is_closed());
}
