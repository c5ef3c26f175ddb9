//! The line is never idle while there is something to send.

mod cable;

use cable::{Cable, Faults};
use wire::link::Event;

/// What the issue asks for: certificates one way, signatures the other way.
const REQUEST: usize = 1300;
const REPLY: usize = 300;

/// Requests as fast as the cable takes them, and a reply to each; the share of the line's octets that was in use, and
/// the share that was messages.
fn issue(baud: u32, bridge: u64, faults: Faults, time: u64) -> (f64, f64) {
    let mut cable = Cable::new(baud, bridge, 1);
    cable.up();
    cable.to_signer.faults = faults;
    cable.to_host.faults = faults;
    let before = cable.to_signer.carried;
    let (mut received, mut replies) = (0_u64, 0_u64);
    let end = cable.now + time;
    cable.run_until(end, |cable| {
        while cable.host.backlog() < 32 * 1024 {
            cable.host.send(&[7; REQUEST]).unwrap();
        }
        while let Some(event) = cable.signer.event() {
            assert_eq!(event, Event::Message(vec![7; REQUEST]));
            received += 1;
            cable.signer.send(&[8; REPLY]).unwrap();
        }
        while let Some(event) = cable.host.event() {
            assert_eq!(event, Event::Message(vec![8; REPLY]));
            replies += 1;
        }
        false
    });
    assert!(
        received - replies < 32,
        "{received} requests, {replies} replies"
    );
    assert_eq!(cable.signer.quality().sessions, 1);
    let again = cable.host.quality().retransmissions + cable.signer.quality().retransmissions;
    assert_eq!(
        again > 0,
        faults.flip_octet > 0,
        "{again} frames sent again"
    );
    let capacity = f64::from(baud) / 10.0 * time as f64 / 1000.0;
    let used = (cable.to_signer.carried - before) as f64 / capacity;
    (used, (received * REQUEST as u64) as f64 / capacity)
}

#[test]
fn the_whole_line_is_used() {
    for (baud, bridge) in [
        (9_600, 0),
        (115_200, 0),
        (115_200, 16),
        (921_600, 0),
        (921_600, 16),
        (3_000_000, 0),
        (3_000_000, 16),
    ] {
        let (used, messages) = issue(baud, bridge, Faults::default(), 60_000);
        println!(
            "{baud} baud, bridge of {bridge} ms: {used:.3} of the line, {messages:.3} of it messages"
        );
        assert!(
            used > 0.98,
            "{baud} baud, bridge of {bridge} ms: {used:.3} of the line in use"
        );
        assert!(
            messages > 0.94,
            "{baud} baud, bridge of {bridge} ms: {messages:.3} of the line is messages"
        );
    }
}

/// A bad line costs what it destroys, and not much more.
#[test]
fn noise_costs_little() {
    for (flip_octet, least) in [(10, 0.94), (100, 0.75), (1000, 0.25)] {
        let faults = Faults {
            flip_octet,
            ..Faults::default()
        };
        let (_, messages) = issue(115_200, 16, faults, 100_000);
        println!("{flip_octet} octets of a million flipped: {messages:.3} of the line is messages");
        assert!(
            messages > least,
            "{flip_octet} of a million: {messages:.3} of the line is messages"
        );
    }
}

/// What is sent next goes out next, however much the terminal would take.
#[test]
fn no_more_than_one_frame_waits_before_the_line() {
    let mut cable = Cable::new(115_200, 0, 2);
    cable.up();
    for _ in 0..100 {
        cable.host.send(&[7; REQUEST]).unwrap();
    }
    let mut handed = 0;
    while let Some(frame) = cable.host.transmit(cable.now) {
        handed += frame.len();
    }
    assert!(
        handed <= wire::link::frame::MAX_ENCODED + 400,
        "{handed} octets at once"
    );
}

/// Sequence numbers are modulo 2^16.
#[test]
fn more_frames_than_numbers() {
    let mut cable = Cable::new(50_000_000, 0, 3);
    cable.up();
    let mut received = 0_u32;
    for number in 0..70_000_u32 {
        cable.host.send(&number.to_be_bytes()).unwrap();
        let end = cable.now + 1000;
        assert!(cable.run_until(end, |cable| cable.host.backlog() == 0));
        while let Some(event) = cable.signer.event() {
            assert_eq!(event, Event::Message(received.to_be_bytes().to_vec()));
            received += 1;
        }
    }
    assert_eq!(received, 70_000);
    assert_eq!(cable.signer.quality().sessions, 1);
}
