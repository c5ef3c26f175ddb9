//! Certifications of user ids of OpenPGP keys: reserve, finish.

use pki::Time;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};

use super::SqliteStore;
use super::rows::{hash, to_i64, to_u64};
use super::write::{Act, Write};
use crate::audit::sha256;
use crate::error::LedgerError;
use crate::model::{PgpRecord, PgpRequest, PgpResult};

pub(super) async fn reserve(
    store: &SqliteStore,
    at: Time,
    request: &PgpRequest,
) -> Result<(), LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let inserted = query(
        "INSERT INTO pgp_certification (request_id, issuer, by_key, key, user_id, level, created, expires, \
         evidence_sha256, request, requested_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(&request.request_id[..])
    .bind(&request.issuer)
    .bind(&request.by[..])
    .bind(&request.key[..])
    .bind(&request.user_id)
    .bind(&request.level)
    .bind(request.created.unix())
    .bind(request.expires.unix())
    .bind(request.evidence_sha256.map(Vec::from))
    .bind(&request.request)
    .bind(&request.actor)
    .execute(write.connection())
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(LedgerError::RequestIdTaken(hex::encode(request.request_id)));
    }
    write
        .commit(Act {
            actor: &request.actor,
            act: "pgp.reserve",
            issuer: &request.issuer,
            serial: None,
            detail: reserve_detail(request),
        })
        .await
}

pub(super) async fn finish(
    store: &SqliteStore,
    at: Time,
    request_id: &[u8; 16],
    result: &PgpResult,
) -> Result<(), LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let before = find(write.connection(), request_id).await?;
    let before = before.ok_or_else(|| {
        let id = hex::encode(request_id);
        LedgerError::refused("request_id", format!("nothing was reserved under {id}"))
    })?;
    match &before.result {
        // Somebody else has finished it meanwhile.
        Some(done) if done == result => return Ok(()),
        Some(_) => {
            let id = hex::encode(request_id);
            let why = format!("request {id} has ended otherwise before");
            return Err(LedgerError::refused("request_id", why));
        }
        None => {}
    }
    let (act, certification, tbs, refusal) = match result {
        PgpResult::Certified {
            certification,
            tbs_sha256,
        } => (
            "pgp.record",
            Some(certification),
            Some(tbs_sha256.to_vec()),
            None,
        ),
        PgpResult::Refused(why) => ("pgp.abandon", None, None, Some(why)),
    };
    query(
        "UPDATE pgp_certification SET certification = ?, tbs_sha256 = ?, refusal = ? WHERE request_id = ?",
    )
    .bind(certification)
    .bind(tbs)
    .bind(refusal)
    .bind(&request_id[..])
    .execute(write.connection())
    .await?;
    write
        .commit(Act {
            actor: &before.request.actor,
            act,
            issuer: &before.request.issuer,
            serial: None,
            detail: detail(request_id, result),
        })
        .await
}

/// The particulars of `pgp.reserve`.
pub(super) fn reserve_detail(request: &PgpRequest) -> Value {
    json!({
        "request_id": hex::encode(request.request_id),
        "by": hex::encode(request.by),
        "key": hex::encode(request.key),
        "user_id": request.user_id,
        "level": request.level,
        "created": request.created,
        "expires": request.expires,
        "evidence_sha256": request.evidence_sha256.map(hex::encode),
    })
}

/// The particulars of `pgp.record` and `pgp.abandon`, which a check of the chain compares with the row.
pub(super) fn detail(request_id: &[u8; 16], result: &PgpResult) -> Value {
    let request_id = hex::encode(request_id);
    match result {
        PgpResult::Certified {
            certification,
            tbs_sha256,
        } => json!({
            "request_id": request_id,
            "certification_sha256": hex::encode(sha256(certification)),
            "tbs_sha256": hex::encode(tbs_sha256),
        }),
        PgpResult::Refused(why) => json!({ "request_id": request_id, "why": why }),
    }
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    request_id: &[u8],
) -> Result<Option<PgpRecord>, LedgerError> {
    let row = query("SELECT * FROM pgp_certification WHERE request_id = ?")
        .bind(request_id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(record).transpose()
}

pub(super) async fn pending(store: &SqliteStore) -> Result<Vec<PgpRecord>, LedgerError> {
    query(
        "SELECT * FROM pgp_certification WHERE certification IS NULL AND refusal IS NULL ORDER BY id",
    )
    .fetch_all(&store.readers)
    .await?
    .iter()
    .map(record)
    .collect()
}

pub(super) async fn of_key(
    store: &SqliteStore,
    key: &[u8; 20],
) -> Result<Vec<PgpRecord>, LedgerError> {
    query("SELECT * FROM pgp_certification WHERE key = ? ORDER BY id")
        .bind(&key[..])
        .fetch_all(&store.readers)
        .await?
        .iter()
        .map(record)
        .collect()
}

pub(super) async fn all(
    store: &SqliteStore,
    after: u64,
    limit: u32,
) -> Result<Vec<PgpRecord>, LedgerError> {
    query("SELECT * FROM pgp_certification WHERE id > ? ORDER BY id LIMIT ?")
        .bind(to_i64(after)?)
        .bind(limit)
        .fetch_all(&store.readers)
        .await?
        .iter()
        .map(record)
        .collect()
}

fn record(row: &SqliteRow) -> Result<PgpRecord, LedgerError> {
    let certification: Option<Vec<u8>> = row.try_get("certification")?;
    let refusal: Option<String> = row.try_get("refusal")?;
    let result = match (certification, refusal) {
        (Some(certification), _) => Some(PgpResult::Certified {
            certification,
            tbs_sha256: hash(row.try_get("tbs_sha256")?)?,
        }),
        (None, Some(why)) => Some(PgpResult::Refused(why)),
        (None, None) => None,
    };
    Ok(PgpRecord {
        id: to_u64(row.try_get("id")?)?,
        request: PgpRequest {
            request_id: octets(row.try_get("request_id")?)?,
            issuer: row.try_get("issuer")?,
            by: octets(row.try_get("by_key")?)?,
            key: octets(row.try_get("key")?)?,
            user_id: row.try_get("user_id")?,
            level: row.try_get("level")?,
            created: Time::from_unix(row.try_get("created")?),
            expires: Time::from_unix(row.try_get("expires")?),
            evidence_sha256: row
                .try_get::<Option<&[u8]>, _>("evidence_sha256")?
                .map(hash)
                .transpose()?,
            request: row.try_get("request")?,
            actor: row.try_get("requested_by")?,
        },
        result,
    })
}

fn octets<const N: usize>(column: &[u8]) -> Result<[u8; N], LedgerError> {
    column
        .try_into()
        .map_err(|_| LedgerError::damaged("a request id or fingerprint has not its length"))
}
