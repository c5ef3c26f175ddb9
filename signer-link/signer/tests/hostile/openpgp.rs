//! User ids that a hostile host would have certified (I13).

use openpgp::{PublicKey, TransferableKey};
use wire::{Level, Operation, Outcome, RefusalCode, Reply, SignPgpUid};

use crate::attack::Attack;
use crate::common::openpgp::{ADDRESS, Member, NAME};
use crate::host::{new_id, now};
use crate::scene::Scene;

const DAY: i64 = 86_400;

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        changed("a name that nobody verified", "user_id", |it, member| {
            it.user_id = "Zofie Nová".to_owned();
            it.self_signature = member.signs(&it.user_id);
        }),
        changed(
            "an address that nobody verified",
            "user_id",
            |it, member| {
                it.user_id = format!("{NAME} <zofie@example.org>");
                it.self_signature = member.signs(&it.user_id);
            },
        ),
        changed("a name at the level of members", "level", |it, _| {
            it.level = Level::Member;
            it.expires = it.created.plus_seconds(100 * DAY);
        }),
        changed("another's key", "self_signature", |it, _| {
            it.key = Member::new(now()).public.body().to_vec();
        }),
        changed(
            "a self-signature over another user id",
            "self_signature",
            |it, member| {
                it.self_signature = member.signs(ADDRESS);
            },
        ),
        changed(
            "a revocation as self-signature",
            "self_signature",
            |it, _| {
                it.self_signature[1] = 0x30;
            },
        ),
        changed("a key of version 6", "key", |it, _| it.key[0] = 6),
        changed("three years", "expires", |it, _| {
            it.expires = it.created.plus_seconds(1_096 * DAY);
        }),
        changed("from three days ago", "created", |it, _| {
            it.created = it.created.plus_seconds(-3 * DAY);
        }),
        changed("of tomorrow", "created", |it, _| {
            it.created = it.created.plus_seconds(DAY);
        }),
        Attack::policy("the signer's own OpenPGP key", "key", |scene| {
            let own = own_key(scene).body().to_vec();
            ask(scene, |it, _| it.key = own)
        }),
        unknown("a CA's key in the place of an OpenPGP key", |scene| {
            ask(scene, |it, _| it.issuer = "member".to_owned())
        }),
        unknown("an OpenPGP key in the place of a CA's key", |scene| {
            let mut request = scene.leaf().request();
            request.issuer = "openpgp".to_owned();
            scene.host.ask(Operation::IssueCertificate(request))
        }),
        Attack::harmless("the same user id under the same id twice", |scene| {
            let (id, request) = (new_id(), Member::new(now()).asks(NAME));
            let mut again = || {
                let operation = Operation::SignPgpUid(request.clone());
                scene.host.ask_as(id, operation).outcome
            };
            let first = again();
            assert!(matches!(first, Outcome::Signed { .. }), "{first:?}");
            assert_eq!(again(), first);
            scene.count_honest();
        }),
        Attack::locked(
            "two user ids under one request id",
            "came again with other content",
            |scene| {
                let (id, member) = (new_id(), Member::new(now()));
                let first = Operation::SignPgpUid(member.asks(NAME));
                let reply = scene.host.ask_as(id, first);
                assert!(matches!(reply.outcome, Outcome::Signed { .. }), "{reply:?}");
                scene.count_honest();
                let other = Operation::SignPgpUid(member.asks(ADDRESS));
                scene.host.ask_as(id, other);
            },
        ),
        Attack::refused(
            "more of them than certificates a day",
            RefusalCode::NotAllowed,
            "profile",
            |scene| {
                for _ in 0..3 {
                    let reply = ask(scene, |_, _| ());
                    assert!(matches!(reply.outcome, Outcome::Signed { .. }), "{reply:?}");
                    scene.count_honest();
                }
                ask(scene, |_, _| ())
            },
        )
        .with_limits("certificates_a_day = 3"),
    ]
}

/// A request that is good but for this change.
fn changed(
    name: &'static str,
    field: &'static str,
    change: impl Fn(&mut SignPgpUid, &Member) + 'static,
) -> Attack {
    Attack::policy(name, field, move |scene| ask(scene, &change))
}

fn unknown(name: &'static str, asks: impl Fn(&mut Scene) -> Reply + 'static) -> Attack {
    Attack::refused(name, RefusalCode::UnknownIssuer, "issuer", asks)
}

fn ask(scene: &mut Scene, change: impl FnOnce(&mut SignPgpUid, &Member)) -> Reply {
    let member = Member::new(now());
    let mut request = member.asks(NAME);
    change(&mut request, &member);
    scene.host.ask(Operation::SignPgpUid(request))
}

/// As the signer itself tells it.
fn own_key(scene: &mut Scene) -> PublicKey {
    let Outcome::Info { openpgp, .. } = scene.host.ask(Operation::Info).outcome else {
        panic!("the signer does not say what it has");
    };
    let key = TransferableKey::from_octets(&openpgp[0].key).unwrap();
    key.key().clone()
}
