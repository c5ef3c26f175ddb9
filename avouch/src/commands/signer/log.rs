//! `avouch signer log`: the archive, record by record, in bounded memory.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write as _};
use std::ops::ControlFlow;

use anyhow::{Context, Result};
use serde_json::json;

use super::record;
use crate::cli::SignerLogOptions;
use crate::data_dir::DataDir;
use crate::outcome::{Failure, Outcome};
use crate::signer_log::{self, Entry, SignerLog};

pub(crate) fn log(data: &DataDir, options: &SignerLogOptions, as_json: bool) -> Result<Outcome> {
    data.require_initialised()?;
    let mut log = choose(data, options.signer)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let line = |entry: &Entry| match as_json {
        true => json!({
            "record": entry.position.sequence,
            "hash": hex::encode(entry.position.head),
            "content": record::json(&entry.record),
        })
        .to_string(),
        false => format!(
            "{:>10}  {}",
            entry.position.sequence,
            record::text(&entry.record)
        ),
    };
    // The last ones are known at the end.
    let most = options
        .last
        .map(|last| usize::try_from(last).unwrap_or(usize::MAX));
    let mut last = VecDeque::new();
    let mut written = Ok(());
    let read = log.read_on(|entry| {
        let sequence = entry.position.sequence;
        if options.to.is_some_and(|to| sequence > to) {
            return ControlFlow::Break(());
        }
        match most {
            Some(most) => {
                last.push_back(line(&entry));
                if last.len() > most {
                    last.pop_front();
                }
            }
            None if sequence >= options.from => written = writeln!(out, "{}", line(&entry)),
            None => {}
        }
        match written.is_ok() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    });
    for line in last {
        written = written.and_then(|()| writeln!(out, "{line}"));
    }
    match written.and_then(|()| out.flush()) {
        // Whoever read has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Outcome::silent()),
        written => written.context("the log cannot be shown")?,
    }
    read.map_err(|error| {
        Failure::new(error).remedy("`avouch audit verify` tells what this means for the ledger")
    })?;
    Ok(Outcome::silent())
}

fn choose(data: &DataDir, id: Option<u8>) -> Result<SignerLog> {
    let logs = signer_log::all(data)?;
    let ids: Vec<String> = logs.iter().map(|log| log.signer_id.to_string()).collect();
    let chosen = logs
        .into_iter()
        .find(|log| id.is_none_or(|id| id == log.signer_id));
    chosen.ok_or_else(|| {
        let folder = data.signer_host_dir();
        match ids.is_empty() {
            true => Failure::new(format!(
                "there is no log of a signer in {}",
                folder.display()
            ))
            .remedy("signer-host archives it as soon as a signer is there: `avouch signer state`"),
            false => Failure::new(format!(
                "there is no log of that signer in {}",
                folder.display()
            ))
            .remedy(format!("--signer is one of {}", ids.join(", "))),
        }
        .into()
    })
}
