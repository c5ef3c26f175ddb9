//! Records of a session that was opened with the right keys: forged, repeated, exchanged, spliced.

use wire::link::frame::{Body, Frame};
use wire::{Mode, Operation, limits};

use crate::attack::Attack;
use crate::cable::of_host;
use crate::host::{new_id, request};
use crate::scene::Scene;
use crate::session::Session;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        record("a record with a wrong authentication tag", |scene| {
            let mut forged = next(scene);
            *forged.last_mut().unwrap() ^= 1;
            give(scene, forged);
        }),
        record("a record with another octet", |scene| {
            let mut forged = next(scene);
            forged[0] ^= 1;
            give(scene, forged);
        }),
        record("a record cut short", |scene| {
            let mut short = next(scene);
            short.truncate(15);
            give(scene, short);
        }),
        record("a record of 2,048 octets that nobody enciphered", |scene| {
            give(scene, vec![7; 2_048])
        }),
        record("a replayed record", |scene| {
            let record = next(scene);
            give(scene, record.clone());
            give(scene, record);
        }),
        record("records in another order", |scene| {
            let (first, second) = (next(scene), next(scene));
            give(scene, second);
            give(scene, first);
        }),
        record("a record left out", |scene| {
            drop(next(scene));
            let second = next(scene);
            give(scene, second);
        }),
        record("the head of one record with the tail of another", |scene| {
            let (first, second) = (next(scene), next(scene));
            give(scene, [&first[..8], &second[8..]].concat());
        }),
        record("the signer's own record, reflected", |scene| {
            let (_, session) = scene.host.parts();
            let reflected = session.last_record.clone();
            assert!(!reflected.is_empty());
            give(scene, reflected);
        }),
        record("a record of an earlier session", |scene| {
            let recorded = next(scene);
            scene.host.connect();
            give(scene, recorded);
        }),
        record("frames of two sessions spliced", |scene| {
            let mut other = scene.host.leave().unwrap();
            scene.host.connect();
            let first = next(scene);
            give(scene, first);
            give(scene, ping(&mut other));
        }),
        Attack::locked("an empty record", "Stream", |scene| {
            let (_, session) = scene.host.parts();
            let empty = session.record(&[]);
            give(scene, empty);
        }),
        Attack::locked("a message of no octets", "Stream", |scene| {
            stream(scene, &[0; 4])
        }),
        Attack::locked("a message that is longer than any", "Stream", |scene| {
            let length = u32::try_from(limits::MESSAGE_ON_LINK + 1).unwrap();
            stream(scene, &length.to_be_bytes());
        }),
        Attack::locked(
            "a message of four thousand million octets",
            "Stream",
            |scene| {
                stream(scene, &[0xff; 4]);
            },
        ),
        Attack::harmless("half a message, and then another session", |scene| {
            let whole = request(new_id(), Operation::Info).encode().unwrap();
            let length = u32::try_from(whole.len()).unwrap();
            stream(scene, &[&length.to_be_bytes()[..], &whole[..3]].concat());
            scene.host.connect();
        }),
        Attack::harmless("a message in records of one octet", |scene| {
            let whole = request(new_id(), Operation::Info).encode().unwrap();
            let length = u32::try_from(whole.len()).unwrap();
            for octet in [&length.to_be_bytes()[..], &whole].concat() {
                stream(scene, &[octet]);
            }
            scene.host.reply();
        }),
        Attack::harmless(
            "sessions that begin before the last one's answers came",
            |scene| {
                for _ in 0..20 {
                    for _ in 0..30 {
                        scene.host.say(&request(new_id(), Operation::Info));
                    }
                    // The first message of the next one is its hello, and no answer of this one.
                    scene.host.connect();
                }
            },
        ),
        Attack::noise("a frame repeated as it was", |scene| {
            let record = next(scene);
            let (cable, session) = scene.host.parts();
            let frame = of_host(session.frame(session.next, record.clone())).encode();
            session.send_payload(cable, record);
            for _ in 0..50 {
                cable.write(&frame);
            }
            scene.host.reply();
        }),
        Attack::noise("a frame beyond the window", |scene| {
            let (cable, session) = scene.host.parts();
            for ahead in [16, 17, 1_000, 0x7fff, 0xfff0] {
                let seq = session.next.wrapping_add(ahead);
                cable.say(session.frame(seq, vec![7; 100]));
            }
        }),
        Attack::harmless("the frames of an earlier session", |scene| {
            let record = next(scene);
            let (_, session) = scene.host.parts();
            let old: Vec<Frame> = (0..20)
                .map(|seq| of_host(session.frame(seq, record.clone())))
                .collect();
            scene.host.connect();
            let before = scene.journal().len();
            for frame in old {
                scene.host.cable.write(&frame.encode());
            }
            assert_eq!(scene.host.status().mode, Mode::Active);
            assert_eq!(scene.journal().len(), before);
        }),
        Attack::noise("acknowledgements of what was never sent", |scene| {
            let (cable, session) = scene.host.parts();
            for ack in [1_000, 0x8000, 0xffff] {
                let mut acknowledgement = session.acknowledgement();
                acknowledgement.ack = ack;
                acknowledgement.sack = 0xffff;
                cable.say(Body::Ack(acknowledgement));
            }
        }),
    ]
}

fn record(name: &'static str, does: impl Fn(&mut Scene) + 'static) -> Attack {
    Attack::locked(name, "Record", does)
}

/// The next record of the session that stands, with a whole message; it is not sent.
fn next(scene: &mut Scene) -> Vec<u8> {
    let (_, session) = scene.host.parts();
    ping(session)
}

fn ping(session: &mut Session) -> Vec<u8> {
    let time = crate::host::now();
    let message = request(new_id(), Operation::Ping { time })
        .encode()
        .unwrap();
    let length = u32::try_from(message.len()).unwrap();
    session.record(&[&length.to_be_bytes()[..], &message].concat())
}

/// The next frame, with this payload.
fn give(scene: &mut Scene, payload: Vec<u8>) {
    let (cable, session) = scene.host.parts();
    session.send_payload(cable, payload);
}

/// The next record, with this piece of the stream.
fn stream(scene: &mut Scene, piece: &[u8]) {
    let (cable, session) = scene.host.parts();
    session.send_stream(cable, piece);
}
