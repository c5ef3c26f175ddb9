//! A backup of the signer's journal, or of the host's state, in place of the newest.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use e2e::system::{EC, path};
use e2e::{System, program, wait_for};
use journal::{Journal, Reader, SIGNER_JOURNAL};
use signer::journal_record::Record;

use crate::load::{Load, Order};
use crate::{judge, look, supervisor};

/// How long `avouch up` tries: long enough for the reason to be known.
const TRIES_SECONDS: u32 = 10;

#[test]
fn an_older_journal_signs_nothing_until_the_archive_is_put_back() {
    let mut system = System::start(EC);
    let address = system.address();
    let journal = system.data().join("signer/journal");
    let older = system.folder().join("older-journal");
    let mut orders = work(&system, "before");
    fs::copy(&journal, &older).expect("a backup");
    orders.extend(work(&system, "after"));
    judge::everything(&system, &orders);
    look::until_archived(&system);

    // The signer gets its backup while everything else goes on, and people ask for certificates.
    supervisor::while_the_signer_is_off(&system, || {
        fs::copy(&older, &journal).expect("the backup is put back");
    });
    let load = Load::start(&system, "meanwhile", 2);
    wait_for(|| look::alarms(&system) == ["log-older"]);
    wait_for(|| look::signer(&system)["mode"] == "suspended");
    let signer = look::signer(&system);
    for (what, says) in [
        ("reason", "was the signer's disk restored from a backup?"),
        (
            "why_no_work",
            "the signer's journal is older than its archive",
        ),
    ] {
        let said = signer[what].to_string();
        assert!(said.contains(says), "{what}: {said}");
    }
    let why = "the signer's journal is older than its archive";
    wait_for(|| look::not_ready(&system).contains(why));
    let alarm = "avouch_signer_host_alarm{alarm=\"log-older\"} 1";
    wait_for(|| system.metrics("signer-host").contains(alarm));

    // Whoever starts everything again, as after a power cut, learns the same.
    system.kill();
    let said = system.up_in_vain(TRIES_SECONDS);
    assert!(said.contains(why), "{said}");
    let acts = acts_after(&journal, records(&older));
    assert!(acts.is_empty(), "it was not to do anything: {acts:?}");
    assert_eq!(load.acknowledged(), 0);

    // docs/signer.md, "When something is lost": the journal comes back from the archive.
    let archive = system.data().join("signer-host/signer-log-1");
    fs::copy(&archive, &journal).expect("the archive is put back");
    system.up(&address);
    load.goes_on(&system, 6);
    orders.extend(load.stop());
    println!("{}", judge::everything(&system, &orders));

    // Without any journal it does not begin anew.
    system.stop();
    fs::remove_file(&journal).expect("it is lost");
    let said = system.up_in_vain(TRIES_SECONDS);
    let why = "the signer does not start on a journal that is missing, damaged or older";
    assert!(said.contains(why), "{said}");
    assert!(!journal.exists());
}

#[test]
fn an_older_host_is_completed_by_the_signer_and_a_foreign_one_gets_nothing() {
    let mut system = System::start(EC);
    let address = system.address();
    let state = system.data().join("signer-host");
    let older = system.folder().join("older-host");
    let mut orders = work(&system, "before");
    system.stop();
    copy(&state, &older);
    system.up(&address);
    orders.extend(work(&system, "after"));
    judge::everything(&system, &orders);
    look::until_archived(&system);
    system.stop();
    let newest = system.folder().join("newest-host");
    fs::rename(&state, &newest).expect("put away");
    copy(&older, &state);
    let log = |folder: &Path| fs::read(folder.join("signer-log-1")).expect("an archive");
    assert!(log(&newest).len() > log(&older).len());

    // What the archive lacks comes from the signer; what the outbox does not know any more was answered.
    system.up(&address);
    look::until_archived(&system);
    assert!(log(&state).starts_with(&log(&newest)));
    orders.extend(work(&system, "completed"));
    judge::everything(&system, &orders);

    // An archive with something in it that this signer has not done.
    look::until_archived(&system);
    system.stop();
    add_a_foreign_record(&state.join("signer-log-1"));
    let said = system.up_in_vain(TRIES_SECONDS);
    let why = "one of the two was restored from a backup or changed";
    assert!(said.contains(why), "{said}");

    // docs/signer.md: with neither archive nor outbox it archives the log from its beginning.
    let evidence = system.folder().join("evidence");
    fs::rename(&state, &evidence).expect("kept as evidence");
    system.up(&address);
    orders.extend(work(&system, "anew"));
    println!("{}", judge::everything(&system, &orders));
    look::until_archived(&system);
    assert!(log(&state).starts_with(&log(&newest)));
}

/// Some certificates and revocations.
#[track_caller]
fn work(system: &System, name: &str) -> Vec<Order> {
    let load = Load::start(system, name, 2);
    load.goes_on(system, 6);
    load.stop()
}

fn add_a_foreign_record(archive: &Path) {
    let archive = Journal::open(archive, SIGNER_JOURNAL, |_, _| {});
    let mut archive = archive.expect("the archive");
    let foreign = Record::Noticed {
        time: 0,
        what: "nothing that this signer has seen".to_owned(),
    };
    archive.append(&foreign.encode()).expect("room");
    archive.sync().expect("room");
}

fn copy(from: &Path, to: &Path) {
    program(Path::new("/"), "cp", ["-a", path(from), path(to)]).ok();
}

/// How many records a journal has.
fn records(journal: &Path) -> u64 {
    let mut count = 0;
    each(journal, |sequence, _| count = sequence);
    count
}

/// What was done after so many records: what a signer signs or remembers.
fn acts_after(journal: &Path, records: u64) -> Vec<Record> {
    let mut acts = Vec::new();
    each(journal, |sequence, record| {
        let is_act = matches!(
            record,
            Record::Intent { .. } | Record::Signed { .. } | Record::Revoked { .. }
        );
        if is_act && sequence > records {
            acts.push(record);
        }
    });
    acts
}

fn each(journal: &Path, mut take: impl FnMut(u64, Record)) {
    let mut reader = Reader::open(journal).expect("a journal");
    let read = reader.read_on(SIGNER_JOURNAL, |_, position, octets| {
        let record = Record::decode(&octets).expect("a record");
        take(position.sequence, record);
        ControlFlow::Continue(())
    });
    read.expect("a journal");
}
