//! Every check has at least one CRL that breaks it alone, and that passes once the check is gone.

use std::collections::HashSet;

use super::*;
use crate::crl::verify::tests::spec::Bench;
use crate::test_ca::{TestCa, TestKey};

mod entry_mutants;
mod extension_mutants;
mod list_mutants;
mod pkits;

mod spec;

/// A CRL spoiled in one way.
struct Mutant {
    /// The check that must find it.
    check: &'static str,
    /// What is wrong with it.
    what: &'static str,
    spoil: fn(&mut Bench),
}

fn mutants() -> impl Iterator<Item = &'static Mutant> {
    list_mutants::MUTANTS
        .iter()
        .chain(extension_mutants::MUTANTS)
        .chain(entry_mutants::MUTANTS)
}

/// Rule and name of every check there is.
fn checks() -> Vec<(&'static str, &'static str)> {
    let lists = [
        RFC_CHECKS,
        OWN_CHECKS,
        extension_checks::RFC_CHECKS,
        extension_checks::OWN_CHECKS,
    ];
    let of_list = lists
        .concat()
        .into_iter()
        .chain([list_checks::ONE_ENTRY_PER_SERIAL]);
    let entries = [entry_checks::RFC_CHECKS, entry_checks::OWN_CHECKS].concat();
    of_list
        .map(|check| (check.rule, check.name))
        .chain(entries.into_iter().map(|check| (check.rule, check.name)))
        .collect()
}

#[test]
fn each_mutant_breaks_exactly_its_rule() {
    let checks = checks();
    for Mutant { check, what, spoil } in mutants() {
        let (rule, _) = checks.iter().find(|(_, name)| name == check).expect(check);
        let mut bench = Bench::new();
        spoil(&mut bench);
        let found = bench.violations(None).unwrap();
        let rules: Vec<_> = found.iter().map(|violation| violation.rule).collect();
        assert_eq!(rules, [*rule], "{what}: {found:?}");
        let error = bench.verify().unwrap_err();
        assert_eq!(error.rule, *rule, "{what}: {error}");
    }
}

#[test]
fn each_mutant_passes_without_its_check() {
    for Mutant { check, what, spoil } in mutants() {
        let mut bench = Bench::new();
        spoil(&mut bench);
        assert_eq!(bench.violations(Some(check)), Ok(vec![]), "{what}");
    }
}

#[test]
fn each_check_has_a_mutant() {
    let tested: HashSet<_> = mutants().map(|mutant| mutant.check).collect();
    let names: Vec<_> = checks().into_iter().map(|(_, name)| name).collect();
    let untested: Vec<_> = names
        .iter()
        .filter(|name| !tested.contains(*name))
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
    assert_eq!(
        names.iter().collect::<HashSet<_>>().len(),
        names.len(),
        "two checks have one name"
    );
    assert!(mutants().count() >= 60);
}

#[test]
fn what_is_allowed_passes() {
    type Change = (&'static str, fn(&mut Bench));
    let allowed: &[Change] = &[
        ("as built", |_| ()),
        ("nothing revoked", |bench| bench.crl.revoked = None),
        ("unsorted", |bench| bench.revoked().reverse()),
        ("a serial of 20 octets", |bench| {
            bench.add_entry(&[&[0x7f; 20]], &[])
        }),
        ("the first CRL", |bench| bench.previous_number = None),
        ("12 months for a root", |bench| {
            bench.own().ca_certificates_only = true;
            bench.crl.next_update = spec::utc(spec::this_update().plus_seconds(365 * 86_400));
        }),
        ("holds that were taken over", |bench| {
            bench.own().keeps_holds = true;
            bench.add_entry(&[&[0x55]], &[spec::reason(6)]);
        }),
        ("a CA without keyUsage that was taken over", |bench| {
            *bench = Bench::of(TestCa::with(TestKey::p256(), |spec| {
                spec.remove(crate::oid::KEY_USAGE);
            }));
            bench.own().keeps_holds = true;
        }),
        ("a delta", |bench| bench.make_delta(3, 3)),
        ("a partition", Bench::make_partition),
        ("removeFromCRL in a delta", |bench| {
            bench.make_delta(3, 3);
            bench.add_entry(&[&[0x55]], &[spec::reason(8)]);
        }),
        ("bare, as openssl writes it", |bench| {
            bench.profile = Profile::Imported(ImportedRules {
                bare: true,
                old_algorithms: false,
            });
            bench.crl.version = vec![];
            bench.crl.extensions = None;
        }),
    ];
    for (what, change) in allowed {
        let mut bench = Bench::new();
        change(&mut bench);
        assert_eq!(bench.violations(None), Ok(vec![]), "{what}");
    }
}

#[test]
fn truncated_anywhere() {
    let bench = Bench::new();
    let der = bench.der();
    for length in 0..der.len() {
        assert!(bench.verify_der(&der[..length]).is_err(), "{length} octets");
    }
    assert!(bench.verify_der(&[&der[..], &[0]].concat()).is_err());
}
