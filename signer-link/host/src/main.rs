//! `signer-host`: owns the cable to the signer and serves local processes.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use signer_host::config::Config;
use signer_host::daemon;
use telemetry::DaemonOptions;

/// The host's end of the cable to the signer: keeps what is asked of it, in order, and its log
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    daemon: DaemonOptions,
}

fn main() -> ExitCode {
    let cli: Cli = telemetry::parse_or_exit();
    telemetry::run(
        "signer-host",
        &cli.daemon,
        |config: &Config| &config.daemon,
        daemon::run,
    )
}
