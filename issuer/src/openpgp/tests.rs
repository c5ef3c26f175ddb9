use keystore::SigningKey;
use openpgp::{PublicKey, own_user_id};
use pki::{KeyKind, Time};

use super::*;

const CREATED: Time = Time::from_unix(1_790_000_000);

fn now() -> Time {
    CREATED.plus_seconds(86_400)
}

/// A key with these user ids, each signed by it.
fn key_with(user_ids: &[&str]) -> String {
    key_in_force(user_ids, CREATED, 1_000_000_000)
}

/// The same, signed then, of a key that lasts so many seconds.
fn key_in_force(user_ids: &[&str], signed: Time, lasts: i64) -> String {
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let public = PublicKey::new(key.public_key(), CREATED).unwrap();
    let identities = user_ids.iter().map(|user_id| {
        let end = CREATED.plus_seconds(lasts);
        let unsigned = own_user_id(&public, user_id, signed, end).unwrap();
        let signature = key.sign(unsigned.algorithm(), unsigned.octets()).unwrap();
        (
            (*user_id).to_owned(),
            vec![unsigned.body(&signature).unwrap()],
        )
    });
    let identities = identities.collect();
    armour::encode(&TransferableKey::new(public, identities).to_octets())
}

fn anna() -> Verified {
    Verified {
        level: Level::Assured,
        name: Some("Anna Žluťoučká".to_owned()),
        addresses: vec!["anna@example.org".to_owned(), "a.z@example.com".to_owned()],
    }
}

#[test]
fn the_table_of_i13() {
    let mail_only = Verified {
        level: Level::Member,
        name: None,
        addresses: anna().addresses,
    };
    // The user id; whether it is certified for Anna; whether for somebody whose addresses alone are known.
    let table = [
        ("Anna Žluťoučká <anna@example.org>", true, false),
        ("Anna Žluťoučká <a.z@example.com>", true, false),
        ("Anna Žluťoučká", true, false),
        ("anna@example.org", true, true),
        ("<anna@example.org>", true, true),
        ("Anna Žluťoučká <else@example.org>", false, false),
        ("Anna Zlutoucka <anna@example.org>", false, false),
        ("anna žluťoučká", false, false),
        ("Anna Žluťoučká (work) <anna@example.org>", false, false),
        ("Anna Žluťoučká  <anna@example.org>", false, false),
        ("Anna Žluťoučká <anna@example.org> ", false, false),
        ("Anna\u{202e} Žluťoučká", false, false),
        ("Zofie <z@example.net>", false, false),
        ("z@example.net", false, false),
    ];
    let user_ids: Vec<&str> = table.iter().map(|(user_id, _, _)| *user_id).collect();
    let key = key_with(&user_ids);
    for (verified, of) in [(anna(), 1), (mail_only, 2)] {
        let chosen = choose(key.as_bytes(), &verified, None, now()).unwrap();
        let expected: Vec<usize> = table
            .iter()
            .enumerate()
            .filter(|(_, row)| if of == 1 { row.1 } else { row.2 })
            .map(|(place, _)| place)
            .collect();
        assert_eq!(chosen.places, expected);
        assert_eq!(chosen.left_out.len(), table.len() - expected.len());
        for out in &chosen.left_out {
            assert_eq!(out.why.rule, "I13", "{out:?}");
            assert!(!out.why.remedy.is_empty());
        }
    }
}

#[test]
fn what_is_said_to_be_verified_is_judged() {
    let idn = IdnPolicy::default();
    check_verified(&anna(), &idn).unwrap();
    let with = |change: &dyn Fn(&mut Verified)| {
        let mut verified = anna();
        change(&mut verified);
        check_verified(&verified, &idn).unwrap_err()
    };
    let refusal = with(&|verified| verified.level = Level::Member);
    assert_eq!((&*refusal.rule, &*refusal.field), ("I7", "name"));
    let refusal = with(&|verified| verified.name = Some("Anna\u{200b}".to_owned()));
    assert_eq!((&*refusal.rule, &*refusal.field), ("I9", "name"));
    let refusal = with(&|verified| verified.addresses.push("anna".to_owned()));
    assert_eq!((&*refusal.rule, &*refusal.field), ("I9", "addresses"));
    let refusal = with(&|verified| {
        verified.addresses = vec!["anna@example.org".to_owned(); 33];
    });
    assert_eq!(refusal.field, "addresses");
}

#[test]
fn nothing_to_certify_is_a_refusal_with_every_reason() {
    let key = key_with(&["Zofie", "z@example.net"]);
    let refusal = choose(key.as_bytes(), &anna(), None, now()).unwrap_err();
    assert_eq!((&*refusal.rule, &*refusal.field), ("I13", "user_id"));
    for part in ["Zofie", "z@example.net"] {
        assert!(refusal.message.contains(part), "{refusal}");
    }
    let refusal = choose(key_with(&[]).as_bytes(), &anna(), None, now()).unwrap_err();
    assert!(refusal.message.contains("no user id"), "{refusal}");
}

#[test]
fn a_user_id_of_another_key_is_no_proof() {
    let read = |text: &str| {
        TransferableKey::from_octets(&armour::decode(text.as_bytes()).unwrap()).unwrap()
    };
    let name = "Anna Žluťoučká";
    let (own, other) = (read(&key_with(&[])), read(&key_with(&[name])));
    let stolen = other.self_signature(0).unwrap().to_vec();
    let made = TransferableKey::new(own.key().clone(), vec![(name.to_owned(), vec![stolen])]);
    let refusal = choose(&made.to_octets(), &anna(), None, now()).unwrap_err();
    assert!(
        refusal.message.contains("has not signed this user id"),
        "{refusal}"
    );
}

#[test]
fn what_is_not_in_force_never_reaches_the_signer() {
    let name = "Anna Žluťoučká";
    for (signed, lasts, says) in [
        (CREATED, 86_400, "expired"),
        (CREATED, 1, "expired"),
        (now().plus_seconds(1), 1_000_000, "still to be made"),
        (
            CREATED.plus_seconds(-1),
            1_000_000,
            "before the key was made",
        ),
    ] {
        let key = key_in_force(&[name], signed, lasts);
        let refusal = choose(key.as_bytes(), &anna(), None, now()).unwrap_err();
        assert!(refusal.message.contains(says), "{refusal}");
    }
    let key = key_in_force(&[name], now(), 86_401);
    choose(key.as_bytes(), &anna(), None, now()).unwrap();
}

#[test]
fn what_is_no_public_key_is_refused() {
    let good = key_with(&["Anna Žluťoučká"]);
    let secret = good.replace("PUBLIC KEY", "PRIVATE KEY");
    let two = format!("{good}{good}");
    for bad in ["", "hello", &good[..good.len() / 2], &secret, &two] {
        let refusal = choose(bad.as_bytes(), &anna(), None, now()).unwrap_err();
        assert_eq!((&*refusal.rule, &*refusal.field), ("I13", "key"), "{bad}");
    }
}
