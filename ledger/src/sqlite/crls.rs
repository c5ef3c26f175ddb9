//! CRL numbers and the CRLs that carry them.

use pki::{CrlNumber, Time};
use serde_json::json;
use sqlx::{SqliteConnection, query, query_scalar};

use super::SqliteStore;
use super::rows::{decode_crl_number, encode_crl_number, issuer_id, to_i64};
use super::signatures::crl;
use super::write::{Act, Write};
use crate::error::LedgerError;
use crate::model::{CrlRecord, CrlScope};

pub(super) async fn reserve_number(
    store: &SqliteStore,
    at: Time,
    issuer: &str,
    above: &CrlNumber,
) -> Result<CrlNumber, LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), issuer).await?;
    let last = last_number(write.connection(), id).await?;
    let highest = last.as_ref().filter(|last| *last > above).unwrap_or(above);
    let number = highest.next().map_err(|error| {
        LedgerError::refused(
            "CRL-09",
            format!("{issuer} has no CRL number above {highest} left: {error}"),
        )
    })?;
    query("INSERT INTO crl_number (issuer, last) VALUES (?, ?) ON CONFLICT (issuer) DO UPDATE SET last = excluded.last")
        .bind(id)
        .bind(encode_crl_number(&number))
        .execute(write.connection())
        .await?;
    let detail = json!({ "number": number, "above": above });
    write
        .commit(Act {
            actor: "crl-builder",
            act: "crl.reserve",
            issuer,
            serial: None,
            detail,
        })
        .await?;
    Ok(number)
}

pub(super) async fn record(
    store: &SqliteStore,
    at: Time,
    issuer: &str,
    crl: &CrlRecord,
) -> Result<(), LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), issuer).await?;
    let claimed = last_number(write.connection(), id)
        .await?
        .is_some_and(|last| crl.number <= last);
    if !claimed {
        return Err(LedgerError::refused(
            "V5",
            format!(
                "{issuer} has not reserved the CRL number {}; reserve it before signing",
                crl.number
            ),
        ));
    }
    let inserted = query(
        "INSERT INTO crl (issuer, scope, number, this_update, next_update, sha256, size, entries, as_of) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(crl.scope.to_string())
    .bind(encode_crl_number(&crl.number))
    .bind(crl.this_update.unix())
    .bind(crl.next_update.unix())
    .bind(&crl.sha256[..])
    .bind(to_i64(crl.size)?)
    .bind(to_i64(crl.entries)?)
    .bind(to_i64(crl.as_of)?)
    .execute(write.connection())
    .await?;
    if inserted.rows_affected() == 0 {
        return already_recorded(write.connection(), id, issuer, crl).await;
    }
    let detail = json!({
        "scope": crl.scope.to_string(),
        "number": crl.number,
        "this_update": crl.this_update,
        "next_update": crl.next_update,
        "sha256": hex::encode(crl.sha256),
        "size": crl.size,
        "entries": crl.entries,
        "as_of": crl.as_of,
    });
    write
        .commit(Act {
            actor: "crl-builder",
            act: "crl.record",
            issuer,
            serial: None,
            detail,
        })
        .await
}

pub(super) async fn last(
    store: &SqliteStore,
    issuer: &str,
) -> Result<Option<CrlRecord>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let row =
        query("SELECT * FROM crl WHERE issuer = ? AND scope = ? ORDER BY number DESC LIMIT 1")
            .bind(id)
            .bind(CrlScope::Complete.to_string())
            .fetch_optional(&mut *connection)
            .await?;
    row.as_ref().map(crl).transpose()
}

pub(super) async fn numbered(
    store: &SqliteStore,
    issuer: &str,
    number: &CrlNumber,
) -> Result<Option<CrlRecord>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let row = query("SELECT * FROM crl WHERE issuer = ? AND scope = ? AND number = ?")
        .bind(id)
        .bind(CrlScope::Complete.to_string())
        .bind(encode_crl_number(number))
        .fetch_optional(&mut *connection)
        .await?;
    row.as_ref().map(crl).transpose()
}

/// Recording the same CRL again is fine; another one under its number is not.
async fn already_recorded(
    connection: &mut SqliteConnection,
    id: i64,
    issuer: &str,
    crl: &CrlRecord,
) -> Result<(), LedgerError> {
    let column: Vec<u8> =
        query_scalar("SELECT sha256 FROM crl WHERE issuer = ? AND scope = ? AND number = ?")
            .bind(id)
            .bind(crl.scope.to_string())
            .bind(encode_crl_number(&crl.number))
            .fetch_one(connection)
            .await?;
    if column == crl.sha256 {
        return Ok(());
    }
    Err(LedgerError::refused(
        "V5",
        format!(
            "{issuer} has recorded another CRL with the number {}; reserve a new number",
            crl.number
        ),
    ))
}

async fn last_number(
    connection: &mut SqliteConnection,
    issuer: i64,
) -> Result<Option<CrlNumber>, LedgerError> {
    let last: Option<Vec<u8>> = query_scalar("SELECT last FROM crl_number WHERE issuer = ?")
        .bind(issuer)
        .fetch_optional(connection)
        .await?;
    last.as_deref().map(decode_crl_number).transpose()
}
