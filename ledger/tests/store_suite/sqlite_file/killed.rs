//! A process that is killed with SIGKILL before and after each fsync of its work, beginning with the making of
//! the ledger: what it acknowledged is there, what it did not is there whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use ledger::{ImportedStatus, Ledger};
use pki::{CrlNumber, RevocationReason};
use tempfile::TempDir;

use super::open;
use crate::fixtures::{imported, issue, issuer, reservation, revocation, serial};

const SIGKILL: i32 = 9;

/// What the child does; here it does nothing unless asked to.
#[tokio::test]
async fn child() {
    let Some(directory) = std::env::var_os("CHILD_DIRECTORY").map(PathBuf::from) else {
        return;
    };
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.join("acknowledged"))
        .unwrap();
    let mut acknowledge = |what: &str| writeln!(log, "{what}").unwrap();
    let ledger = open(&directory.join("ledger.sqlite")).await.unwrap();
    acknowledge("opened");
    ledger
        .add_issuer(issuer("member", 0), "alice")
        .await
        .unwrap();
    acknowledge("issuer");
    let (reserved, der) = reservation("member", 1);
    ledger.reserve_serial(&reserved).await.unwrap();
    acknowledge("reserved");
    ledger
        .record_certificate("member", &reserved.serial, &der)
        .await
        .unwrap();
    acknowledge("recorded");
    ledger
        .revoke(&revocation("member", 1, RevocationReason::KeyCompromise))
        .await
        .unwrap();
    acknowledge("revoked");
    let batch: Vec<_> = (100..200)
        .map(|number| imported(number, ImportedStatus::Good))
        .collect();
    ledger
        .import_certificates("member", &batch, "erin")
        .await
        .unwrap();
    acknowledge("imported");
    ledger
        .reserve_crl_number("member", &CrlNumber::from(41))
        .await
        .unwrap();
    acknowledge("crl number");
    // Without closing: what a closing connection still does is a matter of chance.
    std::process::exit(0);
}

#[tokio::test]
async fn what_was_acknowledged_is_there() {
    let directory = TempDir::new().unwrap();
    assert!(run(directory.path(), None).success());
    let points = fs::read_to_string(directory.path().join("log"))
        .unwrap()
        .lines()
        .count();
    assert!(
        points >= 7,
        "each acknowledgement needs its fsync; {points} were seen"
    );

    for number in 1..=points {
        for when in ["before", "after"] {
            let directory = TempDir::new().unwrap();
            let status = run(directory.path(), Some((number, when)));
            assert_eq!(
                status.signal(),
                Some(SIGKILL),
                "point {number} was not reached"
            );
            let acknowledged =
                fs::read_to_string(directory.path().join("acknowledged")).unwrap_or_default();
            let acknowledged: BTreeSet<_> = acknowledged.lines().collect();
            judge(
                directory.path(),
                &acknowledged,
                &format!("killed {when} point {number}"),
            )
            .await;
        }
    }
}

async fn judge(directory: &Path, acknowledged: &BTreeSet<&str>, what: &str) {
    let ledger = open(&directory.join("ledger.sqlite")).await.unwrap();
    let holds = |step: &str, holds: bool| {
        assert!(
            holds || !acknowledged.contains(step),
            "{step} is lost: {what}"
        )
    };
    holds("issuer", ledger.issuer("member").await.unwrap().is_some());
    ledger.verify_audit().await.unwrap();
    let changes = ledger.changes_after(0, 1000).await.unwrap();
    assert!(
        changes
            .iter()
            .map(|change| change.seq)
            .eq(1..=changes.len() as u64),
        "{what}"
    );
    if ledger.issuer("member").await.unwrap().is_none() {
        return;
    }
    let used = ledger
        .reserve_serial(&reservation("member", 1).0)
        .await
        .is_err();
    holds("reserved", used);
    let status = ledger.status("member", &serial(1)).await.unwrap();
    holds("recorded", status.is_some());
    holds(
        "revoked",
        status.is_some_and(|status| status.revoked.is_some()),
    );
    let blocked = ledger
        .is_key_blocked(&reservation("member", 1).0.spki_sha256)
        .await
        .unwrap();
    assert_eq!(
        blocked,
        status.is_some_and(|status| status.revoked.is_some()),
        "half a revocation: {what}"
    );
    let imported = ledger
        .statuses("member", Some(serial(99)), 1000)
        .await
        .unwrap()
        .len();
    assert!(imported == 0 || imported == 100, "half an import: {what}");
    holds("imported", imported == 100);
    let next = ledger
        .reserve_crl_number("member", &CrlNumber::zero())
        .await
        .unwrap();
    holds("crl number", next > CrlNumber::from(42));
    goes_on(&ledger).await;
}

async fn goes_on(ledger: &Ledger) {
    let head = ledger.head().await.unwrap();
    assert_eq!(issue(ledger, "member", 5000).await, head + 1);
    ledger.verify_audit().await.unwrap();
}

fn run(directory: &Path, kill: Option<(usize, &str)>) -> ExitStatus {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "sqlite_file::killed::child"])
        .env("CHILD_DIRECTORY", directory)
        .env("LD_PRELOAD", library())
        .env("KILLPOINT_LOG", directory.join("log"))
        .stdout(File::create(directory.join("output")).unwrap());
    if let Some((number, when)) = kill {
        child
            .env("KILLPOINT_AT", number.to_string())
            .env("KILLPOINT_WHEN", when);
    }
    child.status().unwrap()
}

fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let library = test.parent().unwrap().join("libkillpoint.so");
    assert!(
        library.exists(),
        "{} is built with this test",
        library.display()
    );
    library
}
