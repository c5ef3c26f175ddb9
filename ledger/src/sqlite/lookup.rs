//! Looking up certificates and statuses. What is only reserved or was given up is not found.

use pki::{Serial, Time};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, query, query_scalar};

use super::SqliteStore;
use super::rows::{
    decode_serial, encode_serial, issuer_id, origin, revocation, status_row, to_u64,
};
use crate::error::LedgerError;
use crate::model::{CertificateRecord, Counts, StatusRow};

pub(super) async fn certificate(
    store: &SqliteStore,
    issuer: &str,
    serial: &Serial,
) -> Result<Option<CertificateRecord>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let row = query(
        "SELECT issuer.name, c.serial, c.not_before, c.not_after, c.profile, c.subject, c.requested_by, \
         c.recorded_at, c.origin, document.der, r.seq AS revocation_seq, r.time, r.reason, r.ground, r.actor, \
         r.case_reference, r.invalidity_date \
         FROM certificate AS c JOIN issuer ON issuer.id = c.issuer \
         LEFT JOIN document ON document.issuer = c.issuer AND document.serial = c.serial \
         LEFT JOIN revocation AS r ON r.issuer = c.issuer AND r.serial = c.serial \
         WHERE c.issuer = ? AND c.serial = ? AND c.state = 1",
    )
    .bind(id)
    .bind(encode_serial(serial))
    .fetch_optional(&mut *connection)
    .await?;
    row.as_ref().map(record).transpose()
}

pub(super) async fn find_serial(
    store: &SqliteStore,
    serial: &Serial,
) -> Result<Vec<CertificateRecord>, LedgerError> {
    let mut found = Vec::new();
    for issuer in super::issuers::all(store).await? {
        found.extend(certificate(store, &issuer.name, serial).await?);
    }
    Ok(found)
}

/// Looks through all certificates of the issuer: it is asked after a crash only.
pub(super) async fn certificate_of_key(
    store: &SqliteStore,
    issuer: &str,
    spki_sha256: &[u8; 32],
) -> Result<Option<Vec<u8>>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let der = query_scalar(
        "SELECT document.der FROM certificate AS c \
         JOIN document ON document.issuer = c.issuer AND document.serial = c.serial \
         WHERE c.issuer = ? AND c.spki_sha256 = ? AND c.state = 1 ORDER BY c.seq DESC LIMIT 1",
    )
    .bind(id)
    .bind(&spki_sha256[..])
    .fetch_optional(&mut *connection)
    .await?;
    Ok(der)
}

pub(super) async fn status(
    store: &SqliteStore,
    issuer: &str,
    serial: &Serial,
) -> Result<Option<StatusRow>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let row = query(
        "SELECT c.serial, c.not_after, r.time, r.reason, r.invalidity_date FROM certificate AS c \
         LEFT JOIN revocation AS r ON r.issuer = c.issuer AND r.serial = c.serial \
         WHERE c.issuer = ? AND c.serial = ? AND c.state = 1",
    )
    .bind(id)
    .bind(encode_serial(serial))
    .fetch_optional(&mut *connection)
    .await?;
    row.as_ref().map(status_row).transpose()
}

pub(super) async fn statuses(
    store: &SqliteStore,
    issuer: &str,
    after: Option<Serial>,
    limit: u32,
) -> Result<Vec<StatusRow>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    query(
        "SELECT c.serial, c.not_after, r.time, r.reason, r.invalidity_date FROM certificate AS c \
         LEFT JOIN revocation AS r ON r.issuer = c.issuer AND r.serial = c.serial \
         WHERE c.issuer = ? AND c.serial > ? AND c.state = 1 ORDER BY c.serial LIMIT ?",
    )
    .bind(id)
    .bind(after.as_ref().map(encode_serial).unwrap_or_default())
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(status_row)
    .collect()
}

pub(super) async fn revoked_entries(
    store: &SqliteStore,
    issuer: &str,
) -> Result<Vec<StatusRow>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    query(
        "SELECT r.serial, c.not_after, r.time, r.reason, r.invalidity_date FROM revocation AS r \
         JOIN certificate AS c ON c.issuer = r.issuer AND c.serial = r.serial \
         WHERE r.issuer = ? ORDER BY r.serial",
    )
    .bind(id)
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(status_row)
    .collect()
}

pub(super) async fn counts(
    store: &SqliteStore,
    now: Time,
    issuer: &str,
) -> Result<Counts, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let row = query(
        "SELECT count(*) AS issued, count(CASE WHEN not_after < ? THEN 1 END) AS expired, \
         (SELECT count(*) FROM revocation WHERE issuer = ?) AS revoked \
         FROM certificate WHERE issuer = ? AND state = 1",
    )
    .bind(now.unix())
    .bind(id)
    .bind(id)
    .fetch_one(&mut *connection)
    .await?;
    let issued = to_u64(row.try_get("issued")?)?;
    let expired = to_u64(row.try_get("expired")?)?;
    Ok(Counts {
        issued,
        revoked: to_u64(row.try_get("revoked")?)?,
        expired,
        unexpired: issued - expired,
    })
}

fn record(row: &SqliteRow) -> Result<CertificateRecord, LedgerError> {
    let time = |column: &str| {
        row.try_get::<Option<i64>, _>(column)
            .map(|time| time.map(Time::from_unix))
    };
    let revoked = row.try_get::<Option<i64>, _>("revocation_seq")?.is_some();
    Ok(CertificateRecord {
        issuer: row.try_get("name")?,
        serial: decode_serial(row.try_get("serial")?)?,
        not_before: time("not_before")?,
        not_after: time("not_after")?,
        profile: row.try_get("profile")?,
        subject: row.try_get("subject")?,
        certificate: row.try_get("der")?,
        requested_by: row.try_get("requested_by")?,
        issued_at: Time::from_unix(row.try_get("recorded_at")?),
        origin: origin(row.try_get("origin")?)?,
        revocation: revoked.then(|| revocation(row)).transpose()?,
    })
}
