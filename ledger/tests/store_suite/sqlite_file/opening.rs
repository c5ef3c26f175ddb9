use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use ledger::{Ledger, LedgerError, SqliteStore};
use pki::ManualClock;
use sqlx::query;
use tempfile::TempDir;

use super::{open, path, raw};
use crate::fixtures::{NOW, issuer};

#[tokio::test]
async fn open_existing_makes_nothing() {
    let directory = TempDir::new().unwrap();
    let path = path(&directory);
    let missing = Ledger::open_existing(&path, Arc::new(ManualClock::new(NOW)))
        .await
        .unwrap_err();
    assert!(matches!(missing, LedgerError::NotInitialised { .. }));
    assert!(missing.to_string().contains("avouch init"));
    assert!(!path.parent().unwrap().exists());
    open(&path).await.unwrap();
    Ledger::open_existing(&path, Arc::new(ManualClock::new(NOW)))
        .await
        .unwrap();
}

#[tokio::test]
async fn only_the_owner_may_look() {
    let directory = TempDir::new().unwrap();
    open(&path(&directory)).await.unwrap();
    let mode = std::fs::metadata(path(&directory).parent().unwrap())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = path(&directory);
    drop(open(&path).await.unwrap());
    query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)")
        .execute(&raw(&path).await)
        .await
        .unwrap();
    assert!(matches!(
        open(&path).await,
        Err(LedgerError::NewerSchema { found: 99, .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_ledger_at_once() {
    let directory = TempDir::new().unwrap();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let path = path(&directory);
            tokio::spawn(async move { SqliteStore::open(&path).await.map(|_| ()) })
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn read_only_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let path = path(&directory);
    let clock = Arc::new(ManualClock::new(NOW));
    let missing = Ledger::open_read_only(&path, clock.clone()).await;
    assert!(matches!(missing, Err(LedgerError::NotInitialised { .. })));
    let writing = open(&path).await.unwrap();
    let looking = Ledger::open_read_only(&path, clock).await.unwrap();
    writing
        .add_issuer(issuer("member", 1), "alice")
        .await
        .unwrap();
    assert_eq!(looking.issuers().await.unwrap().len(), 1);
    let refused = looking.add_issuer(issuer("assured", 2), "mallory").await;
    assert!(
        matches!(refused, Err(LedgerError::ReadOnly(_))),
        "{refused:?}"
    );
    assert_eq!(writing.issuers().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_copy_is_whole_and_lives_its_own_life() {
    let directory = TempDir::new().unwrap();
    let path = path(&directory);
    let clock = Arc::new(ManualClock::new(NOW));
    let live = open(&path).await.unwrap();
    live.add_issuer(issuer("member", 1), "alice").await.unwrap();
    let copied = directory.path().join("copy/ledger.sqlite");
    std::fs::create_dir(copied.parent().unwrap()).unwrap();
    let store = SqliteStore::open_read_only(&path).await.unwrap();
    store.copy_to(&copied).await.unwrap();
    let copy = Ledger::open_existing(&copied, clock).await.unwrap();
    copy.add_issuer(issuer("assured", 2), "alice")
        .await
        .unwrap();
    assert_eq!(copy.issuers().await.unwrap().len(), 2);
    assert!(copy.verify_audit().await.is_ok());
    assert_eq!(live.issuers().await.unwrap().len(), 1);
}
