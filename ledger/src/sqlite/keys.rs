//! Keys that may not be certified.

use pki::Time;
use serde_json::json;
use sqlx::{SqliteConnection, query, query_scalar};

use super::SqliteStore;
use super::write::{Act, Write};
use crate::error::LedgerError;

pub(super) async fn is_blocked(
    store: &SqliteStore,
    spki_sha256: &[u8; 32],
) -> Result<bool, LedgerError> {
    let mut reader = store.readers.acquire().await?;
    contains(&mut reader, spki_sha256).await
}

/// Whether the key is blocked, as this connection sees it.
pub(super) async fn contains(
    connection: &mut SqliteConnection,
    spki_sha256: &[u8; 32],
) -> Result<bool, LedgerError> {
    let blocked = query_scalar("SELECT EXISTS (SELECT 1 FROM blocked_key WHERE spki_sha256 = ?)")
        .bind(&spki_sha256[..])
        .fetch_one(connection)
        .await?;
    Ok(blocked)
}

pub(super) async fn block(
    store: &SqliteStore,
    at: Time,
    spki_sha256: &[u8; 32],
    why: &str,
    actor: &str,
) -> Result<(), LedgerError> {
    let mut write = Write::begin(store, at).await?;
    if !insert(write.connection(), at, spki_sha256, why).await? {
        return Ok(());
    }
    let detail = json!({ "spki_sha256": hex::encode(spki_sha256), "why": why });
    write
        .commit(Act {
            actor,
            act: "key.block",
            issuer: "",
            serial: None,
            detail,
        })
        .await
}

/// Whether the key was not blocked before.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    at: Time,
    spki_sha256: &[u8; 32],
    why: &str,
) -> Result<bool, LedgerError> {
    let inserted = query(
        "INSERT INTO blocked_key (spki_sha256, since, why) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(&spki_sha256[..])
    .bind(at.unix())
    .bind(why)
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() > 0)
}
