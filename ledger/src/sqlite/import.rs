//! Taking certificates over: many rows in one transaction, one event for each row that says something new.

mod bulk;
mod follow;
mod plan;

use std::collections::HashMap;

use pki::{Serial, Time};
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, query};

use self::bulk::{ChangeRow, RevocationRow};
use self::plan::{Incoming, Known, News, Verdict};
use super::SqliteStore;
use super::rows::{decode_serial, encode_serial, hash, issuer_id, reason, state};
use super::write::{Act, Write};
use crate::error::LedgerError;
use crate::model::{ChangeKind, ImportSummary, ImportedCertificate};

pub(super) use self::follow::follow;

/// How many serial numbers are looked up by one statement.
const LOOKUP: usize = 500;

pub(super) async fn import(
    store: &SqliteStore,
    at: Time,
    issuer: &str,
    batch: &[ImportedCertificate],
    actor: &str,
) -> Result<ImportSummary, LedgerError> {
    let (incoming, mut conflicts) = plan::merge(batch)?;
    let digest = plan::digest(&incoming);
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), issuer).await?;

    let mut summary = ImportSummary::default();
    let mut added = Vec::new();
    let mut changes = Vec::new();
    let mut revocations = Vec::new();
    for chunk in incoming.chunks(LOOKUP) {
        let known = known(write.connection(), id, chunk).await?;
        for item in chunk {
            let (kind, news) = match plan::judge(item, known.get(&item.serial)) {
                Verdict::Unchanged => {
                    summary.unchanged += 1;
                    continue;
                }
                Verdict::Conflict(news) => {
                    conflicts.push(item.serial);
                    match news {
                        None => {
                            summary.unchanged += 1;
                            continue;
                        }
                        Some(news) => (news.kind(), Some(news)),
                    }
                }
                Verdict::New => (ChangeKind::Imported, None),
                Verdict::Changed(news) => (news.kind(), Some(news)),
            };
            let seq = write.next_seq();
            changes.push(ChangeRow {
                seq,
                kind,
                serial: item.serial,
            });
            let revoked = match &news {
                None => {
                    summary.added += 1;
                    added.push((seq, item));
                    item.revoked
                }
                Some(news) => {
                    summary.changed += 1;
                    bulk::complete_certificate(write.connection(), id, item, news).await?;
                    news.revoked
                }
            };
            if let Some((time, reason)) = revoked {
                revocations.push(RevocationRow {
                    seq,
                    serial: item.serial,
                    time,
                    reason,
                    invalidity_date: item.invalidity_date,
                });
            }
        }
    }
    conflicts.sort_unstable();
    conflicts.dedup();
    summary.conflicts = conflicts;
    if changes.is_empty() {
        return Ok(summary);
    }

    bulk::insert_certificates(write.connection(), id, at, actor, &added).await?;
    bulk::insert_documents(write.connection(), id, &added).await?;
    bulk::insert_revocations(write.connection(), id, actor, &revocations).await?;
    bulk::insert_changes(write.connection(), id, at, &changes).await?;
    let touched: Vec<_> = changes.iter().map(|change| change.serial).collect();
    bulk::block_compromised_keys(write.connection(), id, at, &touched).await?;

    let detail = json!({
        "rows": incoming.len(),
        "added": summary.added,
        "changed": summary.changed,
        "revoked": revocations.len(),
        "batch_sha256": hex::encode(digest),
    });
    write
        .commit(Act {
            actor,
            act: "certificate.import",
            issuer,
            serial: None,
            detail,
        })
        .await?;
    Ok(summary)
}

impl News {
    fn kind(&self) -> ChangeKind {
        if self.revoked.is_some() {
            ChangeKind::Revoked
        } else {
            ChangeKind::Imported
        }
    }
}

/// What the ledger says about the certificates of a chunk.
async fn known(
    connection: &mut SqliteConnection,
    issuer: i64,
    chunk: &[Incoming<'_>],
) -> Result<HashMap<Serial, Known>, LedgerError> {
    let list = vec!["?"; chunk.len()].join(", ");
    let statement = format!(
        "SELECT c.serial, c.state, c.not_after, c.subject IS NOT NULL AS has_subject, document.sha256, r.time, r.reason \
         FROM certificate AS c \
         LEFT JOIN document ON document.issuer = c.issuer AND document.serial = c.serial \
         LEFT JOIN revocation AS r ON r.issuer = c.issuer AND r.serial = c.serial \
         WHERE c.issuer = ? AND c.serial IN ({list})"
    );
    let mut lookup = query(AssertSqlSafe(statement))
        .persistent(chunk.len() == LOOKUP)
        .bind(issuer);
    for item in chunk {
        lookup = lookup.bind(encode_serial(&item.serial));
    }
    lookup
        .fetch_all(connection)
        .await?
        .iter()
        .map(known_row)
        .collect()
}

fn known_row(row: &SqliteRow) -> Result<(Serial, Known), LedgerError> {
    let revoked = match row.try_get::<Option<i64>, _>("time")? {
        Some(time) => Some((Time::from_unix(time), reason(row.try_get("reason")?)?)),
        None => None,
    };
    let known = Known {
        issued: row.try_get::<i64, _>("state")? == state::ISSUED,
        not_after: row
            .try_get::<Option<i64>, _>("not_after")?
            .map(Time::from_unix),
        has_subject: row.try_get("has_subject")?,
        certificate_sha256: row
            .try_get::<Option<&[u8]>, _>("sha256")?
            .map(hash)
            .transpose()?,
        revoked,
    };
    Ok((decode_serial(row.try_get("serial")?)?, known))
}
