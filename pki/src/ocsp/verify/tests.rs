//! Every check has at least one response that breaks it alone, and that passes once the check is gone.

use std::collections::HashSet;

use super::*;
use spec::Bench;

mod mutants;
mod spec;

/// A response spoiled in one way.
struct Mutant {
    /// The check that must find it.
    check: &'static str,
    /// What is wrong with it.
    what: &'static str,
    spoil: fn(&mut Bench),
}

#[test]
fn each_mutant_breaks_exactly_its_rule() {
    for Mutant { check, what, spoil } in mutants::MUTANTS {
        let rule = CHECKS
            .iter()
            .find(|known| known.name == *check)
            .expect(check)
            .rule;
        let mut bench = Bench::new();
        spoil(&mut bench);
        let found = bench.violations(None).unwrap();
        let rules: Vec<_> = found.iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, [rule], "{what}: {found:?}");
        assert_eq!(bench.verify().unwrap_err().rule, rule, "{what}");
    }
}

#[test]
fn each_mutant_passes_without_its_check() {
    for Mutant { check, what, spoil } in mutants::MUTANTS {
        let mut bench = Bench::new();
        spoil(&mut bench);
        assert_eq!(bench.violations(Some(check)), Ok(vec![]), "{what}");
    }
}

#[test]
fn each_check_has_a_mutant() {
    let tested: HashSet<_> = mutants::MUTANTS.iter().map(|mutant| mutant.check).collect();
    let untested: Vec<_> = CHECKS
        .iter()
        .map(|check| check.name)
        .filter(|name| !tested.contains(name))
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
    let names: HashSet<_> = CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(names.len(), CHECKS.len(), "two checks have one name");
}

#[test]
fn what_is_allowed_passes() {
    type Change = (&'static str, fn(&mut Bench));
    let allowed: &[Change] = &[
        ("good", |_| ()),
        ("revoked", |bench| bench.revoke(Some(1))),
        ("revoked without a reason", |bench| bench.revoke(None)),
        ("signed by the CA", Bench::sign_by_ca),
        ("12 months for a CA", |bench| {
            bench.sign_by_ca();
            bench.rules.ca_certificate = true;
            bench.response.next_update = spec::later(365 * 24);
        }),
        ("a hold that was taken over", |bench| {
            bench.rules.keeps_holds = true;
            bench.revoke(Some(6));
        }),
        ("an hour, since the CRL it rests on ends then", |bench| {
            bench.rules.bounded_by_crl = true;
            bench.response.next_update = spec::later(1);
        }),
        ("an hour, since its responder ends then", |bench| {
            bench.rules.bounded_by_responder = true;
            let mut responder = bench.ca.responder_spec(&bench.key);
            responder.not_after = spec::signed_at().plus_seconds(3600);
            bench.use_certificate(responder.sign(|tbs| bench.ca.key.sign(tbs)));
            bench.response.next_update = spec::later(1);
        }),
        ("archiveCutoff", |bench| {
            bench.add_archive_cutoff(spec::later(-9000))
        }),
        ("a nonce", Bench::echo_nonce),
        ("two answers for two", |bench| {
            bench.asked = 2;
            bench.response.answers = 2;
        }),
        ("backdated by an hour", |bench| {
            bench.response.this_update = spec::later(-1)
        }),
    ];
    for (what, change) in allowed {
        let mut bench = Bench::new();
        change(&mut bench);
        assert_eq!(bench.violations(None), Ok(vec![]), "{what}");
        bench
            .verify()
            .unwrap_or_else(|violation| panic!("{what}: {violation}"));
    }
}

#[test]
fn what_it_says() {
    let mut bench = Bench::new();
    bench.revoke(Some(4));
    let verified = bench.verify().unwrap();
    assert_eq!(verified.status, spec::revoked(Some(4)));
    assert_eq!(verified.this_update, spec::signed_at());
    assert_eq!(verified.produced_at, spec::signed_at());
    assert_eq!(
        verified.next_update,
        spec::signed_at().plus_seconds(96 * 3600)
    );
    assert_eq!(verified.responder, bench.certificate);
}

/// A response is only as good as the certificate in it.
#[test]
fn the_responder_certificate_is_verified_too() {
    let mut bench = Bench::new();
    let mut spec = bench.ca.responder_spec(&bench.key);
    spec.remove(crate::oid::OCSP_NO_CHECK);
    bench.use_certificate(spec.sign(|tbs| bench.ca.key.sign(tbs)));
    assert_eq!(bench.violations(None), Ok(vec![]));
    assert_eq!(bench.verify().unwrap_err().rule, "OCSP-61");
}

#[test]
fn error_responses() {
    let bench = Bench::new();
    for (der, rule) in [
        (&[0x30, 3, 0x0a, 1, 1][..], "OCSP-02"),
        (&[0x30, 3, 0x0a, 1, 0], "OCSP-02"),
        (&[0x30, 5, 0x0a, 1, 1, 0xa0, 0], "OCSP-02"),
        (&[], "OCSP-30"),
    ] {
        assert_eq!(bench.verify_der(der).unwrap_err().rule, rule, "{der:?}");
    }
}

#[test]
fn truncated_anywhere() {
    let bench = Bench::new();
    let der = bench.der();
    for length in 0..der.len() {
        assert_eq!(
            bench.verify_der(&der[..length]).unwrap_err().rule,
            "OCSP-30",
            "{length} octets"
        );
    }
    assert_eq!(
        bench
            .verify_der(&[&der[..], &[0]].concat())
            .unwrap_err()
            .rule,
        "OCSP-30"
    );
}

#[test]
fn responders_one_after_the_other() {
    let at = Time::from_unix;
    let covered = |spans: &[(i64, i64)], now| {
        let spans = spans.iter().map(|(begins, ends)| (at(*begins), at(*ends)));
        covered_until(spans, at(now)).map(Time::unix)
    };
    assert_eq!(covered(&[], 5), None);
    assert_eq!(covered(&[(0, 4), (6, 9)], 5), None);
    assert_eq!(covered(&[(6, 9), (0, 6)], 5), Some(9));
    assert_eq!(covered(&[(0, 6), (7, 9)], 5), Some(6), "not over a gap");
    assert_eq!(covered(&[(3, 20), (0, 6), (19, 30), (6, 8)], 5), Some(30));
}
