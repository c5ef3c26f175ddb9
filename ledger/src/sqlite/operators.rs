//! Operators, and what they allow.

use pki::Time;
use serde_json::json;
use sqlx::{Row, query};

use super::SqliteStore;
use super::rows::issuer_id;
use super::write::{Act, Write};
use crate::error::LedgerError;
use crate::model::{CrlAllowance, Operator};

pub(super) async fn add(
    store: &SqliteStore,
    at: Time,
    operator: &Operator,
    actor: &str,
) -> Result<(), LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let inserted = query(
        "INSERT INTO operator (name, public_key, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(&operator.name)
    .bind(&operator.public_key)
    .bind(at.unix())
    .execute(write.connection())
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(LedgerError::refused(
            "name",
            format!(
                "there is an operator {} already, or one with this key",
                operator.name
            ),
        ));
    }
    let detail =
        json!({ "operator": operator.name, "public_key": hex::encode(&operator.public_key) });
    write
        .commit(Act {
            actor,
            act: "operator.add",
            issuer: "",
            serial: None,
            detail,
        })
        .await
}

pub(super) async fn all(store: &SqliteStore) -> Result<Vec<Operator>, LedgerError> {
    query("SELECT name, public_key FROM operator ORDER BY name")
        .fetch_all(&store.readers)
        .await?
        .iter()
        .map(|row| {
            Ok(Operator {
                name: row.try_get("name")?,
                public_key: row.try_get("public_key")?,
            })
        })
        .collect()
}

pub(super) async fn allow(
    store: &SqliteStore,
    at: Time,
    allowance: &CrlAllowance,
) -> Result<(), LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), &allowance.issuer).await?;
    query(
        "INSERT INTO crl_allowance (issuer, refusal, operator, why, time, signature) VALUES (?, ?, ?, ?, ?, ?) \
         ON CONFLICT (issuer, refusal, operator) DO UPDATE SET why = excluded.why, time = excluded.time, \
         signature = excluded.signature",
    )
    .bind(id)
    .bind(&allowance.refusal)
    .bind(&allowance.operator)
    .bind(&allowance.why)
    .bind(allowance.time.unix())
    .bind(&allowance.signature)
    .execute(write.connection())
    .await?;
    let detail = json!({
        "refusal": allowance.refusal,
        "why": allowance.why,
        "time": allowance.time,
        "signature": hex::encode(&allowance.signature),
    });
    write
        .commit(Act {
            actor: &format!("operator:{}", allowance.operator),
            act: "crl.allow",
            issuer: &allowance.issuer,
            serial: None,
            detail,
        })
        .await
}

pub(super) async fn allowances(
    store: &SqliteStore,
    issuer: &str,
    refusal: &str,
) -> Result<Vec<CrlAllowance>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    let id = issuer_id(&mut connection, issuer).await?;
    query(
        "SELECT operator, why, time, signature FROM crl_allowance WHERE issuer = ? AND refusal = ?",
    )
    .bind(id)
    .bind(refusal)
    .fetch_all(&mut *connection)
    .await?
    .iter()
    .map(|row| {
        Ok(CrlAllowance {
            issuer: issuer.to_owned(),
            refusal: refusal.to_owned(),
            operator: row.try_get("operator")?,
            why: row.try_get("why")?,
            time: Time::from_unix(row.try_get("time")?),
            signature: row.try_get("signature")?,
        })
    })
    .collect()
}
