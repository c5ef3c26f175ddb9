//! Octets of version 1: a change of these is a change of the protocol. `AVOUCH_WRITE_GOLDEN=1` writes them anew.

mod cable;

use std::fmt::Write as _;
use std::path::Path;

use cable::{Cable, events};
use wire::link::frame::{Acknowledgement, Body, Decoded, Decoder, Frame};
use wire::link::{Event, Role};

fn frames() -> Vec<(&'static str, Frame)> {
    let acknowledgement = Acknowledgement {
        tag: 0x0123_4567,
        ack: 0x89ab,
        sack: 0b101,
        hold: false,
    };
    let host = |body| Frame {
        from: Role::Host,
        body,
    };
    let signer = |body| Frame {
        from: Role::Signer,
        body,
    };
    vec![
        (
            "reset-first",
            host(Body::Reset {
                ask: true,
                own: 0x1122_3344,
                heard: 0,
            }),
        ),
        (
            "reset-answer",
            signer(Body::Reset {
                ask: false,
                own: 0xaabb_ccdd,
                heard: 0x1122_3344,
            }),
        ),
        ("ack", host(Body::Ack(acknowledgement))),
        (
            "ack-hold",
            signer(Body::Ack(Acknowledgement {
                hold: true,
                ..acknowledgement
            })),
        ),
        (
            "data-one-octet",
            host(Body::Data {
                acknowledgement,
                seq: 0,
                payload: vec![0],
            }),
        ),
        (
            "data-largest",
            signer(Body::Data {
                acknowledgement,
                seq: 0xffff,
                payload: (0..2048_u32).map(|n| n as u8).collect(),
            }),
        ),
        (
            "data-no-zeros",
            host(Body::Data {
                acknowledgement,
                seq: 0x0101,
                payload: vec![0x55; 600],
            }),
        ),
    ]
}

#[test]
fn frame_encodings() {
    let mut text = String::new();
    for (name, frame) in frames() {
        let octets = frame.encode();
        writeln!(text, "{name} {}", hex(&octets)).unwrap();
        let mut decoded = Vec::new();
        Decoder::default().push(&octets, |found| decoded.push(found));
        assert_eq!(decoded, [Decoded::Frame(frame)], "{name}");
    }
    compare("frames.txt", &text);
}

/// Both sides, from the first RESET to a message each way, with fixed random numbers.
#[test]
fn a_whole_session() {
    let mut cable = Cable::new(115_200, 0, 42);
    let mut text = String::new();
    let mut to_send = true;
    for _ in 0..40 {
        for host in [true, false] {
            let (from, to, name) = if host {
                (&mut cable.host, &mut cable.signer, "host")
            } else {
                (&mut cable.signer, &mut cable.host, "signer")
            };
            while let Some(octets) = from.transmit(cable.now) {
                writeln!(text, "{name} {}", hex(&octets)).unwrap();
                to.receive(&octets, cable.now);
            }
        }
        if to_send && cable.signer.quality().sessions == 1 {
            to_send = false;
            cable.host.send(b"a message from the host").unwrap();
            cable.signer.send(&[b's'; 3000]).unwrap();
        }
        cable.now += 50;
    }
    assert_eq!(
        events(&mut cable.host),
        [Event::Up, Event::Message(vec![b's'; 3000])]
    );
    assert_eq!(
        events(&mut cable.signer),
        [
            Event::Up,
            Event::Message(b"a message from the host".to_vec())
        ]
    );
    compare("session.txt", &text);
}

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var("AVOUCH_WRITE_GOLDEN").is_ok_and(|write| write == "1") {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{name}");
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
