//! Winding down (G11): what is signed then, and what ends it.

mod common;

use common::{Fixture, Leaf, crl, noon, policy, profile, refusal, revoke, signature};
use pki::profile::{CertifiedNames, StatusUrls};
use signer::journal_record::Record;
use signer::log::Log;
use signer::settings::Limits;
use wire::{IssueCertificate, Mode, Operation, Outcome, RefusalCode};

#[test]
fn nothing_for_subscribers_and_status_goes_on() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    signature(&bench.issue(1, Leaf::new(&fixture.member).request()));
    assert!(bench.core.wind_down(bench.now).unwrap());
    assert!(!bench.core.wind_down(bench.now).unwrap(), "it does already");

    for id in [2, 3] {
        let refused = refusal(&bench.issue(id, Leaf::new(&fixture.member).request()));
        assert_eq!(
            (refused.code, refused.field.as_str()),
            (RefusalCode::NotAllowed, "profile")
        );
        assert!(refused.message.contains("wound down"), "{refused}");
    }
    // Neither a strike nor a reason to stop: the CA means it.
    let status = bench.ping(noon());
    assert_eq!((status.mode, status.strikes), (Mode::Active, 0));
    assert!(status.winding_down);

    signature(&bench.issue(4, responder(&fixture)));
    let told = bench.ask(5, revoke(&[common_entry()], None));
    assert!(
        matches!(told.outcome, Outcome::Remembered { .. }),
        "{told:?}"
    );
    let list = Operation::SignCrl(crl(&fixture.member, 1, noon(), &[common_entry()]));
    signature(&bench.ask(6, list));
    // What was signed before is still known.
    assert!(matches!(
        bench
            .ask(
                7,
                Operation::GetResult {
                    ids: vec![wire::RequestId([1; 16])]
                }
            )
            .outcome,
        Outcome::Results { .. }
    ));
}

/// No restart ends it; an unlock does that was announced before, and the log says who opened the keys.
#[test]
fn it_ends_by_an_unlock_that_was_announced() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    bench.core.wind_down(bench.now).unwrap();
    assert!(!bench.core.end_wind_down(), "the keys are open");
    drop(bench);

    let mut again = fixture.bench();
    refusal(&again.issue(1, Leaf::new(&fixture.member).request()));
    drop(again);

    let mut sealed = fixture.sealed(policy(), Limits::default());
    assert!(sealed.core.end_wind_down());
    sealed.make_active();
    assert!(!sealed.ping(noon()).winding_down);
    signature(&sealed.issue(2, Leaf::new(&fixture.member).request()));
    drop(sealed);

    let mut said = Vec::new();
    Log::open(&fixture.journal(), |_, record| {
        if let Record::WindDown {
            begins, holders, ..
        } = record
        {
            said.push((begins, holders));
        }
    })
    .unwrap();
    assert_eq!(
        said,
        [(true, Vec::new()), (false, vec!["tests".to_owned()])]
    );
    // It can be said, and taken back, before anybody opens the keys.
    let mut sealed = fixture.sealed(policy(), Limits::default());
    assert!(!sealed.core.end_wind_down(), "there is nothing to end");
    sealed.core.wind_down(0).unwrap();
    sealed.core.end_wind_down();
    sealed.core.wind_down(0).unwrap();
    sealed.make_active();
    assert!(sealed.ping(noon()).winding_down);
}

/// What the presigner asks for.
fn responder(fixture: &Fixture) -> IssueCertificate {
    let mut leaf = Leaf::new(&fixture.member);
    let names = CertifiedNames {
        alt_names: &[],
        subject_is_empty: false,
    };
    let urls = StatusUrls::new("http://127.0.0.1:8080", "member");
    leaf.extensions = profile("ocsp-responder")
        .extensions_for(&fixture.member, leaf.key.public_key(), names, &urls)
        .unwrap();
    leaf.not_after = leaf.not_before.plus_seconds(7 * 86_400 - 1);
    IssueCertificate {
        profile: "ocsp-responder".to_owned(),
        csr: None,
        ..leaf.request()
    }
}

fn common_entry() -> pki::crl::build::CrlEntry {
    pki::crl::build::CrlEntry {
        serial: pki::Serial::from_be_bytes(&[1; 16]).unwrap(),
        revocation_date: noon().plus_seconds(-60),
        reason: None,
        invalidity_date: None,
    }
}
