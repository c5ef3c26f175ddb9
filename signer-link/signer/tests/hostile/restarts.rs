//! Whoever can restart the signer has not opened it (G5).

use wire::{Mode, Outcome};

use crate::scene::Scene;

/// F5: a wrapper that starts the signer again and again gets a sealed one.
#[test]
fn a_restart_opens_no_key() {
    let mut scene = Scene::start("");
    scene.forget_the_passphrase();
    for _ in 0..3 {
        scene.kill_and_start();
        let status = scene.host.connect();
        assert_eq!(status.mode, Mode::Sealed, "{}", status.reason);
        let (_, reply) = scene.try_honestly();
        assert!(matches!(reply.outcome, Outcome::Busy { .. }), "{reply:?}");
    }
    scene.check_signatures();
}

/// What was locked stays locked after a restart.
#[test]
fn a_restart_ends_no_lock() {
    let mut scene = Scene::start("");
    let reason = "an attack".to_owned();
    scene.host.ask(wire::Operation::Lock { reason });
    scene.forget_the_passphrase();
    scene.kill_and_start();
    let status = scene.host.connect();
    assert_eq!(status.mode, Mode::Locked);
    assert!(status.reason.contains("an attack"), "{}", status.reason);
    scene.check_signatures();
}
