use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::crl::build::{CrlContents, CrlEntry, assemble};
use crate::{CrlNumber, Name, RevocationReason, SignatureAlgorithm, Time, der_encode};

/// Serial numbers of one to three octets, so that their lengths mix, and when each was revoked.
type Revoked = BTreeMap<u32, u32>;

fn crl(number: u64, revoked: &Revoked) -> Vec<u8> {
    let name = Name::from_der(&der_encode::sequence(&[])).unwrap();
    let number = CrlNumber::from(number);
    let contents = CrlContents {
        issuer: &name,
        authority_key_id: &[7; 20],
        number: &number,
        this_update: Time::from_unix(1_795_262_400),
        next_update: Time::from_unix(1_795_262_400 + 7 * 86_400),
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        scope: crate::crl::verify::Scope::Complete,
        freshest: None,
    };
    let tbs = contents.tbs(revoked.iter().map(|(&serial, &seconds)| {
        CrlEntry {
            serial: Serial::from_be_bytes(&serial.to_be_bytes()).unwrap(),
            revocation_date: Time::from_unix(1_790_000_000 + i64::from(seconds)),
            reason: seconds
                .is_multiple_of(2)
                .then_some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        }
    }));
    assemble(&tbs, contents.signature_algorithm, &sha256(&tbs))
}

/// The CRLs with the numbers 10, 20, 30 … and the log of the last one, made step by step as the builder does.
fn history(lists: &[Revoked]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let number = |index: usize| 10 * (index as u64 + 1);
    let crls: Vec<_> = (0..)
        .zip(lists)
        .map(|(index, list)| crl(number(index), list))
        .collect();
    let mut log = first(&number(0).into(), &crls[0]).unwrap();
    for (index, pair) in crls.windows(2).enumerate() {
        let changes = between(&pair[0], &pair[1]).unwrap();
        log = next(
            &number(index + 1).into(),
            &pair[1],
            &number(index).into(),
            changes,
            Some(&Log::read(&log).unwrap()),
        )
        .unwrap();
    }
    (crls, log)
}

fn list() -> impl Strategy<Value = Revoked> {
    let serial = prop_oneof![1..0x90_u32, 0x70..0x400_u32, 0x7f_ff00..0x80_0100_u32];
    proptest::collection::btree_map(serial, 0..4_u32, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// From every earlier number, by the prefix for it, to the last CRL byte for byte.
    #[test]
    fn every_prefix_leads_to_the_current_crl(lists in proptest::collection::vec(list(), 1..8)) {
        let (crls, octets) = history(&lists);
        let log = Log::read(&octets).unwrap();
        let current = crls.last().unwrap();
        log.agrees_with(current).unwrap();
        let prefixes: Vec<_> = log.prefixes().collect();
        prop_assert_eq!(prefixes.len(), crls.len());
        for (crl, (number, length)) in crls.iter().rev().zip(prefixes) {
            let difference = Log::read(&octets[..length]).unwrap();
            let new = apply(crl, number, &difference).unwrap();
            prop_assert_eq!(&new, current);
        }
    }

    /// A damaged difference is refused: by its form, by its hash, or because it is another CRL's.
    #[test]
    fn damage_is_found(
        lists in proptest::collection::vec(list(), 2..4),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let (crls, octets) = history(&lists);
        let number = CrlNumber::from(10);
        let at = at.index(octets.len());
        let mut flipped = octets.clone();
        flipped[at] ^= 1 << bit;
        for damaged in [&flipped[..], &octets[..at]] {
            let Ok(log) = Log::read(damaged) else {
                continue;
            };
            let same = log.sha256 == sha256(crls.last().unwrap());
            if let Ok(new) = apply(&crls[0], &number, &log) {
                // The octets of its own number lead to no other CRL: whoever uses it looks at the number in the CRL.
                prop_assert!(same && &new == crls.last().unwrap() && log.number != CrlNumber::from(10));
            }
        }
    }

    #[test]
    fn nonsense_is_refused(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Log::read(&octets).is_err());
        prop_assert!(Log::read(&[&b"CRLdiff\x01\x01\x05"[..], &octets].concat()).is_err());
    }
}

/// Every single bit of one small difference, and every place to cut it off.
#[test]
fn every_mutant() {
    let (crls, octets) = history(&[
        Revoked::from([(1, 1), (300, 2)]),
        Revoked::from([(1, 1), (200, 1), (300, 3)]),
        Revoked::from([(1, 1), (200, 1)]),
    ]);
    let usable = |octets: &[u8]| {
        let log = Log::read(octets).ok()?;
        let new = apply(&crls[0], &CrlNumber::from(10), &log).ok()?;
        Some((log.number == CrlNumber::from(30), new == crls[2]))
    };
    assert_eq!(usable(&octets), Some((true, true)));
    for end in 0..octets.len() {
        assert_eq!(usable(&octets[..end]), None, "cut off at {end}");
    }
    for bit in 0..8 * octets.len() {
        let mut mutant = octets.clone();
        mutant[bit / 8] ^= 1 << (bit % 8);
        match usable(&mutant) {
            None => {}
            // Flips in the numbers of the CRL itself and of the step between, and in entries that a newer segment
            // replaces, change nothing of the result.
            Some((_, right)) => assert!(right, "bit {bit}"),
        }
    }
}

#[test]
fn what_changes() {
    let old = crl(1, &Revoked::from([(1, 1), (2, 1), (300, 1)]));
    let new = crl(2, &Revoked::from([(2, 2), (150, 1), (300, 1), (9000, 1)]));
    let serials: Vec<_> = between(&old, &new)
        .unwrap()
        .iter()
        .map(|change| {
            (
                change.serial().unwrap().to_string(),
                change.entry().is_some(),
            )
        })
        .collect();
    let expected = [("01", false), ("02", true), ("96", true), ("2328", true)];
    assert_eq!(
        serials,
        expected.map(|(serial, set)| (serial.to_owned(), set))
    );
    assert_eq!(between(&old, &old), Ok(vec![]));
}

#[test]
fn the_log_is_bounded() {
    let (_, mut log) = history(&[Revoked::from([(1, 1)])]);
    let current = crl(5000, &Revoked::from([(1, 1)]));
    for number in 11..2000_u64 {
        let older = Log::read(&log).unwrap();
        let changes = std::iter::empty();
        let (number, from) = (number.into(), (number - 1).into());
        let next = next(&number, &current, &from, changes, Some(&older)).or_else(|error| {
            assert_eq!(error, DifferenceError::Unreached);
            next(
                &number,
                &current,
                &10.into(),
                std::iter::empty(),
                Some(&older),
            )
        });
        log = next.unwrap();
    }
    assert_eq!(Log::read(&log).unwrap().segments.len(), 1024);

    // A step that is larger than all there may be is left out, and with it all older ones.
    let many: Revoked = (1..4000).map(|serial| (serial, 1)).collect();
    let (_, log) = history(&[Revoked::new(), many.clone(), Revoked::new()]);
    let log = Log::read(&log).unwrap();
    assert_eq!(log.segments.len(), 1, "removals are small");
    let (_, log) = history(&[Revoked::new(), many]);
    assert_eq!(Log::read(&log).unwrap().segments.len(), 0);
}

#[test]
fn refused() {
    let crls = [crl(10, &Revoked::new()), crl(20, &Revoked::from([(1, 1)]))];
    let none = std::iter::empty;
    let log = first(&10.into(), &crls[0]).unwrap();
    let log = Log::read(&log).unwrap();
    for (number, from) in [(20, 9), (10, 10), (9, 10)] {
        assert_eq!(
            next(&number.into(), &crls[1], &from.into(), none(), Some(&log)),
            Err(DifferenceError::Unreached),
            "{from} to {number}"
        );
    }
    let [one, two] = [1, 2].map(|serial| Change::Remove(Serial::from_be_bytes(&[serial]).unwrap()));
    for unordered in [[two, one], [one, one]] {
        assert_eq!(
            next(&20.into(), &crls[1], &10.into(), unordered, None),
            Err(DifferenceError::Unordered)
        );
    }
    let nothing = next(&20.into(), &crls[1], &10.into(), none(), None).unwrap();
    let nothing = Log::read(&nothing).unwrap();
    assert_eq!(
        nothing.agrees_with(&crls[1]),
        Ok(()),
        "what is missing does not show in the CRL"
    );
    assert_eq!(
        apply(&crls[0], &10.into(), &nothing),
        Err(DifferenceError::OtherCrl),
        "but here it does"
    );
    assert_eq!(
        apply(&crls[1], &20.into(), &nothing),
        Err(DifferenceError::Unreached)
    );
    let removed = next(&20.into(), &crls[1], &10.into(), [one], None).unwrap();
    assert_eq!(
        Log::read(&removed).unwrap().agrees_with(&crls[1]),
        Err(DifferenceError::OtherCrl)
    );
    assert_eq!(
        nothing.agrees_with(&crls[0]),
        Err(DifferenceError::OtherCrl)
    );
}

/// A CRL of somebody else whose entries are in the order of their revocation has no differences.
#[test]
fn unordered_crls() {
    let ordered = crl(10, &Revoked::from([(1, 1), (2, 1)]));
    let mut unordered = ordered.clone();
    let find = |serial| {
        ordered
            .windows(3)
            .position(|octets| octets == [2, 1, serial])
            .unwrap()
    };
    unordered[find(1) + 2] = 2;
    unordered[find(2) + 2] = 1;
    assert_eq!(
        between(&unordered, &ordered),
        Err(DifferenceError::Unordered)
    );
    assert_eq!(
        between(&ordered, &unordered),
        Err(DifferenceError::Unordered)
    );
}

/// *Stored format.* What version 1 wrote once is written and read for ever.
#[test]
fn golden() {
    let (crls, log) = history(&[
        Revoked::from([(0x01, 1), (0x8001, 2)]),
        Revoked::from([(0x01, 1), (0x0123, 3), (0x8001, 3)]),
        Revoked::from([(0x0123, 3), (0x8001, 3), (0x7f_ff00, 4)]),
    ]);
    assert_eq!(crls[0], include_bytes!("golden/10.crl"));
    assert_eq!(crls[2], include_bytes!("golden/30.crl"));
    let golden = include_bytes!("golden/30.diff");
    assert_eq!(log, golden);
    let golden = Log::read(golden).unwrap();
    assert_eq!(apply(&crls[0], &10.into(), &golden).unwrap(), crls[2]);
}
