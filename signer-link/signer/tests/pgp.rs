//! Certifications of user ids of OpenPGP keys (I13): what is certified, what is refused and why, and each once.

mod common;

use common::openpgp::{ADDRESS, Member, NAME, self_signature};
use common::{Bench, Fixture, Leaf, PASSPHRASE, noon, policy, refusal, signature};
use keystore::{EncryptedStore, SecretString, SigningKey};
use openpgp::{PublicKey, Signature, TransferableKey};
use pki::{HashAlgorithm, KeyKind};
use signer::journal_record::{Act, Record};
use signer::settings::Limits;
use wire::{Level, Operation, Outcome, RefusalCode, Reply, SignPgpUid};

const DAY: i64 = 86_400;

/// A fixture whose signer certifies OpenPGP keys for the next `days`; and the public half of its key.
fn fixture(days: i64) -> (Fixture, PublicKey) {
    let fixture = Fixture::new();
    let store = EncryptedStore::open(&fixture.keys(), &SecretString::from(PASSPHRASE)).unwrap();
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    store.insert("openpgp", &key).unwrap();
    let made = noon().plus_seconds(-DAY);
    let public = PublicKey::new(key.public_key(), made).unwrap();
    let user_id = "Test CA <openpgp@example.org>";
    let body = self_signature(
        &key,
        &public,
        user_id,
        made,
        noon().plus_seconds(days * DAY),
    );
    let transferable = TransferableKey::new(public.clone(), vec![(user_id.to_owned(), vec![body])]);
    signer::pgp::key::save(&fixture.keys(), "openpgp", &transferable.to_octets()).unwrap();
    (fixture, public)
}

fn ask(bench: &mut Bench, id: u8, request: SignPgpUid) -> Reply {
    bench.ask(id, Operation::SignPgpUid(request))
}

#[track_caller]
fn refused(reply: &Reply, field: &str, says: &str) {
    let refused = refusal(reply);
    assert_eq!(
        (refused.code, &*refused.field),
        (RefusalCode::Policy, field),
        "{refused}"
    );
    assert!(refused.message.contains(says), "{refused}");
}

#[test]
fn the_table_of_i13() {
    const NAMED: Option<&str> = Some("13");
    const MAIL: Option<&str> = Some("10");
    let (fixture, ca) = fixture(3_652);
    let mut bench = fixture.bench();
    let member = Member::new(noon());
    // The user id, its kind if it is certified, else the field and what is said of it.
    let table = [
        ("Anna Žluťoučká <anna@example.org>", NAMED, "", ""),
        ("Anna Žluťoučká <a.z@example.com>", NAMED, "", ""),
        ("Anna Žluťoučká <anna@EXAMPLE.org>", NAMED, "", ""),
        ("Anna Žluťoučká", NAMED, "", ""),
        ("anna@example.org", MAIL, "", ""),
        ("<anna@example.org>", MAIL, "", ""),
        ("Anna Žluťoučká <else@example.org>", None, "user_id", "I13"),
        ("Anna Žluťoučká <Anna@example.org>", None, "user_id", "I13"),
        ("Anna Zlutoucka <anna@example.org>", None, "user_id", "I13"),
        ("anna žluťoučká <anna@example.org>", None, "user_id", "I13"),
        ("Anna", None, "user_id", "I13"),
        ("else@example.org", None, "user_id", "I13"),
        (
            "Anna Žluťoučká (work) <anna@example.org>",
            None,
            "user_id",
            "comment",
        ),
        (
            "Anna Žluťoučká  <anna@example.org>",
            None,
            "user_id",
            "(I9)",
        ),
        (
            "Anna Žluťoučká<anna@example.org>",
            None,
            "user_id",
            "neither",
        ),
        (
            "Anna Žluťoučká <anna@example.org> x",
            None,
            "user_id",
            "neither",
        ),
        ("Anna Žluťoučká <>", None, "user_id", "neither"),
        ("Anna Žluťoučká <anna>", None, "user_id", "(I9)"),
        (
            "Anna Z\u{30c}lut\u{30c}ouc\u{30c}ka\u{301}",
            None,
            "user_id",
            "normalisation",
        ),
        ("Anna \u{202e}Žluťoučká", None, "user_id", "bidirectional"),
        ("Anna\u{0} Žluťoučká", None, "user_id", "NUL"),
        ("Anna\u{200b} Žluťoučká", None, "user_id", "invisible"),
        (
            "Anna &#381;lu&#357;ou&#269;k&aacute;",
            None,
            "user_id",
            "HTML",
        ),
        ("", None, "user_id", "empty"),
    ];
    for (row, (user_id, kind, field, says)) in table.into_iter().enumerate() {
        let request = member.asks(user_id);
        let reply = ask(&mut bench, u8::try_from(row).unwrap(), request.clone());
        let Some(kind) = kind else {
            refused(&reply, field, says);
            continue;
        };
        let body = signature(&reply);
        assert_eq!(format!("{:02x}", body[1]), kind, "{user_id}");
        let made = Signature::from_body(&body).unwrap();
        made.verify_user_id(&member.public, user_id.as_bytes(), &ca)
            .unwrap();
        assert_eq!(made.created(), Some(request.created));
        assert_eq!(made.expires(), Some(request.expires));
        assert!(made.verify_user_id(&member.public, b"Zofie", &ca).is_err());
    }
}

#[test]
fn names_are_for_assured_members() {
    let (fixture, _) = fixture(3_652);
    let mut bench = fixture.bench();
    let member = Member::new(noon());
    let by_mail = |user_id: &str| SignPgpUid {
        level: Level::Member,
        expires: noon().plus_seconds(183 * DAY),
        ..member.asks(user_id)
    };
    refused(&ask(&mut bench, 1, by_mail(NAME)), "level", "I8");
    signature(&ask(&mut bench, 2, by_mail(ADDRESS)));
    let mut nameless = member.asks(NAME);
    nameless.name = None;
    refused(&ask(&mut bench, 3, nameless), "user_id", "I13");
    let mut longer = by_mail(ADDRESS);
    longer.expires = longer.expires.plus_seconds(1);
    refused(&ask(&mut bench, 4, longer), "expires", "I7");
}

#[test]
fn each_wrong_part_is_refused_by_its_name() {
    let (fixture, ca) = fixture(3_652);
    let mut bench = fixture.bench();
    let (member, other) = (Member::new(noon()), Member::new(noon()));
    let good = member.asks(NAME);
    let scene = Scene { member, other, ca };
    let mutants: &[(&str, &str, Change)] = &[
        ("key", "cut", |it, _| it.key.truncate(5)),
        ("key", "cut", |it, _| it.key.truncate(40)),
        ("key", "more than", |it, _| it.key.push(0)),
        ("key", "version 3", |it, _| it.key[0] = 3),
        ("key", "version 6", |it, _| it.key[0] = 6),
        ("key", "DSA", |it, _| it.key[5] = 17),
        ("key", "ECDH", |it, _| it.key[5] = 18),
        ("key", "X25519", |it, _| it.key[5] = 25),
        ("key", "curve", |it, _| it.key[10] ^= 1),
        ("key", "valid key", |it, _| *it.key.last_mut().unwrap() ^= 1),
        ("key", "to come", |it, _| it.key[1] = 0xff),
        ("key", "own key", |it, scene| {
            it.key = scene.ca.body().to_vec()
        }),
        ("key", "1024 bits", |it, _| it.key = rsa(1024, 65_537)),
        ("key", "exponent", |it, _| it.key = rsa(2048, 3)),
        ("self_signature", "does not verify", |it, scene| {
            it.self_signature = scene.member.signs(ADDRESS);
        }),
        ("self_signature", "does not verify", |it, scene| {
            it.self_signature = scene.other.signs(NAME);
        }),
        ("self_signature", "does not verify", |it, scene| {
            it.key = scene.other.public.body().to_vec();
        }),
        ("self_signature", "does not verify", |it, _| {
            *it.self_signature.last_mut().unwrap() ^= 1;
        }),
        ("self_signature", "version 3", |it, _| {
            it.self_signature[0] = 3
        }),
        ("self_signature", "not one of a key", |it, _| {
            it.self_signature[1] = 0x30
        }),
        ("self_signature", "not one of a key", |it, _| {
            it.self_signature[1] = 0x18
        }),
        ("self_signature", "algorithm", |it, _| {
            it.self_signature[2] = 1
        }),
        ("self_signature", "SHA-1", |it, _| it.self_signature[3] = 2),
        ("self_signature", "cut", |it, _| {
            it.self_signature.truncate(20)
        }),
        ("self_signature", "cut", |it, _| it.self_signature.clear()),
        ("self_signature", "the key has expired", |it, scene| {
            let (made, end) = (noon().plus_seconds(-5 * DAY), noon().plus_seconds(-1));
            it.self_signature =
                self_signature(&scene.member.key, &scene.member.public, NAME, made, end);
        }),
        ("self_signature", "still to come", |it, scene| {
            let (made, end) = (noon().plus_seconds(400), noon().plus_seconds(DAY));
            it.self_signature =
                self_signature(&scene.member.key, &scene.member.public, NAME, made, end);
        }),
        ("self_signature", "before its key", |it, scene| {
            let (made, end) = (noon().plus_seconds(-11 * DAY), noon().plus_seconds(DAY));
            it.self_signature =
                self_signature(&scene.member.key, &scene.member.public, NAME, made, end);
        }),
        ("created", "48 hours", |it, _| {
            it.created = noon().plus_seconds(-2 * DAY - 1);
        }),
        ("created", "5 minutes", |it, _| {
            it.created = noon().plus_seconds(301)
        }),
        ("created", "one of the keys", |it, _| {
            it.created = noon().plus_seconds(-DAY - 1);
        }),
        ("expires", "I7", |it, _| it.expires = it.created),
        ("expires", "I7", |it, _| {
            it.expires = it.expires.plus_seconds(1)
        }),
    ];
    let count = mutants.len();
    for (number, (field, says, change)) in mutants.iter().enumerate() {
        let mut mutant = good.clone();
        change(&mut mutant, &scene);
        let id = u8::try_from(number).unwrap();
        refused(&ask(&mut bench, id, mutant), field, says);
    }
    // Each counts as a strike, and none keeps the next request from being served.
    let strikes = bench.core.status(bench.now).strikes;
    assert_eq!(strikes as usize, count);
    signature(&ask(&mut bench, 200, good));
}

type Change = fn(&mut SignPgpUid, &Scene);

struct Scene {
    member: Member,
    other: Member,
    ca: PublicKey,
}

/// The body of an RSA key packet; nobody has the private half.
fn rsa(bits: usize, exponent: u32) -> Vec<u8> {
    let mut body = vec![4, 0x60, 0, 0, 0, 1];
    body.extend_from_slice(&u16::try_from(bits).unwrap().to_be_bytes());
    let mut modulus = vec![0xa5; bits / 8];
    *modulus.last_mut().unwrap() = 0xa7;
    body.extend_from_slice(&modulus);
    let exponent: Vec<u8> = exponent
        .to_be_bytes()
        .into_iter()
        .skip_while(|octet| *octet == 0)
        .collect();
    let bits = exponent.len() * 8 - exponent[0].leading_zeros() as usize;
    body.extend_from_slice(&u16::try_from(bits).unwrap().to_be_bytes());
    body.extend_from_slice(&exponent);
    body
}

#[test]
fn no_certification_outlives_the_signers_key() {
    let (fixture, _) = fixture(100);
    let mut bench = fixture.bench();
    let member = Member::new(noon());
    refused(
        &ask(&mut bench, 1, member.asks(NAME)),
        "expires",
        "own key ends",
    );
    let mut shorter = member.asks(NAME);
    shorter.expires = noon().plus_seconds(100 * DAY);
    signature(&ask(&mut bench, 2, shorter));
}

#[test]
fn the_two_kinds_of_keys_are_never_taken_for_each_other() {
    let (fixture, _) = fixture(3_652);
    let mut bench = fixture.bench();
    let mut request = Member::new(noon()).asks(NAME);
    request.issuer = "member".to_owned();
    assert_eq!(
        refusal(&ask(&mut bench, 1, request)).code,
        RefusalCode::UnknownIssuer
    );
    let mut certificate = Leaf::new(&fixture.member).request();
    certificate.issuer = "openpgp".to_owned();
    assert_eq!(
        refusal(&bench.issue(2, certificate)).code,
        RefusalCode::UnknownIssuer
    );
    let Outcome::Info {
        openpgp, issuers, ..
    } = bench.ask(3, Operation::Info).outcome
    else {
        panic!("no info");
    };
    let names: Vec<&str> = openpgp.iter().map(|key| &*key.name).collect();
    assert_eq!(names, ["openpgp"]);
    assert!(issuers.iter().all(|issuer| issuer.name != "openpgp"));
}

#[test]
fn one_id_never_stands_for_two_contents() {
    let (fixture, _) = fixture(3_652);
    let mut bench = fixture.bench();
    let request = Member::new(noon()).asks(NAME);
    signature(&ask(&mut bench, 1, request.clone()));
    let mut other = request;
    other.expires = other.expires.plus_seconds(-1);
    let again = refusal(&ask(&mut bench, 1, other));
    assert_eq!(again.code, RefusalCode::IdReused);
    assert_eq!(bench.mode(), wire::Mode::Locked);
}

#[test]
fn a_question_that_comes_again_is_answered_from_the_journal() {
    let (fixture, _) = fixture(3_652);
    let request = Member::new(noon()).asks(NAME);
    let mut bench = fixture.bench();
    let first = ask(&mut bench, 1, request.clone());
    let body = signature(&first);
    assert_eq!(ask(&mut bench, 1, request.clone()), first);
    drop(bench);
    let mut bench = fixture.bench();
    assert_eq!(ask(&mut bench, 1, request.clone()), first);

    let intents: Vec<Act> = records(&bench)
        .into_iter()
        .filter_map(|record| match record {
            Record::Intent { act, .. } => Some(act),
            _ => None,
        })
        .collect();
    let key = PublicKey::from_body(&request.key).unwrap();
    let octets = Signature::from_body(&body)
        .unwrap()
        .octets(&key, request.user_id.as_bytes());
    let [
        Act::PgpUserId {
            key: certified,
            tbs,
            expires,
            evidence,
            ..
        },
    ] = &intents[..]
    else {
        panic!("{intents:?}");
    };
    assert_eq!(*certified, key.fingerprint());
    assert_eq!(tbs.to_vec(), HashAlgorithm::Sha256.digest(&octets));
    assert_eq!(
        (*expires, *evidence),
        (request.expires.unix(), request.evidence)
    );
}

fn records(bench: &Bench) -> Vec<Record> {
    let log = bench.core.log();
    (1..=log.head().sequence)
        .map(|at| log.read(at).unwrap().0)
        .collect()
}

/// The intent stays when the budget is spent; after the next unlock the same request is signed by it.
#[test]
fn an_intent_is_finished_later() {
    let (fixture, ca) = fixture(3_652);
    let limits = Limits {
        signatures: 1,
        ..Limits::default()
    };
    let mut bench = fixture.bench_with(policy(), limits);
    let member = Member::new(noon());
    let (first, second) = (member.asks(NAME), member.asks(ADDRESS));
    let replies = bench.ask_all(vec![
        (1, Operation::SignPgpUid(first)),
        (2, Operation::SignPgpUid(second.clone())),
    ]);
    signature(&replies[0]);
    assert!(
        matches!(replies[1].outcome, Outcome::Busy { .. }),
        "{replies:?}"
    );
    bench.unlock();
    let body = signature(&ask(&mut bench, 2, second));
    let made = Signature::from_body(&body).unwrap();
    made.verify_user_id(&member.public, ADDRESS.as_bytes(), &ca)
        .unwrap();
    let intents = records(&bench)
        .iter()
        .filter(|record| matches!(record, Record::Intent { .. }))
        .count();
    assert_eq!(intents, 2);
}

#[test]
fn certifications_of_a_day_are_limited() {
    let (fixture, _) = fixture(3_652);
    let limits = Limits {
        certificates_a_day: 2,
        ..Limits::default()
    };
    let mut bench = fixture.bench_with(policy(), limits);
    let member = Member::new(noon());
    for id in 1..=2 {
        signature(&ask(&mut bench, id, member.asks(NAME)));
    }
    let third = refusal(&ask(&mut bench, 3, member.asks(NAME)));
    assert_eq!(third.code, RefusalCode::NotAllowed);
    assert_eq!(bench.core.status(bench.now).strikes, 0);
}

#[test]
fn nothing_is_certified_in_the_wind_down() {
    let (fixture, _) = fixture(3_652);
    let mut bench = fixture.bench();
    bench.core.wind_down(bench.now).unwrap();
    let refused = refusal(&ask(&mut bench, 1, Member::new(noon()).asks(NAME)));
    assert_eq!(refused.code, RefusalCode::NotAllowed);
    assert!(refused.message.contains("G11"), "{refused}");
}

#[test]
fn the_policy_is_named_where_one_is_configured() {
    const URI: &str = "http://www.example.org/policy";
    let (fixture, ca) = fixture(3_652);
    let with = policy().with_pgp_policy(Some(URI.to_owned()));
    assert_ne!(with.hash(), policy().hash());
    let mut bench = fixture.bench_with(with, Limits::default());
    let member = Member::new(noon());
    let body = signature(&ask(&mut bench, 1, member.asks(NAME)));
    let made = Signature::from_body(&body).unwrap();
    made.verify_user_id(&member.public, NAME.as_bytes(), &ca)
        .unwrap();
    let octets = made.octets(&member.public, NAME.as_bytes());
    assert!(
        octets
            .windows(URI.len())
            .any(|window| window == URI.as_bytes())
    );
}
