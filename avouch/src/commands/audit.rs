//! `avouch audit verify`: the records hold together, or where they do not. The ledger by itself, the signers' logs by
//! themselves, and the one against the other.

mod acts;
mod checkpoints;
mod compare;
mod difference;
mod logs;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use journal::Position;
use ledger::{AuditSummary, Ledger, LedgerError};
use pki::Certificate;
use serde_json::{Value, json};
use signer_client::SignerClient;
use signer_client::local::{CableState, HostState};

use self::compare::Comparison;
use self::difference::Difference;
use self::logs::{Logs, Mark};
use crate::cli::VerifyOptions;
use crate::data_dir::DataDir;
use crate::human;
use crate::outcome::Outcome;
use crate::records;

/// A signer's record is archived within a second; only a cable that is cut takes longer.
const LOOKS: u32 = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long the running host may take to say how far its signers are.
const HOST_ANSWERS_WITHIN: Duration = Duration::from_secs(2);

pub(crate) async fn verify(data: &DataDir, options: &VerifyOptions) -> Result<Outcome> {
    let ledger = records::open(data).await?;
    let mut differences = Vec::new();
    let checkpoints = match &options.checkpoints {
        Some(path) => checkpoints::read(path)?,
        None => Vec::new(),
    };

    let own = match ledger.verify_audit().await {
        Ok(summary) => Some(summary),
        Err(LedgerError::Audit(fault)) => {
            differences.push(Difference::in_ledger(fault.to_string()));
            None
        }
        Err(error) => return Err(error.into()),
    };
    differences.extend(checkpoints::check_ledger(&checkpoints, &ledger).await?);

    // What the running signers say of themselves, before their logs are read.
    let host = host_state(data).await;
    let mut marks = checkpoints::marks(&checkpoints)?;
    marks.extend(host.iter().flat_map(said_by_signers));
    let mut logs = Logs::open(data, marks, ca_certificates(&ledger).await?)?;
    // The logs before the ledger: what is in the ledger was signed before.
    logs.read()?;
    let mut comparison = Comparison::begin(&ledger).await?;
    comparison.ledger_to_log(&mut logs).await?;
    let host = catch_up(data, &mut comparison, &mut logs, host).await;
    comparison.judge_missing(&logs, |signer| is_behind(host.as_ref(), &logs, signer));
    comparison.log_to_ledger(&logs).await?;

    differences.extend(logs.missed_marks());
    differences.append(&mut logs.differences);
    differences.extend(comparison.differences());
    if let (true, Some(own), Some(path)) = (differences.is_empty(), &own, &options.checkpoints) {
        checkpoints::add(path, own, logs.ends())?;
    }
    Ok(report(
        own.as_ref(),
        &logs,
        &comparison,
        &differences,
        options,
    ))
}

/// Those of the ledger, by name.
async fn ca_certificates(ledger: &Ledger) -> Result<BTreeMap<String, Certificate>> {
    let issuers = ledger.issuers().await?.into_iter();
    issuers
        .map(|issuer| Ok((issuer.name.clone(), records::ca_certificate(&issuer)?)))
        .collect()
}

async fn host_state(data: &DataDir) -> Option<HostState> {
    let client = SignerClient::new(data.signer_socket()).with_deadline(HOST_ANSWERS_WITHIN);
    // Without a running host the archives are all there is.
    client.host_state().await.ok()
}

/// Reads on until what is missing has come, as long as somebody may be adding to the logs.
async fn catch_up(
    data: &DataDir,
    comparison: &mut Comparison<'_>,
    logs: &mut Logs,
    mut host: Option<HostState>,
) -> Option<HostState> {
    for _ in 0..LOOKS {
        logs.read_more();
        if comparison.look_again(logs) || host.is_none() {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        host = host_state(data).await;
    }
    host
}

/// Each signer knows its own chain, and what the host has told it is safe.
fn said_by_signers(host: &HostState) -> impl Iterator<Item = Mark> {
    host.cables.iter().filter_map(|cable: &CableState| {
        let status = cable.status.as_ref()?;
        // What is not archived yet comes later, or is counted as such.
        (status.head.sequence > 0 && status.head.sequence <= status.archived).then(|| Mark {
            signer: cable.signer_id,
            position: Position {
                sequence: status.head.sequence,
                head: status.head.head,
            },
            of: format!("signer {} itself", cable.signer_id),
        })
    })
}

/// Whether a signer (any, if it is not known which) has records that are not in the archive.
fn is_behind(host: Option<&HostState>, logs: &Logs, signer: Option<u8>) -> bool {
    let Some(host) = host else { return false };
    host.cables
        .iter()
        .filter(|cable| signer.is_none_or(|signer| signer == cable.signer_id))
        .any(|cable| {
            let end = logs.end(cable.signer_id).unwrap_or_default();
            cable.log_head > end.sequence
        })
}

fn report(
    own: Option<&AuditSummary>,
    logs: &Logs,
    comparison: &Comparison<'_>,
    differences: &[Difference],
    options: &VerifyOptions,
) -> Outcome {
    let mut text = String::new();
    let mut object = json!({
        "holds": differences.is_empty(),
        "signers": logs.json(),
        "compared": comparison.json(),
        "differences": differences.iter().map(Difference::json).collect::<Vec<Value>>(),
    });
    if let Some(own) = own {
        let hash = hex::encode(own.hash);
        text.push_str(&format!(
            "Ledger: {} audit records, each chained to the one before, agree with {} certificates, {} revocations and {} \
             events.\n  The chain ends in {hash}\n",
            human::count(own.records),
            human::count(own.certificates),
            human::count(own.revocations),
            human::count(own.head),
        ));
        for (key, value) in [
            ("records", json!(own.records)),
            ("events", json!(own.head)),
            ("certificates", json!(own.certificates)),
            ("revocations", json!(own.revocations)),
            ("hash", json!(hash)),
        ] {
            object[key] = value;
        }
    }
    text.push_str(&format!("{}\n{}\n", logs.text(), comparison.text()));
    if differences.is_empty() {
        text.push_str(match options.checkpoints {
            Some(_) => "All of it holds, and the ends of the chains are noted.",
            None => {
                "All of it holds. Whoever can cut off the end of a chain cannot change a note kept elsewhere: see \
                 --checkpoints."
            }
        });
        return Outcome::new(object, text);
    }
    text.push_str(&format!(
        "\n{} that must not be:\n",
        match differences.len() {
            1 => "One difference".to_owned(),
            count => format!("{} differences", human::count(count as u64)),
        }
    ));
    for difference in differences {
        text.push_str(&format!("  {}\n", difference.text()));
    }
    text.push_str(
        "Keep the ledger and the archives as they are, as evidence, and compare them with their backups.",
    );
    Outcome::fault(object, text)
}
