//! Issuing: reserve, record or give up.

use pki::{Certificate, Serial, Time};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, query, query_scalar};

use super::SqliteStore;
use super::keys;
use super::rows::{
    decode_serial, encode_serial, hash, issuer_id, origin_code, state, to_i64, to_u64,
};
use super::write::{Act, Write};
use crate::audit::sha256;
use crate::error::LedgerError;
use crate::model::{ChangeKind, Origin, Reservation};

pub(super) async fn reserve(
    store: &SqliteStore,
    at: Time,
    reservation: &Reservation,
) -> Result<(), LedgerError> {
    let Reservation { issuer, serial, .. } = reservation;
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), issuer).await?;
    let column = encode_serial(serial);
    if keys::contains(write.connection(), &reservation.spki_sha256).await? {
        return Err(LedgerError::KeyBlocked);
    }

    let partition = match &reservation.crl_partition {
        Some(uri) => Some(partition_id(&mut write, id, uri).await?),
        None => None,
    };
    let inserted = query(
        "INSERT INTO certificate (issuer, serial, state, origin, not_after, recorded_at, profile, requested_by, \
         spki_sha256, crl_partition) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(&column)
    .bind(state::RESERVED)
    .bind(origin_code(Origin::Own))
    .bind(reservation.not_after.unix())
    .bind(at.unix())
    .bind(&reservation.profile)
    .bind(&reservation.actor)
    .bind(&reservation.spki_sha256[..])
    .bind(partition)
    .execute(write.connection())
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(LedgerError::SerialTaken {
            issuer: issuer.clone(),
            serial: *serial,
        });
    }

    let inserted = query(
        "INSERT INTO request (request_id, issuer, serial, tbs, signature_algorithm, csr, evidence_sha256) \
         VALUES (?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT DO NOTHING",
    )
    .bind(&reservation.request_id[..])
    .bind(id)
    .bind(&column)
    .bind(&reservation.tbs)
    .bind(&reservation.signature_algorithm)
    .bind(&reservation.csr)
    .bind(reservation.evidence_sha256.map(Vec::from))
    .execute(write.connection())
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(LedgerError::RequestIdTaken(hex::encode(
            reservation.request_id,
        )));
    }

    let detail = json!({
        "request_id": hex::encode(reservation.request_id),
        "profile": reservation.profile,
        "signature_algorithm": reservation.signature_algorithm,
        "tbs_sha256": hex::encode(sha256(&reservation.tbs)),
        "csr_sha256": reservation.csr.as_deref().map(sha256).map(hex::encode),
        "not_after": reservation.not_after,
        "crl_partition": reservation.crl_partition,
        "evidence_sha256": reservation.evidence_sha256.map(hex::encode),
    });
    write
        .commit(Act {
            actor: &reservation.actor,
            act: "certificate.reserve",
            issuer,
            serial: Some(*serial),
            detail,
        })
        .await
}

pub(super) async fn record(
    store: &SqliteStore,
    at: Time,
    issuer: &str,
    serial: &Serial,
    der: &[u8],
) -> Result<u64, LedgerError> {
    let certificate = Certificate::from_der(der).map_err(|error| {
        LedgerError::refused("certificate", format!("not a certificate: {error}"))
    })?;
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), issuer).await?;
    let column = encode_serial(serial);

    if let Some(seq) = recorded_before(write.connection(), id, &column, der).await? {
        return Ok(seq);
    }
    let open = open_reservation(write.connection(), id, &column).await?;
    let Some((tbs, actor)) = open else {
        return Err(LedgerError::NotReserved {
            issuer: issuer.to_owned(),
            serial: *serial,
        });
    };
    if certificate.tbs_der() != tbs {
        return Err(LedgerError::refused(
            "V6",
            format!(
                "the certificate {serial} of {issuer} is not the one that was reserved; nothing was recorded"
            ),
        ));
    }

    let seq = write.event(id, ChangeKind::Issued, Some(serial)).await?;
    query(
        "UPDATE certificate SET state = ?, seq = ?, not_before = ?, not_after = ?, recorded_at = ?, subject = ?, \
         spki_sha256 = ? WHERE issuer = ? AND serial = ?",
    )
    .bind(state::ISSUED)
    .bind(to_i64(seq)?)
    .bind(certificate.not_before().unix())
    .bind(certificate.not_after().unix())
    .bind(at.unix())
    .bind(certificate.subject().to_string())
    .bind(certificate.public_key().fingerprint().to_vec())
    .bind(id)
    .bind(&column)
    .execute(write.connection())
    .await?;
    let sha256 = sha256(der);
    query("INSERT INTO document (issuer, serial, sha256, der) VALUES (?, ?, ?, ?)")
        .bind(id)
        .bind(&column)
        .bind(&sha256[..])
        .bind(der)
        .execute(write.connection())
        .await?;
    query("UPDATE request SET tbs = NULL WHERE issuer = ? AND serial = ?")
        .bind(id)
        .bind(&column)
        .execute(write.connection())
        .await?;
    let detail = record_detail(&sha256);
    write
        .commit(Act {
            actor: &actor,
            act: "certificate.record",
            issuer,
            serial: Some(*serial),
            detail,
        })
        .await?;
    Ok(seq)
}

pub(super) async fn abandon(
    store: &SqliteStore,
    at: Time,
    issuer: &str,
    serial: &Serial,
    why: &str,
) -> Result<(), LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), issuer).await?;
    let column = encode_serial(serial);
    let Some((_, actor)) = open_reservation(write.connection(), id, &column).await? else {
        return Err(LedgerError::NotReserved {
            issuer: issuer.to_owned(),
            serial: *serial,
        });
    };
    query("UPDATE certificate SET state = ? WHERE issuer = ? AND serial = ?")
        .bind(state::GIVEN_UP)
        .bind(id)
        .bind(&column)
        .execute(write.connection())
        .await?;
    query("UPDATE request SET refusal = ? WHERE issuer = ? AND serial = ?")
        .bind(why)
        .bind(id)
        .bind(&column)
        .execute(write.connection())
        .await?;
    let detail = json!({ "why": why });
    write
        .commit(Act {
            actor: &actor,
            act: "certificate.abandon",
            issuer,
            serial: Some(*serial),
            detail,
        })
        .await
}

pub(super) async fn refusal(
    store: &SqliteStore,
    issuer: &str,
    serial: &Serial,
) -> Result<Option<String>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    let why = query_scalar("SELECT refusal FROM request WHERE issuer = ? AND serial = ?")
        .bind(id)
        .bind(encode_serial(serial))
        .fetch_optional(&mut *connection)
        .await?;
    Ok(why.flatten())
}

/// The columns of a [`Reservation`] that is open, and its place.
const OPEN: &str = "SELECT request.id, issuer.name, request.serial, request.request_id, request.tbs, \
     request.signature_algorithm, request.csr, request.evidence_sha256, certificate.profile, certificate.not_after, \
     certificate.spki_sha256, certificate.requested_by, crl_partition.uri \
     FROM request JOIN issuer ON issuer.id = request.issuer \
     JOIN certificate ON certificate.issuer = request.issuer AND certificate.serial = request.serial \
     LEFT JOIN crl_partition ON crl_partition.id = certificate.crl_partition \
     WHERE request.tbs IS NOT NULL AND request.refusal IS NULL";

pub(super) async fn pending(
    store: &SqliteStore,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, Reservation)>, LedgerError> {
    let sql = AssertSqlSafe(format!(
        "{OPEN} AND request.id > ? ORDER BY request.id LIMIT ?"
    ));
    query(sql)
        .bind(to_i64(after)?)
        .bind(limit)
        .fetch_all(&store.readers)
        .await?
        .iter()
        .map(|row| Ok((to_u64(row.try_get("id")?)?, reservation(row)?)))
        .collect()
}

pub(super) async fn pending_one(
    store: &SqliteStore,
    issuer: &str,
    serial: &Serial,
) -> Result<Option<Reservation>, LedgerError> {
    let sql = AssertSqlSafe(format!("{OPEN} AND issuer.name = ? AND request.serial = ?"));
    query(sql)
        .bind(issuer)
        .bind(encode_serial(serial))
        .fetch_optional(&store.readers)
        .await?
        .as_ref()
        .map(reservation)
        .transpose()
}

pub(super) async fn pending_count(store: &SqliteStore) -> Result<u64, LedgerError> {
    let count =
        query_scalar("SELECT COUNT(*) FROM request WHERE tbs IS NOT NULL AND refusal IS NULL")
            .fetch_one(&store.readers)
            .await?;
    to_u64(count)
}

/// The particulars of `certificate.record`, which a check of the chain compares with the certificate.
pub(super) fn record_detail(certificate_sha256: &[u8; 32]) -> Value {
    json!({ "certificate_sha256": hex::encode(certificate_sha256) })
}

/// The event of a certificate that is recorded already.
async fn recorded_before(
    connection: &mut SqliteConnection,
    issuer: i64,
    serial: &[u8],
    der: &[u8],
) -> Result<Option<u64>, LedgerError> {
    let seq: Option<i64> = query_scalar(
        "SELECT certificate.seq FROM certificate JOIN document USING (issuer, serial) \
         WHERE issuer = ? AND serial = ? AND der = ?",
    )
    .bind(issuer)
    .bind(serial)
    .bind(der)
    .fetch_optional(connection)
    .await?;
    seq.map(to_u64).transpose()
}

/// What was reserved to be signed, and by whom.
async fn open_reservation(
    connection: &mut SqliteConnection,
    issuer: i64,
    serial: &[u8],
) -> Result<Option<(Vec<u8>, String)>, LedgerError> {
    let row = query(
        "SELECT request.tbs, certificate.requested_by FROM request JOIN certificate USING (issuer, serial) \
         WHERE issuer = ? AND serial = ? AND request.tbs IS NOT NULL AND request.refusal IS NULL",
    )
    .bind(issuer)
    .bind(serial)
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok((row.try_get("tbs")?, row.try_get("requested_by")?)))
        .transpose()
}

fn reservation(row: &SqliteRow) -> Result<Reservation, LedgerError> {
    let request_id: &[u8] = row.try_get("request_id")?;
    Ok(Reservation {
        issuer: row.try_get("name")?,
        serial: decode_serial(row.try_get("serial")?)?,
        request_id: request_id
            .try_into()
            .map_err(|_| LedgerError::damaged("a request id is not 16 octets long"))?,
        profile: row.try_get("profile")?,
        tbs: row.try_get("tbs")?,
        signature_algorithm: row.try_get("signature_algorithm")?,
        csr: row.try_get("csr")?,
        not_after: Time::from_unix(row.try_get("not_after")?),
        spki_sha256: hash(row.try_get("spki_sha256")?)?,
        crl_partition: row.try_get("uri")?,
        evidence_sha256: row
            .try_get::<Option<&[u8]>, _>("evidence_sha256")?
            .map(hash)
            .transpose()?,
        actor: row.try_get("requested_by")?,
    })
}

/// The row of a partition, made if this is its first certificate: then whoever makes the CRLs hears of it, since the
/// certificate's relying parties will ask for it.
async fn partition_id(write: &mut Write<'_>, issuer: i64, uri: &str) -> Result<i64, LedgerError> {
    let inserted =
        query("INSERT INTO crl_partition (issuer, uri) VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(issuer)
            .bind(uri)
            .execute(write.connection())
            .await?;
    if inserted.rows_affected() > 0 {
        write.event(issuer, ChangeKind::IssuerChanged, None).await?;
    }
    let id = query_scalar("SELECT id FROM crl_partition WHERE issuer = ? AND uri = ?")
        .bind(issuer)
        .bind(uri)
        .fetch_one(write.connection())
        .await?;
    Ok(id)
}
