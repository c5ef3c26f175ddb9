//! Many rows by one statement: what makes an import fast.

use pki::{RevocationReason, Serial, Time};
use sqlx::{AssertSqlSafe, SqliteConnection, query};

use super::plan::{Incoming, News};
use crate::error::LedgerError;
use crate::model::{ChangeKind, Ground, Origin};
use crate::sqlite::rows::{encode_serial, origin_code, state, to_i64};

/// Rows of one statement; SQLite takes 32,766 parameters.
const ROWS: usize = 500;

pub(super) struct ChangeRow {
    pub(super) seq: u64,
    pub(super) kind: ChangeKind,
    pub(super) serial: Serial,
}

pub(super) struct RevocationRow {
    pub(super) seq: u64,
    pub(super) serial: Serial,
    pub(super) time: Time,
    pub(super) reason: RevocationReason,
    pub(super) invalidity_date: Option<Time>,
}

pub(super) async fn insert_certificates(
    connection: &mut SqliteConnection,
    issuer: i64,
    at: Time,
    actor: &str,
    rows: &[(u64, &Incoming<'_>)],
) -> Result<(), LedgerError> {
    for chunk in rows.chunks(ROWS) {
        let statement = insert(
            "certificate (issuer, state, origin, recorded_at, requested_by, \
             serial, seq, not_before, not_after, subject, spki_sha256)",
            5,
            6,
            chunk.len(),
        );
        let mut insert = query(AssertSqlSafe(statement))
            .persistent(chunk.len() == ROWS)
            .bind(issuer)
            .bind(state::ISSUED)
            .bind(origin_code(Origin::Imported))
            .bind(at.unix())
            .bind(actor);
        for (seq, item) in chunk {
            let document = item.certificate.as_ref();
            insert = insert
                .bind(encode_serial(&item.serial))
                .bind(to_i64(*seq)?)
                .bind(document.map(|document| document.not_before.unix()))
                .bind(item.not_after.map(Time::unix))
                .bind(item.subject.as_deref())
                .bind(document.map(|document| &document.spki_sha256[..]));
        }
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn insert_documents(
    connection: &mut SqliteConnection,
    issuer: i64,
    rows: &[(u64, &Incoming<'_>)],
) -> Result<(), LedgerError> {
    let rows: Vec<_> = rows
        .iter()
        .filter_map(|(_, item)| Some((&item.serial, item.certificate.as_ref()?)))
        .collect();
    for chunk in rows.chunks(ROWS) {
        let statement = insert("document (issuer, serial, sha256, der)", 1, 3, chunk.len());
        let mut insert = query(AssertSqlSafe(statement))
            .persistent(chunk.len() == ROWS)
            .bind(issuer);
        for (serial, document) in chunk {
            insert = insert
                .bind(encode_serial(serial))
                .bind(&document.sha256[..])
                .bind(document.der);
        }
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn insert_revocations(
    connection: &mut SqliteConnection,
    issuer: i64,
    actor: &str,
    rows: &[RevocationRow],
) -> Result<(), LedgerError> {
    for chunk in rows.chunks(ROWS) {
        let statement = insert(
            "revocation (issuer, ground, actor, serial, seq, time, reason, invalidity_date)",
            3,
            5,
            chunk.len(),
        );
        let mut insert = query(AssertSqlSafe(statement))
            .persistent(chunk.len() == ROWS)
            .bind(issuer)
            .bind(Ground::Imported.as_str())
            .bind(actor);
        for row in chunk {
            insert = insert
                .bind(encode_serial(&row.serial))
                .bind(to_i64(row.seq)?)
                .bind(row.time.unix())
                .bind(row.reason.code())
                .bind(row.invalidity_date.map(Time::unix));
        }
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn insert_changes(
    connection: &mut SqliteConnection,
    issuer: i64,
    at: Time,
    rows: &[ChangeRow],
) -> Result<(), LedgerError> {
    for chunk in rows.chunks(ROWS) {
        let statement = insert(
            "change (issuer, time, seq, kind, serial)",
            2,
            3,
            chunk.len(),
        );
        let mut insert = query(AssertSqlSafe(statement))
            .persistent(chunk.len() == ROWS)
            .bind(issuer)
            .bind(at.unix());
        for row in chunk {
            insert = insert
                .bind(to_i64(row.seq)?)
                .bind(row.kind.code())
                .bind(encode_serial(&row.serial));
        }
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

/// A key that was revoked as compromised before we came is as unusable as one revoked here, in whatever order its
/// certificate and its revocation became known.
pub(super) async fn block_compromised_keys(
    connection: &mut SqliteConnection,
    issuer: i64,
    at: Time,
    touched: &[Serial],
) -> Result<(), LedgerError> {
    for chunk in touched.chunks(ROWS) {
        let serials = vec!["?"; chunk.len()].join(", ");
        let statement = format!(
            "INSERT INTO blocked_key (spki_sha256, since, why) \
             SELECT DISTINCT certificate.spki_sha256, ?, 'keyCompromise' \
             FROM revocation JOIN certificate USING (issuer, serial) \
             WHERE issuer = ? AND serial IN ({serials}) AND reason = ? AND certificate.spki_sha256 IS NOT NULL \
             ON CONFLICT DO NOTHING"
        );
        let mut insert = query(AssertSqlSafe(statement))
            .persistent(chunk.len() == ROWS)
            .bind(at.unix())
            .bind(issuer);
        for serial in chunk {
            insert = insert.bind(encode_serial(serial));
        }
        let insert = insert.bind(RevocationReason::KeyCompromise.code());
        insert.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Fills in what became known about a certificate.
pub(super) async fn complete_certificate(
    connection: &mut SqliteConnection,
    issuer: i64,
    item: &Incoming<'_>,
    news: &News,
) -> Result<(), LedgerError> {
    let document = item.certificate.as_ref().filter(|_| news.certificate);
    if news.not_after || news.subject || document.is_some() {
        query(
            "UPDATE certificate SET not_before = coalesce(not_before, ?), not_after = coalesce(not_after, ?), \
             subject = coalesce(subject, ?), spki_sha256 = coalesce(spki_sha256, ?) WHERE issuer = ? AND serial = ?",
        )
        .bind(document.map(|document| document.not_before.unix()))
        .bind(item.not_after.map(Time::unix))
        .bind(item.subject.as_deref())
        .bind(document.map(|document| &document.spki_sha256[..]))
        .bind(issuer)
        .bind(encode_serial(&item.serial))
        .execute(&mut *connection)
        .await?;
    }
    if let Some(document) = document {
        query("INSERT INTO document (issuer, serial, sha256, der) VALUES (?, ?, ?, ?)")
            .bind(issuer)
            .bind(encode_serial(&item.serial))
            .bind(&document.sha256[..])
            .bind(document.der)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// `INSERT` of many rows: the first `shared` columns have the same values in each row, `own` more follow.
///
/// Only unnumbered parameters: looking up the numbers of numbered ones costs more than the insertion.
fn insert(table: &str, shared: usize, own: usize, rows: usize) -> String {
    let parameters = |count| vec!["?"; count].join(", ");
    let row = format!("({})", parameters(own));
    let rows = vec![row; rows].join(", ");
    format!(
        "INSERT INTO {table} SELECT {}, * FROM (VALUES {rows})",
        parameters(shared)
    )
}
