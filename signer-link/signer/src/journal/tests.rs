use std::fs;

use wire::RequestId;

use super::*;

fn record(number: u8) -> Record {
    Record::Signed {
        id: RequestId([number; 16]),
        signature: vec![number; 70],
    }
}

/// A journal with the first record and `count` others; its octets and the offset where each frame begins.
fn written(directory: &Path, count: u8) -> (PathBuf, Vec<u8>, Vec<u64>) {
    let path = directory.join("journal");
    let journal = Journal::create(&path, &Record::Created { time: 1 }).unwrap();
    let mut offsets = vec![MAGIC.len() as u64];
    for number in 0..count {
        let entry = journal.append(&record(number)).unwrap();
        journal.sync(&entry).unwrap();
        offsets.push(entry.offset);
    }
    drop(journal);
    let octets = fs::read(&path).unwrap();
    (path, octets, offsets)
}

fn replay(path: &Path) -> Result<(Journal, Vec<Record>), JournalError> {
    let mut records = Vec::new();
    Journal::open(path, |_, record| records.push(record)).map(|journal| (journal, records))
}

#[test]
fn records_come_back_in_order_and_can_be_read_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _, offsets) = written(directory.path(), 3);
    let (journal, records) = replay(&path).unwrap();
    assert_eq!(
        records,
        [Record::Created { time: 1 }, record(0), record(1), record(2)]
    );
    assert_eq!(journal.head().sequence, 4);
    let (last, head) = journal.read(offsets[3]).unwrap();
    assert_eq!((last, head), (record(2), journal.head().head));
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
        let (journal, records) = replay(&path).unwrap();
        assert_eq!(records.len(), whole, "length {length}");
        let entry = journal.append(&record(9)).unwrap();
        journal.sync(&entry).unwrap();
        drop(journal);
        assert_eq!(
            replay(&path).unwrap().1.last(),
            Some(&record(9)),
            "length {length}"
        );
    }
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
fn one_process_at_a_time_and_no_journal_is_no_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    assert!(matches!(replay(&path), Err(JournalError::Missing(_))));
    let journal = Journal::create(&path, &Record::Created { time: 1 }).unwrap();
    assert!(matches!(replay(&path), Err(JournalError::InUse(_))));
    assert!(matches!(
        Journal::create(&path, &Record::Created { time: 1 }),
        Err(JournalError::Exists(_))
    ));
    drop(journal);
    replay(&path).unwrap();
}

#[test]
fn those_who_wait_share_a_sync() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::create(
        &directory.path().join("journal"),
        &Record::Created { time: 1 },
    )
    .unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let journal = &journal;
            scope.spawn(move || {
                for _ in 0..20 {
                    let entry = journal.append(&record(number)).unwrap();
                    journal.sync(&entry).unwrap();
                }
            });
        }
    });
    assert_eq!(journal.head().sequence, 161);
}
