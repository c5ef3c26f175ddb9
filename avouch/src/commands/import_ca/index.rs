//! The index in two passes: understood as a whole first, taken over in batches then.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Result;
use ledger::{ImportedCertificate, ImportedStatus, Ledger};
use pki::Serial;

use super::{BATCH, Done};
use crate::human;
use crate::index_txt::{self, Entry};
use crate::outcome::Failure;
use crate::progress::Progress;

/// How many lines the index has, if all of them are understood, or if others may be skipped.
pub(super) fn check(path: &Path, skip_bad_lines: bool) -> Result<u64> {
    let mut progress = Progress::bar(format!("reading {}", path.display()), size(path)?);
    let mut lines = 0;
    let mut bad = Vec::new();
    let mut bad_lines = 0_u64;
    let mut seen: HashSet<Serial> = HashSet::new();
    let mut duplicates = 0_u64;
    for line in index_txt::lines(open(path)?) {
        let line = line
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
        lines += 1;
        if lines % REDRAW_EVERY == 0 {
            progress.set(line.position);
        }
        match line.entry {
            Ok(entry) => duplicates += u64::from(!seen.insert(entry.serial)),
            Err(error) => {
                bad_lines += 1;
                if bad.len() < SHOWN_ERRORS {
                    bad.push(format!("line {}: {error}", line.number));
                }
            }
        }
    }
    if duplicates > 0 {
        progress.say(&format!(
            "{} lines repeat a serial number; of two statuses the revoked one counts",
            human::count(duplicates)
        ));
    }
    progress.done(&format!("{} lines", human::count(lines)));
    if bad_lines == 0 || skip_bad_lines {
        for error in bad {
            eprintln!("  left out: {error}");
        }
        return Ok(lines);
    }
    let more = bad_lines - bad.len() as u64;
    let more = if more > 0 {
        format!("\n  and {more} more")
    } else {
        String::new()
    };
    Err(Failure::new(format!(
        "{} has {bad_lines} lines that are not understood; nothing was taken over\n  {}{more}",
        path.display(),
        bad.join("\n  ")
    ))
    .remedy("mend the lines, or leave them out with --skip-bad-lines")
    .into())
}

pub(super) async fn take_over(
    ledger: &Ledger,
    issuer: &str,
    path: &Path,
    lines: u64,
    actor: &str,
    done: &mut Done,
) -> Result<()> {
    let mut progress = Progress::bar(format!("taking over {}", path.display()), lines);
    let mut batch = Vec::with_capacity(BATCH);
    let mut taken = 0;
    for line in index_txt::lines(open(path)?) {
        let line = line
            .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
        match line.entry {
            Ok(entry) => batch.push(certificate(entry)),
            Err(_) => done.skipped_lines += 1,
        }
        if batch.len() == BATCH {
            taken += batch.len() as u64;
            done.add(ledger.import_certificates(issuer, &batch, actor).await?);
            progress.set(taken);
            batch.clear();
        }
    }
    taken += batch.len() as u64;
    done.add(ledger.import_certificates(issuer, &batch, actor).await?);
    progress.done(&format!("{} certificates", human::count(taken)));
    Ok(())
}

fn certificate(entry: Entry) -> ImportedCertificate {
    ImportedCertificate {
        serial: entry.serial,
        not_after: Some(entry.not_after),
        subject: Some(entry.subject),
        certificate: None,
        status: match entry.revocation {
            Some(revocation) => ImportedStatus::Revoked {
                time: revocation.time,
                reason: revocation.reason,
                invalidity_date: revocation.invalidity_date,
            },
            None => ImportedStatus::Good,
        },
    }
}

fn open(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path)
        .map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

fn size(path: &Path) -> Result<u64> {
    std::fs::metadata(path)
        .map(|metadata| metadata.len())
        .map_err(|error| {
            Failure::new(format!("{} cannot be read: {error}", path.display()))
                .remedy("check the path and its permissions")
                .into()
        })
}

const REDRAW_EVERY: u64 = 10_000;
const SHOWN_ERRORS: usize = 10;
