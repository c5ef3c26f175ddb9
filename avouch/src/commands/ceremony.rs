//! `avouch ceremony FILE`: the signer's own `signer ceremony`, at this terminal.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Result;

use crate::cli::CeremonyOptions;
use crate::outcome::{Failure, Outcome};
use crate::up::build::Programs;

/// This process becomes the signer's: no key or passphrase of a ceremony is ever in another program.
pub(crate) fn ceremony(options: &CeremonyOptions) -> Result<Outcome> {
    let program = Programs::find_or_build()?.path("signer");
    let error = Command::new(&program)
        .arg("ceremony")
        .args(&options.arguments)
        .exec();
    Err(Failure::new(format!("{} cannot be started: {error}", program.display())).into())
}
