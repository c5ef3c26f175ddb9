//! Issuers.

use pki::Certificate;
use pki::der_read::Reader;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query, query_scalar};

use super::SqliteStore;
use super::rows::{issuer_id, origin, origin_code};
use super::write::{Act, Write};
use crate::audit::{Fields, sha256};
use crate::error::LedgerError;
use crate::model::{ChangeKind, Issuer, IssuerUpdate};
use pki::Time;

pub(super) async fn add(
    store: &SqliteStore,
    at: Time,
    issuer: &Issuer,
    actor: &str,
) -> Result<u64, LedgerError> {
    let identity = identity(&issuer.certificate)?;
    let mut write = Write::begin(store, at).await?;
    let taken: Option<String> =
        query_scalar("SELECT name FROM issuer WHERE name = ? OR identity = ?")
            .bind(&issuer.name)
            .bind(&identity[..])
            .fetch_optional(write.connection())
            .await?;
    if let Some(name) = taken {
        return Err(LedgerError::IssuerExists(name));
    }
    let id = query(
        "INSERT INTO issuer (name, identity, certificate, chain, origin, signs, ocsp_paths, crl_paths, \
         certificate_paths, policy) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&issuer.name)
    .bind(&identity[..])
    .bind(&issuer.certificate)
    .bind(issuer.chain.concat())
    .bind(origin_code(issuer.origin))
    .bind(issuer.signs)
    .bind(to_json(&issuer.ocsp_paths)?)
    .bind(to_json(&issuer.crl_paths)?)
    .bind(to_json(&issuer.certificate_paths)?)
    .bind(to_json(&issuer.policy)?)
    .execute(write.connection())
    .await?
    .last_insert_rowid();
    let seq = write.event(id, ChangeKind::IssuerAdded, None).await?;
    write.commit(act(actor, "issuer.add", issuer)).await?;
    Ok(seq)
}

pub(super) async fn update(
    store: &SqliteStore,
    at: Time,
    name: &str,
    update: IssuerUpdate,
    actor: &str,
) -> Result<u64, LedgerError> {
    let mut write = Write::begin(store, at).await?;
    let id = issuer_id(write.connection(), name).await?;
    let before = one_on(write.connection(), name)
        .await?
        .ok_or_else(|| LedgerError::UnknownIssuer(name.to_owned()))?;
    let same_identity = identity(&before.certificate)?;
    let issuer = update.apply_to(before);
    issuer.validate()?;
    if identity(&issuer.certificate)? != same_identity {
        return Err(LedgerError::refused(
            "S10",
            format!(
                "the new certificate of {name} has another subject or key; add it as an issuer of its own"
            ),
        ));
    }
    query(
        "UPDATE issuer SET certificate = ?, chain = ?, signs = ?, ocsp_paths = ?, crl_paths = ?, \
         certificate_paths = ?, policy = ? WHERE id = ?",
    )
    .bind(&issuer.certificate)
    .bind(issuer.chain.concat())
    .bind(issuer.signs)
    .bind(to_json(&issuer.ocsp_paths)?)
    .bind(to_json(&issuer.crl_paths)?)
    .bind(to_json(&issuer.certificate_paths)?)
    .bind(to_json(&issuer.policy)?)
    .bind(id)
    .execute(write.connection())
    .await?;
    let seq = write.event(id, ChangeKind::IssuerChanged, None).await?;
    write.commit(act(actor, "issuer.update", &issuer)).await?;
    Ok(seq)
}

pub(super) async fn all(store: &SqliteStore) -> Result<Vec<Issuer>, LedgerError> {
    query("SELECT * FROM issuer ORDER BY id")
        .fetch_all(&store.readers)
        .await?
        .iter()
        .map(issuer)
        .collect()
}

pub(super) async fn one(store: &SqliteStore, name: &str) -> Result<Option<Issuer>, LedgerError> {
    let mut connection = store.readers.acquire().await?;
    one_on(&mut connection, name).await
}

async fn one_on(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Issuer>, LedgerError> {
    query("SELECT * FROM issuer WHERE name = ?")
        .bind(name)
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(issuer)
        .transpose()
}

fn issuer(row: &SqliteRow) -> Result<Issuer, LedgerError> {
    Ok(Issuer {
        name: row.try_get("name")?,
        certificate: row.try_get("certificate")?,
        chain: split_chain(row.try_get("chain")?)?,
        origin: origin(row.try_get("origin")?)?,
        signs: row.try_get("signs")?,
        ocsp_paths: from_json(row.try_get("ocsp_paths")?)?,
        crl_paths: from_json(row.try_get("crl_paths")?)?,
        certificate_paths: from_json(row.try_get("certificate_paths")?)?,
        policy: from_json(row.try_get("policy")?)?,
    })
}

/// What makes an issuer: the same name and key under two certificates are one issuer.
fn identity(certificate: &[u8]) -> Result<[u8; 32], LedgerError> {
    let certificate = Certificate::from_der(certificate).map_err(|error| {
        LedgerError::refused("certificate", format!("not a certificate: {error}"))
    })?;
    let mut fields = Fields::new();
    fields.field(certificate.subject().as_der());
    fields.field(certificate.public_key().spki_der());
    Ok(fields.finish())
}

fn split_chain(chain: &[u8]) -> Result<Vec<Vec<u8>>, LedgerError> {
    let mut reader = Reader::new(chain);
    let mut certificates = Vec::new();
    while !reader.is_empty() {
        let certificate = reader.next("Certificate").map_err(|error| {
            LedgerError::damaged(format!("a certificate chain cannot be read: {error}"))
        })?;
        certificates.push(certificate.whole.to_vec());
    }
    Ok(certificates)
}

fn act<'a>(actor: &'a str, act: &'static str, issuer: &'a Issuer) -> Act<'a> {
    let sha256_of = |der: &Vec<u8>| hex::encode(sha256(der));
    let detail = json!({
        "certificate_sha256": sha256_of(&issuer.certificate),
        "chain_sha256": issuer.chain.iter().map(sha256_of).collect::<Vec<_>>(),
        "origin": issuer.origin,
        "signs": issuer.signs,
        "ocsp_paths": issuer.ocsp_paths,
        "crl_paths": issuer.crl_paths,
        "certificate_paths": issuer.certificate_paths,
        "policy": issuer.policy,
    });
    Act {
        actor,
        act,
        issuer: &issuer.name,
        serial: None,
        detail,
    }
}

fn to_json(value: &impl Serialize) -> Result<String, LedgerError> {
    serde_json::to_value(value)
        .map(|value: Value| value.to_string())
        .map_err(|error| LedgerError::Database(Box::new(error)))
}

fn from_json<T: DeserializeOwned>(column: &str) -> Result<T, LedgerError> {
    serde_json::from_str(column).map_err(|error| {
        LedgerError::damaged(format!("the settings of an issuer cannot be read: {error}"))
    })
}
