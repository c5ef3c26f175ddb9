//! Whether the copy and what is made from it find room.

use std::path::Path;

use anyhow::{Context, Result};

use crate::human;
use crate::outcome::Failure;

/// What a certificate takes besides its row: two OCSP answers with RSA signatures, its events, its entry in the CRL.
const EACH: u64 = 2500;
/// Keys, logs and whatever else does not grow.
const ALWAYS: u64 = 64 << 20;

/// Refuses when the folder has too little room for a drill with that many certificates.
pub(super) fn check(folder: &Path, ledger: &Path, certificates: u64) -> Result<()> {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let ledger = size(ledger) + size(&ledger.with_extension("sqlite-wal"));
    // The copy, and the ledger of the drill beside it.
    let needed = 2 * ledger + certificates * EACH + ALWAYS;
    let free = rustix::fs::statvfs(folder)
        .map(|system| system.f_bavail.saturating_mul(system.f_frsize))
        .with_context(|| format!("the room in {} cannot be told", folder.display()))?;
    if free >= needed {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} has {} octets free, and a drill with {} certificates needs {}",
        folder.display(),
        human::count(free),
        human::count(certificates),
        human::count(needed)
    ))
    .remedy("name a folder with more room: --scratch DIR")
    .into())
}
