//! Reading a journal while somebody writes it.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use journal::{Journal, JournalError, Position, Reader};

const LINE: &str = "avouch-test-journal 1";

fn read_on(reader: &mut Reader) -> Result<Vec<(u64, Vec<u8>)>, JournalError> {
    let mut records = Vec::new();
    reader
        .read_on(LINE, |_, position, record| {
            records.push((position.sequence, record));
            ControlFlow::Continue(())
        })
        .map(|_| records)
}

fn journal(path: &Path, count: u8) -> Journal {
    let mut journal = Journal::create(path, LINE, b"first").unwrap();
    for number in 1..count {
        journal.append(&[number; 50]).unwrap();
    }
    journal.sync().unwrap();
    journal
}

/// The writer keeps its lock, and what it appends is there the next time.
#[test]
fn what_is_appended_meanwhile_is_read_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let mut writer = journal(&path, 3);
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(read_on(&mut reader).unwrap().len(), 3);
    assert_eq!(read_on(&mut reader).unwrap(), []);
    writer.append(b"fourth").unwrap();
    assert_eq!(read_on(&mut reader).unwrap(), [(4, b"fourth".to_vec())]);
    let end = reader
        .read_on(LINE, |_, _, _| ControlFlow::Continue(()))
        .unwrap();
    assert_eq!((end.position, end.incomplete), (writer.head(), 0));
    assert_eq!(reader.octets().unwrap(), writer.octets());
}

#[test]
fn reading_can_break_off_and_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    drop(journal(&path, 5));
    let mut reader = Reader::open(&path).unwrap();
    let mut seen = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..5 {
        reader
            .read_on(LINE, |end, position: Position, _| {
                seen.push(position.sequence);
                ends.push(end);
                ControlFlow::Break(())
            })
            .unwrap();
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    assert_eq!(ends.last(), Some(&fs::metadata(&path).unwrap().len()));
}

/// A frame that is being written is not there yet; nothing is cut off.
#[test]
fn half_a_frame_is_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    drop(journal(&path, 3));
    let whole = fs::read(&path).unwrap();
    for missing in 1..90 {
        fs::write(&path, &whole[..whole.len() - missing]).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(read_on(&mut reader).unwrap().len(), 2, "{missing}");
        fs::write(&path, &whole).unwrap();
        assert_eq!(read_on(&mut reader).unwrap().len(), 1, "{missing}");
    }
}

/// Each changed octet is found, what stands before it was handed over, and nothing after it is.
#[test]
fn a_flipped_octet_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    drop(journal(&path, 4));
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x20;
        fs::write(&path, changed).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        let mut last = 0;
        let read = reader.read_on(LINE, |_, position, _| {
            last = position.sequence;
            ControlFlow::Continue(())
        });
        assert!(matches!(read, Err(JournalError::Damaged { .. })), "{at}");
        assert!(last < 4, "{at}");
    }
    // One that was longer before is another one.
    fs::write(&path, &whole).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    read_on(&mut reader).unwrap();
    fs::write(&path, &whole[..60]).unwrap();
    assert!(read_on(&mut reader).is_err());
}
