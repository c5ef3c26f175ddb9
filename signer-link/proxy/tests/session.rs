//! Host and signer over the program, with every fault: nothing is lost, nothing comes twice, the link comes back.

mod common;

use std::path::Path;
use std::time::Instant;

use common::{Driven, Proxy, patience, turn};
use wire::link::{Event, Role};

const PROGRAM: &str = env!("CARGO_BIN_EXE_serial-proxy");
const BAUD: u32 = 921_600;

/// What one end has seen.
#[derive(Default)]
struct Seen {
    up: bool,
    sessions: u32,
    /// The first octets say which session of the sender and which message in it.
    last: Option<(u32, u32)>,
    messages: u32,
}

impl Seen {
    fn look(&mut self, end: &mut Driven) {
        while let Some(event) = end.endpoint.event() {
            match event {
                Event::Up => {
                    self.up = true;
                    self.sessions += 1;
                    self.last = None;
                }
                Event::Down(_) => self.up = false,
                Event::Message(message) => {
                    let number = |from: usize| {
                        u32::from_be_bytes(message[from..from + 4].try_into().unwrap())
                    };
                    let this = (number(0), number(4));
                    let expected = self
                        .last
                        .map_or((this.0, 0), |(session, last)| (session, last + 1));
                    assert_eq!(this, expected);
                    self.last = Some(this);
                    self.messages += 1;
                }
                event => panic!("{event:?}"),
            }
        }
    }
}

struct Sender {
    session: u32,
    next: u32,
}

impl Sender {
    fn send(&mut self, end: &mut Driven, seen: &Seen, size: usize) {
        if self.session != seen.sessions {
            *self = Self {
                session: seen.sessions,
                next: 0,
            };
        }
        while seen.up && end.endpoint.backlog() < 16 * 1024 {
            let mut message = self.session.to_be_bytes().to_vec();
            message.extend(self.next.to_be_bytes());
            message.resize(size, 7);
            if end.endpoint.send(&message).is_err() {
                return;
            }
            self.next += 1;
        }
    }
}

#[test]
fn nothing_is_lost_or_doubled_on_a_bad_cable() {
    let baud = BAUD.to_string();
    let mut proxy = Proxy::start(
        Path::new(PROGRAM),
        &[
            "--baud",
            &baud,
            "--latency",
            "16ms",
            "--split",
            "300",
            "--flip",
            "1e-4",
            "--drop",
            "3e-5",
            "--double",
            "3e-5",
            "--reorder",
            "3e-5",
            "--garbage",
            "1e-2",
            "--stall",
            "1e-5,100ms",
            "--cuts",
            "1e-5,300ms",
            "--seed",
            "7",
            "pty",
            "pty",
        ],
    );
    let mut host = Driven::open(Role::Host, &proxy.a, BAUD);
    let mut signer = Driven::open(Role::Signer, &proxy.b, BAUD);
    let (mut host_saw, mut signer_saw) = (Seen::default(), Seen::default());
    let mut to_signer = Sender {
        session: 0,
        next: 0,
    };
    let mut to_host = Sender {
        session: 0,
        next: 0,
    };
    let mut run = |until: &mut dyn FnMut(&Seen, &Seen) -> bool| {
        let deadline = patience();
        loop {
            turn(&mut [&mut host, &mut signer]);
            host_saw.look(&mut host);
            signer_saw.look(&mut signer);
            if until(&host_saw, &signer_saw) {
                return (host.endpoint.quality(), signer.endpoint.quality());
            }
            to_signer.send(&mut host, &host_saw, 1300);
            to_host.send(&mut signer, &signer_saw, 300);
            assert!(
                Instant::now() < deadline,
                "{:?} {:?}",
                host.endpoint.quality(),
                signer.endpoint.quality()
            );
        }
    };

    let (host, signer) = run(&mut |host, signer| host.messages >= 150 && signer.messages >= 150);
    assert!(
        host.noise > 0 && signer.noise > 0 && host.retransmissions > 0,
        "{host:?} {signer:?}"
    );

    // A cut that both notice, and a good cable again.
    proxy.tell("cut");
    run(&mut |host, signer| !host.up && !signer.up);
    proxy.tell("good");
    proxy.tell("restore");
    let mut before = None;
    let (host, signer) = run(&mut |host, signer| {
        let both = (host.messages, signer.messages);
        let before = before.get_or_insert(both);
        host.up && signer.up && both.0 > before.0 + 100 && both.1 > before.1 + 100
    });
    assert!(
        host.sessions >= 2 && signer.sessions >= 2,
        "{host:?} {signer:?}"
    );
}
