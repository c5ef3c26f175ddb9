//! How much of a line is in use while certificates are asked for: requests of 1.3 kB one way, signatures of 300 octets
//! the other way, over `serial-proxy` between two pseudo-terminals.
//!
//! cargo build --release --bins -p serial-proxy
//! cargo run --release -p serial-proxy --example cable -- [BAUD [SECONDS [LATENCY]]]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use common::{Driven, Proxy, turn};
use wire::link::{Event, Role};

const REQUEST: usize = 1300;
const REPLY: usize = 300;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let baud: u32 = argument("115200").parse().expect("a baud rate");
    let seconds: u64 = argument("20").parse().expect("a number of seconds");
    let latency = argument("16ms");

    // target/release/examples/cable
    let program = std::env::current_exe().expect("this program has a path");
    let program = program
        .ancestors()
        .nth(2)
        .expect("in target/release")
        .join("serial-proxy");
    let proxy = Proxy::start(
        &program,
        &[
            "--baud",
            &baud.to_string(),
            "--latency",
            &latency,
            "pty",
            "pty",
        ],
    );
    let mut host = Driven::open(Role::Host, &proxy.a, baud);
    let mut signer = Driven::open(Role::Signer, &proxy.b, baud);

    let (mut up, mut requests, mut replies, mut round_trips) = ([false; 2], 0_u64, 0_u64, 0_u64);
    let mut started: Option<(Instant, u64, u64)> = None;
    loop {
        turn(&mut [&mut host, &mut signer]);
        while let Some(event) = host.endpoint.event() {
            match event {
                Event::Up => up[0] = true,
                Event::Message(_) => replies += 1,
                event => panic!("{event:?}"),
            }
        }
        while let Some(event) = signer.endpoint.event() {
            match event {
                Event::Up => up[1] = true,
                Event::Message(_) => {
                    requests += 1;
                    signer.endpoint.send(&[8; REPLY]).expect("a session");
                }
                event => panic!("{event:?}"),
            }
        }
        if up != [true; 2] {
            continue;
        }
        while host.endpoint.backlog() < 32 * 1024 {
            host.endpoint.send(&[7; REQUEST]).expect("a session");
        }
        let received = signer.endpoint.quality().octets_received;
        // The line is full after the first second.
        let (since, octets, asked) =
            *started.get_or_insert_with(|| (Instant::now(), received, requests));
        round_trips = round_trips.max(host.endpoint.quality().round_trip.unwrap_or(0));
        let elapsed = since.elapsed();
        if elapsed >= Duration::from_secs(seconds) {
            let rate = (received - octets) as f64 / elapsed.as_secs_f64();
            let messages = (requests - asked) as f64 / elapsed.as_secs_f64();
            let line = f64::from(baud) / 10.0;
            println!(
                "{baud} baud, bridge of {latency}: {rate:.0} of {line:.0} octets/s in use ({:.1} %), \
                 {messages:.2} requests of {REQUEST} octets a second ({:.1} % of the line), {replies} replies; \
                 {} frames sent again; longest smoothed round trip {round_trips} ms",
                100.0 * rate / line,
                100.0 * messages * REQUEST as f64 / line,
                host.endpoint.quality().retransmissions + signer.endpoint.quality().retransmissions,
            );
            return;
        }
    }
}
