//! Revoking.

use pki::crl::build::CrlEntry;
use pki::{RevocationReason, Time};
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection, query};

use super::SqliteStore;
use super::keys;
use super::rows::{encode_serial, hash, issuer_id, revocation, state, to_i64};
use super::write::{Act, Write};
use crate::error::LedgerError;
use crate::model::{ChangeKind, Revocation, RevocationRequest};

pub(super) async fn revoke(
    store: &SqliteStore,
    at: Time,
    request: &RevocationRequest,
) -> Result<Revocation, LedgerError> {
    let RevocationRequest { issuer, serial, .. } = request;
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), issuer).await?;
    let column = encode_serial(serial);
    let Some(spki_sha256) = issued_key(write.connection(), id, &column).await? else {
        return Err(LedgerError::UnknownSerial {
            issuer: issuer.clone(),
            serial: *serial,
        });
    };
    let blocked = match spki_sha256 {
        Some(key) if request.reason == RevocationReason::KeyCompromise => {
            keys::insert(write.connection(), at, &key, "keyCompromise")
                .await?
                .then(|| hex::encode(key))
        }
        _ => None,
    };

    if let Some(first) = existing(write.connection(), id, &column).await? {
        if let Some(key) = blocked {
            let detail = json!({ "spki_sha256": key, "why": "keyCompromise" });
            write
                .commit(Act {
                    actor: &request.actor,
                    act: "key.block",
                    issuer,
                    serial: Some(*serial),
                    detail,
                })
                .await?;
        }
        return Ok(first);
    }

    let seq = write.event(id, ChangeKind::Revoked, Some(serial)).await?;
    let record = Revocation {
        seq,
        time: at,
        reason: request.reason,
        ground: request.ground,
        actor: request.actor.clone(),
        case: request.case.clone(),
        invalidity_date: request.invalidity_date,
        already: false,
    };
    query(
        "INSERT INTO revocation (issuer, serial, seq, time, reason, ground, actor, case_reference, invalidity_date) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id)
    .bind(&column)
    .bind(to_i64(seq)?)
    .bind(at.unix())
    .bind(record.reason.code())
    .bind(record.ground.as_str())
    .bind(&record.actor)
    .bind(&record.case)
    .bind(record.invalidity_date.map(Time::unix))
    .execute(write.connection())
    .await?;
    let detail = detail(&record);
    write
        .commit(Act {
            actor: &request.actor,
            act: "certificate.revoke",
            issuer,
            serial: Some(*serial),
            detail,
        })
        .await?;
    Ok(record)
}

/// Sets a revocation as it was recorded first, before the ledger was restored to a state without it.
pub(super) async fn reinstate(
    store: &SqliteStore,
    at: Time,
    issuer: &str,
    first: &CrlEntry,
    actor: &str,
) -> Result<(), LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), issuer).await?;
    let column = encode_serial(&first.serial);
    let Some(later) = existing(write.connection(), id, &column).await? else {
        return Err(LedgerError::UnknownSerial {
            issuer: issuer.to_owned(),
            serial: first.serial,
        });
    };
    if first.revocation_date > later.time {
        return Err(LedgerError::refused(
            "CRL-15",
            format!(
                "{} was revoked at {} and not at {}: a revocation does not get a later date",
                first.serial, later.time, first.revocation_date
            ),
        ));
    }
    let seq = write
        .event(id, ChangeKind::Revoked, Some(&first.serial))
        .await?;
    let record = Revocation {
        seq,
        time: first.revocation_date,
        reason: first.reason.unwrap_or(RevocationReason::Unspecified),
        invalidity_date: first.invalidity_date,
        ..later
    };
    query(
        "UPDATE revocation SET seq = ?1, time = ?2, reason = ?3, invalidity_date = ?4, ends = (             SELECT max(not_after, ?2) FROM certificate WHERE issuer = ?5 AND serial = ?6) \
         WHERE issuer = ?5 AND serial = ?6",
    )
    .bind(to_i64(seq)?)
    .bind(record.time.unix())
    .bind(record.reason.code())
    .bind(record.invalidity_date.map(Time::unix))
    .bind(id)
    .bind(&column)
    .execute(write.connection())
    .await?;
    let detail = detail(&record);
    write
        .commit(Act {
            actor,
            act: REINSTATE,
            issuer,
            serial: Some(first.serial),
            detail,
        })
        .await
}

/// The act in the audit chain of a revocation that is again as it was recorded first.
pub(super) const REINSTATE: &str = "revocation.reinstate";

/// The particulars of `certificate.revoke`, which a check of the chain compares with the revocation.
pub(super) fn detail(revocation: &Revocation) -> Value {
    json!({
        "time": revocation.time,
        "reason": revocation.reason,
        "ground": revocation.ground,
        "case": revocation.case,
        "invalidity_date": revocation.invalidity_date,
    })
}

/// The key of an issued certificate, when it is known.
async fn issued_key(
    connection: &mut SqliteConnection,
    issuer: i64,
    serial: &[u8],
) -> Result<Option<Option<[u8; 32]>>, LedgerError> {
    let row =
        query("SELECT spki_sha256 FROM certificate WHERE issuer = ? AND serial = ? AND state = ?")
            .bind(issuer)
            .bind(serial)
            .bind(state::ISSUED)
            .fetch_optional(connection)
            .await?;
    row.map(|row| {
        row.try_get::<Option<&[u8]>, _>("spki_sha256")?
            .map(hash)
            .transpose()
    })
    .transpose()
}

async fn existing(
    connection: &mut SqliteConnection,
    issuer: i64,
    serial: &[u8],
) -> Result<Option<Revocation>, LedgerError> {
    query("SELECT *, seq AS revocation_seq FROM revocation WHERE issuer = ? AND serial = ?")
        .bind(issuer)
        .bind(serial)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(revocation)
        .transpose()
}
