//! Random operations, each compared with a model that is a few maps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::{ImportedStatus, Ledger, LedgerError};
use pki::{Clock, CrlNumber, ManualClock, RevocationReason, Time};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::Place;
use crate::fixtures::{NOW, imported, issuer, pending, reservation, revocation, serial};

const CASES: u32 = 12;

#[derive(Clone, Debug)]
enum Op {
    Reserve(u64),
    Record(u64),
    GiveUp(u64),
    Revoke(u64, RevocationReason),
    Import(Vec<(u64, bool)>),
    ReserveCrlNumber(u64),
    Reopen,
    AdvanceTime(i64),
}

#[derive(Debug, Default)]
struct Model {
    reserved: BTreeSet<u64>,
    given_up: BTreeSet<u64>,
    issued: BTreeMap<u64, Option<(Time, RevocationReason)>>,
    crl_number: u64,
    events: u64,
}

pub(crate) async fn any_sequence_of_operations<P: Place>() {
    let mut runner = TestRunner::new(Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    });
    let handle = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner
            .run(&prop::collection::vec(op(), 1..40), |ops| {
                handle.block_on(run::<P>(ops))
            })
            .unwrap();
    });
}

fn op() -> impl Strategy<Value = Op> {
    let number = || 1..12_u64;
    let reason = prop_oneof![
        Just(RevocationReason::Superseded),
        Just(RevocationReason::KeyCompromise)
    ];
    prop_oneof![
        4 => number().prop_map(Op::Reserve),
        4 => number().prop_map(Op::Record),
        1 => number().prop_map(Op::GiveUp),
        3 => (number(), reason).prop_map(|(number, reason)| Op::Revoke(number, reason)),
        2 => prop::collection::vec((number(), any::<bool>()), 0..6).prop_map(Op::Import),
        1 => (0..50_u64).prop_map(Op::ReserveCrlNumber),
        1 => Just(Op::Reopen),
        1 => (0..100_000_i64).prop_map(Op::AdvanceTime),
    ]
}

async fn run<P: Place>(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let place = P::new();
    let clock = ManualClock::new(NOW);
    let open = async || Ledger::over(place.open().await, Arc::new(clock.clone()));
    let mut ledger = open().await;
    ledger
        .add_issuer(issuer("member", 0), "alice")
        .await
        .unwrap();
    let mut model = Model {
        events: 1,
        ..Model::default()
    };
    for op in ops {
        match op {
            Op::Reopen => ledger = open().await,
            Op::AdvanceTime(seconds) => clock.advance(seconds),
            op => apply(&ledger, &clock, &mut model, op).await?,
        }
    }
    compare(&ledger, &model).await
}

async fn apply(
    ledger: &Ledger,
    clock: &ManualClock,
    model: &mut Model,
    op: Op,
) -> Result<(), TestCaseError> {
    match op {
        Op::Reserve(number) => {
            let done = ledger
                .reserve_serial(&reservation("member", number).0)
                .await
                .is_ok();
            let used = model.issued.contains_key(&number) || model.given_up.contains(&number);
            prop_assert_eq!(done, !used && model.reserved.insert(number));
        }
        Op::Record(number) => {
            let done = ledger
                .record_certificate("member", &serial(number), &reservation("member", number).1)
                .await;
            if model.reserved.remove(&number) {
                model.events += 1;
                model.issued.insert(number, None);
                prop_assert_eq!(done.unwrap(), model.events);
            } else if let Ok(seq) = done {
                prop_assert!(model.issued.contains_key(&number) && seq <= model.events);
            }
        }
        Op::GiveUp(number) => {
            let done = ledger
                .abandon_reservation("member", &serial(number), "test")
                .await
                .is_ok();
            prop_assert_eq!(done, model.reserved.remove(&number));
            if done {
                model.given_up.insert(number);
            }
        }
        Op::Revoke(number, reason) => match (
            ledger.revoke(&revocation("member", number, reason)).await,
            model.issued.get_mut(&number),
        ) {
            (Ok(done), Some(status)) => {
                prop_assert_eq!(done.already, status.is_some());
                if status.is_none() {
                    model.events += 1;
                    *status = Some((clock.now(), reason));
                }
                prop_assert_eq!(Some((done.time, done.reason)), *status);
            }
            (Err(LedgerError::UnknownSerial { .. }), None) => {}
            (done, status) => prop_assert!(false, "{:?} for {:?}", done, status),
        },
        Op::Import(rows) => import(ledger, model, rows).await?,
        Op::ReserveCrlNumber(above) => {
            let number = ledger
                .reserve_crl_number("member", &CrlNumber::from(above))
                .await
                .unwrap();
            model.crl_number = model.crl_number.max(above) + 1;
            prop_assert_eq!(number, CrlNumber::from(model.crl_number));
        }
        Op::Reopen | Op::AdvanceTime(_) => {}
    }
    Ok(())
}

async fn import(
    ledger: &Ledger,
    model: &mut Model,
    rows: Vec<(u64, bool)>,
) -> Result<(), TestCaseError> {
    let before = (
        Time::from_unix(1_300_000_000),
        RevocationReason::CessationOfOperation,
    );
    let status = |revoked| match revoked {
        true => ImportedStatus::Revoked {
            time: before.0,
            reason: before.1,
            invalidity_date: None,
        },
        false => ImportedStatus::Good,
    };
    let batch: Vec<_> = rows
        .iter()
        .map(|&(number, revoked)| imported(number, status(revoked)))
        .collect();
    let done = ledger
        .import_certificates("member", &batch, "erin")
        .await
        .unwrap();

    let mut merged: BTreeMap<u64, bool> = BTreeMap::new();
    for (number, revoked) in rows {
        *merged.entry(number).or_default() |= revoked;
    }
    let (mut added, mut changed) = (0, 0);
    for (number, revoked) in merged {
        if model.reserved.contains(&number) || model.given_up.contains(&number) {
            prop_assert!(done.conflicts.contains(&serial(number)));
            continue;
        }
        match model.issued.get_mut(&number) {
            None => {
                model.issued.insert(number, revoked.then_some(before));
                added += 1;
            }
            Some(status) if status.is_none() && revoked => {
                *status = Some(before);
                changed += 1;
            }
            Some(_) => {}
        }
    }
    prop_assert_eq!((done.added, done.changed), (added, changed));
    model.events += added + changed;
    Ok(())
}

async fn compare(ledger: &Ledger, model: &Model) -> Result<(), TestCaseError> {
    let expected: Vec<_> = model
        .issued
        .iter()
        .map(|(&number, &revoked)| (serial(number), revoked))
        .collect();
    let statuses = ledger.statuses("member", None, 1000).await.unwrap();
    prop_assert_eq!(
        statuses
            .iter()
            .map(|row| (row.serial, row.revoked))
            .collect::<Vec<_>>(),
        expected
    );
    let revoked = ledger.revoked_entries("member").await.unwrap();
    prop_assert!(
        statuses
            .iter()
            .filter(|row| row.revoked.is_some())
            .eq(&revoked)
    );
    let counts = ledger.counts("member").await.unwrap();
    prop_assert_eq!(
        (counts.issued, counts.revoked),
        (statuses.len() as u64, revoked.len() as u64)
    );
    let pending: BTreeSet<_> = pending(ledger)
        .await
        .iter()
        .map(|open| open.serial)
        .collect();
    prop_assert!(
        pending
            .into_iter()
            .eq(model.reserved.iter().map(|&number| serial(number)))
    );
    let changes = ledger.changes_after(0, 10_000).await.unwrap();
    prop_assert!(changes.iter().map(|change| change.seq).eq(1..=model.events));
    prop_assert_eq!(ledger.verify_audit().await.unwrap().head, model.events);
    Ok(())
}
