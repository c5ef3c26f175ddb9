//! Real failures of SQLite, each told apart.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{SqlitePool, query};
use tempfile::TempDir;

use super::*;

async fn pool(options: SqliteConnectOptions) -> SqlitePool {
    let options = options.busy_timeout(Duration::from_millis(10));
    SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .unwrap()
}

fn file(directory: &TempDir) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(directory.path().join("x.sqlite"))
        .create_if_missing(true)
}

#[tokio::test]
async fn a_full_disk() {
    let pool = pool(
        SqliteConnectOptions::new()
            .in_memory(true)
            .pragma("max_page_count", "2"),
    )
    .await;
    query("CREATE TABLE t (x BLOB)")
        .execute(&pool)
        .await
        .unwrap();
    let error = query("INSERT INTO t VALUES (zeroblob(1000000))")
        .execute(&pool)
        .await
        .unwrap_err();
    assert!(matches!(error.into(), LedgerError::DiskFull));
}

#[tokio::test]
async fn a_held_lock() {
    let directory = TempDir::new().unwrap();
    let holder = pool(file(&directory)).await;
    let _held = holder.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = pool(file(&directory))
        .await
        .begin_with("BEGIN IMMEDIATE")
        .await
        .unwrap_err();
    assert!(matches!(error.into(), LedgerError::Locked));
}

#[tokio::test]
async fn a_read_only_database() {
    let directory = TempDir::new().unwrap();
    query("CREATE TABLE t (x)")
        .execute(&pool(file(&directory)).await)
        .await
        .unwrap();
    let error = query("INSERT INTO t VALUES (1)")
        .execute(&pool(file(&directory).read_only(true)).await)
        .await
        .unwrap_err();
    assert!(matches!(error.into(), LedgerError::ReadOnly(_)));
}

#[tokio::test]
async fn no_database_at_all() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("x.sqlite"), [0x55; 8192]).unwrap();
    let error = query("SELECT * FROM sqlite_schema")
        .execute(&pool(file(&directory)).await)
        .await
        .unwrap_err();
    assert!(matches!(error.into(), LedgerError::Damaged(_)));
}
