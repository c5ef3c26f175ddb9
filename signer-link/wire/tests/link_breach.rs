//! What an attacker on the cable can do, and what a host with the right keys can: each is dropped, or is a breach.

mod cable;

use cable::hostile::{Hostile, initiator, record};
use cable::{Cable, Seeded, end, events, keys};
use wire::limits::MESSAGE_ON_LINK;
use wire::link::frame::{Body, Decoded, Decoder, Frame};
use wire::link::{Breach, DownReason, Endpoint, Event, LinkSettings, Role};

/// A session that stands, with its next frames from the host caught on the way.
struct Caught {
    cable: Cable,
    frames: Vec<Frame>,
}

fn catch(messages: &[&[u8]]) -> Caught {
    let mut cable = Cable::new(115_200, 0, 1);
    cable.up();
    cable.run(500);
    events(&mut cable.signer);
    let mut frames = Vec::new();
    for message in messages {
        cable.host.send(message).unwrap();
        cable.now += 100;
        frames.extend(decode(
            &std::iter::from_fn(|| cable.host.transmit(cable.now))
                .flatten()
                .collect::<Vec<u8>>(),
        ));
    }
    frames.retain(|frame| matches!(frame.body, Body::Data { .. }));
    assert_eq!(frames.len(), messages.len());
    Caught { cable, frames }
}

fn decode(octets: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    Decoder::default().push(octets, |decoded| match decoded {
        Decoded::Frame(frame) => frames.push(frame),
        Decoded::Noise => panic!("noise"),
    });
    frames
}

/// The frame with another payload.
fn with_payload(frame: &Frame, change: impl FnOnce(&mut Vec<u8>)) -> Frame {
    let mut frame = frame.clone();
    let Body::Data { payload, .. } = &mut frame.body else {
        panic!("not DATA")
    };
    change(payload);
    frame
}

/// The frame in another place.
fn at(frame: &Frame, place: u16) -> Frame {
    let mut frame = frame.clone();
    let Body::Data { seq, .. } = &mut frame.body else {
        panic!("not DATA")
    };
    *seq = place;
    frame
}

fn seq(frame: &Frame) -> u16 {
    let Body::Data { seq, .. } = &frame.body else {
        panic!("not DATA")
    };
    *seq
}

fn give(caught: &mut Caught, frame: &Frame) -> Vec<Event> {
    caught
        .cable
        .signer
        .receive(&frame.encode(), caught.cable.now);
    events(&mut caught.cable.signer)
}

const BREACH: [Event; 2] = [
    Event::Breach(Breach::Record),
    Event::Down(DownReason::Breach),
];

#[test]
fn a_flipped_octet_with_a_right_crc() {
    for place in [0, 7, 20] {
        let mut caught = catch(&[b"one"]);
        let forged = with_payload(&caught.frames[0], |payload| payload[place] ^= 1);
        assert_eq!(give(&mut caught, &forged), BREACH);
        // The host notices that nobody answers, and both begin anew after a while.
        let end = caught.cable.now + 20_000;
        assert!(
            caught
                .cable
                .run_until(end, |cable| cable.signer.quality().sessions == 2)
        );
    }
}

#[test]
fn a_flipped_octet_with_a_wrong_crc_is_noise() {
    let mut caught = catch(&[b"one"]);
    let mut octets = caught.frames[0].encode();
    octets[20] ^= 1;
    caught.cable.signer.receive(&octets, caught.cable.now);
    assert_eq!(events(&mut caught.cable.signer), []);
    assert_eq!(caught.cable.signer.quality().noise, 1);
    // It is sent again.
    caught.cable.run(2000);
    assert_eq!(
        events(&mut caught.cable.signer),
        [Event::Message(b"one".to_vec())]
    );
}

#[test]
fn a_replayed_frame() {
    let mut caught = catch(&[b"one"]);
    let frame = caught.frames[0].clone();
    assert_eq!(give(&mut caught, &frame), [Event::Message(b"one".to_vec())]);
    // As it was, it is what every repetition is.
    assert_eq!(give(&mut caught, &frame), []);
    assert_eq!(caught.cable.signer.quality().duplicates, 1);
    // In the next place, it is an attempt.
    assert_eq!(give(&mut caught, &at(&frame, seq(&frame) + 1)), BREACH);
}

#[test]
fn spliced_frames() {
    let mut caught = catch(&[b"one", b"two"]);
    let (one, two) = (seq(&caught.frames[0]), seq(&caught.frames[1]));
    let swapped = [at(&caught.frames[1], one), at(&caught.frames[0], two)];
    assert_eq!(give(&mut caught, &swapped[0]), BREACH);

    // The head of one and the tail of the other.
    let mut caught = catch(&[b"one", b"two"]);
    let Body::Data { payload: tail, .. } = &caught.frames[1].body else {
        panic!()
    };
    let tail = tail[8..].to_vec();
    let spliced = with_payload(&caught.frames[0], |payload| {
        payload.truncate(8);
        payload.extend(tail);
    });
    assert_eq!(give(&mut caught, &spliced), BREACH);
}

#[test]
fn a_frame_cut_short() {
    let mut caught = catch(&[b"one"]);
    let short = with_payload(&caught.frames[0], |payload| payload.truncate(15));
    assert_eq!(give(&mut caught, &short), BREACH);
}

/// What one end said, said to it as if the other had.
#[test]
fn a_reflected_frame() {
    let mut caught = catch(&[b"one"]);
    let mut reflected = caught.frames[0].clone();
    reflected.from = Role::Signer;
    caught
        .cable
        .host
        .receive(&reflected.encode(), caught.cable.now);
    let events = events(&mut caught.cable.host);
    // Either it is not the next in the signer's order, or it is not the signer's.
    assert!(
        events.is_empty() || events[0] == Event::Breach(Breach::Record),
        "{events:?}"
    );
    let mut next = reflected;
    for place in 0..16 {
        next = at(&next, place);
        caught.cable.host.receive(&next.encode(), caught.cable.now);
    }
    let events = cable::events(&mut caught.cable.host);
    assert_eq!(events, BREACH);
}

/// Frames of an earlier epoch are what buffers hold after a reset; under the tag of this epoch they are an attempt.
#[test]
fn a_frame_of_an_old_epoch() {
    let mut caught = catch(&[b"one"]);
    let old = caught.frames[0].clone();
    caught.cable.host.reset(caught.cable.now);
    caught.cable.up();
    caught.cable.run(500);
    events(&mut caught.cable.signer);
    let before = caught.cable.signer.quality().old_epoch;
    assert_eq!(give(&mut caught, &old), []);
    assert_eq!(caught.cable.signer.quality().old_epoch, before + 1);

    caught.cable.host.send(b"two").unwrap();
    let current = decode(&caught.cable.host.transmit(caught.cable.now).unwrap()).remove(0);
    let Body::Data {
        acknowledgement: now,
        seq: place,
        ..
    } = current.body
    else {
        panic!()
    };
    let mut forged = at(&old, place);
    let Body::Data {
        acknowledgement, ..
    } = &mut forged.body
    else {
        panic!()
    };
    acknowledgement.tag = now.tag;
    assert_eq!(give(&mut caught, &forged), BREACH);
}

/// Old RESET frames do not end a session.
#[test]
fn an_old_reset() {
    let mut cable = Cable::new(115_200, 0, 3);
    let first = cable.host.transmit(cable.now).unwrap();
    cable.up();
    cable.run(500);
    for octets in [
        first,
        Frame {
            from: Role::Host,
            body: Body::Reset {
                ask: true,
                own: 77,
                heard: 0,
            },
        }
        .encode(),
    ] {
        cable.signer.receive(&octets, cable.now);
        cable.run(500);
    }
    assert_eq!(events(&mut cable.signer), []);
    assert_eq!(cable.signer.quality().sessions, 1);
    assert_eq!(cable.host.quality().sessions, 1);
}

/// A half serves for one epoch: whoever repeats it with another half of his own does not end the session.
#[test]
fn a_half_is_not_used_twice() {
    let (host, _) = keys();
    let mut signer = end(Role::Signer, 115_200, 1, 1);
    let (hostile, theirs, _) = Hostile::up(5, &host, &mut signer);
    assert_eq!(events(&mut signer), [Event::Up]);
    for ask in [true, false] {
        hostile.say(
            &mut signer,
            Body::Reset {
                ask,
                own: 99,
                heard: theirs,
            },
        );
    }
    assert_eq!(events(&mut signer), []);
}

/// What is beyond the window is not kept.
#[test]
fn a_frame_far_ahead() {
    let (host, _) = keys();
    let mut signer = end(Role::Signer, 115_200, 1, 1);
    let (mut hostile, _, mut session) = Hostile::up(5, &host, &mut signer);
    hostile.next_seq += 16;
    let record = record(&mut session, &[0, 0, 0, 1, 7]);
    hostile.data(&mut signer, record.clone());
    assert_eq!(signer.quality().duplicates, 1);
    hostile.next_seq -= 17;
    hostile.data(&mut signer, record);
    assert_eq!(events(&mut signer), [Event::Up, Event::Message(vec![7])]);
}

/// Whoever does not have the keys gets no session, and does not get many attempts.
#[test]
fn wrong_keys() {
    let (mut host, _) = keys();
    host.psk[0] ^= 1;
    let mut cable = Cable::new(115_200, 0, 4);
    cable.host = Endpoint::new(
        Role::Host,
        host,
        LinkSettings::new(115_200),
        Box::new(Seeded(9)),
        cable.now,
    );
    let mut attempts = 0;
    let end = cable.now + 600_000;
    cable.run_until(end, |cable| {
        for event in events(&mut cable.signer) {
            assert_eq!(event, Event::Breach(Breach::Handshake));
            attempts += 1;
        }
        false
    });
    assert!(
        (5..40).contains(&attempts),
        "{attempts} attempts in ten minutes"
    );
    assert_eq!(cable.signer.quality().sessions, 0);
    assert_eq!(cable.host.quality().sessions, 0);
    assert_eq!(events(&mut cable.host), []);
}

/// The recording of a handshake, under the tag of a new epoch.
#[test]
fn a_replayed_handshake() {
    let (host, _) = keys();
    let mut signer = end(Role::Signer, 115_200, 1, 1);
    let (_, theirs) = Hostile::open(0x1111_1111, &mut signer);
    let mut noise = initiator(&host, 0x1111_1111, theirs);
    let mut recorded = [0; 2048];
    let length = noise.write_message(&[], &mut recorded).unwrap();

    let mut signer = end(Role::Signer, 115_200, 2, 1);
    let (mut hostile, _) = Hostile::open(0x1111_1111, &mut signer);
    hostile.data(&mut signer, recorded[..length].to_vec());
    assert_eq!(events(&mut signer), [Event::Breach(Breach::Handshake)]);
}

/// A host that began the handshake and cannot go on: it played a recording, or lost its session.
#[test]
fn a_handshake_without_its_end() {
    let (host, _) = keys();
    for garbage in [vec![1; 16], vec![1; 40], vec![1]] {
        let mut signer = end(Role::Signer, 115_200, 1, 1);
        let (mut hostile, theirs) = Hostile::open(5, &mut signer);
        let mut noise = initiator(&host, 5, theirs);
        let mut first = [0; 2048];
        let length = noise.write_message(&[], &mut first).unwrap();
        hostile.data(&mut signer, first[..length].to_vec());
        assert_eq!(events(&mut signer), []);
        hostile.data(&mut signer, garbage);
        assert_eq!(events(&mut signer), [Event::Breach(Breach::Handshake)]);
    }
}

/// The proof that the handshake was no recording is an empty record and nothing else.
#[test]
fn a_handshake_that_ends_with_a_message() {
    let (host, _) = keys();
    let mut signer = end(Role::Signer, 115_200, 1, 1);
    let (mut hostile, _, mut session) = Hostile::shaken(5, &host, &mut signer);
    let record = record(&mut session, &[0, 0, 0, 1, 7]);
    hostile.data(&mut signer, record);
    assert_eq!(events(&mut signer), [Event::Breach(Breach::Handshake)]);
}

/// The reader of the documentation gets on with the signer.
#[test]
fn the_other_implementation() {
    let (host, _) = keys();
    let mut signer = end(Role::Signer, 115_200, 1, 1);
    let (mut hostile, _, mut session) = Hostile::up(5, &host, &mut signer);
    assert_eq!(events(&mut signer), [Event::Up]);
    let whole = record(&mut session, b"\0\0\0\x03one\0\0\0\x03tw");
    hostile.data(&mut signer, whole);
    let rest = record(&mut session, b"o");
    hostile.data(&mut signer, rest);
    assert_eq!(
        events(&mut signer),
        [
            Event::Message(b"one".to_vec()),
            Event::Message(b"two".to_vec())
        ]
    );
}

#[test]
fn messages_against_the_rules() {
    let (host, _) = keys();
    let too_long = (MESSAGE_ON_LINK as u32 + 1).to_be_bytes();
    for piece in [&[][..], &[0; 4], &too_long, &[0xff; 4]] {
        let mut signer = end(Role::Signer, 115_200, 1, 1);
        let (mut hostile, _, mut session) = Hostile::up(5, &host, &mut signer);
        assert_eq!(events(&mut signer), [Event::Up]);
        let record = record(&mut session, piece);
        hostile.data(&mut signer, record);
        assert_eq!(
            events(&mut signer),
            [
                Event::Breach(Breach::Stream),
                Event::Down(DownReason::Breach)
            ],
            "{piece:?}"
        );
    }
}

/// A peer that goes on sending although nobody reads: it is not acknowledged, and memory stays as it is.
#[test]
fn a_peer_that_does_not_hold() {
    let (host, _) = keys();
    let mut signer = end(Role::Signer, 3_000_000, 1, 1);
    let (mut hostile, _, mut session) = Hostile::up(5, &host, &mut signer);
    let mut piece = 1996_u32.to_be_bytes().to_vec();
    piece.resize(2000, 7);
    for _ in 0..6000 {
        let record = record(&mut session, &piece);
        hostile.data(&mut signer, record);
    }
    let taken: usize = events(&mut signer)
        .iter()
        .map(|event| {
            if let Event::Message(message) = event {
                message.len()
            } else {
                0
            }
        })
        .sum();
    assert!(
        taken <= 2 * (512 * 1024 + MESSAGE_ON_LINK),
        "{taken} octets of messages were kept"
    );
    assert!(taken >= 2 * MESSAGE_ON_LINK, "{taken}");
}
