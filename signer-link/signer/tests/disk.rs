//! Journals that are missing, older or damaged, and disks that fail at any moment.

mod common;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use common::{Bench, Fixture, Leaf, policy, signature};
use journal::{DiskFile, Journal, SIGNER_JOURNAL, Storage};
use pki::SignatureAlgorithm;
use signer::journal_record::Record;
use signer::log::Log;
use signer::memory::Memory;
use signer::settings::Limits;
use wire::{LogRecord, Mode, Operation, Outcome, RequestId, SignedResult};

/// A disk that does so many more writes and syncs, and then none.
struct Dying {
    disk: DiskFile,
    fate: Arc<Fate>,
}

/// What becomes of a disk.
struct Fate {
    /// How many more writes and syncs it does.
    left: AtomicU32,
    /// How many octets are certain to be on it.
    synced: AtomicU64,
}

impl Fate {
    fn goes_on_for(&self, steps: u32) {
        self.left.store(steps, Ordering::SeqCst);
    }

    /// What a power cut leaves of the file: what was not synced is gone.
    fn power_cut(&self, path: &Path) {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(self.synced.load(Ordering::SeqCst)).unwrap();
    }
}

impl Dying {
    fn step(&self) -> io::Result<()> {
        let left = |left: u32| left.checked_sub(1);
        match self
            .fate
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }
}

impl Storage for Dying {
    fn length(&self) -> io::Result<u64> {
        self.disk.length()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.disk.read_at(offset, into)
    }
    fn write_at(&mut self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.step()?;
        self.disk.write_at(offset, octets)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.step()?;
        self.disk.sync()?;
        self.fate
            .synced
            .store(self.disk.length()?, Ordering::SeqCst);
        Ok(())
    }
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.step()?;
        self.disk.truncate(length)
    }
}

/// An active signer, and what becomes of its disk.
fn on_a_dying_disk(fixture: &Fixture) -> (Bench<Dying>, Arc<Fate>) {
    let fate = Arc::new(Fate {
        left: AtomicU32::new(u32::MAX),
        synced: AtomicU64::new(0),
    });
    let storage = loop {
        match DiskFile::open(&fixture.journal()) {
            Ok(disk) => {
                break Dying {
                    disk,
                    fate: Arc::clone(&fate),
                };
            }
            // A program that another test starts shares our open files until it replaces itself.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    };
    let mut memory = Memory::default();
    let log = Log::read_in(storage, "journal".to_owned(), |receipt, record| {
        memory.replay(receipt, record);
    });
    let mut bench = fixture.sealed_on((log.unwrap(), memory), policy(), Limits::default());
    bench.make_active();
    (bench, fate)
}

/// No signature leaves unless its record is safe; afterwards the keys are gone, what was done is there, and what was not
/// is done once.
#[test]
fn a_disk_that_fails_at_any_step_locks_and_nothing_is_lost_or_doubled() {
    let fixture = Fixture::new();
    for steps in 0.. {
        let (mut bench, fate) = on_a_dying_disk(&fixture);
        let leaf = Leaf::new(&fixture.member);
        let request = leaf.request();
        let id = u8::try_from(steps).unwrap();
        fate.goes_on_for(steps);
        let replies = bench.ask_all(vec![(id, Operation::IssueCertificate(request.clone()))]);
        let locked = bench.mode() == Mode::Locked;
        if !locked {
            // It was enough for all of it.
            signature(&replies[0]);
            assert!(
                steps >= 4,
                "an intent and a signature, each written and synced: {steps}"
            );
            break;
        }
        assert!(replies.is_empty(), "{replies:?}");
        let reason = bench.core.mode(bench.now).1;
        assert!(reason.contains("journal"), "{reason}");
        // Questions are still answered, and acts are not.
        let Outcome::Info { issuers, .. } = bench.ask(200, Operation::Info).outcome else {
            panic!("no info");
        };
        assert!(issuers.is_empty(), "the keys are still there");
        fate.goes_on_for(u32::MAX);
        let again = bench.ask(id, Operation::IssueCertificate(request.clone()));
        assert!(matches!(again.outcome, Outcome::Busy { .. }), "{again:?}");
        let ids = vec![RequestId([id; 16])];
        let Outcome::Results { results } = bench.ask(201, Operation::GetResult { ids }).outcome
        else {
            panic!("no results");
        };
        assert_eq!(results, [SignedResult::Unknown]);
        // What the host can archive now is there after a power cut, too.
        let Outcome::Log { records, head } = bench.ask(202, Operation::GetLog { after: 0 }).outcome
        else {
            panic!("no log");
        };
        assert_eq!(records.len() as u64, head.sequence);
        assert_eq!(bench.core.status(bench.now).head, head);
        drop(bench);
        fate.power_cut(&fixture.journal());
        let bench = fixture.sealed(policy(), Limits::default());
        assert!(bench.core.log().contains(&head));
        drop(bench);

        // There is room again, and people came.
        let mut bench = fixture.bench();
        let done = signature(&bench.issue(id, request.clone()));
        let key = fixture.member.public_key();
        key.verify(SignatureAlgorithm::EcdsaSha256, &request.tbs, &done)
            .unwrap();
        assert_eq!(signature(&bench.issue(id, request)), done);
    }
}

#[test]
fn a_revocation_is_not_acknowledged_before_it_is_safe() {
    let fixture = Fixture::new();
    let entry = pki::crl::build::CrlEntry {
        serial: pki::Serial::random_of_signer(9).unwrap(),
        revocation_date: common::noon(),
        reason: None,
        invalidity_date: None,
    };
    for steps in 0..2 {
        let (mut bench, fate) = on_a_dying_disk(&fixture);
        fate.goes_on_for(steps);
        assert!(
            bench
                .ask_all(vec![(1, common::revoke(&[entry], None))])
                .is_empty()
        );
        assert_eq!(bench.mode(), Mode::Locked);
    }
    let mut bench = fixture.bench();
    let reply = bench.ask(1, common::revoke(&[entry], None));
    assert!(
        matches!(reply.outcome, Outcome::Remembered { count: 1, .. }),
        "{reply:?}"
    );
}

fn open(path: &Path) -> Result<Log, String> {
    Log::open(path, |_, _| {}).map_err(|error| error.to_string())
}

/// Why the journal at this path cannot be used. A start of another program by another test may have it for a moment.
fn refused(path: &Path) -> String {
    loop {
        match open(path).err() {
            Some(error) if error.contains("in use") => std::thread::yield_now(),
            Some(error) => return error,
            None => panic!("it was opened"),
        }
    }
}

#[test]
fn a_missing_or_damaged_journal_is_no_reason_to_begin_at_zero() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    for id in 1..=3 {
        signature(&bench.issue(id, Leaf::new(&fixture.member).request()));
    }
    drop(bench);
    let path = fixture.journal();
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let error = refused(&path);
    assert!(error.contains("does not start"), "{error}");
    assert!(!path.exists(), "a new journal was made");
    fs::write(&path, b"").unwrap();
    assert!(refused(&path).contains("does not start"));
    // One octet of any record but the last.
    for at in [0, 30, whole.len() / 2, whole.len() * 3 / 4] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let error = refused(&path);
        assert!(error.contains("does not start"), "octet {at}: {error}");
    }
    fs::write(&path, &whole).unwrap();
    let mut bench = fixture.bench();
    signature(&bench.issue(4, Leaf::new(&fixture.member).request()));
}

/// A journal out of a backup has no way to know by itself; the host's archive knows.
#[test]
fn an_older_journal_signs_nothing() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    signature(&bench.issue(1, Leaf::new(&fixture.member).request()));
    drop(bench);
    let older = fs::read(fixture.journal()).unwrap();
    let mut bench = fixture.bench();
    signature(&bench.issue(2, Leaf::new(&fixture.member).request()));
    signature(&bench.issue(3, Leaf::new(&fixture.member).request()));
    let archived = bench.core.log().head();
    drop(bench);
    let newer = fs::read(fixture.journal()).unwrap();

    fs::write(fixture.journal(), &older).unwrap();
    let mut bench = fixture.bench();
    bench.core.link_up(bench.now);
    bench.greet_with(archived, 1);
    bench.ping(common::noon());
    let (mode, reason) = bench.core.mode(bench.now);
    assert_eq!(mode, Mode::Suspended);
    assert!(reason.contains("restored from a backup"), "{reason}");
    let request = Leaf::new(&fixture.member).request();
    let reply = bench.issue(4, request.clone());
    assert!(matches!(reply.outcome, Outcome::Busy { .. }), "{reply:?}");
    // Grown again to the length of the archive, it is another chain.
    while bench.core.log().head().sequence < archived.sequence {
        bench.greet_with_nothing();
    }
    bench.core.link_up(bench.now);
    bench.greet_with(archived, 1);
    bench.ping(common::noon());
    let (mode, reason) = bench.core.mode(bench.now);
    assert_eq!(mode, Mode::Suspended);
    assert!(reason.contains("not this signer's log"), "{reason}");
    drop(bench);

    // The true journal goes on.
    fs::write(fixture.journal(), &newer).unwrap();
    let mut bench = fixture.bench();
    bench.core.link_up(bench.now);
    bench.greet_with(archived, 1);
    bench.ping(common::noon());
    signature(&bench.issue(4, request));
}

/// A journal that came back from an archive whose owner left something out, and chained the rest anew.
#[test]
fn a_journal_that_was_made_up_locks() {
    let fixture = Fixture::new();
    let mut bench = fixture.bench();
    signature(&bench.issue(2, Leaf::new(&fixture.member).request()));
    let log = Operation::GetLog { after: 0 };
    let Outcome::Log { records, .. } = bench.ask(3, log).outcome else {
        panic!("no log");
    };
    drop(bench);
    let decode = |record: &LogRecord| Record::decode(&record.0).unwrap();
    assert!(matches!(
        decode(records.last().unwrap()),
        Record::Checkpoint(_)
    ));
    for leave_out in [false, true] {
        fs::remove_file(fixture.journal()).unwrap();
        let mut kept = records
            .iter()
            .filter(|record| !(leave_out && matches!(decode(record), Record::Signed { .. })));
        let first = &kept.next().unwrap().0;
        let mut journal = Journal::create(&fixture.journal(), SIGNER_JOURNAL, first).unwrap();
        kept.for_each(|record| {
            journal.append(&record.0).unwrap();
        });
        journal.sync().unwrap();
        drop(journal);
        let mut bench = fixture.sealed(policy(), Limits::default());
        assert_eq!(bench.try_unlock().is_err(), leave_out);
        let (mode, reason) = bench.core.mode(bench.now);
        assert_eq!(mode == Mode::Locked, leave_out, "{mode}: {reason}");
        assert_eq!(
            reason.contains("put back the true one"),
            leave_out,
            "{reason}"
        );
    }
}
