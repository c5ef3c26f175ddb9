//! A mutation: state, events and audit record in one transaction.

use std::os::unix::fs::FileExt;

use pki::{Serial, Time};
use serde_json::Value;
use sqlx::{Row, Sqlite, SqliteConnection, Transaction, query};

use super::SqliteStore;
use super::rows::{encode_serial, to_i64, to_u64};
use crate::audit::AuditRecord;
use crate::error::LedgerError;
use crate::model::ChangeKind;

/// A transaction that holds the write lock. Dropped before [`Write::commit`], it leaves nothing behind.
pub(super) struct Write<'a> {
    store: &'a SqliteStore,
    transaction: Transaction<'static, Sqlite>,
    pub(super) at: Time,
    /// The last event before this transaction.
    before: u64,
    /// The last event now.
    last: u64,
}

/// What the audit record of a mutation says.
pub(super) struct Act<'a> {
    pub(super) actor: &'a str,
    pub(super) act: &'static str,
    pub(super) issuer: &'a str,
    pub(super) serial: Option<Serial>,
    pub(super) detail: Value,
}

impl<'a> Write<'a> {
    pub(super) async fn begin(store: &'a SqliteStore, at: Time) -> Result<Self, LedgerError> {
        const BEGIN: &str = "BEGIN IMMEDIATE";
        let mut transaction = match store.writer.begin_with(BEGIN).await {
            // SQLite itself has rolled back when the disk was full, and the connection does not know: a new one does.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                store.writer.acquire().await?.close().await?;
                store.writer.begin_with(BEGIN).await?
            }
            begun => begun?,
        };
        let last = super::changes::head_on(&mut transaction).await?;
        Ok(Self {
            store,
            transaction,
            at,
            before: last,
            last,
        })
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.transaction
    }

    /// Claims the next event number, for an event that the caller inserts.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Appends an event.
    pub(super) async fn event(
        &mut self,
        issuer: i64,
        kind: ChangeKind,
        serial: Option<&Serial>,
    ) -> Result<u64, LedgerError> {
        let seq = self.next_seq();
        query("INSERT INTO change (seq, time, issuer, kind, serial) VALUES (?, ?, ?, ?, ?)")
            .bind(to_i64(seq)?)
            .bind(self.at.unix())
            .bind(issuer)
            .bind(kind.code())
            .bind(serial.map(encode_serial))
            .execute(self.connection())
            .await?;
        Ok(seq)
    }

    /// Appends the audit record, commits durably and rings the bell. The only way to commit: no mutation without a
    /// record.
    pub(super) async fn commit(mut self, act: Act<'_>) -> Result<(), LedgerError> {
        self.append_audit(act).await?;
        self.transaction.commit().await?;
        ring(self.store, self.last);
        Ok(())
    }

    async fn append_audit(&mut self, act: Act<'_>) -> Result<(), LedgerError> {
        let previous = query("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")
            .fetch_optional(self.connection())
            .await?;
        let (id, previous) = match previous {
            Some(row) => (
                to_u64(row.try_get("id")?)?,
                super::rows::hash(row.try_get("hash")?)?,
            ),
            None => (0, [0; 32]),
        };
        let mut record = AuditRecord {
            id: id + 1,
            time: self.at,
            actor: act.actor.to_owned(),
            act: act.act.to_owned(),
            issuer: act.issuer.to_owned(),
            serial: act.serial,
            events: (self.last > self.before).then_some((self.before + 1, self.last)),
            detail: act.detail.to_string(),
            hash: [0; 32],
        };
        record.hash = record.hash_after(&previous);
        query(
            "INSERT INTO audit (id, time, actor, act, issuer, serial, first_seq, last_seq, detail, hash) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(to_i64(record.id)?)
        .bind(record.time.unix())
        .bind(record.actor)
        .bind(record.act)
        .bind(record.issuer)
        .bind(record.serial.as_ref().map(encode_serial))
        .bind(record.events.map(|(first, _)| to_i64(first)).transpose()?)
        .bind(record.events.map(|(_, last)| to_i64(last)).transpose()?)
        .bind(record.detail)
        .bind(record.hash.to_vec())
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

/// Tells everybody who waits; the commit stands whether this works or not.
fn ring(store: &SqliteStore, seq: u64) {
    if let Err(error) = store.bell_file.write_all_at(&seq.to_be_bytes(), 0) {
        tracing::warn!(%error, bell = %store.bell.display(), "waiting processes were not woken; they will look by themselves");
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, query_scalar};

    use super::*;
    use crate::sqlite::keys;

    /// A disk that was full is no reason to refuse anything once there is room.
    #[tokio::test]
    async fn after_a_full_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.sqlite");
        let store = SqliteStore::open(&path).await.unwrap();
        let pages: i64 = query_scalar("PRAGMA page_count")
            .fetch_one(&store.writer)
            .await
            .unwrap();
        // No more room, as far as this connection is concerned.
        let limit = AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        query(limit).execute(&store.writer).await.unwrap();
        let at = Time::from_unix(1_800_000_000);
        let mut key = [0; 32];
        let full = loop {
            key[31] += 1;
            let why = "w".repeat(1000);
            if let Err(full) = keys::block(&store, at, &key, &why, "test").await {
                break full;
            }
        };
        assert!(full.to_string().contains("is full"), "{full}");
        assert!(!keys::is_blocked(&store, &key).await.unwrap());
        keys::block(&store, at, &key, "why", "test").await.unwrap();
        assert!(keys::is_blocked(&store, &key).await.unwrap());
    }
}
