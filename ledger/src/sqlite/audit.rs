//! Reading and checking the audit chain.

use std::collections::HashMap;

use pki::{Serial, Time};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query, query_scalar};

use super::SqliteStore;
use super::pgp;
use super::reservations::record_detail;
use super::revocations::REINSTATE;
use super::rows::{decode_serial, encode_serial, hash, revocation, to_i64, to_u64};
use crate::audit::{AuditFault, AuditRecord, AuditSummary, ChainCheck, sha256};
use crate::error::LedgerError;

const PAGE: u32 = 1000;

pub(super) async fn records(
    store: &SqliteStore,
    after: u64,
    limit: u32,
) -> Result<Vec<AuditRecord>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    page(&mut connection, after, limit).await
}

/// Reads one snapshot from end to end, so that writers may go on meanwhile.
pub(super) async fn verify(store: &SqliteStore) -> Result<AuditSummary, LedgerError> {
    let mut snapshot = store.readers.begin().await?;
    let issuers = issuer_ids(&mut snapshot).await?;
    let mut chain = ChainCheck::default();
    // Revocations that a later record must have set anew.
    let mut set_anew: HashMap<(String, Option<Serial>), u64> = HashMap::new();
    loop {
        let records = page(&mut snapshot, chain.summary.records, PAGE).await?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            chain.next(record)?;
            match record.act.as_str() {
                "certificate.record" => {
                    compare_certificate(&mut snapshot, &issuers, record).await?;
                    chain.summary.certificates += 1;
                }
                "certificate.revoke" => {
                    if !is_current(&mut snapshot, &issuers, record).await? {
                        set_anew.insert((record.issuer.clone(), record.serial), record.id);
                    }
                    chain.summary.revocations += 1;
                }
                "pgp.reserve" | "pgp.record" | "pgp.abandon" => {
                    compare_pgp(&mut snapshot, record).await?;
                    chain.summary.certifications += 1;
                }
                REINSTATE if is_current(&mut snapshot, &issuers, record).await? => {
                    set_anew.remove(&(record.issuer.clone(), record.serial));
                }
                _ => {}
            }
        }
    }
    if let Some(record) = set_anew.into_values().min() {
        let what = REVOCATION_CHANGED.to_owned();
        return Err(AuditFault { record, what }.into());
    }
    nothing_unrecorded(&mut snapshot, &chain.summary).await?;
    Ok(chain.summary)
}

async fn page(
    connection: &mut SqliteConnection,
    after: u64,
    limit: u32,
) -> Result<Vec<AuditRecord>, LedgerError> {
    query("SELECT * FROM audit WHERE id > ? ORDER BY id LIMIT ?")
        .bind(to_i64(after)?)
        .bind(limit)
        .fetch_all(connection)
        .await?
        .iter()
        .map(record)
        .collect()
}

fn record(row: &SqliteRow) -> Result<AuditRecord, LedgerError> {
    let first: Option<i64> = row.try_get("first_seq")?;
    let last: Option<i64> = row.try_get("last_seq")?;
    Ok(AuditRecord {
        id: to_u64(row.try_get("id")?)?,
        time: Time::from_unix(row.try_get("time")?),
        actor: row.try_get("actor")?,
        act: row.try_get("act")?,
        issuer: row.try_get("issuer")?,
        serial: row
            .try_get::<Option<&[u8]>, _>("serial")?
            .map(decode_serial)
            .transpose()?,
        events: first
            .zip(last)
            .map(|(first, last)| Ok::<_, LedgerError>((to_u64(first)?, to_u64(last)?)))
            .transpose()?,
        detail: row.try_get("detail")?,
        hash: hash(row.try_get("hash")?)?,
    })
}

/// The certificate is still the one that was recorded.
async fn compare_certificate(
    connection: &mut SqliteConnection,
    issuers: &HashMap<String, i64>,
    record: &AuditRecord,
) -> Result<(), LedgerError> {
    let der: Option<Vec<u8>> = query_scalar(
        "SELECT der FROM document JOIN certificate USING (issuer, serial) \
         WHERE issuer = ? AND serial = ? AND state = 1",
    )
    .bind(issuers.get(&record.issuer))
    .bind(record.serial.as_ref().map(encode_serial))
    .fetch_optional(connection)
    .await?;
    match der {
        None => fault(record, "the certificate it recorded is gone"),
        Some(der) => {
            let expected = record_detail(&sha256(&der)).to_string();
            if expected == record.detail {
                Ok(())
            } else {
                fault(record, "the certificate it recorded was changed")
            }
        }
    }
}

/// What was asked for a user id of an OpenPGP key, and what came of it, is still the one that was recorded.
async fn compare_pgp(
    connection: &mut SqliteConnection,
    record: &AuditRecord,
) -> Result<(), LedgerError> {
    let detail: serde_json::Value = serde_json::from_str(&record.detail).unwrap_or_default();
    let id = hex::decode(detail["request_id"].as_str().unwrap_or_default()).unwrap_or_default();
    let Some(found) = pgp::find(connection, &id).await? else {
        return fault(record, "the certification it recorded is gone");
    };
    let same = match (&*record.act, &found.result) {
        ("pgp.reserve", _) => detail == pgp::reserve_detail(&found.request),
        (_, Some(result)) => detail == pgp::detail(&found.request.request_id, result),
        (_, None) => false,
    };
    match same && record.actor == found.request.actor && record.issuer == found.request.issuer {
        true => Ok(()),
        false => fault(record, "the certification it recorded was changed"),
    }
}

const REVOCATION_CHANGED: &str = "the revocation it recorded was changed";

/// Whether the revocation is still the one of this record; otherwise a later record must have set it.
async fn is_current(
    connection: &mut SqliteConnection,
    issuers: &HashMap<String, i64>,
    record: &AuditRecord,
) -> Result<bool, LedgerError> {
    let row =
        query("SELECT *, seq AS revocation_seq FROM revocation WHERE issuer = ? AND serial = ?")
            .bind(issuers.get(&record.issuer))
            .bind(record.serial.as_ref().map(encode_serial))
            .fetch_optional(connection)
            .await?;
    let Some(row) = row else {
        fault(record, "the revocation it recorded is gone")?;
        return Ok(false);
    };
    let revocation = revocation(&row)?;
    // Who reinstates a revocation does not become the one who revoked.
    if record.act != REINSTATE && record.actor != revocation.actor {
        fault(record, REVOCATION_CHANGED)?;
    }
    let event = Some((revocation.seq, revocation.seq));
    if record.events < event {
        return Ok(false);
    }
    let expected = super::revocations::detail(&revocation).to_string();
    if record.detail != expected || record.events != event {
        fault(record, REVOCATION_CHANGED)?;
    }
    Ok(true)
}

/// Every event, issued certificate and revocation has its record.
async fn nothing_unrecorded(
    connection: &mut SqliteConnection,
    summary: &AuditSummary,
) -> Result<(), LedgerError> {
    let row = query(
        "SELECT coalesce(max(seq), 0) AS head, count(*) AS events, \
         (SELECT count(*) FROM certificate WHERE state = 1 AND origin = 0) AS certificates, \
         (SELECT count(*) FROM revocation WHERE ground <> 'imported') AS revocations, \
         (SELECT count(*) + count(coalesce(certification, refusal)) FROM pgp_certification) AS certifications \
         FROM change",
    )
    .fetch_one(connection)
    .await?;
    let found = |column: &str| -> Result<u64, LedgerError> { to_u64(row.try_get(column)?) };
    for (what, found, recorded) in [
        ("last event", found("head")?, summary.head),
        ("number of events", found("events")?, summary.head),
        (
            "number of issued certificates",
            found("certificates")?,
            summary.certificates,
        ),
        (
            "number of revocations",
            found("revocations")?,
            summary.revocations,
        ),
        (
            "number of certifications of OpenPGP keys, asked for and done",
            found("certifications")?,
            summary.certifications,
        ),
    ] {
        if found != recorded {
            let what = format!("the {what} is {found}, the records up to it say {recorded}");
            return Err(AuditFault {
                record: summary.records,
                what,
            }
            .into());
        }
    }
    Ok(())
}

async fn issuer_ids(
    connection: &mut SqliteConnection,
) -> Result<HashMap<String, i64>, LedgerError> {
    let rows = query("SELECT id, name FROM issuer")
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("name")?, row.try_get("id")?)))
        .collect()
}

fn fault(record: &AuditRecord, what: &str) -> Result<(), LedgerError> {
    Err(AuditFault {
        record: record.id,
        what: what.to_owned(),
    }
    .into())
}
