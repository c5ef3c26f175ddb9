//! A file of earlier findings: how long each chain was, and its hash there. Kept elsewhere, it shows when a chain was cut
//! off or written anew.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use journal::Position;
use ledger::{AuditSummary, Ledger};
use pki::{Clock as _, SystemClock, Time};
use serde::{Deserialize, Serialize};

use super::difference::Difference;
use super::logs::Mark;

/// One line of the file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    time: Time,
    /// The ledger's own chain.
    ledger: Place,
    signers: Vec<SignerPlace>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Place {
    records: u64,
    /// In hex.
    hash: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SignerPlace {
    signer: u8,
    records: u64,
    /// In hex.
    hash: String,
}

/// Those of a file; none where there is no such file yet.
pub(super) fn read(path: &Path) -> Result<Vec<Checkpoint>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.with_context(|| format!("{} cannot be read", path.display()))?,
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            serde_json::from_str(line).with_context(|| {
                format!("{}, line {}: not a checkpoint", path.display(), index + 1)
            })
        })
        .collect()
}

/// What they say about the signers' logs.
pub(super) fn marks(checkpoints: &[Checkpoint]) -> Result<Vec<Mark>> {
    let mut marks = Vec::new();
    for checkpoint in checkpoints {
        for place in checkpoint.signers.iter().filter(|place| place.records > 0) {
            let mut head = [0; 32];
            hex::decode_to_slice(&place.hash, &mut head)
                .with_context(|| format!("{:?} in a checkpoint is no hash", place.hash))?;
            marks.push(Mark {
                signer: place.signer,
                position: Position {
                    sequence: place.records,
                    head,
                },
                of: format!("the checkpoint of {}", checkpoint.time),
            });
        }
    }
    Ok(marks)
}

/// Compares what they say about the ledger's own chain.
pub(super) async fn check_ledger(
    checkpoints: &[Checkpoint],
    ledger: &Ledger,
) -> Result<Vec<Difference>> {
    let mut found = Vec::new();
    for Checkpoint {
        time,
        ledger: place,
        ..
    } in checkpoints
    {
        let Some(before) = place.records.checked_sub(1) else {
            continue;
        };
        let there = ledger.audit_records(before, 1).await?;
        let what = match there.first() {
            Some(record)
                if record.id == place.records && hex::encode(record.hash) == place.hash =>
            {
                continue;
            }
            Some(record) if record.id == place.records => "is not what it was",
            _ => "is gone",
        };
        found.push(Difference::in_ledger(format!(
            "audit record {} of the ledger {what} at the checkpoint of {time}",
            place.records
        )));
    }
    Ok(found)
}

/// Adds how it is now.
pub(super) fn add(
    path: &Path,
    ledger: &AuditSummary,
    signers: impl Iterator<Item = (u8, Position)>,
) -> Result<()> {
    let checkpoint = Checkpoint {
        time: SystemClock.now(),
        ledger: Place {
            records: ledger.records,
            hash: hex::encode(ledger.hash),
        },
        signers: signers
            .map(|(signer, end)| SignerPlace {
                signer,
                records: end.sequence,
                hash: hex::encode(end.head),
            })
            .collect(),
    };
    let line = format!("{}\n", serde_json::to_string(&checkpoint)?);
    let write = || {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}
