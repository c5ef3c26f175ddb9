//! Taking in what the CRLs of an issuer say whose key is elsewhere: one event for each certificate that changes.
//!
//! What was taken over (the ground `imported`) follows its CRLs: a reason may become another one, a hold may end. What
//! was revoked here is nobody else's to change.

use std::collections::HashMap;

use pki::{RevocationReason, Serial, Time};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, query, query_scalar};

use super::LOOKUP;
use super::bulk::{self, ChangeRow, RevocationRow};
use super::plan::{self, Incoming};
use crate::error::LedgerError;
use crate::model::{ChangeKind, FollowSummary, Followed, Ground, IssuerPolicy};
use crate::sqlite::SqliteStore;
use crate::sqlite::rows::{decode_serial, encode_serial, issuer_id, reason, state};
use crate::sqlite::write::{Act, Write};

pub(in crate::sqlite) async fn follow(
    store: &SqliteStore,
    at: Time,
    issuer: &str,
    batch: &[Followed],
    actor: &str,
) -> Result<FollowSummary, LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), issuer).await?;
    check_followed(write.connection(), id, issuer).await?;

    let mut summary = FollowSummary::default();
    let mut work = Work::default();
    for chunk in batch.chunks(LOOKUP) {
        let known = known(write.connection(), id, chunk).await?;
        for item in chunk {
            match judge(item, known.get(item.serial())) {
                Verdict::Unchanged => summary.unchanged += 1,
                Verdict::Conflict => summary.conflicts.push(*item.serial()),
                Verdict::Do(step) => work.add(item, step, write.next_seq(), &mut summary),
            }
        }
    }
    if work.changes.is_empty() {
        return Ok(summary);
    }

    let connection = write.connection();
    let added: Vec<_> = work.added.iter().map(|(seq, item)| (*seq, item)).collect();
    bulk::insert_certificates(connection, id, at, actor, &added).await?;
    forget(connection, id, &work.forgotten).await?;
    bulk::insert_revocations(connection, id, actor, &work.revocations).await?;
    bulk::insert_changes(connection, id, at, &work.changes).await?;
    let touched: Vec<_> = work.changes.iter().map(|change| change.serial).collect();
    bulk::block_compromised_keys(connection, id, at, &touched).await?;

    let incoming: Vec<_> = batch.iter().filter_map(incoming).collect();
    let detail = json!({
        "revoked": summary.revoked,
        "changed": work.before,
        "released": work.released,
        "batch_sha256": hex::encode(plan::digest(&incoming)),
    });
    write
        .commit(Act {
            actor,
            act: "source.follow",
            issuer,
            serial: None,
            detail,
        })
        .await?;
    Ok(summary)
}

/// What the batch does to the tables.
#[derive(Default)]
struct Work {
    added: Vec<(u64, Incoming<'static>)>,
    /// Revocations that end, or are written anew.
    forgotten: Vec<Serial>,
    revocations: Vec<RevocationRow>,
    changes: Vec<ChangeRow>,
    /// For the audit record: what changed revocations were before.
    before: Vec<Value>,
    /// For the audit record.
    released: Vec<Serial>,
}

impl Work {
    fn add(&mut self, item: &Followed, step: Step, seq: u64, summary: &mut FollowSummary) {
        let serial = *item.serial();
        let kind = match *item {
            Followed::Released { .. } => {
                summary.released += 1;
                self.forgotten.push(serial);
                self.released.push(serial);
                ChangeKind::Released
            }
            Followed::Revoked {
                time,
                reason,
                invalidity_date,
                ..
            } => {
                match step {
                    Step::Add => self.added.extend(incoming(item).map(|item| (seq, item))),
                    Step::Change(revoked) => {
                        self.forgotten.push(serial);
                        self.before.push(json!({
                            "serial": serial,
                            "time": revoked.time,
                            "reason": revoked.reason.to_string(),
                        }));
                    }
                    Step::Plain => {}
                }
                match step {
                    Step::Change(_) => summary.changed += 1,
                    Step::Add | Step::Plain => summary.revoked += 1,
                }
                self.revocations.push(RevocationRow {
                    seq,
                    serial,
                    time,
                    reason,
                    invalidity_date,
                });
                ChangeKind::Revoked
            }
        };
        self.changes.push(ChangeRow { seq, kind, serial });
    }
}

/// What the ledger says about a certificate.
struct Known {
    issued: bool,
    revoked: Option<Revoked>,
}

#[derive(Clone, Copy)]
struct Revoked {
    time: Time,
    reason: RevocationReason,
    invalidity_date: Option<Time>,
    /// From somebody else's list, not revoked here.
    imported: bool,
}

enum Verdict {
    Unchanged,
    Conflict,
    Do(Step),
}

#[derive(Clone, Copy)]
enum Step {
    /// The certificate is not known yet.
    Add,
    /// It is revoked, with other particulars.
    Change(Revoked),
    /// Nothing but what the item says.
    Plain,
}

fn judge(item: &Followed, known: Option<&Known>) -> Verdict {
    let revoked = match known {
        Some(known) if !known.issued => return Verdict::Conflict,
        Some(known) => known.revoked,
        None => None,
    };
    match (*item, revoked) {
        (Followed::Released { .. }, None) => Verdict::Unchanged,
        (Followed::Released { .. }, Some(revoked)) => {
            if revoked.imported && revoked.reason == RevocationReason::CertificateHold {
                Verdict::Do(Step::Plain)
            } else {
                Verdict::Conflict
            }
        }
        (Followed::Revoked { .. }, None) if known.is_none() => Verdict::Do(Step::Add),
        (Followed::Revoked { .. }, None) => Verdict::Do(Step::Plain),
        (
            Followed::Revoked {
                time,
                reason,
                invalidity_date,
                ..
            },
            Some(revoked),
        ) => {
            let same = (time, reason, invalidity_date)
                == (revoked.time, revoked.reason, revoked.invalidity_date);
            match (same, revoked.imported) {
                (true, _) => Verdict::Unchanged,
                (false, true) => Verdict::Do(Step::Change(revoked)),
                (false, false) => Verdict::Conflict,
            }
        }
    }
}

fn incoming(item: &Followed) -> Option<Incoming<'static>> {
    let Followed::Revoked {
        serial,
        time,
        reason,
        invalidity_date,
    } = *item
    else {
        return None;
    };
    Some(Incoming {
        serial,
        not_after: None,
        subject: None,
        certificate: None,
        revoked: Some((time, reason)),
        invalidity_date,
    })
}

/// Only where CRLs of others decide may they undo anything.
async fn check_followed(
    connection: &mut SqliteConnection,
    id: i64,
    issuer: &str,
) -> Result<(), LedgerError> {
    let policy: String = query_scalar("SELECT policy FROM issuer WHERE id = ?")
        .bind(id)
        .fetch_one(connection)
        .await?;
    let policy: IssuerPolicy = serde_json::from_str(&policy).map_err(|error| {
        LedgerError::damaged(format!("the settings of an issuer cannot be read: {error}"))
    })?;
    if policy.source.is_followed() {
        return Ok(());
    }
    Err(LedgerError::refused(
        "source.crl",
        format!("{issuer} follows no CRLs of others; set source.crl first"),
    ))
}

async fn known(
    connection: &mut SqliteConnection,
    issuer: i64,
    chunk: &[Followed],
) -> Result<HashMap<Serial, Known>, LedgerError> {
    let list = vec!["?"; chunk.len()].join(", ");
    let statement = format!(
        "SELECT c.serial, c.state, r.time, r.reason, r.invalidity_date, r.ground FROM certificate AS c \
         LEFT JOIN revocation AS r ON r.issuer = c.issuer AND r.serial = c.serial \
         WHERE c.issuer = ? AND c.serial IN ({list})"
    );
    let mut lookup = query(AssertSqlSafe(statement))
        .persistent(chunk.len() == LOOKUP)
        .bind(issuer);
    for item in chunk {
        lookup = lookup.bind(encode_serial(item.serial()));
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
        None => None,
        Some(time) => Some(Revoked {
            time: Time::from_unix(time),
            reason: reason(row.try_get("reason")?)?,
            invalidity_date: row
                .try_get::<Option<i64>, _>("invalidity_date")?
                .map(Time::from_unix),
            imported: row.try_get::<&str, _>("ground")? == Ground::Imported.as_str(),
        }),
    };
    let issued = row.try_get::<i64, _>("state")? == state::ISSUED;
    Ok((
        decode_serial(row.try_get("serial")?)?,
        Known { issued, revoked },
    ))
}

/// Takes revocations away, to be written anew or for good.
async fn forget(
    connection: &mut SqliteConnection,
    issuer: i64,
    serials: &[Serial],
) -> Result<(), LedgerError> {
    for serial in serials {
        query("DELETE FROM revocation WHERE issuer = ? AND serial = ? AND ground = ?")
            .bind(issuer)
            .bind(encode_serial(serial))
            .bind(Ground::Imported.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
