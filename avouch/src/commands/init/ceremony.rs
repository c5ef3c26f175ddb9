//! The key ceremony, held by the signer's own program: only it ever sees a CA key.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use hierarchy::Hierarchy;

use crate::data_dir::DataDir;
use crate::installation::Mode;
use crate::outcome::Failure;
use crate::progress::Progress;
use crate::up::build::Programs;

/// Makes the keys and certificates that are not there yet; the transcript is written last.
pub(super) fn hold(
    data: &DataDir,
    hierarchy: &Hierarchy,
    mode: Mode,
    programs: &Programs,
    passphrase_file: &Path,
) -> Result<()> {
    if data.ca_dir().join("transcript.txt").exists() {
        return Ok(());
    }
    let names: Vec<&str> = hierarchy.names().collect();
    let progress = Progress::spinner(format!("making the CA keys of {}", names.join(", ")));
    let mut command = Command::new(programs.path("signer"));
    // A demo's keys are nobody's to rely on, and say so.
    if mode == Mode::Demo {
        command.args(["ceremony", "--rehearsal"]);
    } else {
        command.arg("ceremony");
    }
    let mut child = command
        .arg(data.hierarchy())
        .arg("--keys")
        .arg(data.signer_keys())
        .arg("--out")
        .arg(data.ca_dir())
        .arg("--journal")
        .arg(data.signer_journal())
        .arg("--passphrase-file")
        .arg(passphrase_file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("the signer's program cannot be started")?;
    let mut last = String::new();
    if let Some(told) = child.stderr.take() {
        for line in BufReader::new(told).lines() {
            last = line.context("what the ceremony tells cannot be read")?;
            progress.say(&format!("  {last}"));
        }
    }
    let status = child.wait().context("the ceremony cannot be followed")?;
    if !status.success() {
        return Err(
            Failure::new(format!("the key ceremony failed ({status}): {last}"))
                .remedy("mend that and run the same command again: what is there already is kept")
                .into(),
        );
    }
    progress.done("done");
    Ok(())
}
