//! What a host says first: another version, another log, another promotion.

use wire::{Hello, Operation, Reply};

use crate::attack::Attack;
use crate::host::{new_id, now, request};
use crate::scene::{PROMOTION_EPOCH, Scene};

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        hello("another protocol version", "protocol version", |hello| {
            hello.protocol += 1
        }),
        hello("the protocol version zero", "protocol version", |hello| {
            hello.protocol = 0
        }),
        hello("another policy", "another policy", |hello| {
            hello.policy = [7; 32]
        }),
        hello("another signer", "wants signer 2", |hello| {
            hello.signer_id = 2
        }),
        hello(
            "an archive with records that the signer does not have",
            "restored from a backup",
            |hello| {
                hello.log.sequence = 1 << 40;
            },
        ),
        Attack::suspended(
            "an archive of another log",
            "not this signer's log",
            |scene| {
                scene.host.open();
                let mut log = scene.host.greeting.as_ref().unwrap().log;
                log.head[31] ^= 1;
                scene.host.greet(|hello| hello.log = log);
                scene.host.ping(0)
            },
        ),
        hello("a lower promotion epoch", "promotion epoch", |hello| {
            hello.epoch = PROMOTION_EPOCH - 1;
        }),
        Attack::locked(
            "a higher promotion epoch",
            "another signer was promoted",
            |scene| {
                said(scene, |hello| hello.epoch = PROMOTION_EPOCH + 1);
            },
        ),
        Attack::locked(
            "the highest promotion epoch",
            "another signer was promoted",
            |scene| {
                said(scene, |hello| hello.epoch = u32::MAX);
            },
        ),
        Attack::locked(
            "a request before the hello",
            "a request before the hello",
            |scene| {
                scene.host.open();
                scene
                    .host
                    .say(&request(new_id(), Operation::Ping { time: now() }));
            },
        ),
        Attack::locked("a second hello", "a second hello", |scene| {
            scene.host.greet(|_| ())
        }),
    ]
}

/// One that suspends.
fn hello(name: &'static str, why: &'static str, change: fn(&mut Hello)) -> Attack {
    Attack::suspended(name, why, move |scene| said(scene, change))
}

/// A new session with this hello; the answer to a true Ping.
fn said(scene: &mut Scene, change: fn(&mut Hello)) -> Reply {
    scene.host.open();
    scene.host.greet(change);
    scene.host.ping(0)
}
