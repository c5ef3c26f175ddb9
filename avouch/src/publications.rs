//! What is published, read as an edge reads it: nothing counts that its publisher did not sign.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use ledger::Ledger;
use pki::{Clock, Serial, SystemClock};
use publication::{Directory, Manifest, Trust};

use crate::data_dir::{self, DataDir};
use crate::edge::Edge;
use crate::outcome::Failure;

/// The two channels of an issuer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Crl,
    Ocsp,
}

impl Kind {
    pub(crate) fn channel(self, issuer: &str) -> String {
        match self {
            Self::Crl => format!("crl/{issuer}"),
            Self::Ocsp => format!("ocsp/{issuer}"),
        }
    }
}

/// The manifest of a channel; `None` when nothing was published there yet.
pub(crate) fn manifest(data: &DataDir, kind: Kind, issuer: &str) -> Result<Option<Manifest>> {
    let publisher = match kind {
        Kind::Crl => data.crl_builder_dir(),
        Kind::Ocsp => data.presigner_dir(),
    };
    let path = publisher.join("publication.pub");
    let mut public_key = [0; 32];
    hex::decode_to_slice(data_dir::read_text(&path)?.trim(), &mut public_key).map_err(|error| {
        Failure::new(format!("{} is no publication key: {error}", path.display()))
    })?;
    let channel = kind.channel(issuer);
    let trust = Trust {
        prefix: channel.clone(),
        public_key,
    };
    Directory::new(data.publication())
        .manifest(&channel, &[trust])
        .map_err(|refusal| Failure::new(format!("channel {channel}: {refusal}")).into())
}

/// Returns when everything that the ledger holds of the issuer is published as OCSP answers.
pub(crate) async fn wait_for_answers(
    data: &DataDir,
    ledger: &Ledger,
    issuer: &str,
    mut meanwhile: impl FnMut(),
) -> Result<()> {
    let last = last_change(ledger, issuer).await?;
    while manifest(data, Kind::Ocsp, issuer)?.is_none_or(|manifest| manifest.as_of < last) {
        meanwhile();
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// The last event about a certificate of the issuer, 0 when there is none.
async fn last_change(ledger: &Ledger, issuer: &str) -> Result<u64> {
    let mut end = ledger.head().await?;
    while end > 0 {
        let start = end.saturating_sub(u64::from(PAGE));
        let changes = ledger.changes_after(start, PAGE).await?;
        let mut backwards = changes.iter().rev();
        if let Some(last) = backwards.find(|it| it.issuer == issuer && it.serial.is_some()) {
            return Ok(last.seq);
        }
        end = start;
    }
    Ok(0)
}

/// Returns when the CRL that the edge serves lists every certificate that the ledger has as revoked and not expired.
pub(crate) async fn wait_for_crl(ledger: &Ledger, edge: &Edge<'_>, issuer: &str) -> Result<()> {
    let now = SystemClock.now();
    let mut missing: HashSet<Serial> = ledger
        .revoked_entries(issuer)
        .await?
        .iter()
        .filter(|row| row.not_after.is_none_or(|end| end > now))
        .map(|row| row.serial)
        .collect();
    let mut seen = None;
    while !missing.is_empty() {
        if let Some(served) = edge.crl(seen.as_ref()).await? {
            for entry in served.crl.entries() {
                missing.remove(&entry?.serial);
            }
            seen = Some(served);
            continue;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

const PAGE: u32 = 10_000;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
