//! Whether the world gets what it asks for: every issuer's answers and CRL, asked as a client asks.

use std::time::Duration;

use anyhow::Result;
use ledger::{Issuer, Ledger};

use super::daemon::State;
use super::presigning::Presigning;
use crate::data_dir::DataDir;
use crate::edge::{Edge, OcspAnswer};
use crate::{http, records};

/// Returns when the edge serves every issuer whose key is here, showing the progress of presigning meanwhile.
pub(super) async fn wait(
    data: &DataDir,
    status_url: &str,
    presigning: &mut Presigning,
) -> Result<()> {
    let ledger = records::open(data).await?;
    for issuer in ledger.issuers().await? {
        if !issuer.signs {
            continue;
        }
        while !is_served(data, &ledger, status_url, &issuer).await? {
            presigning.look();
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    presigning.look();
    Ok(())
}

/// One line for each daemon that is not content, with its reasons.
pub(crate) async fn complaints(data: &DataDir) -> Vec<String> {
    let mut complaints = Vec::new();
    let daemons = ["signer-host"].into_iter().chain(PUBLISHERS);
    for name in daemons.chain(["ocsp-responder"]) {
        if let Some((false, said)) = readyz(data, name, "").await {
            complaints.extend(
                said.lines()
                    .skip(1)
                    .filter(|line| !line.is_empty())
                    .map(|line| format!("{name}: {line}")),
            );
        }
    }
    complaints
}

async fn is_served(
    data: &DataDir,
    ledger: &Ledger,
    status_url: &str,
    issuer: &Issuer,
) -> Result<bool> {
    let query = format!("?issuer={}", issuer.name);
    for name in PUBLISHERS {
        if !readyz(data, name, &query)
            .await
            .is_some_and(|(ready, _)| ready)
        {
            return Ok(false);
        }
    }
    // The publishers have published; the edge takes it in a moment.
    let ca = records::ca_certificate(issuer)?;
    let edge = Edge::new(status_url, issuer, &ca);
    if !edge.crl(None).await.is_ok_and(|crl| crl.is_some()) {
        return Ok(false);
    }
    // Its own responder's certificate at least: that is issued before anything is answered.
    match ledger.statuses(&issuer.name, None, 1).await?.first() {
        None => Ok(true),
        Some(row) => Ok(edge.ocsp(&row.serial).await.is_ok_and(|answer| {
            matches!(answer, OcspAnswer::Signed(_)) || row.not_after.is_some_and(is_past)
        })),
    }
}

fn is_past(time: pki::Time) -> bool {
    use pki::Clock;
    time < pki::SystemClock.now()
}

/// Whether a daemon says that it is ready, and what it says; `None` when it cannot be asked.
async fn readyz(data: &DataDir, name: &str, query: &str) -> Option<(bool, String)> {
    let admin = State::read(&data.state_file(name))?.admin?;
    let answer = http::get(&format!("{admin}readyz{query}"), &[], ASK_FOR)
        .await
        .ok()?;
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    Some((answer.status.is_success(), said))
}

const PUBLISHERS: [&str; 2] = ["ocsp-presigner", "crl-builder"];
const ASK_FOR: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
