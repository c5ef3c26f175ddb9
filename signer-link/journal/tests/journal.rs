//! A journal through crashes and damage.

use std::fs;
use std::path::{Path, PathBuf};

use journal::{Journal, JournalError};

const LINE: &str = "avouch-test-journal 1";
const HEADER: usize = 8;
const CHAIN: usize = 32;

fn record(number: u8) -> Vec<u8> {
    vec![number; 70]
}

/// A journal with the first record and `count` others; its octets and the offset where each frame begins.
fn written(directory: &Path, count: u8) -> (PathBuf, Vec<u8>, Vec<u64>) {
    let path = directory.join("journal");
    let mut offsets = vec![LINE.len() as u64 + 1];
    let mut journal = Journal::create(&path, LINE, b"first").unwrap();
    for number in 0..count {
        offsets.push(journal.octets());
        journal.append(&record(number)).unwrap();
        journal.sync().unwrap();
    }
    drop(journal);
    let octets = fs::read(&path).unwrap();
    (path, octets, offsets)
}

fn replay(path: &Path) -> Result<(Journal, Vec<Vec<u8>>), JournalError> {
    let mut records = Vec::new();
    Journal::open(path, LINE, |_, record| records.push(record)).map(|journal| (journal, records))
}

#[test]
fn records_come_back_in_order_and_can_be_read_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _, _) = written(directory.path(), 3);
    let (journal, records) = replay(&path).unwrap();
    assert_eq!(
        records,
        [b"first".to_vec(), record(0), record(1), record(2)]
    );
    assert_eq!(journal.head().sequence, 4);
    assert_eq!(journal.read(4).unwrap(), (record(2), journal.head()));
    assert_eq!(journal.read(2).unwrap().0, record(0));
    assert!(matches!(
        journal.read(5),
        Err(JournalError::NoRecord { .. })
    ));
    assert!(matches!(
        journal.read(0),
        Err(JournalError::NoRecord { .. })
    ));
}

/// Records of a mebibyte and more are read in, whatever was read ahead.
#[test]
fn large_records_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let mut journal = Journal::create(&path, LINE, b"first").unwrap();
    let sizes = [(1 << 20) - 41, 1 << 20, 0, 3 << 20, 17];
    for size in sizes {
        journal.append(&vec![7; size]).unwrap();
    }
    journal.sync().unwrap();
    let head = journal.head();
    drop(journal);
    let (journal, records) = replay(&path).unwrap();
    assert_eq!(records[1..].iter().map(Vec::len).collect::<Vec<_>>(), sizes);
    assert_eq!(journal.head(), head);
}

/// Whatever length a crash leaves, what was whole stays, the rest goes, and writing goes on.
#[test]
fn every_truncation_of_the_end_is_repaired() {
    let directory = tempfile::tempdir().unwrap();
    let (path, octets, offsets) = written(directory.path(), 2);
    let first = offsets[1] as usize;
    for length in first..octets.len() {
        fs::write(&path, &octets[..length]).unwrap();
        let whole = offsets[1..]
            .iter()
            .filter(|offset| **offset as usize <= length)
            .count();
        let (mut journal, records) = replay(&path).unwrap();
        assert_eq!(records.len(), whole, "length {length}");
        journal.append(&record(9)).unwrap();
        journal.sync().unwrap();
        drop(journal);
        assert_eq!(
            replay(&path).unwrap().1.last(),
            Some(&record(9)),
            "length {length}"
        );
    }
}

/// A journal whose making was interrupted has no record; it is made anew. One with a record never is.
#[test]
fn a_first_try_that_was_interrupted_is_made_good() {
    let directory = tempfile::tempdir().unwrap();
    let (path, octets, offsets) = written(directory.path(), 0);
    for length in 0..octets.len() {
        fs::write(&path, &octets[..length]).unwrap();
        assert!(
            length < offsets[0] as usize || replay(&path).is_ok(),
            "length {length}"
        );
        drop(Journal::create(&path, LINE, b"first").unwrap());
        assert_eq!(fs::read(&path).unwrap(), octets, "length {length}");
    }
    assert!(matches!(
        Journal::create(&path, LINE, b"first"),
        Err(JournalError::Exists(_))
    ));
}

/// The file got its length before its content: zeros from some octet of the last frame on.
#[test]
fn zeros_at_the_end_are_an_incomplete_record() {
    let directory = tempfile::tempdir().unwrap();
    let (path, octets, offsets) = written(directory.path(), 2);
    let last = offsets[2] as usize;
    for from in last..octets.len() - CHAIN {
        // A header cut in two is no header; the file system writes in larger pieces than that.
        if (last + 1..last + HEADER).contains(&from) {
            continue;
        }
        let mut torn = octets.clone();
        torn[from..].fill(0);
        fs::write(&path, &torn).unwrap();
        assert_eq!(replay(&path).unwrap().1.len(), 2, "from {from}");
    }
}

/// The same with several records that were written and not synced: zeros from any sector on, wherever that is in a frame.
#[test]
fn zeros_from_a_sector_on_leave_the_records_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut torn_in_chain = false;
    for count in [20, 59] {
        let (path, octets, offsets) = written(directory.path(), count);
        for sector in (512..octets.len()).step_by(512) {
            let mut torn = octets.clone();
            torn[sector..].fill(0);
            fs::write(&path, &torn).unwrap();
            let ends = &offsets[1..];
            let whole = ends.iter().filter(|end| **end <= sector as u64).count();
            assert_eq!(replay(&path).unwrap().1.len(), whole, "{count} {sector}");
            torn_in_chain |= ends
                .iter()
                .any(|end| (*end - 31..*end).contains(&(sector as u64)));
        }
        fs::remove_file(&path).unwrap();
    }
    assert!(torn_in_chain);
}

/// A changed bit anywhere but in the length of an incomplete end is damage, and the journal is left as it is.
#[test]
fn every_changed_bit_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let (path, octets, _) = written(directory.path(), 2);
    for at in 0..octets.len() {
        for bit in 0..8 {
            let mut changed = octets.clone();
            changed[at] ^= 1 << bit;
            fs::write(&path, &changed).unwrap();
            assert!(
                matches!(replay(&path), Err(JournalError::Damaged { .. })),
                "octet {at} bit {bit}"
            );
            assert_eq!(fs::read(&path).unwrap(), changed);
        }
    }
}

#[test]
fn a_record_cut_out_or_put_in_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let (path, octets, offsets) = written(directory.path(), 3);
    let (a, b) = (offsets[1] as usize, offsets[2] as usize);
    for changed in [
        [&octets[..a], &octets[b..]].concat(),
        [&octets[..b], &octets[a..]].concat(),
    ] {
        fs::write(&path, &changed).unwrap();
        assert!(matches!(replay(&path), Err(JournalError::Damaged { .. })));
    }
}

#[test]
fn one_process_at_a_time_and_none_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    assert!(matches!(replay(&path), Err(JournalError::Missing(_))));
    let journal = Journal::create(&path, LINE, b"first").unwrap();
    assert!(matches!(replay(&path), Err(JournalError::InUse(_))));
    assert!(matches!(
        Journal::create(&path, LINE, b"first"),
        Err(JournalError::InUse(_))
    ));
    drop(journal);
    replay(&path).unwrap();
}
