//! From which CRLs the statuses of an issuer are whose key is elsewhere.

use pki::Time;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};

use super::SqliteStore;
use super::rows::{decode_crl_number, encode_crl_number, hash, issuer_id, to_i64, to_u64};
use super::write::{Act, Write};
use crate::error::LedgerError;
use crate::model::{ChangeKind, SourceCrl, SourceRecord};

/// Of `source_crl.kind`. Stored state: numbers are never reused.
const COMPLETE: i64 = 0;
const DELTA: i64 = 1;

pub(super) async fn record(
    store: &SqliteStore,
    at: Time,
    issuer: &str,
    source: &SourceRecord,
    actor: &str,
) -> Result<u64, LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), issuer).await?;
    query("DELETE FROM source_crl WHERE issuer = ?")
        .bind(id)
        .execute(write.connection())
        .await?;
    insert(write.connection(), id, COMPLETE, &source.complete).await?;
    if let Some(delta) = &source.delta {
        insert(write.connection(), id, DELTA, delta).await?;
    }
    let seq = write.event(id, ChangeKind::SourceFollowed, None).await?;
    let detail = json!({
        "complete": detail(&source.complete),
        "delta": source.delta.as_ref().map(detail),
    });
    write
        .commit(Act {
            actor,
            act: "source.record",
            issuer,
            serial: None,
            detail,
        })
        .await?;
    Ok(seq)
}

pub(super) async fn last(
    store: &SqliteStore,
    issuer: &str,
) -> Result<Option<SourceRecord>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let rows = query("SELECT * FROM source_crl WHERE issuer = ? ORDER BY kind")
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
    let Some((complete, delta)) = rows.split_first() else {
        return Ok(None);
    };
    Ok(Some(SourceRecord {
        complete: crl(complete)?,
        delta: delta.first().map(crl).transpose()?,
    }))
}

async fn insert(
    connection: &mut SqliteConnection,
    issuer: i64,
    kind: i64,
    crl: &SourceCrl,
) -> Result<(), LedgerError> {
    query(
        "INSERT INTO source_crl (issuer, kind, number, this_update, next_update, sha256, size, entries) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(issuer)
    .bind(kind)
    .bind(crl.number.as_ref().map(encode_crl_number))
    .bind(crl.this_update.unix())
    .bind(crl.next_update.unix())
    .bind(&crl.sha256[..])
    .bind(to_i64(crl.size)?)
    .bind(to_i64(crl.entries)?)
    .execute(connection)
    .await?;
    Ok(())
}

fn crl(row: &SqliteRow) -> Result<SourceCrl, LedgerError> {
    Ok(SourceCrl {
        number: row
            .try_get::<Option<&[u8]>, _>("number")?
            .map(decode_crl_number)
            .transpose()?,
        this_update: Time::from_unix(row.try_get("this_update")?),
        next_update: Time::from_unix(row.try_get("next_update")?),
        sha256: hash(row.try_get("sha256")?)?,
        size: to_u64(row.try_get("size")?)?,
        entries: to_u64(row.try_get("entries")?)?,
    })
}

fn detail(crl: &SourceCrl) -> Value {
    json!({
        "number": crl.number,
        "this_update": crl.this_update,
        "next_update": crl.next_update,
        "sha256": hex::encode(crl.sha256),
        "size": crl.size,
        "entries": crl.entries,
    })
}
