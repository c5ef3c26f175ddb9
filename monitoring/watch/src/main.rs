//! `status-watch`: compares what the edges serve with the ledger.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use status_watch::{Config, once, watch};
use telemetry::DaemonOptions;

/// Compare what the edges serve with the ledger: every serial, by OCSP and in the CRL
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Examples:
  status-watch --config DIR/config/status-watch.toml --edge http://127.0.0.1:8080/
  status-watch --config DIR/config/status-watch.toml --edge http://127.0.0.1:8080/ --once

With --once, the exit code is 0 when everything agrees and 1 when something differs or could not be asked;
the report names each serial number that differs, with what the ledger, OCSP and the CRL say.
docs/monitoring.md describes the metrics, the alarms and what to do about each."
)]
struct Options {
    #[command(flatten)]
    daemon: DaemonOptions,

    /// An edge to watch besides the configured ones (may be repeated)
    #[arg(long, value_name = "URL")]
    edge: Vec<String>,

    /// Compare everything once, print a report and end
    #[arg(long)]
    once: bool,

    /// With --once: the report as one JSON object
    #[arg(long, requires = "once")]
    json: bool,

    /// OCSP questions per second and edge, instead of the configured ones
    #[arg(long, value_name = "N")]
    ocsp_per_second: Option<u32>,
}

fn main() -> ExitCode {
    let options: Options = telemetry::parse_or_exit();
    let add = |mut config: Config| {
        config.edges.extend(options.edge.iter().cloned());
        config.ocsp_per_second = options.ocsp_per_second.unwrap_or(config.ocsp_per_second);
        config
    };
    if options.once {
        return once(&options.daemon.config, add, options.json);
    }
    telemetry::run(
        "status-watch",
        &options.daemon,
        |config: &Config| &config.daemon,
        async |mut context| {
            context.config = add(context.config);
            watch(context).await
        },
    )
}
