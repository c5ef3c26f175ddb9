//! A standby follows the active signer, takes over at its console, and never uses anything twice (G8).

mod common;

use std::fs;

use common::{Bench, Fixture, Leaf, PASSPHRASE, crl, noon, policy, refusal, revoke, signature};
use keystore::EncryptedStore;
use pki::crl::build::CrlEntry;
use pki::{CrlNumber, Serial};
use signer::core::CoreError;
use signer::journal_record::Record;
use signer::keyring::save_certificate;
use signer::log::Log;
use signer::settings::Limits;
use wire::{LogRecord, Mode, Operation, Outcome, RefusalCode, RequestId, SignedResult};

/// A second machine with the same keys, and the journal of a standby.
fn second(first: &Fixture) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    fs::create_dir(&keys).unwrap();
    for file in fs::read_dir(first.keys()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), keys.join(file.file_name())).unwrap();
    }
    let time = noon().unix();
    drop(Log::create(&directory.path().join("journal"), &Record::Follows { time }).unwrap());
    Fixture {
        directory,
        clock: first.clock.clone(),
        root: first.root.clone(),
        member: first.member.clone(),
        signer_id: first.signer_id + 1,
    }
}

/// A standby that is unlocked and in a session.
fn follower(fixture: &Fixture) -> Bench {
    let mut bench = fixture.sealed(policy(), Limits::default());
    bench.unlock();
    bench.greet();
    assert_eq!(bench.mode(), Mode::Standby);
    bench
}

/// What the active signer's log says after that many records, as the host reads it.
fn log_after(bench: &mut Bench, after: u64) -> Vec<LogRecord> {
    let mut all = Vec::new();
    loop {
        let after = after + all.len() as u64;
        match bench.ask(0xee, Operation::GetLog { after }).outcome {
            Outcome::Log { records, .. } if records.is_empty() => return all,
            Outcome::Log { records, .. } => all.extend(records),
            other => panic!("no log: {other:?}"),
        }
    }
}

/// The host relays what the standby lacks.
fn relay(from: &mut Bench, to: &mut Bench) {
    let after = to.core.status(to.now).replicated;
    let records = log_after(from, after);
    let reply = to.ask(0xed, Operation::Replicate { after, records });
    assert_eq!(reply.outcome, Outcome::Done);
}

fn entry() -> CrlEntry {
    CrlEntry {
        serial: Serial::random_of_signer(1).unwrap(),
        revocation_date: noon().plus_seconds(-600),
        reason: None,
        invalidity_date: None,
    }
}

#[test]
fn a_promoted_standby_goes_on_and_the_one_before_locks() {
    let first = Fixture::new();
    let mut active = first.bench();
    let leaf = Leaf::new(&first.member);
    let issued = signature(&active.issue(1, leaf.request()));
    let entries = [entry()];
    let told = revoke(&entries, None);
    active.ask(2, told.clone());
    let list = crl(&first.member, 5, noon(), &entries);
    let listed = signature(&active.ask(3, Operation::SignCrl(list.clone())));
    let mut bad = Leaf::new(&first.member).request();
    bad.tbs.clear();
    let refused = refusal(&active.issue(4, bad.clone()));

    let second = second(&first);
    let mut standby = follower(&second);
    relay(&mut active, &mut standby);
    let followed = standby.core.status(standby.now).replicated;
    assert_eq!(followed, active.core.log().head().sequence);
    assert_eq!(
        standby.core.memory().replicated().head,
        active.core.log().head().head
    );
    // It signs nothing, whoever asks.
    let mut own = Leaf::new(&first.member);
    own.serial = Serial::random_of_signer(second.signer_id).unwrap();
    let reply = standby.issue(9, own.request());
    assert!(matches!(reply.outcome, Outcome::Busy { .. }), "{reply:?}");
    // What came before a crash is there after it.
    drop(standby);
    let mut standby = follower(&second);
    assert_eq!(standby.core.status(standby.now).replicated, followed);

    assert_eq!(standby.core.promote(standby.now).unwrap(), 2);
    standby.greet();
    assert_eq!(standby.mode(), Mode::Active);
    // Whatever the first has done stands: same id, same answer.
    assert_eq!(signature(&standby.issue(1, leaf.request())), issued);
    assert_eq!(signature(&standby.ask(3, Operation::SignCrl(list))), listed);
    assert_eq!(refusal(&standby.issue(4, bad)), refused);
    assert!(matches!(
        standby.ask(2, told).outcome,
        Outcome::Remembered { count: 1, .. }
    ));
    let other = Leaf::new(&first.member).request();
    assert_eq!(
        refusal(&standby.issue(1, other)).code,
        RefusalCode::IdReused
    );

    // The one before hears of it in the first message, and nothing brings it back but people.
    active.core.link_up(active.now);
    active.greet_with(active.core.log().head(), 2);
    let (mode, reason) = active.core.mode(active.now);
    assert_eq!(mode, Mode::Locked);
    assert!(reason.contains("epoch 2"), "{reason}");
}

#[test]
fn serial_and_crl_numbers_of_the_signer_before_are_never_used() {
    let first = Fixture::new();
    let mut active = first.bench();
    let mut leaf = Leaf::new(&first.member);
    signature(&active.issue(1, leaf.request()));
    let entries = [entry()];
    active.ask(2, revoke(&entries, None));
    let list = crl(&first.member, 5, noon().plus_seconds(-60), &entries);
    signature(&active.ask(3, Operation::SignCrl(list)));

    let second = second(&first);
    let mut standby = follower(&second);
    relay(&mut active, &mut standby);
    // The first goes on, and nobody relays that.
    for number in 6..9_u8 {
        let list = crl(
            &first.member,
            u64::from(number),
            noon().plus_seconds(-50),
            &entries,
        );
        signature(&active.ask(number, Operation::SignCrl(list)));
    }
    standby.core.promote(standby.now).unwrap();
    standby.greet();

    // Serial numbers carry the signer's own id.
    leaf.not_after = leaf.not_after.plus_seconds(-1);
    assert_eq!(
        refusal(&standby.issue(10, leaf.request())).field,
        "tbs.serialNumber"
    );
    leaf.serial = Serial::random_of_signer(second.signer_id).unwrap();
    signature(&standby.issue(11, leaf.request()));
    // CRL numbers go on above whatever the first may still have used.
    let sign = |standby: &mut Bench, id, number| {
        let list = crl(&first.member, number, noon(), &entries);
        standby.ask(id, Operation::SignCrl(list))
    };
    let refused = refusal(&sign(&mut standby, 12, 9));
    assert_eq!(refused.code, RefusalCode::CrlNotNewer);
    let above = refused.above.unwrap();
    assert!(above > CrlNumber::from(1 << 39));
    let (last, next) = ((1_u64 << 40) - 1, 1_u64 << 40);
    assert_eq!(above, CrlNumber::from(last));
    refusal(&sign(&mut standby, 13, last));
    signature(&sign(&mut standby, 14, next));
    // And a revocation that was told the first is on it: without it there is no CRL.
    let empty = crl(&first.member, next + 1, noon(), &[]);
    let refused = refusal(&standby.ask(15, Operation::SignCrl(empty)));
    assert_eq!(refused.code, RefusalCode::Diverged);
}

#[test]
fn what_is_relayed_is_taken_once_and_in_order() {
    let first = Fixture::new();
    let mut active = first.bench();
    signature(&active.issue(1, Leaf::new(&first.member).request()));
    let second = second(&first);
    let mut standby = follower(&second);
    let records = log_after(&mut active, 0);
    let relay = |standby: &mut Bench, after, records: &[LogRecord]| {
        let records = records.to_vec();
        standby.ask(1, Operation::Replicate { after, records })
    };
    // A gap, and what is no record: nothing of it is taken.
    assert_eq!(refusal(&relay(&mut standby, 1, &records)).field, "after");
    let garbage = [records[0].clone(), LogRecord(vec![0xff; 40])];
    assert_eq!(refusal(&relay(&mut standby, 0, &garbage)).field, "records");
    // One in which a record was relayed more often than there are signers.
    let mut nested = records[0].0.clone();
    for _ in 0..200 {
        let record = Record::Replicated {
            sequence: 1,
            record: nested,
        };
        nested = record.encode();
    }
    let nested = [LogRecord(nested)];
    assert_eq!(refusal(&relay(&mut standby, 0, &nested)).field, "records");
    assert_eq!(standby.core.status(standby.now).replicated, 0);

    assert_eq!(relay(&mut standby, 0, &records[..3]).outcome, Outcome::Done);
    // After a cut the host begins a little before.
    assert_eq!(relay(&mut standby, 1, &records[1..]).outcome, Outcome::Done);
    assert_eq!(relay(&mut standby, 0, &records).outcome, Outcome::Done);
    let status = standby.core.status(standby.now);
    assert_eq!(status.replicated, records.len() as u64);
    let head = standby.core.memory().replicated();
    assert_eq!(head.head, active.core.log().head().head);
    // An active signer follows nobody.
    assert_eq!(refusal(&relay(&mut active, 0, &records)).field, "operation");
}

#[test]
fn only_a_standby_that_has_followed_is_promoted() {
    let first = Fixture::new();
    let mut active = first.bench();
    assert!(matches!(active.core.promote(0), Err(CoreError::NotStandby)));
    let second = second(&first);
    let mut standby = follower(&second);
    assert!(matches!(
        standby.core.promote(0),
        Err(CoreError::NothingFollowed)
    ));
    relay(&mut active, &mut standby);
    standby.core.promote(0).unwrap();
    assert!(matches!(
        standby.core.promote(0),
        Err(CoreError::NotStandby)
    ));
}

/// The host relays the log and can make up another, but not one that a CA's key vouches for.
#[test]
fn a_made_up_log_is_not_believed() {
    let first = Fixture::new();
    let mut active = first.bench();
    let entries = [entry()];
    active.ask(1, revoke(&entries, None));
    let true_log = log_after(&mut active, 0);
    let is_checkpoint =
        |record: &LogRecord| matches!(Record::decode(&record.0), Ok(Record::Checkpoint(_)));
    assert_eq!(
        true_log
            .iter()
            .filter(|record| is_checkpoint(record))
            .count(),
        1
    );
    assert!(is_checkpoint(true_log.last().unwrap()));

    let revoked =
        |record: &LogRecord| matches!(Record::decode(&record.0), Ok(Record::Revoked { .. }));
    // Without the revocation, with a promotion that was none, and with both in another order.
    let mut without = true_log.clone();
    without.retain(|record| !revoked(record));
    let mut longer = true_log.clone();
    let promoted = Record::Promoted {
        time: noon().unix(),
        epoch: u32::MAX,
    };
    longer.insert(1, LogRecord(promoted.encode()));
    let mut turned = true_log.clone();
    turned.swap(0, 1);
    for forged in [without, longer, turned] {
        let second = second(&first);
        let mut standby = follower(&second);
        let tell = |standby: &mut Bench, after, records: &[LogRecord]| {
            let records = records.to_vec();
            standby.ask(1, Operation::Replicate { after, records })
        };
        let refused = refusal(&tell(&mut standby, 0, &forged));
        assert_eq!(refused.field, "records");
        assert!(refused.message.contains("checkpoint"), "{refused}");
        assert_eq!(standby.core.status(standby.now).replicated, 0);
        // Without its checkpoint it is written down, and that is all.
        let (_, unsigned) = forged.split_last().unwrap();
        assert_eq!(tell(&mut standby, 0, unsigned).outcome, Outcome::Done);
        for _ in 0..2 {
            assert_eq!(standby.core.memory().epoch(), 0);
            let member = signer_authority(&first);
            assert!(standby.core.memory().authority(&member).is_none());
            let promoted = standby.core.promote(standby.now);
            assert!(
                matches!(promoted, Err(CoreError::NothingFollowed)),
                "{promoted:?}"
            );
            drop(standby);
            standby = follower(&second);
        }
        // What is written down stays, so the true log does not follow from it any more.
        let after = standby.core.status(standby.now).replicated;
        let rest = &true_log[true_log.len() - 1..];
        assert_eq!(refusal(&tell(&mut standby, after, rest)).field, "records");
    }
}

fn signer_authority(fixture: &Fixture) -> [u8; 32] {
    signer::journal_record::hash(fixture.member.subject().as_der())
}

/// What came after the last checkpoint is lost with the signer that is gone; whoever asked for it asks again.
#[test]
fn what_nobody_vouches_for_is_done_anew() {
    let first = Fixture::new();
    let mut active = first.bench();
    let entries = [entry()];
    let told = revoke(&entries, None);
    let early = log_after(&mut active, 0);
    active.ask(2, told.clone());
    let late = log_after(&mut active, early.len() as u64);
    let second = second(&first);
    let mut standby = follower(&second);
    let mut records = early;
    records.extend_from_slice(&late[..late.len() - 1]);
    let count = records.len() as u64;
    let reply = standby.ask(1, Operation::Replicate { after: 0, records });
    assert_eq!(reply.outcome, Outcome::Done);
    standby.core.promote(standby.now).unwrap();
    standby.greet();
    assert_eq!(standby.core.status(standby.now).replicated, count);
    let results = Operation::GetResult {
        ids: vec![RequestId([2; 16])],
    };
    assert_eq!(
        standby.ask(3, results).outcome,
        Outcome::Results {
            results: vec![SignedResult::Unknown]
        }
    );
    assert!(matches!(
        standby.ask(2, told).outcome,
        Outcome::Remembered { count: 1, .. }
    ));
}

/// A new key is first with the active signer; the standby follows on until somebody carries it over.
#[test]
fn a_key_that_the_standby_lacks_stops_nothing() {
    let first = Fixture::new();
    let mut active = first.bench_with(policy().with_base_url(None), Limits::default());
    let second = second(&first);
    let mut standby = follower(&second);
    relay(&mut active, &mut standby);
    // Of the same kind, and before the other by its name.
    let store = EncryptedStore::open(&first.keys(), &PASSPHRASE.into()).unwrap();
    save_certificate(&first.keys(), "late", &first.member).unwrap();
    store.insert("late", &store.get("member").unwrap()).unwrap();
    let mut request = Leaf::new(&first.member).request();
    request.issuer = "late".to_owned();
    signature(&active.issue(1, request));
    relay(&mut active, &mut standby);
    let (position, checkpoint) = standby.core.memory().vouched_for().unwrap();
    assert_eq!(position.sequence, active.core.log().head().sequence);
    assert_eq!(checkpoint.signer_id, first.signer_id);
}

/// How many numbers a signer has for its CRLs.
const RUN: u64 = 1 << 40;

fn numbered(fixture: &Fixture, number: u64, later: i64) -> Operation {
    let this_update = noon().plus_seconds(later - 100);
    Operation::SignCrl(crl(&fixture.member, number, this_update, &[]))
}

/// The first CRL of a CA may be what nobody has heard of.
#[test]
fn a_promotion_leaves_numbers_behind_also_of_a_ca_without_crls() {
    let first = Fixture::new();
    let mut active = first.bench();
    let second_machine = second(&first);
    let mut standby = follower(&second_machine);
    relay(&mut active, &mut standby);
    assert_eq!(standby.core.promote(standby.now).unwrap(), 2);
    standby.greet();
    let refused = refusal(&standby.ask(1, numbered(&first, RUN - 1, 0)));
    assert_eq!(refused.above, Some(CrlNumber::from(RUN - 1)));
    signature(&standby.ask(2, numbered(&first, RUN, 0)));
}

/// What the second one signs, the host keeps to itself; the third one uses none of its numbers.
#[test]
fn two_promotions_in_a_row_leave_two_runs_behind() {
    let first = Fixture::new();
    let mut active = first.bench();
    signature(&active.ask(1, numbered(&first, 5, 0)));
    let second_machine = second(&first);
    let mut standby = follower(&second_machine);
    relay(&mut active, &mut standby);
    assert_eq!(standby.core.promote(standby.now).unwrap(), 2);
    standby.greet();
    let mut third_machine = second(&second_machine);
    third_machine.signer_id = 3;
    let mut third = follower(&third_machine);
    relay(&mut standby, &mut third);
    for (id, number) in [(10, RUN), (11, RUN + 1), (12, 2 * RUN - 1)] {
        signature(&standby.ask(id, numbered(&first, number, id.into())));
    }
    assert_eq!(third.core.promote(third.now).unwrap(), 3);
    third.greet();
    for (id, number) in [(20, RUN), (21, RUN + 1), (22, 2 * RUN - 1)] {
        let refused = refusal(&third.ask(id, numbered(&first, number, id.into())));
        assert_eq!(refused.above, Some(CrlNumber::from(2 * RUN - 1)));
    }
    signature(&third.ask(30, numbered(&first, 2 * RUN, 30)));
}

/// A third signer follows the second, which followed the first: what the second did not believe, the third does not either.
#[test]
fn nobody_believes_what_the_signer_before_did_not() {
    let first = Fixture::new();
    let mut active = first.bench();
    signature(&active.issue(1, Leaf::new(&first.member).request()));
    let second_machine = second(&first);
    let mut standby = follower(&second_machine);
    relay(&mut active, &mut standby);
    let followed = standby.core.status(standby.now).replicated;
    let made_up = Record::Promoted {
        time: noon().unix(),
        epoch: 1_000,
    };
    let made_up = Operation::Replicate {
        after: followed,
        records: vec![LogRecord(made_up.encode())],
    };
    assert_eq!(standby.ask(2, made_up).outcome, Outcome::Done);
    assert_eq!(standby.core.promote(standby.now).unwrap(), 2);
    standby.greet();

    let mut third_machine = second(&second_machine);
    third_machine.signer_id = 3;
    let mut third = follower(&third_machine);
    relay(&mut standby, &mut third);
    assert_eq!(third.core.memory().epoch(), 2);
    let own = standby.core.memory().authority(&signer_authority(&first));
    let followed = third.core.memory().authority(&signer_authority(&first));
    assert!(own.is_some() && followed.is_some());
    assert_eq!(third.core.promote(third.now).unwrap(), 3);
}

/// A host that was restored from a backup, or lies, does not turn the time back.
#[test]
fn a_host_that_knows_an_older_epoch_gets_nothing() {
    let first = Fixture::new();
    let mut active = first.bench();
    let second = second(&first);
    let mut standby = follower(&second);
    relay(&mut active, &mut standby);
    standby.core.promote(standby.now).unwrap();
    standby.core.link_up(standby.now);
    standby.greet_with(standby.core.log().head(), 1);
    standby.ping(noon());
    let (mode, reason) = standby.core.mode(standby.now);
    assert_eq!(mode, Mode::Suspended);
    assert!(reason.contains("epoch 1"), "{reason}");
    // It is no reason to lock: the right host comes, and all goes on.
    standby.greet();
    assert_eq!(standby.mode(), Mode::Active);
}
