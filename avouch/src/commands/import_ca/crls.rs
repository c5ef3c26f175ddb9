//! Imported CRLs: verified before anything is taken from them, kept for serving, and their numbers stay behind ours.

use std::path::{Path, PathBuf};

use anyhow::Result;
use keystore::Access;
use ledger::Ledger;
use pki::crl::Crl;
use pki::crl::verify::{Expected, ImportedRules, Profile, Scope, verify_crl};
use pki::{Certificate, Clock, CrlNumber, SystemClock};

use crate::data_dir::{self, DataDir};
use crate::outcome::Failure;
use crate::records;

/// All CRLs of the files, the newest last; refused with their rule when they do not verify.
pub(super) fn read(paths: &[PathBuf], ca: &Certificate, accept_sha1: bool) -> Result<Vec<Crl>> {
    let mut crls = Vec::new();
    for path in paths {
        for der in records::blocks(path, &["X509 CRL"])? {
            crls.push(verified(path, &der, ca, accept_sha1)?);
        }
    }
    crls.sort_by_key(|crl| {
        (
            crl.number().cloned().unwrap_or_else(CrlNumber::zero),
            crl.this_update(),
        )
    });
    Ok(crls)
}

fn verified(path: &Path, der: &[u8], ca: &Certificate, accept_sha1: bool) -> Result<Crl> {
    let expected = Expected {
        ca,
        now: SystemClock.now(),
        scope: Scope::Complete,
        previous: None,
        profile: Profile::Imported(ImportedRules {
            old_algorithms: accept_sha1,
            bare: true,
        }),
    };
    let refused = |rule: &str, message: &str| {
        Failure::new(format!(
            "{} is refused: {message}; nothing was taken over",
            path.display()
        ))
        .rule(Some(rule.to_owned()), None)
        .remedy("give a complete CRL of this CA, as its own tools made it")
    };
    let verified = verify_crl(der, &expected)
        .map_err(|violation| refused(violation.rule, &violation.message))?;
    for entry in verified.crl.entries() {
        entry.map_err(|violation| refused(violation.rule, &violation.message))?;
    }
    Ok(verified.crl)
}

/// Keeps the CRL where the CRL builder looks for it: served as it is when the key is elsewhere. Never goes back.
pub(super) fn keep(data: &DataDir, issuer: &str, crl: &Crl) -> Result<()> {
    let path = imported(data, issuer);
    if let Ok(bytes) = std::fs::read(&path)
        && let Ok(before) = Crl::from_der(&bytes)
        && (before.number(), before.this_update()) >= (crl.number(), crl.this_update())
    {
        return Ok(());
    }
    data_dir::public_dir(&data.imported_crls())?;
    data_dir::write_atomically(&path, crl.der(), Access::Public)
}

/// Whether a CRL was imported, now or before.
pub(super) fn is_kept(data: &DataDir, issuer: &str) -> bool {
    imported(data, issuer).exists()
}

fn imported(data: &DataDir, issuer: &str) -> PathBuf {
    data.imported_crls().join(format!("{issuer}.crl"))
}

/// Claims a number above the imported one, so that every number of ours is above it (V5).
pub(super) async fn number_above(ledger: &Ledger, issuer: &str, crl: &Crl) -> Result<()> {
    let Some(number) = crl.number() else {
        return Ok(());
    };
    let ours = ledger.last_crl(issuer).await?;
    if ours.is_some_and(|last| last.number > *number) {
        return Ok(());
    }
    ledger.reserve_crl_number(issuer, number).await?;
    Ok(())
}
