//! `signer`: the daemon, and the two commands of its console.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use signer::config::Config;
use signer::{ceremony, daemon, import};
use telemetry::DaemonOptions;

/// The isolated signer of a certificate authority: it alone holds CA keys
///
/// Without a command it is the daemon, which signs certificates and CRLs that it has judged.
#[derive(Debug, Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    daemon: Option<DaemonOptions>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the keys and certificates of a hierarchy of CAs
    Ceremony(ceremony::Options),
    /// Take over the key of a CA that exists
    Import(import::Options),
}

fn main() -> ExitCode {
    let cli: Cli = telemetry::parse_or_exit();
    // No core dump and no debugger of the same user sees a key.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        eprintln!("signer: memory cannot be kept out of core dumps: {error}");
        return ExitCode::FAILURE;
    }
    let result = match (&cli.command, &cli.daemon) {
        (Some(Command::Ceremony(options)), _) => ceremony::run(options, &pki::SystemClock),
        (Some(Command::Import(options)), _) => import::run(options, &pki::SystemClock),
        (None, Some(options)) => {
            return telemetry::run(
                "signer",
                options,
                |config: &Config| &config.daemon,
                daemon::run,
            );
        }
        (None, None) => Err(anyhow::anyhow!(
            "give --config FILE, or a command; see --help"
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signer: {error:#}");
            ExitCode::FAILURE
        }
    }
}
