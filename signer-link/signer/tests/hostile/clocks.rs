//! A host that lies about the time.

use pki::Time;
use wire::{Mode, Operation, RefusalCode, Reply};

use crate::attack::Attack;
use crate::host::{now, status_in};
use crate::scene::Scene;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::harmless(
            "the clock pushed three seconds ahead, a hundred times",
            |scene| {
                push(scene, 3);
                scene.sign_crl_honestly();
            },
        ),
        Attack::harmless(
            "the clock pulled three seconds back, a hundred times",
            |scene| push(scene, -3),
        ),
        Attack::harmless(
            "the clock pushed 55 seconds ahead, a hundred times",
            |scene| push(scene, 55),
        ),
        no_crl("a CRL with the host's clock seven seconds ahead", 7),
        no_crl("a CRL with the host's clock seven seconds behind", -7),
        Attack::suspended(
            "the host's clock 65 seconds ahead",
            "clocks differ",
            |scene| scene.host.ping(65),
        ),
        Attack::suspended(
            "the host's clock 65 seconds behind",
            "clocks differ",
            |scene| scene.host.ping(-65),
        ),
        Attack::suspended("the host's clock a year ahead", "clocks differ", |scene| {
            scene.host.ping(365 * 86_400)
        }),
        Attack::suspended("the end of time", "clocks differ", |scene| {
            at(scene, i64::MAX)
        }),
        Attack::suspended("the beginning of time", "clocks differ", |scene| {
            at(scene, i64::MIN)
        }),
        Attack::harmless("a hello from next year", |scene| {
            scene.host.open();
            scene
                .host
                .greet(|hello| hello.time = now().plus_seconds(365 * 86_400));
            let status = scene.host.status();
            assert_eq!(status.mode, Mode::Active, "{}", status.reason);
            is_right(status.time);
        }),
    ]
}

/// Below the limit, over and over: the signer's clock goes on as before, and signs by its own.
fn push(scene: &mut Scene, seconds: i64) {
    for _ in 0..100 {
        let status = status_in(&scene.host.ping(seconds));
        assert_eq!(status.mode, Mode::Active, "{}", status.reason);
        is_right(status.time);
    }
}

fn is_right(time: Time) {
    let off = time.unix() - now().unix();
    assert!(
        off.abs() <= 2,
        "the host has moved the signer's clock by {off} s"
    );
}

fn no_crl(name: &'static str, seconds: i64) -> Attack {
    Attack::refused(name, RefusalCode::NotAllowed, "this_update", move |scene| {
        let request = scene.next_crl();
        scene.host.ping(seconds);
        scene.host.ask(Operation::SignCrl(request))
    })
}

fn at(scene: &mut Scene, seconds: i64) -> Reply {
    let time = Time::from_unix(seconds);
    scene.host.ask(Operation::Ping { time })
}
