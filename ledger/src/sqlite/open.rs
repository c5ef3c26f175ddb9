//! Opening: one process at a time makes the file and brings the schema up to date.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqlitePool, query, query_scalar};

use super::SqliteStore;
use crate::error::LedgerError;

/// How long a process waits for the write lock before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);
const READERS: u32 = 4;

pub(super) async fn open(path: &Path) -> Result<SqliteStore, LedgerError> {
    let path = std::path::absolute(path).map_err(|source| LedgerError::Io {
        path: path.to_owned(),
        source,
    })?;
    make_directory(&path)?;
    let guard = lock_schema(path.with_extension("lock")).await?;
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options(&path).create_if_missing(true))
        .await?;
    migrate(&writer, &path).await?;
    drop(guard);

    let readers = readers(&path);
    let bell = path.with_extension("bell");
    let bell_file = Arc::new(private_file(&bell)?);
    Ok(SqliteStore {
        writer,
        readers,
        bell,
        bell_file,
    })
}

/// For a process that only looks: nothing is made or brought up to date, and a statement that would change something
/// is refused by SQLite.
pub(super) async fn open_read_only(path: &Path) -> Result<SqliteStore, LedgerError> {
    let io_error = |source| LedgerError::Io {
        path: path.to_owned(),
        source,
    };
    let path = std::path::absolute(path).map_err(io_error)?;
    let readers = readers(&path);
    let found: i64 = query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(&readers)
        .await?;
    let known = newest_schema();
    if found > known {
        return Err(LedgerError::NewerSchema { path, found, known });
    }
    if found < known {
        return Err(LedgerError::Migration(format!(
            "{} has schema {found} and is only to be read here; a daemon that writes brings it to {known} when it starts",
            path.display()
        )));
    }
    let bell = path.with_extension("bell");
    let bell_file = Arc::new(File::open(&bell).map_err(io_error)?);
    Ok(SqliteStore {
        writer: readers.clone(),
        readers,
        bell,
        bell_file,
    })
}

/// A copy of the whole database as it is at this moment.
pub(super) async fn copy(readers: &SqlitePool, path: &Path) -> Result<(), LedgerError> {
    let name = path.to_str().ok_or_else(|| LedgerError::Io {
        path: path.to_owned(),
        source: ErrorKind::InvalidFilename.into(),
    })?;
    // Reads here and writes there, which `query_only` does not tell apart; the connection serves for nothing else.
    let mut connection = readers.acquire().await?.detach();
    query("PRAGMA query_only = OFF")
        .execute(&mut connection)
        .await?;
    query("VACUUM INTO ?")
        .bind(name)
        .execute(&mut connection)
        .await?;
    Ok(connection.close().await?)
}

fn readers(path: &Path) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options(path).pragma("query_only", "ON"))
}

/// Statements are not logged: which certificate somebody looks up is nobody's business (S13).
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(PATIENCE)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .disable_statement_logging()
}

/// The directory, readable by its owner only: the database's own files follow the umask.
fn make_directory(path: &Path) -> Result<(), LedgerError> {
    let Some(directory) = path.parent() else {
        return Ok(());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| LedgerError::Io {
            path: directory.to_owned(),
            source,
        })
}

fn private_file(path: &Path) -> Result<File, LedgerError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|source| LedgerError::Io {
            path: path.to_owned(),
            source,
        })
}

/// A lock that lasts until the file is dropped. SQLite gives the migrator none, and the change of the journal mode of
/// a new file cannot wait for another one.
async fn lock_schema(path: PathBuf) -> Result<File, LedgerError> {
    let file = private_file(&path)?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    // Unwrap safety: the closure does not panic and is not cancelled.
    locked
        .expect("locking does not panic")
        .map_err(|source| LedgerError::Io { path, source })
}

fn migrations() -> Vec<Migration> {
    [
        (1, "ledger", include_str!("migrations/0001_ledger.sql")),
        (
            2,
            "crl lists",
            include_str!("migrations/0002_crl_lists.sql"),
        ),
        (3, "source", include_str!("migrations/0003_source.sql")),
        (
            4,
            "revocations in order",
            include_str!("migrations/0004_revocations_in_order.sql"),
        ),
        (5, "evidence", include_str!("migrations/0005_evidence.sql")),
        (6, "openpgp", include_str!("migrations/0006_openpgp.sql")),
    ]
    .into_iter()
    .map(|(version, name, sql)| {
        Migration::new(
            version,
            name.into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    })
    .collect()
}

fn newest_schema() -> i64 {
    migrations()
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// Each migration is a transaction of its own; the lock keeps other processes out meanwhile.
async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), LedgerError> {
    let migrator = Migrator::with_migrations(migrations());
    match migrator.run(writer).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => Err(LedgerError::NewerSchema {
            path: path.to_owned(),
            found,
            known: newest_schema(),
        }),
        Err(MigrateError::Execute(error)) => Err(error.into()),
        Err(other) => Err(LedgerError::Migration(other.to_string())),
    }
}
