//! One record of a signer's log, for people and for programs.

use pki::{CrlNumber, Serial, Time};
use serde_json::{Value, json};
use signer::journal_record::{Act, Record};
use signer_client::CrlScope;

use crate::human::printable;

/// In one line.
pub(super) fn text(record: &Result<Record, String>) -> String {
    let record = match record {
        Ok(record) => record,
        Err(reason) => return format!("not a record of this version: {reason}"),
    };
    match record.time() {
        Some(time) => format!("{}  {}", Time::from_unix(time), printable(&what(record))),
        None => format!("{:20}  {}", "", printable(&what(record))),
    }
}

fn what(record: &Record) -> String {
    match record {
        Record::Created { .. } => "the journal was made".to_owned(),
        Record::Started { version, .. } => format!("started, release {version}"),
        Record::CaCertificate { name, serial, .. } => {
            format!(
                "certificate {} of the CA {name}, in a ceremony",
                number(serial)
            )
        }
        Record::KeyInUse {
            name, certificate, ..
        } => format!(
            "the key {name} came into use (certificate {})",
            hex::encode(certificate)
        ),
        Record::Intent { id, act, .. } => format!("{}, request {id}", intent(act)),
        Record::Signed { id, .. } => format!("signed: request {id}"),
        Record::Refused { id, refused, .. } => format!("REFUSED {refused}, request {id}"),
        Record::Revoked { id, revoke, .. } => {
            let case = revoke
                .case
                .as_ref()
                .map_or_else(String::new, |case| format!(", case {case}"));
            let serials: Vec<String> = revoke
                .revocations
                .iter()
                .take(SERIALS)
                .map(|revocation| number(&revocation.serial.0))
                .collect();
            let more = match revoke.revocations.len().saturating_sub(SERIALS) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "{} revocations of {} told, by {} on the ground {}{case}: {}{more}, request {id}",
                revoke.revocations.len(),
                revoke.issuer,
                revoke.actor,
                revoke.ground,
                serials.join(" ")
            )
        }
        Record::Unlocked { holders, .. } => match holders.is_empty() {
            true => "unlocked by a passphrase file".to_owned(),
            false => format!("unlocked by {}", holders.join(", ")),
        },
        Record::Locked { reason, .. } => format!("LOCKED: {reason}"),
        Record::Promoted { epoch, .. } => format!("promoted: epoch {epoch}"),
        Record::Session {
            host_boot, build, ..
        } => format!("session with the host (its start {host_boot}, release {build})"),
        Record::Replicated { sequence, record } => {
            let inner = Record::decode(record);
            format!(
                "copy of record {sequence} of the active signer: {}",
                text(&inner)
            )
        }
        Record::WindDown {
            begins, holders, ..
        } => match begins {
            true => "WINDS DOWN: nothing for subscribers any more".to_owned(),
            false => format!("winds down no longer, by {}", holders.join(", ")),
        },
        Record::Follows { .. } => "the journal of a standby was made".to_owned(),
        Record::Checkpoint(checkpoint) => format!("checkpoint, signed by {}", checkpoint.issuer),
        Record::Noticed { what, .. } => what.clone(),
        other => format!("{other:?}"),
    }
}

/// How many serial numbers a line has.
const SERIALS: usize = 8;

fn intent(act: &Act) -> String {
    match act {
        Act::Certificate {
            issuer,
            profile,
            serial,
            evidence,
            ..
        } => {
            let evidence = evidence_text(evidence.as_ref());
            format!(
                "certificate {} of {issuer}, profile {profile}{evidence}",
                number(serial)
            )
        }
        Act::Crl {
            issuer,
            scope,
            number,
            ..
        } => {
            let number = CrlNumber::from_be_bytes(number)
                .map_or_else(|error| error.to_string(), |number| number.to_string());
            format!("CRL {number} of {issuer}, {}", scope_text(scope))
        }
        Act::PgpUserId {
            issuer,
            key,
            evidence,
            ..
        } => {
            let evidence = evidence_text(evidence.as_ref());
            format!(
                "certification of a user id of the OpenPGP key {} by {issuer}{evidence}",
                hex::encode_upper(key)
            )
        }
    }
}

/// As it ends a line; nothing without one.
fn evidence_text(evidence: Option<&[u8; 32]>) -> String {
    evidence
        .map(|hash| format!(", evidence {}", hex::encode(hash)))
        .unwrap_or_default()
}

fn scope_text(scope: &CrlScope) -> &str {
    match scope {
        CrlScope::Complete => "complete",
        CrlScope::Delta => "delta",
        CrlScope::Partition(uri) => uri,
    }
}

fn number(serial: &[u8]) -> String {
    Serial::from_be_bytes(serial).map_or_else(|_| hex::encode(serial), |serial| serial.to_string())
}

/// For programs: what kind of record, when, and the parts that have a name.
pub(super) fn json(record: &Result<Record, String>) -> Value {
    let record = match record {
        Ok(record) => record,
        Err(reason) => return json!({ "kind": "unreadable", "reason": reason }),
    };
    let mut object = parts(record);
    object["time"] = json!(record.time().map(Time::from_unix));
    object
}

fn parts(record: &Record) -> Value {
    match record {
        Record::Created { .. } => json!({ "kind": "created" }),
        Record::Started { version, .. } => json!({ "kind": "started", "version": version }),
        Record::CaCertificate {
            name,
            serial,
            certificate,
            ..
        } => json!({
            "kind": "ca-certificate",
            "name": name,
            "serial": number(serial),
            "certificate_sha256": hex::encode(certificate),
        }),
        Record::KeyInUse {
            name, certificate, ..
        } => {
            json!({ "kind": "key-in-use", "name": name, "certificate_sha256": hex::encode(certificate) })
        }
        Record::Intent { id, act, .. } => {
            let mut object = intent_parts(act);
            object["request"] = json!(id.to_string());
            object
        }
        Record::Signed { id, signature } => json!({
            "kind": "signed",
            "request": id.to_string(),
            "signature": hex::encode(signature),
        }),
        Record::Refused { id, refused, .. } => json!({
            "kind": "refused",
            "request": id.to_string(),
            "code": refused.code.to_string(),
            "field": refused.field,
            "message": refused.message,
        }),
        Record::Revoked { id, revoke, .. } => json!({
            "kind": "revoked",
            "request": id.to_string(),
            "issuer": revoke.issuer,
            "actor": revoke.actor,
            "ground": revoke.ground,
            "case": revoke.case,
            "revocations": revoke.revocations.iter().map(|revocation| json!({
                "serial": number(&revocation.serial.0),
                "date": revocation.date,
                "reason": revocation.reason,
            })).collect::<Vec<_>>(),
        }),
        Record::Unlocked {
            holders,
            executable,
            policy,
            ..
        } => json!({
            "kind": "unlocked",
            "holders": holders,
            "executable_sha256": hex::encode(executable),
            "policy_sha256": hex::encode(policy),
        }),
        Record::Locked { reason, .. } => json!({ "kind": "locked", "reason": reason }),
        Record::Promoted { epoch, .. } => json!({ "kind": "promoted", "epoch": epoch }),
        Record::Session {
            host_boot, build, ..
        } => json!({ "kind": "session", "host_boot": host_boot, "build": build }),
        Record::Replicated { sequence, record } => json!({
            "kind": "replicated",
            "record": sequence,
            "content": json(&Record::decode(record)),
        }),
        Record::WindDown {
            begins, holders, ..
        } => json!({ "kind": "wind-down", "begins": begins, "holders": holders }),
        Record::Follows { .. } => json!({ "kind": "follows" }),
        Record::Checkpoint(checkpoint) => json!({
            "kind": "checkpoint",
            "signer": checkpoint.signer_id,
            "epoch": checkpoint.epoch,
            "issuer": checkpoint.issuer,
            "signature": hex::encode(&checkpoint.signature),
        }),
        Record::Noticed { what, .. } => json!({ "kind": "noticed", "what": what }),
        other => json!({ "kind": "other", "text": format!("{other:?}") }),
    }
}

fn intent_parts(act: &Act) -> Value {
    match act {
        Act::Certificate {
            issuer,
            profile,
            serial,
            tbs,
            not_after,
            evidence,
            ..
        } => json!({
            "kind": "certificate",
            "issuer": issuer,
            "profile": profile,
            "serial": number(serial),
            "tbs_sha256": hex::encode(tbs),
            "not_after": Time::from_unix(*not_after),
            "evidence_sha256": evidence.map(hex::encode),
        }),
        Act::Crl {
            issuer,
            scope,
            number,
            this_update,
            tbs,
            ..
        } => json!({
            "kind": "crl",
            "issuer": issuer,
            "scope": scope_text(scope),
            "number": CrlNumber::from_be_bytes(number).ok(),
            "this_update": Time::from_unix(*this_update),
            "tbs_sha256": hex::encode(tbs),
        }),
        Act::PgpUserId {
            issuer,
            by,
            key,
            tbs,
            expires,
            evidence,
        } => json!({
            "kind": "pgp-user-id",
            "issuer": issuer,
            "by": hex::encode_upper(by),
            "key": hex::encode_upper(key),
            "tbs_sha256": hex::encode(tbs),
            "expires": Time::from_unix(*expires),
            "evidence_sha256": evidence.map(hex::encode),
        }),
    }
}
