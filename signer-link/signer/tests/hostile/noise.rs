//! What any bad cable does, and somebody with a pair of pliers.

use wire::link::Role;
use wire::link::frame::{Body, Frame, MAX_PAYLOAD};

use crate::attack::Attack;
use crate::cable::of_host;
use crate::scene::Scene;
use crate::session::{data, random};

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::noise("20,000 random octets", |scene| {
            for _ in 0..20 {
                scene.host.cable.write(&random::<1_000>());
            }
            end(scene);
        }),
        Attack::noise("100,000 zeros", |scene| {
            scene.host.cable.write(&[0; 100_000])
        }),
        Attack::noise("a frame without an end", |scene| {
            scene.host.cable.write(&[7; 100_000]);
            end(scene);
        }),
        Attack::noise("every octet of a frame flipped in turn", |scene| {
            let frame = frame(scene);
            for at in 1..frame.len() - 1 {
                let mut broken = frame.clone();
                broken[at] ^= 1;
                scene.host.cable.write(&broken);
            }
        }),
        Attack::noise("half a frame", |scene| {
            let frame = frame(scene);
            scene.host.cable.write(&frame[..frame.len() / 2]);
            end(scene);
        }),
        Attack::noise("frames of the signer's own direction", |scene| {
            let (_, session) = scene.host.parts();
            let body = session.frame(session.next, vec![7; 100]);
            let echo = Frame {
                from: Role::Signer,
                body,
            };
            scene.host.cable.write(&echo.encode());
        }),
        Attack::noise("frames of epochs that nobody agreed on", |scene| {
            for _ in 0..1_000 {
                let tag = u32::from_be_bytes(random());
                scene.host.cable.say(data(tag, 0, vec![7; 20]));
            }
        }),
        Attack::noise("the largest frames of an unknown epoch", |scene| {
            let tag = u32::from_be_bytes(random());
            for seq in 0..20 {
                scene.host.cable.say(data(tag, seq, vec![0; MAX_PAYLOAD]));
            }
        }),
        Attack::noise("a thousand resets that are never followed up", |scene| {
            for _ in 0..1_000 {
                scene.host.cable.say(Body::Reset {
                    ask: true,
                    own: u32::from_be_bytes(random()).max(1),
                    heard: 0,
                });
            }
        }),
        Attack::noise("resets that claim to have heard a half", |scene| {
            for _ in 0..1_000 {
                scene.host.cable.say(Body::Reset {
                    ask: false,
                    own: u32::from_be_bytes(random()).max(1),
                    heard: u32::from_be_bytes(random()),
                });
            }
        }),
        Attack::noise("a reset with the half zero", |scene| {
            scene.host.cable.say(Body::Reset {
                ask: true,
                own: 0,
                heard: 0,
            });
        }),
        Attack::noise("a request to hold, for ever", |scene| {
            let (cable, session) = scene.host.parts();
            let mut acknowledgement = session.acknowledgement();
            acknowledgement.hold = true;
            cable.say(Body::Ack(acknowledgement));
        }),
    ]
}

/// A good frame of no consequence, as it goes over the line.
fn frame(scene: &mut Scene) -> Vec<u8> {
    let (_, session) = scene.host.parts();
    of_host(session.frame(session.next, vec![7; 60])).encode()
}

/// What was written is no part of the next frame.
fn end(scene: &Scene) {
    scene.host.cable.write(&[0]);
}
