//! What only the SQLite store has: its file, its schema, and what somebody could do to both behind our back.

mod import_speed;
mod killed;
mod opening;
mod tampering;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger::{Ledger, LedgerError};
use pki::ManualClock;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tempfile::TempDir;

use crate::fixtures::NOW;

fn path(directory: &TempDir) -> PathBuf {
    directory.path().join("data/ledger.sqlite")
}

async fn open(path: &Path) -> Result<Ledger, LedgerError> {
    Ledger::open(path, Arc::new(ManualClock::new(NOW))).await
}

/// The file as any program sees it.
async fn raw(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(path);
    SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await
        .unwrap()
}
