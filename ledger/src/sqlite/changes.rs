//! The change feed.

use pki::Time;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query, query_scalar};

use super::SqliteStore;
use super::rows::{decode_serial, to_i64, to_u64};
use crate::error::LedgerError;
use crate::model::{Change, ChangeKind};

pub(super) async fn after(
    store: &SqliteStore,
    seq: u64,
    limit: u32,
) -> Result<Vec<Change>, LedgerError> {
    query(
        "SELECT change.seq, change.time, issuer.name, change.kind, change.serial \
         FROM change JOIN issuer ON issuer.id = change.issuer WHERE change.seq > ? ORDER BY change.seq LIMIT ?",
    )
    .bind(to_i64(seq)?)
    .bind(limit)
    .fetch_all(&store.readers)
    .await?
    .iter()
    .map(change)
    .collect()
}

pub(super) async fn head(store: &SqliteStore) -> Result<u64, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    head_on(&mut connection).await
}

pub(super) async fn head_on(connection: &mut SqliteConnection) -> Result<u64, LedgerError> {
    to_u64(
        query_scalar("SELECT coalesce(max(seq), 0) FROM change")
            .fetch_one(connection)
            .await?,
    )
}

fn change(row: &SqliteRow) -> Result<Change, LedgerError> {
    let kind = row.try_get("kind")?;
    Ok(Change {
        seq: to_u64(row.try_get("seq")?)?,
        time: Time::from_unix(row.try_get("time")?),
        issuer: row.try_get("name")?,
        kind: ChangeKind::from_code(kind)
            .ok_or_else(|| LedgerError::damaged(format!("unknown kind of event {kind}")))?,
        serial: row
            .try_get::<Option<&[u8]>, _>("serial")?
            .map(decode_serial)
            .transpose()?,
    })
}
