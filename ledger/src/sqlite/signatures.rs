//! Everything that our CAs have signed, for a comparison with the signer's log.

use pki::{Certificate, CrlNumber, Serial, Time};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, query};

use super::SqliteStore;
use super::rows::{
    decode_crl_number, decode_serial, encode_crl_number, encode_serial, hash, issuer_id, origin,
    state, to_u64,
};
use crate::audit::sha256;
use crate::error::LedgerError;
use crate::model::{CertificateRow, CertificateState, CrlRecord, CrlScope};

pub(super) async fn certificates(
    store: &SqliteStore,
    issuer: &str,
    after: Option<Serial>,
    limit: u32,
) -> Result<Vec<CertificateRow>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    query(
        "SELECT c.serial, c.state, c.origin, document.der, request.tbs, request.evidence_sha256 FROM certificate AS c \
         LEFT JOIN document ON document.issuer = c.issuer AND document.serial = c.serial \
         LEFT JOIN request ON request.issuer = c.issuer AND request.serial = c.serial \
         WHERE c.issuer = ? AND c.serial > ? ORDER BY c.serial LIMIT ?",
    )
    .bind(id)
    .bind(after.as_ref().map(encode_serial).unwrap_or_default())
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(certificate)
    .collect()
}

pub(super) async fn one_certificate(
    store: &SqliteStore,
    issuer: &str,
    serial: &Serial,
) -> Result<Option<CertificateRow>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    query(
        "SELECT c.serial, c.state, c.origin, document.der, request.tbs, request.evidence_sha256 FROM certificate AS c \
         LEFT JOIN document ON document.issuer = c.issuer AND document.serial = c.serial \
         LEFT JOIN request ON request.issuer = c.issuer AND request.serial = c.serial \
         WHERE c.issuer = ? AND c.serial = ?",
    )
    .bind(id)
    .bind(encode_serial(serial))
    .fetch_optional(&mut *connection)
    .await?
    .as_ref()
    .map(certificate)
    .transpose()
}

pub(super) async fn crls(
    store: &SqliteStore,
    issuer: &str,
    after: Option<&(CrlScope, CrlNumber)>,
    limit: u32,
) -> Result<Vec<CrlRecord>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let (scope, number) = match after {
        Some((scope, number)) => (scope.to_string(), encode_crl_number(number)),
        None => (String::new(), Vec::new()),
    };
    query("SELECT * FROM crl WHERE issuer = ? AND (scope, number) > (?, ?) ORDER BY scope, number LIMIT ?")
        .bind(id)
        .bind(scope)
        .bind(number)
        .bind(limit)
        .fetch_all(&mut *connection)
        .await?
        .iter()
        .map(crl)
        .collect()
}

/// From all columns of `crl`.
pub(super) fn crl(row: &SqliteRow) -> Result<CrlRecord, LedgerError> {
    let scope: String = row.try_get("scope")?;
    let Ok(scope) = scope.parse::<CrlScope>();
    Ok(CrlRecord {
        scope,
        number: decode_crl_number(row.try_get("number")?)?,
        this_update: Time::from_unix(row.try_get("this_update")?),
        next_update: Time::from_unix(row.try_get("next_update")?),
        sha256: hash(row.try_get("sha256")?)?,
        size: to_u64(row.try_get("size")?)?,
        entries: to_u64(row.try_get("entries")?)?,
        as_of: to_u64(row.try_get("as_of")?)?,
    })
}

fn certificate(row: &SqliteRow) -> Result<CertificateRow, LedgerError> {
    let serial = decode_serial(row.try_get("serial")?)?;
    let der: Option<&[u8]> = row.try_get("der")?;
    let tbs_sha256 = match der {
        Some(der) => {
            let certificate = Certificate::from_der(der).map_err(|error| {
                LedgerError::damaged(format!("the certificate {serial} cannot be read: {error}"))
            })?;
            Some(sha256(certificate.tbs_der()))
        }
        None => row.try_get::<Option<&[u8]>, _>("tbs")?.map(sha256),
    };
    Ok(CertificateRow {
        serial,
        state: match row.try_get::<i64, _>("state")? {
            state::RESERVED => CertificateState::Reserved,
            state::ISSUED => CertificateState::Issued,
            state::GIVEN_UP => CertificateState::GivenUp,
            other => return Err(LedgerError::damaged(format!("unknown state {other}"))),
        },
        origin: origin(row.try_get("origin")?)?,
        tbs_sha256,
        certificate_sha256: der.map(sha256),
        evidence_sha256: row
            .try_get::<Option<&[u8]>, _>("evidence_sha256")?
            .map(hash)
            .transpose()?,
    })
}
