//! The ledger of the drill: the issuer's certificates as the copy has them, and then all of them revoked.

use std::time::{Duration, Instant};

use anyhow::Result;
use ledger::{Ground, ImportedCertificate, ImportedStatus, Ledger, RevocationRequest, StatusRow};
use pki::{Clock, RevocationReason, Serial, SystemClock};

use crate::human;
use crate::outcome::Failure;
use crate::progress::Progress;

const PAGE: u32 = 10_000;
const ACTOR: &str = "drill";

/// What was revoked.
#[derive(Debug)]
pub(super) struct Revoked {
    pub(super) number: u64,
    /// How long recording took.
    pub(super) took: Duration,
    /// The last one in the order of serial numbers.
    pub(super) last: Serial,
}

/// Takes the issuer's certificates with their statuses over from the copy.
pub(super) async fn take_over(copy: &Ledger, ledger: &Ledger, issuer: &str) -> Result<()> {
    let total = copy.counts(issuer).await?.issued;
    let mut progress = Progress::bar("preparing the drill's ledger", total);
    let mut after = None;
    let mut done = 0;
    loop {
        let rows = copy.statuses(issuer, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.serial);
        let batch: Vec<_> = rows.iter().map(certificate).collect();
        ledger.import_certificates(issuer, &batch, ACTOR).await?;
        done += rows.len() as u64;
        progress.set(done);
    }
    progress.done(&format!("{} certificates", human::count(done)));
    Ok(())
}

/// Revokes every certificate that has not expired, one at a time as it is done for real.
pub(super) async fn revoke_all(ledger: &Ledger, issuer: &str) -> Result<Revoked> {
    let now = SystemClock.now();
    let total = ledger.counts(issuer).await?.unexpired;
    let mut progress = Progress::bar("recording the revocations", total);
    let begun = Instant::now();
    let mut after = None;
    let (mut seen, mut number) = (0, 0);
    let mut last = None;
    loop {
        let rows = ledger.statuses(issuer, after, PAGE).await?;
        let Some(end) = rows.last() else { break };
        after = Some(end.serial);
        let unexpired = |row: &&StatusRow| row.not_after.is_none_or(|end| end > now);
        for row in rows.iter().filter(unexpired) {
            last = Some(row.serial);
            seen += 1;
            if row.revoked.is_none() {
                ledger.revoke(&request(issuer, row.serial)).await?;
                number += 1;
            }
            progress.set(seen);
        }
    }
    let took = begun.elapsed();
    progress.done(&format!("{} revocations", human::count(number)));
    let last = last.ok_or_else(|| {
        Failure::new(format!("{issuer} has no certificate that has not expired"))
            .remedy("`avouch status` shows how many each issuer has")
    })?;
    Ok(Revoked { number, took, last })
}

fn request(issuer: &str, serial: Serial) -> RevocationRequest {
    RevocationRequest {
        issuer: issuer.to_owned(),
        serial,
        actor: ACTOR.to_owned(),
        ground: Ground::Support,
        case: Some("drill".to_owned()),
        reason: RevocationReason::KeyCompromise,
        invalidity_date: None,
    }
}

fn certificate(row: &StatusRow) -> ImportedCertificate {
    ImportedCertificate {
        serial: row.serial,
        not_after: row.not_after,
        subject: None,
        certificate: None,
        status: match row.revoked {
            None => ImportedStatus::Good,
            Some((time, reason)) => ImportedStatus::Revoked {
                time,
                reason,
                invalidity_date: row.invalidity_date,
            },
        },
    }
}
