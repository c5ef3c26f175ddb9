//! `avouch drill mass-revoke`: what revoking every certificate of an issuer would mean, found out by doing it on a copy.
//!
//! Nothing real is touched. The ledger is copied, and from then on only the copy is used; an installation of its own, with
//! a throw-away CA key of the same kind, records the revocations, signs the CRL and the OCSP answers, and serves them. The
//! CA's own key never signs a CRL that is not true. The daemons are the real ones, one after the other, so that each step
//! has a figure of its own.

mod book;
mod machine;
mod report;
mod space;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use ledger::{Ledger, SqliteStore};
use pki::SystemClock;
use tempfile::TempDir;

use self::machine::Machine;
use self::report::Report;
use crate::cli::MassRevokeOptions;
use crate::data_dir::DataDir;
use crate::outcome::{Failure, Outcome};
use crate::progress::Progress;
use crate::up::Signals;
use crate::up::build::Programs;
use crate::up::supervisor::Supervisor;
use crate::{human, records};

pub(crate) async fn mass_revoke(data: &DataDir, options: &MassRevokeOptions) -> Result<Outcome> {
    if !options.dry_run {
        return Err(Failure::usage("a drill never revokes anything for real")
            .remedy(
                "add --dry-run; for real, `avouch revoke` revokes one certificate at a time, each with its ground and case",
            )
            .into());
    }
    data.require_initialised()?;
    let mut signals = Signals::catch()?;
    let scratch = match &options.scratch {
        Some(folder) => tempfile::tempdir_in(folder)
            .with_context(|| format!("{} cannot be written", folder.display()))?,
        None => tempfile::tempdir().context("no temporary directory can be made")?,
    };
    // What happens to a daemon is told by the one that waits for it.
    let (mut supervisor, _events) = Supervisor::new();
    let report = tokio::select! {
        report = rehearse(data, &options.issuer, &scratch, &mut supervisor) => report,
        name = signals.first() => Err(
            Failure::new(format!("stopped by {name}; the copy is removed, and nothing else was touched")).into()
        ),
    };
    supervisor.stop(|_, _| ()).await;
    // With everything in it, whatever happened.
    let removed = scratch.close().context("the copy cannot be removed");
    let report = report.map_err(|error| {
        if error.is::<Failure>() {
            error
        } else {
            error.context("the drill on the copy, which is removed; nothing real was touched")
        }
    })?;
    removed?;
    Ok(report.outcome())
}

async fn rehearse(
    data: &DataDir,
    name: &str,
    scratch: &TempDir,
    supervisor: &mut Supervisor,
) -> Result<Report> {
    let programs = Programs::find_or_build()?;
    let live = SqliteStore::open_read_only(&data.ledger()).await?;
    let issuer = records::issuer(&over(live.clone()), name).await?;
    let counts = over(live.clone()).counts(name).await?;
    space::check(scratch.path(), &data.ledger(), counts.issued)?;

    let copy = copy(&live, scratch.path()).await?;
    drop(live);
    let machine = Machine::make(scratch.path(), &issuer, programs).await?;
    let ledger = machine.ledger().await?;
    book::take_over(&copy, &ledger, name).await?;
    drop(copy);
    let revoked = book::revoke_all(&ledger, name).await?;
    let measured = machine.measure(supervisor, &ledger, &revoked).await?;
    Ok(Report {
        issuer: machine.issuer(&issuer),
        counts,
        revoked,
        measured,
    })
}

/// The ledger as it is at this moment.
async fn copy(live: &SqliteStore, scratch: &Path) -> Result<Ledger> {
    let path = scratch.join("copy.sqlite");
    let progress = Progress::spinner("copying the ledger");
    live.copy_to(&path).await?;
    progress.done(&format!(
        "{} octets",
        human::count(std::fs::metadata(&path)?.len())
    ));
    Ok(Ledger::open_existing(&path, Arc::new(SystemClock)).await?)
}

fn over(store: SqliteStore) -> Ledger {
    Ledger::over(Arc::new(store), Arc::new(SystemClock))
}
