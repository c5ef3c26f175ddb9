//! What is counted when a server answers, refuses, closes with and without notice, or is not there.
#![forbid(unsafe_code)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use fill::Authority;
use ocsp_load::{Length, Methods, Nonces, Pace, Plan, Report, Subjects, run};
use pki::{HashAlgorithm, KeyKind, Time};
use synthetic::Population;

const TRY_LATER: &[u8] = &[0x30, 3, 0x0a, 1, 3];
/// The beginning of a successful one; nobody reads on.
const SUCCESSFUL: &[u8] = &[0x30, 3, 0x0a, 1, 0];

/// What a server does with the request of that number on its connection.
type Answer = fn(usize, &mut TcpStream) -> bool;

fn serve(answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || converse(stream, answer));
        }
    });
    address
}

/// GETs only: each ends with an empty line.
fn converse(stream: TcpStream, answer: Answer) {
    let mut output = stream.try_clone().unwrap();
    let mut number = 0;
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        if line.is_empty() {
            number += 1;
            if !answer(number, &mut output) {
                return;
            }
        }
    }
}

fn say(output: &mut TcpStream, status: u16, more: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} Any\r\n{more}Content-Length: {}\r\n\r\n",
        body.len()
    );
    // The client may have gone.
    let _ = output.write_all(&[head.as_bytes(), body].concat());
}

fn load(address: SocketAddr, change: impl FnOnce(&mut Plan)) -> Report {
    let authority = Authority::new(KeyKind::P256, Time::from_unix(0)).unwrap();
    let mut plan = Plan {
        address,
        host: "test".to_owned(),
        path: "/".to_owned(),
        ca: authority.ca,
        subjects: Subjects::Synthetic(Population::random(1, 1000)),
        methods: Methods::Get,
        hash: HashAlgorithm::Sha1,
        nonces: Nonces::Never,
        connections: 4,
        pipelining: 1,
        keep_alive: true,
        pace: Pace::Closed,
        length: Length::Requests(200),
        warm_up: Duration::ZERO,
        timeout: Duration::from_secs(20),
        samples: 0,
        ocsp: true,
        seed: 1,
    };
    change(&mut plan);
    run(&plan, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn good_answers() {
    let address = serve(|_, output| {
        say(output, 200, "", SUCCESSFUL);
        true
    });
    for pipelining in [1, 5] {
        let report = load(address, |plan| plan.pipelining = pipelining);
        assert_eq!((report.answered, report.failed), (200, 0), "{report}");
        assert_eq!((report.connects, report.latency.count), (4, 200));
    }
    let report = load(address, |plan| plan.keep_alive = false);
    assert_eq!((report.answered, report.failed), (200, 0), "{report}");
    assert_eq!(report.connects, 200);
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let address = serve(|_, output| {
        say(output, 200, "", SUCCESSFUL);
        true
    });
    let report = load(address, |plan| {
        plan.pace = Pace::Open(1000.0);
        plan.nonces = Nonces::Share(0.5);
    });
    assert_eq!((report.answered, report.failed), (200, 0), "{report}");
    assert!(report.seconds >= 0.19, "{report}");
    // The text echoes no nonce, and half the requests have one.
    assert_eq!(report.echoed, 0);
    assert!((60..140).contains(&report.nonces), "{report}");
    assert_eq!(report.nonces, report.latency_with_nonce.count);
}

#[test]
fn errors_are_counted_by_kind() {
    let address = serve(|number, output| {
        match number % 4 {
            0 => say(output, 503, "", b"busy"),
            1 => say(output, 200, "", TRY_LATER),
            2 => say(output, 200, "", b"<html>"),
            _ => say(output, 200, "", SUCCESSFUL),
        }
        true
    });
    let report = load(address, |_| {});
    assert_eq!(report.answered + report.failed, 200);
    let kinds: Vec<_> = report.failures.keys().map(String::as_str).collect();
    assert_eq!(
        kinds,
        ["HTTP status 503", "OCSP tryLater", "no OCSP response"]
    );
}

#[test]
fn closing_with_notice_is_no_failure() {
    let address = serve(|number, output| {
        let last = number == 3;
        let more = if last { "Connection: close\r\n" } else { "" };
        say(output, 200, more, SUCCESSFUL);
        !last
    });
    let report = load(address, |plan| plan.pipelining = 2);
    assert_eq!((report.answered, report.failed), (200, 0), "{report}");
    assert!(report.resent > 0 && report.connects > 40, "{report}");
}

#[test]
fn closing_without_notice_is_one() {
    let address = serve(|number, output| {
        if number == 3 {
            return false;
        }
        say(output, 200, "", SUCCESSFUL);
        true
    });
    let report = load(address, |_| {});
    assert_eq!(report.answered + report.failed, 200, "{report}");
    // The kernel may say it as a reset.
    assert!((40..100).contains(&report.failed), "{report}");
}

#[test]
fn silence_times_out() {
    let address = serve(|_, _| true);
    let report = load(address, |plan| {
        plan.timeout = Duration::from_millis(200);
        plan.length = Length::Requests(4);
    });
    assert_eq!(report.answered, 0);
    assert_eq!(report.failures.get("timeout"), Some(&4), "{report}");
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let report = load(address, |plan| plan.length = Length::Requests(8));
    assert_eq!(report.answered, 0);
    assert_eq!(report.failures.get("cannot connect"), Some(&8), "{report}");
}
