//! `ocsp-forwarder`: carries an edge's requests for fresh OCSP answers to a presigner on another machine.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use ocsp_forwarder::{Config, Forwarder};
use telemetry::{Context, DaemonOptions};

/// Carries an edge's requests for fresh OCSP answers to a presigner on another machine, over TLS
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    daemon: DaemonOptions,
}

fn main() -> ExitCode {
    let options: Options = telemetry::parse_or_exit();
    telemetry::run(
        "ocsp-forwarder",
        &options.daemon,
        |config: &Config| &config.daemon,
        run,
    )
}

async fn run(context: Context<Config>) -> anyhow::Result<()> {
    let forwarder = Forwarder::bind(context.config.clone(), &context.registry, &context.health)?;
    context.announce(None)?;
    forwarder.serve(&context.stop).await;
    Ok(())
}
