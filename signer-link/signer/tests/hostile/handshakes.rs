//! Handshakes of somebody at the cable who has a part of the host's keys, or a recording.

use wire::link::{LINK_VERSION, SessionKeys};

use crate::attack::Attack;
use crate::scene::Scene;
use crate::session::{Epoch, Session, data, first_message, random};

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::stranger("another private key", |scene| {
            shake(scene, LINK_VERSION, |keys| keys.private = random());
        }),
        Attack::stranger("another pre-shared key", |scene| {
            shake(scene, LINK_VERSION, |keys| keys.psk = random());
        }),
        Attack::stranger("a pre-shared key of zeros", |scene| {
            shake(scene, LINK_VERSION, |keys| keys.psk = [0; 32]);
        }),
        Attack::stranger("a handshake for another signer", |scene| {
            // X25519's base point, which is a valid public key.
            shake(scene, LINK_VERSION, |keys| {
                keys.peer = [0; 32];
                keys.peer[0] = 9;
            });
        }),
        Attack::stranger("a handshake of another link version", |scene| {
            shake(scene, LINK_VERSION + 1, |_| ());
        }),
        Attack::stranger("a handshake message with another octet", |scene| {
            let mut message = good(scene).1;
            message[40] ^= 1;
            answer(scene, message);
        }),
        Attack::stranger("random octets for a handshake", |scene| {
            answer(scene, random::<48>().to_vec())
        }),
        Attack::stranger("one octet for a handshake", |scene| answer(scene, vec![0])),
        Attack::stranger("a recorded handshake", |scene| {
            let (epoch, recorded) = good(scene);
            let cable = &mut scene.host.cable;
            cable.say(data(epoch.tag(), 0, recorded.clone()));
            let again = Epoch::open(cable, epoch.host ^ 1);
            assert_ne!(again.signer, epoch.signer);
            cable.say(data(again.tag(), 0, recorded));
        }),
        Attack::stranger(
            "a handshake without the proof that it is no recording",
            |scene| {
                let session = shaken(scene);
                scene.host.cable.say(data(session.tag, 1, vec![7; 16]));
            },
        ),
        Attack::stranger("a message in place of that proof", |scene| {
            let mut session = shaken(scene);
            let record = session.record(b"\0\0\0\x01x");
            scene.host.cable.say(data(session.tag, 1, record));
        }),
    ]
}

/// The first message of a handshake with these keys.
fn shake(scene: &mut Scene, version: u8, change: impl FnOnce(&mut SessionKeys)) {
    let mut keys = scene.host.keys.clone();
    change(&mut keys);
    scene.host.leave();
    let epoch = Epoch::new(&mut scene.host.cable);
    let message = first_message(&mut epoch.initiator(&keys, version));
    scene.host.cable.say(data(epoch.tag(), 0, message));
}

/// A new epoch, and the right first message for it.
fn good(scene: &mut Scene) -> (Epoch, Vec<u8>) {
    scene.host.leave();
    let epoch = Epoch::new(&mut scene.host.cable);
    let mut noise = epoch.initiator(&scene.host.keys, LINK_VERSION);
    (epoch, first_message(&mut noise))
}

/// A new epoch with this for a handshake.
fn answer(scene: &mut Scene, message: Vec<u8>) {
    scene.host.leave();
    let epoch = Epoch::new(&mut scene.host.cable);
    scene.host.cable.say(data(epoch.tag(), 0, message));
}

fn shaken(scene: &mut Scene) -> Session {
    scene.host.leave();
    Session::shaken(&mut scene.host.cable, &scene.host.keys)
}
