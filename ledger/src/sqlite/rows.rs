//! Between Rust values and columns.

use pki::{CrlNumber, RevocationReason, Serial, Time};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query_scalar};

use crate::error::LedgerError;
use crate::model::{Ground, Origin, Revocation, StatusRow};

/// Of `certificate.state`. Stored state: numbers are never reused.
pub(super) mod state {
    pub(crate) const RESERVED: i64 = 0;
    pub(crate) const ISSUED: i64 = 1;
    pub(crate) const GIVEN_UP: i64 = 2;
}

/// The row of an issuer, by name.
pub(super) async fn issuer_id(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<i64, LedgerError> {
    query_scalar("SELECT id FROM issuer WHERE name = ?")
        .bind(name)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| LedgerError::UnknownIssuer(name.to_owned()))
}

/// One octet of length, then the magnitude: octet order is numeric order.
pub(super) fn encode_serial(serial: &Serial) -> Vec<u8> {
    with_length(serial.as_bytes())
}

pub(super) fn decode_serial(column: &[u8]) -> Result<Serial, LedgerError> {
    Serial::from_be_bytes(without_length(column)?)
        .map_err(|error| LedgerError::damaged(format!("a serial number cannot be read: {error}")))
}

/// As serial numbers.
pub(super) fn encode_crl_number(number: &CrlNumber) -> Vec<u8> {
    let octets = number.to_be_bytes();
    let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
    with_length(&octets[zeros..])
}

pub(super) fn decode_crl_number(column: &[u8]) -> Result<CrlNumber, LedgerError> {
    CrlNumber::from_be_bytes(without_length(column)?)
        .map_err(|error| LedgerError::damaged(format!("a CRL number cannot be read: {error}")))
}

fn with_length(magnitude: &[u8]) -> Vec<u8> {
    // Unwrap safety: serial numbers and CRL numbers have 20 octets at most.
    let length = u8::try_from(magnitude.len()).expect("20 octets at most");
    [&[length], magnitude].concat()
}

fn without_length(column: &[u8]) -> Result<&[u8], LedgerError> {
    match column.split_first() {
        Some((&length, magnitude)) if usize::from(length) == magnitude.len() => Ok(magnitude),
        _ => Err(LedgerError::damaged(
            "a number does not have the length it says",
        )),
    }
}

pub(super) fn to_i64(number: u64) -> Result<i64, LedgerError> {
    i64::try_from(number).map_err(|_| {
        LedgerError::damaged(format!("{number} is beyond what the database can count"))
    })
}

pub(super) fn to_u64(column: i64) -> Result<u64, LedgerError> {
    u64::try_from(column)
        .map_err(|_| LedgerError::damaged(format!("{column} where a count belongs")))
}

pub(super) fn hash(column: &[u8]) -> Result<[u8; 32], LedgerError> {
    column
        .try_into()
        .map_err(|_| LedgerError::damaged(format!("a hash of {} octets", column.len())))
}

/// Stored state: numbers are never reused.
pub(super) fn origin_code(origin: Origin) -> i64 {
    match origin {
        Origin::Own => 0,
        Origin::Imported => 1,
    }
}

pub(super) fn origin(column: i64) -> Result<Origin, LedgerError> {
    match column {
        0 => Ok(Origin::Own),
        1 => Ok(Origin::Imported),
        other => Err(LedgerError::damaged(format!("unknown origin {other}"))),
    }
}

pub(super) fn reason(column: i64) -> Result<RevocationReason, LedgerError> {
    u8::try_from(column)
        .ok()
        .and_then(RevocationReason::from_code)
        .ok_or_else(|| LedgerError::damaged(format!("unknown revocation reason {column}")))
}

/// From the columns `serial`, `not_after` and those of the (left-joined) revocation.
pub(super) fn status_row(row: &SqliteRow) -> Result<StatusRow, LedgerError> {
    let revoked = match row.try_get::<Option<i64>, _>("time")? {
        Some(time) => Some((Time::from_unix(time), reason(row.try_get("reason")?)?)),
        None => None,
    };
    Ok(StatusRow {
        serial: decode_serial(row.try_get("serial")?)?,
        not_after: row
            .try_get::<Option<i64>, _>("not_after")?
            .map(Time::from_unix),
        revoked,
        invalidity_date: row
            .try_get::<Option<i64>, _>("invalidity_date")?
            .map(Time::from_unix),
    })
}

/// From the columns of `revocation`, with its `seq` renamed to `revocation_seq`.
pub(super) fn revocation(row: &SqliteRow) -> Result<Revocation, LedgerError> {
    let ground: String = row.try_get("ground")?;
    Ok(Revocation {
        seq: to_u64(row.try_get("revocation_seq")?)?,
        time: Time::from_unix(row.try_get("time")?),
        reason: reason(row.try_get("reason")?)?,
        ground: ground
            .parse::<Ground>()
            .map_err(|_| LedgerError::damaged(format!("unknown ground {ground:?}")))?,
        actor: row.try_get("actor")?,
        case: row.try_get("case_reference")?,
        invalidity_date: row
            .try_get::<Option<i64>, _>("invalidity_date")?
            .map(Time::from_unix),
        already: true,
    })
}

#[cfg(test)]
mod tests;
