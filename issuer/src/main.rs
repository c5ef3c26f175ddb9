//! The issuer: takes certification requests and revocations over HTTP, judges them, has certificates
//! issued (package `issuance`) and records revocations.
//!
//! It holds no key: the signer signs, and judges again. See [`api`] for the interface, [`intake`] for
//! how a request becomes an order, and `profiles/` for what certificates hold.
#![forbid(unsafe_code)]

mod api;
mod config;
mod debian_list;
mod intake;
mod metrics;
mod openpgp;
mod profiles;
mod recovery;
mod serve;
mod token;

use std::process::ExitCode;

use clap::Parser;
use telemetry::DaemonOptions;

use crate::config::Config;

/// Takes certification requests and revocations by HTTP and has certificates issued
#[derive(Debug, Parser)]
#[command(name = "issuer", version)]
struct Options {
    #[command(flatten)]
    daemon: DaemonOptions,
}

fn main() -> ExitCode {
    let options: Options = telemetry::parse_or_exit();
    telemetry::run(
        "issuer",
        &options.daemon,
        |config: &Config| &config.daemon,
        serve::serve,
    )
}
