use proptest::prelude::*;

use super::*;
use crate::{RevocationReason, Time};

fn serial(number: u32) -> Serial {
    Serial::from_be_bytes(&(number + 1).to_be_bytes()).unwrap()
}

fn entry(number: u32, date: i64) -> CrlEntry {
    CrlEntry {
        serial: serial(number),
        revocation_date: Time::from_unix(1_700_000_000 + date),
        reason: number
            .is_multiple_of(3)
            .then_some(RevocationReason::KeyCompromise),
        invalidity_date: number
            .is_multiple_of(5)
            .then(|| Time::from_unix(1_600_000_000)),
    }
}

fn encoded(entries: impl IntoIterator<Item = CrlEntry>) -> Vec<u8> {
    let mut octets = Vec::new();
    entries
        .into_iter()
        .for_each(|entry| append_entry(&mut octets, &entry));
    octets
}

fn concat(entries: &Entries) -> Vec<u8> {
    entries.pieces().collect::<Vec<_>>().concat()
}

proptest! {
    /// Whatever happens to a list, it is the list that would be made anew, and the changes told are those made.
    #[test]
    fn as_if_made_anew(
        rounds in prop::collection::vec(prop::collection::btree_map(0_u32..3000, prop::option::of(0_i64..5), 0..400), 1..8)
    ) {
        let mut list = Entries::default();
        let mut model = BTreeMap::new();
        for round in rounds {
            let changes: BTreeMap<_, _> = round
                .iter()
                .map(|(number, date)| (serial(*number), date.map(|date| entry(*number, date))))
                .collect();
            let mut told = Vec::new();
            for (serial, after) in &changes {
                let before = match after {
                    Some(after) => model.insert(*serial, *after),
                    None => model.remove(serial),
                };
                if before != *after {
                    told.push(EntryChange { serial: *serial, before, after: *after });
                }
            }
            let next = list.with(&changes);
            prop_assert_eq!(next.changes_since(&list), told);
            list = next;
            let octets = encoded(model.values().copied());
            prop_assert_eq!(concat(&list), octets.clone());
            prop_assert_eq!((list.len(), list.octets(), list.is_empty()), (model.len(), octets.len(), model.is_empty()));
            prop_assert_eq!(&Entries::read(&octets).unwrap(), &list);
            prop_assert!(list.iter().eq(model.values().copied()));
            for number in (0..3000).step_by(97) {
                prop_assert_eq!(list.get(&serial(number)), model.get(&serial(number)).copied());
            }
        }
    }
}

/// Only what is near a change is made anew.
#[test]
fn what_did_not_change_is_shared() {
    let list: Entries = (0..20_000).map(|number| entry(2 * number, 0)).collect();
    assert!(list.pieces.len() > 15);
    let next = list.with(&BTreeMap::from([(serial(20_001), Some(entry(20_001, 0)))]));
    let shared = list
        .pieces
        .iter()
        .filter(|piece| next.pieces.iter().any(|other| Arc::ptr_eq(piece, other)));
    assert_eq!(shared.count(), list.pieces.len() - 1);
    assert!(list.pieces.iter().all(|piece| piece.octets.len() <= PIECE));
}

#[test]
fn what_is_not_ours_is_refused() {
    let rule = |octets: &[u8]| Entries::read(octets).unwrap_err().rule;
    assert_eq!(rule(&encoded([entry(2, 0), entry(1, 0)])), "CRL-17");
    assert_eq!(rule(&encoded([entry(1, 0), entry(1, 0)])), "CRL-17");
    let one = encoded([entry(1, 0)]);
    assert_eq!(rule(&one[..one.len() - 1]), "RFC 5280 5.1");
    // unspecified(0) written out (CRL-12).
    let unspecified =
        hex::decode("3020020101170d3233313131343232313332305a300c300a0603551d1504030a0100")
            .unwrap();
    assert_eq!(rule(&unspecified), "RFC 5280 5.1");
}
