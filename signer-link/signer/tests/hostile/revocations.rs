//! Revocations that take back, change or invent.

use pki::crl::build::CrlEntry;
use pki::{RevocationReason, Serial, Time};
use wire::{Operation, Outcome, Reply, Revoke};

use crate::attack::Attack;
use crate::common::{SIGNER_ID, revoke};
use crate::host::now;
use crate::scene::Scene;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        Attack::policy(
            "un-revocation by removeFromCRL",
            "revocations.reason",
            |scene| {
                let mut entry = scene.revoke_honestly();
                entry.reason = Some(RevocationReason::RemoveFromCrl);
                tell(scene, &[entry], None, |_| ())
            },
        ),
        Attack::policy("a new certificateHold", "revocations.reason", |scene| {
            let reason = Some(RevocationReason::CertificateHold);
            tell(scene, &[CrlEntry { reason, ..entry() }], None, |_| ())
        }),
        Attack::policy(
            "a reason that does not exist",
            "revocations.reason",
            |scene| {
                tell(scene, &[entry()], None, |revoke| {
                    revoke.revocations[0].reason = 7
                })
            },
        ),
        Attack::policy("a changed revocation date", "revocations", |scene| {
            let not_after = ends(scene);
            let mut entry = scene.revoke_honestly();
            entry.revocation_date = entry.revocation_date.plus_seconds(-86_400);
            tell(scene, &[entry], not_after, |_| ())
        }),
        Attack::policy("a changed reason", "revocations", |scene| {
            let mut entry = scene.revoke_honestly();
            entry.reason = Some(RevocationReason::Superseded);
            tell(scene, &[entry], None, |_| ())
        }),
        Attack::policy("a revocation from next week", "revocations.date", |scene| {
            let revocation_date = now().plus_seconds(7 * 86_400);
            tell(
                scene,
                &[CrlEntry {
                    revocation_date,
                    ..entry()
                }],
                None,
                |_| (),
            )
        }),
        Attack::policy(
            "an early end, so that the entry leaves the CRL",
            "revocations.not_after",
            |scene| {
                let serial = scene.issue_honestly();
                tell(
                    scene,
                    &[CrlEntry { serial, ..entry() }],
                    Some(now()),
                    |_| (),
                )
            },
        ),
        Attack::policy(
            "an end that nobody knows, of a certificate of its own",
            "revocations.not_after",
            |scene| {
                let serial = scene.issue_honestly();
                tell(scene, &[CrlEntry { serial, ..entry() }], None, |_| ())
            },
        ),
        Attack::policy("a ground that does not exist", "ground", |scene| {
            tell(scene, &[entry()], None, |revoke| {
                revoke.ground = "host".to_owned()
            })
        }),
        Attack::policy("the serial number zero", "revocations.serial", |scene| {
            tell(scene, &[entry()], None, |revoke| {
                revoke.revocations[0].serial.0.clear()
            })
        }),
        Attack::policy(
            "one bad revocation among good ones",
            "revocations.date",
            |scene| {
                let before = known(scene);
                let late = CrlEntry {
                    revocation_date: now().plus_seconds(86_400),
                    ..entry()
                };
                let reply = tell(scene, &[entry(), late, entry()], None, |_| ());
                assert_eq!(known(scene), before, "part of it was taken");
                reply
            },
        ),
    ]
}

/// Of a serial number that this signer never used, as of a CA that was taken over.
fn entry() -> CrlEntry {
    CrlEntry {
        serial: Serial::random_of_signer(SIGNER_ID).unwrap(),
        revocation_date: now().plus_seconds(-60),
        reason: None,
        invalidity_date: None,
    }
}

fn tell(
    scene: &mut Scene,
    entries: &[CrlEntry],
    not_after: Option<Time>,
    change: impl FnOnce(&mut Revoke),
) -> Reply {
    let Operation::Revoke(mut told) = revoke(entries, not_after) else {
        unreachable!()
    };
    change(&mut told);
    scene.host.ask(Operation::Revoke(told))
}

/// The end that the certificates of honest requests have.
fn ends(scene: &Scene) -> Option<Time> {
    Some(scene.leaf().not_after)
}

/// How many revocations the signer remembers.
fn known(scene: &mut Scene) -> u64 {
    let issuer = "member".to_owned();
    match scene.host.ask(Operation::GetRevoked { issuer }).outcome {
        Outcome::Revoked { count, .. } => count,
        other => panic!("{other:?}"),
    }
}
