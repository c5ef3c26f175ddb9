//! `kill -9` of any process at any moment of an issue/revoke loop: nothing acknowledged is lost, no serial number or CRL
//! number repeats, the edge never serves an invalid answer (V1, V4, V5, V6, V7).
//!
//! The real binaries run under `avouch up` with the library `killpoint` loaded. First the loop runs undisturbed and the
//! points of each daemon (its fsyncs and renames) are counted; then each daemon is killed before and after each of these
//! points while the loop goes on. A point that is not reached fails the test. Now and then `avouch up` itself is killed
//! with everything below it, or a daemon at a random moment. Two threads look at the edge all the time; the book of what
//! was acknowledged is the test's own.
//!
//! `AVOUCH_LONG=1` goes on for 1,000 rounds at random points; `AVOUCH_SEED` repeats a choice.
#![forbid(unsafe_code)]

mod book;
mod judge;
mod machine;
mod watcher;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use book::Book;
use e2e::{Random, wait_for};
use machine::{Machine, Order, PROGRAMS, Side};
use watcher::Watcher;

/// Rounds by which the points of an undisturbed round are counted.
const COUNTED: usize = 3;
/// Kills after which `avouch up` is killed too; it waits longer and longer before it starts a daemon again that keeps
/// dying.
const KILLS_UNTIL_ALL: usize = 10;
/// Points at which a daemon is killed again while it starts.
const STARTING: usize = 2;
/// A point not reached after this long is not there.
const PATIENCE: Duration = Duration::from_secs(60);
const LONG_ROUNDS: usize = 1000;

#[test]
fn nothing_acknowledged_is_lost() {
    let mut random = Random::seeded();
    let mut machine = Machine::start();
    let mut book = Book::open(machine.folder());
    let watcher = Watcher::start(&machine, &book);

    let points = count_points(&machine, &mut book, &watcher);
    acknowledged_when_durable(&machine, &mut book);
    let mut targets = every_point(&points);
    targets.extend(while_starting());
    let every = targets.len();
    if std::env::var_os("AVOUCH_LONG").is_some_and(|long| !long.is_empty()) {
        while targets.len() < LONG_ROUNDS {
            targets.push(random_point(&points, &mut random));
        }
    }
    println!(
        "{every} kill points: {points:?}; {} kills planned",
        targets.len()
    );

    for (killed, (program, order)) in targets.iter().enumerate() {
        if killed % KILLS_UNTIL_ALL == KILLS_UNTIL_ALL - 1 {
            machine.kill_everything(&mut random, &book.command());
        } else if killed % KILLS_UNTIL_ALL == KILLS_UNTIL_ALL / 2 {
            machine.kill_somebody(&mut random);
        }
        machine.arm(program, order);
        let began = Instant::now();
        while machine.is_armed(program) {
            assert!(
                began.elapsed() < PATIENCE,
                "{program} never reached point {order}; {}",
                machine.tell()
            );
            book.round(&machine);
            watcher.check();
            machine.give_time(program);
        }
        // The order goes, then the kill is written down, then it happens: nobody else may kill in between.
        wait_for(|| machine.kills().len() > killed);
    }
    assert_eq!(
        machine.kills().len(),
        targets.len(),
        "each order kills once"
    );

    watcher.settle(&book);
    let seen = watcher.stop();
    judge::everything(&machine, &book, &seen);
    println!("{} rounds; {}", book.rounds(), seen.tell());
    machine.stop();
}

/// How many points each daemon passes in one round.
fn count_points(
    machine: &Machine,
    book: &mut Book,
    watcher: &Watcher,
) -> BTreeMap<&'static str, usize> {
    book.round(machine);
    watcher.settle(book);
    let before = machine.points();
    for _ in 0..COUNTED {
        book.round(machine);
        watcher.settle(book);
    }
    let after = machine.points();
    PROGRAMS
        .into_iter()
        .map(|program| {
            let passed = after.get(program).unwrap_or(&0) - before.get(program).unwrap_or(&0);
            assert!(
                passed > 0,
                "{program} makes nothing durable; {}",
                machine.tell()
            );
            (program, passed.div_ceil(COUNTED))
        })
        .collect()
}

/// No acknowledgement without its fsyncs before it: a kill alone would not show that, since what was written survives it
/// in the page cache.
fn acknowledged_when_durable(machine: &Machine, book: &mut Book) {
    let passed = |program: &str| machine.points().get(program).copied().unwrap_or(0);
    for _ in 0..COUNTED {
        let (issuer, signer) = (passed("issuer"), passed("signer"));
        book.issue(machine);
        assert!(
            passed("issuer") >= issuer + 2,
            "the serial number, then the certificate"
        );
        assert!(
            passed("signer") >= signer + 2,
            "the intent, then the signature"
        );
        let issuer = passed("issuer");
        book.revoke_last(machine);
        assert!(passed("issuer") > issuer, "the revocation");
    }
}

/// Each daemon is killed, and then killed again at the first points of its next lives.
fn while_starting() -> Vec<(&'static str, Order)> {
    let mut targets = Vec::new();
    for program in PROGRAMS {
        targets.push((
            program,
            Order {
                number: 1,
                side: Side::Before,
            },
        ));
        for number in 1..=STARTING {
            targets
                .extend([Side::Before, Side::After].map(|side| (program, Order { number, side })));
        }
    }
    targets
}

/// Before and after each point, the daemons taking turns.
fn every_point(points: &BTreeMap<&'static str, usize>) -> Vec<(&'static str, Order)> {
    let most = points.values().copied().max().unwrap_or(0);
    let mut targets = Vec::new();
    for number in 1..=most {
        for side in [Side::Before, Side::After] {
            let reaching = points.iter().filter(|(_, count)| number <= **count);
            targets.extend(reaching.map(|(program, _)| (*program, Order { number, side })));
        }
    }
    targets
}

fn random_point(
    points: &BTreeMap<&'static str, usize>,
    random: &mut Random,
) -> (&'static str, Order) {
    let program = PROGRAMS[random.below(PROGRAMS.len())];
    let number = 1 + random.below(points[program] * 2);
    let side = if random.below(2) == 0 {
        Side::Before
    } else {
        Side::After
    };
    (program, Order { number, side })
}
