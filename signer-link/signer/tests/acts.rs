//! Each request is done once: across repetition, crashes and restarts.

mod common;

use std::fs;

use common::{Fixture, Leaf, crl, noon, refusal, signature};
use pki::certificate_builder::assemble;
use pki::{Certificate, SignatureAlgorithm};
use signer::journal_record::Record;
use signer::keyring::save_certificate;
use signer::log::Log;
use signer::settings::Limits;
use wire::{Operation, Outcome, RefusalCode, RequestId, SignedResult};

#[test]
fn a_signature_verifies_and_the_same_id_gets_the_same_answer() {
    let fixture = Fixture::new();
    let request = Leaf::new(&fixture.member).request();
    let mut engine = fixture.bench();
    let first = engine.issue(1, request.clone());
    let der = assemble(
        &request.tbs,
        SignatureAlgorithm::EcdsaSha256,
        &signature(&first),
    );
    let certificate = Certificate::from_der(&der).unwrap();
    certificate
        .verify_signed_by(fixture.member.public_key())
        .unwrap();
    fs::write(
        fixture.directory.path().join("leaf.pem"),
        certificate.to_pem(),
    )
    .unwrap();
    fs::write(
        fixture.directory.path().join("root.pem"),
        fixture.root.to_pem(),
    )
    .unwrap();
    fs::write(
        fixture.directory.path().join("member.pem"),
        fixture.member.to_pem(),
    )
    .unwrap();
    let seconds = noon().unix().to_string();
    common::openssl(
        fixture.directory.path(),
        &[
            "verify",
            "-x509_strict",
            "-attime",
            &seconds,
            "-CAfile",
            "root.pem",
            "-untrusted",
            "member.pem",
            "leaf.pem",
        ],
    );

    // ECDSA signatures differ from one signing to the next: this one was not made again.
    assert_eq!(engine.issue(1, request.clone()), first);
    drop(engine);
    assert_eq!(fixture.bench().issue(1, request), first);
}

#[test]
fn one_id_never_stands_for_two_contents() {
    let fixture = Fixture::new();
    let mut engine = fixture.bench();
    let first = Leaf::new(&fixture.member).request();
    let answer = engine.issue(1, first.clone());
    let mut other = first.clone();
    other.profile = "client".to_owned();
    for other in [other, Leaf::new(&fixture.member).request()] {
        assert_eq!(refusal(&engine.issue(1, other)).code, RefusalCode::IdReused);
    }
    let crl = Operation::SignCrl(crl(&fixture.member, 1, noon(), &[]));
    assert_eq!(refusal(&engine.ask(1, crl)).code, RefusalCode::IdReused);
    // And the first is still what it was.
    assert_eq!(engine.issue(1, first), answer);
}

#[test]
fn no_serial_number_twice() {
    let fixture = Fixture::new();
    let mut leaf = Leaf::new(&fixture.member);
    let mut engine = fixture.bench();
    signature(&engine.issue(1, leaf.request()));
    leaf.not_after = leaf.not_after.plus_seconds(-1);
    assert_eq!(
        refusal(&engine.issue(2, leaf.request())).code,
        RefusalCode::SerialUsed
    );
    drop(engine);
    let mut engine = fixture.bench();
    // The refusal is remembered, and the serial number too.
    assert_eq!(
        refusal(&engine.issue(2, leaf.request())).code,
        RefusalCode::SerialUsed
    );
    assert_eq!(
        refusal(&engine.issue(3, leaf.request())).code,
        RefusalCode::SerialUsed
    );
}

#[test]
fn a_serial_number_of_a_refused_certificate_stays_free() {
    let fixture = Fixture::new();
    let mut leaf = Leaf::new(&fixture.member);
    let mut engine = fixture.bench();
    let good = leaf.not_after;
    leaf.not_after = good.plus_seconds(100 * 366 * 86_400);
    assert_eq!(
        refusal(&engine.issue(1, leaf.request())).code,
        RefusalCode::Policy
    );
    leaf.not_after = good;
    signature(&engine.issue(2, leaf.request()));
}

#[test]
fn crl_numbers_only_rise() {
    let fixture = Fixture::new();
    let sign = |engine: &mut common::Bench, id, number, back: i64| {
        let request = crl(&fixture.member, number, noon().plus_seconds(-back), &[]);
        engine.ask(id, Operation::SignCrl(request))
    };
    let mut engine = fixture.bench();
    let first = sign(&mut engine, 1, 7, 600);
    signature(&first);
    for (id, number) in [(2, 7), (3, 6), (4, 0)] {
        assert_eq!(
            refusal(&sign(&mut engine, id, number, 300)).code,
            RefusalCode::CrlNotNewer
        );
    }
    signature(&sign(&mut engine, 5, 8, 300));
    // A higher number over an older state of things.
    assert_eq!(
        refusal(&sign(&mut engine, 6, 9, 400)).code,
        RefusalCode::CrlNotNewer
    );
    drop(engine);
    let mut engine = fixture.bench();
    assert_eq!(sign(&mut engine, 1, 7, 600), first);
    assert!(matches!(
        sign(&mut engine, 7, 8, 200).outcome,
        Outcome::Refused(_)
    ));
    signature(&sign(&mut engine, 8, 1_000_000, 200));
}

#[test]
fn get_result_tells_what_became_of_requests() {
    let fixture = Fixture::new();
    let mut engine = fixture.bench();
    let done = signature(&engine.issue(1, Leaf::new(&fixture.member).request()));
    let mut bad = Leaf::new(&fixture.member).request();
    bad.tbs.clear();
    let refused = refusal(&engine.issue(2, bad));
    let ids = [1, 2, 3].map(|id| RequestId([id; 16])).to_vec();
    let Outcome::Results { results } = engine.ask(9, Operation::GetResult { ids }).outcome else {
        panic!("no results");
    };
    assert_eq!(
        results,
        [
            SignedResult::Signed { signature: done },
            SignedResult::Refused(refused),
            SignedResult::Unknown
        ]
    );
}

/// F2, F3: names that killed the predecessor, and worse. Each gets an answer, and so does the next at once.
#[test]
fn poison_is_answered_and_the_next_is_served() {
    let fixture = Fixture::new();
    let mut engine = fixture.bench();
    let good = Leaf::new(&fixture.member).request();
    let at = good
        .tbs
        .windows(15)
        .position(|window| window == b"www.example.org")
        .unwrap();
    for (id, poison) in (10..).zip([
        &b"www.\x00xample.org"[..],
        b"www.\xff\xfe\xfdple.org",
        "wẃẃ.exámple.".as_bytes(),
        "\u{202e}gro.elpmax".as_bytes(),
        b"&#305;xample.or",
        b"$(reboot)/`id`'",
        b"\x1b[2J\x1b[31m~~~~~",
    ]) {
        let mut request = good.clone();
        let length = poison.len().min(15);
        request.tbs[at..at + length].copy_from_slice(&poison[..length]);
        let refused = refusal(&engine.issue(id, request));
        assert!(!refused.message.is_empty());
        assert!(
            !refused.message.contains(['\u{1b}', '\u{202e}', '\0']),
            "{:?}",
            refused.message
        );
        signature(&engine.issue(id + 100, Leaf::new(&fixture.member).request()));
    }
}

/// Stops after each record of a run, as a kill would, and starts again from what is on the disk.
#[test]
fn a_crash_after_any_octet_loses_nothing_that_was_answered_and_doubles_nothing() {
    let fixture = Fixture::new();
    let leaf = Leaf::new(&fixture.member);
    let mut engine = fixture.bench();
    let begun = fs::metadata(fixture.journal()).unwrap().len();
    let certificate = engine.issue(1, leaf.request());
    let crl_request = crl(&fixture.member, 3, noon(), &[]);
    let crl_reply = engine.ask(2, Operation::SignCrl(crl_request.clone()));
    let mut clash = leaf.clone();
    clash.not_after = clash.not_after.plus_seconds(-1);
    drop(engine);
    let whole = fs::read(fixture.journal()).unwrap();

    // Every record boundary, and some octets inside of each record.
    for length in (begun..=whole.len() as u64)
        .filter(|length| length % 7 == 0 || *length == whole.len() as u64)
    {
        let length = usize::try_from(length).unwrap();
        fs::write(fixture.journal(), &whole[..length]).unwrap();
        let mut engine = fixture.bench();
        // What was on record as done comes back as it was; what was not is done now, once.
        let again = engine.issue(1, leaf.request());
        if length == whole.len() {
            assert_eq!(again, certificate);
        }
        let signed = signature(&again);
        let tbs = leaf.tbs();
        fixture
            .member
            .public_key()
            .verify(SignatureAlgorithm::EcdsaSha256, &tbs, &signed)
            .unwrap();
        let crl_again = engine.ask(2, Operation::SignCrl(crl_request.clone()));
        signature(&crl_again);
        if length == whole.len() {
            assert_eq!(crl_again, crl_reply);
        }
        assert_eq!(
            refusal(&engine.issue(3, clash.request())).code,
            RefusalCode::SerialUsed,
            "{length}"
        );
    }
}

#[test]
fn every_signature_has_an_earlier_intent_and_only_one() {
    let fixture = Fixture::new();
    let mut engine = fixture.bench();
    // Each request four times in one go, as after a cut; Busy means: ask again.
    let requests: Vec<_> = (1..=12)
        .flat_map(|id| {
            let issue = Operation::IssueCertificate(Leaf::new(&fixture.member).request());
            std::iter::repeat_n((id, issue), 4)
        })
        .collect();
    let replies = engine.ask_all(requests.clone());
    let busy = |reply: &&wire::Reply| matches!(reply.outcome, Outcome::Busy { .. });
    assert_eq!(replies.iter().filter(busy).count(), 36);
    for (id, operation) in requests {
        signature(&engine.ask(id, operation));
    }
    drop(engine);
    let (mut intents, mut signed) = (Vec::new(), Vec::new());
    Log::open(&fixture.journal(), |_, record| match record {
        Record::Intent { id, .. } => intents.push(id),
        Record::Signed { id, .. } => {
            assert!(intents.contains(&id));
            signed.push(id);
        }
        _ => {}
    })
    .unwrap();
    intents.sort();
    signed.sort();
    assert_eq!(intents.len(), 12);
    assert_eq!(intents, signed);
    signed.dedup();
    assert_eq!(signed.len(), 12);
}

#[test]
fn a_key_that_comes_later_is_noticed_and_a_bad_one_harms_nobody() {
    let fixture = Fixture::new();
    // The same certificate under two names of the CA: URLs play no part here.
    let mut engine = fixture.bench_with(common::policy().with_base_url(None), Limits::default());
    let store =
        keystore::EncryptedStore::open(&fixture.keys(), &common::PASSPHRASE.into()).unwrap();
    fs::write(fixture.keys().join("broken.key"), b"avouch-key 1 what").unwrap();
    let mut request = Leaf::new(&fixture.member).request();
    request.issuer = "late".to_owned();
    assert_eq!(
        refusal(&engine.issue(1, request.clone())).code,
        RefusalCode::UnknownIssuer
    );
    save_certificate(&fixture.keys(), "late", &fixture.member).unwrap();
    store.insert("late", &store.get("member").unwrap()).unwrap();
    signature(&engine.issue(2, request.clone()));
    let Outcome::Info { issuers, .. } = engine.ask(3, Operation::Info).outcome else {
        panic!("no info");
    };
    let names: Vec<_> = issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    assert_eq!(names, ["late", "member", "root"]);
    // Two CA certificates of one Name are one issuer: the serial number is used up for both.
    request.issuer = "member".to_owned();
    assert_eq!(
        refusal(&engine.issue(4, request)).code,
        RefusalCode::SerialUsed
    );
}

#[test]
fn a_clock_that_runs_backwards_stops_signing_until_it_is_right() {
    let fixture = Fixture::new();
    let mut engine = fixture.bench();
    signature(&engine.issue(1, Leaf::new(&fixture.member).request()));
    drop(engine);
    fixture.clock.advance(-7_200);
    let mut engine = fixture.bench();
    assert!(engine.core.mode(0).1.contains("the journal"));
    let request = Leaf::new(&fixture.member).request();
    assert!(matches!(
        engine.issue(2, request.clone()).outcome,
        Outcome::Busy { .. }
    ));
    drop(engine);
    fixture.clock.set(noon());
    signature(&fixture.bench().issue(2, request));
}
