//! What CRLs are made of.

use pki::{Serial, Time};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, query, query_scalar};

use super::SqliteStore;
use super::rows::{
    decode_serial, encode_serial, issuer_id, revocation, status_row, to_i64, to_u64,
};
use crate::error::LedgerError;
use crate::model::{ChangeKind, CrlRow, RevokedCertificate};

pub(super) async fn revoked_after(
    store: &SqliteStore,
    issuer: &str,
    after: Option<Serial>,
    until: u64,
    limit: u32,
) -> Result<Vec<CrlRow>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    query(
        "SELECT r.serial, c.not_after, r.time, r.reason, r.invalidity_date, p.uri FROM revocation AS r \
         JOIN certificate AS c ON c.issuer = r.issuer AND c.serial = r.serial \
         LEFT JOIN crl_partition AS p ON p.id = c.crl_partition \
         WHERE r.issuer = ? AND r.serial > ? AND r.seq <= ? ORDER BY r.serial LIMIT ?",
    )
    .bind(id)
    .bind(after.as_ref().map(encode_serial).unwrap_or_default())
    .bind(to_i64(until)?)
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(row)
    .collect()
}

pub(super) async fn one(
    store: &SqliteStore,
    issuer: &str,
    serial: &Serial,
) -> Result<Option<CrlRow>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    query(
        "SELECT c.serial, c.not_after, r.time, r.reason, r.invalidity_date, p.uri FROM certificate AS c \
         LEFT JOIN revocation AS r ON r.issuer = c.issuer AND r.serial = c.serial \
         LEFT JOIN crl_partition AS p ON p.id = c.crl_partition \
         WHERE c.issuer = ? AND c.serial = ? AND c.state = 1",
    )
    .bind(id)
    .bind(encode_serial(serial))
    .fetch_optional(&mut *connection)
    .await?
    .as_ref()
    .map(row)
    .transpose()
}

pub(super) async fn changed_between(
    store: &SqliteStore,
    issuer: &str,
    seq: u64,
    until: u64,
) -> Result<Vec<CrlRow>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    query(
        "SELECT c.serial, c.not_after, r.time, r.reason, r.invalidity_date, p.uri FROM \
         (SELECT DISTINCT serial FROM change WHERE seq > ? AND seq <= ? AND issuer = ? AND kind NOT IN (?, ?, ?)) AS n \
         JOIN certificate AS c ON c.issuer = ? AND c.serial = n.serial AND c.state = 1 \
         LEFT JOIN revocation AS r ON r.issuer = c.issuer AND r.serial = c.serial \
         LEFT JOIN crl_partition AS p ON p.id = c.crl_partition",
    )
    .bind(to_i64(seq)?)
    .bind(to_i64(until)?)
    .bind(id)
    .bind(ChangeKind::IssuerAdded.code())
    .bind(ChangeKind::IssuerChanged.code())
    .bind(ChangeKind::Issued.code())
    .bind(id)
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(row)
    .collect()
}

pub(super) async fn ended_between(
    store: &SqliteStore,
    issuer: &str,
    from: Time,
    until: Time,
) -> Result<Vec<CrlRow>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    query(
        "SELECT r.serial, c.not_after, r.time, r.reason, r.invalidity_date, p.uri FROM revocation AS r \
         JOIN certificate AS c ON c.issuer = r.issuer AND c.serial = r.serial \
         LEFT JOIN crl_partition AS p ON p.id = c.crl_partition \
         WHERE r.issuer = ? AND r.ends >= ? AND r.ends < ?",
    )
    .bind(id)
    .bind(from.unix())
    .bind(until.unix())
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(row)
    .collect()
}

pub(super) async fn revocations_between(
    store: &SqliteStore,
    issuer: &str,
    seq: u64,
    until: u64,
) -> Result<Vec<RevokedCertificate>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    query(
        "SELECT r.serial, c.not_after, r.seq AS revocation_seq, r.time, r.reason, r.ground, r.actor, r.case_reference, \
         r.invalidity_date FROM revocation AS r \
         JOIN certificate AS c ON c.issuer = r.issuer AND c.serial = r.serial \
         WHERE r.issuer = ? AND r.seq > ? AND r.seq <= ? ORDER BY r.seq, r.serial",
    )
    .bind(id)
    .bind(to_i64(seq)?)
    .bind(to_i64(until)?)
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(revoked_certificate)
    .collect()
}

pub(super) async fn count_revocations(
    store: &SqliteStore,
    issuer: &str,
    until: u64,
) -> Result<u64, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let count: i64 = query_scalar("SELECT count(*) FROM revocation WHERE issuer = ? AND seq <= ?")
        .bind(id)
        .bind(to_i64(until)?)
        .fetch_one(&mut *connection)
        .await?;
    to_u64(count)
}

pub(super) async fn revocation_event(
    store: &SqliteStore,
    issuer: &str,
    number: u64,
) -> Result<Option<u64>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let seq: Option<i64> =
        query_scalar("SELECT seq FROM revocation WHERE issuer = ? ORDER BY seq LIMIT 1 OFFSET ?")
            .bind(id)
            .bind(to_i64(number)?)
            .fetch_optional(&mut *connection)
            .await?;
    seq.map(to_u64).transpose()
}

pub(super) async fn partitions(
    store: &SqliteStore,
    issuer: &str,
) -> Result<Vec<String>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let uris = query_scalar("SELECT uri FROM crl_partition WHERE issuer = ? ORDER BY id")
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
    Ok(uris)
}

fn revoked_certificate(row: &SqliteRow) -> Result<RevokedCertificate, LedgerError> {
    Ok(RevokedCertificate {
        serial: decode_serial(row.try_get("serial")?)?,
        not_after: row
            .try_get::<Option<i64>, _>("not_after")?
            .map(Time::from_unix),
        revocation: revocation(row)?,
    })
}

fn row(row: &SqliteRow) -> Result<CrlRow, LedgerError> {
    Ok(CrlRow {
        status: status_row(row)?,
        partition: row.try_get("uri")?,
    })
}
