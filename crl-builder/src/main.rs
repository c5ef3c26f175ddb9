//! `crl-builder`: builds and publishes the CRL of every issuer.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use crl_builder::{Config, Metrics, PublicationKey, Shared, follow};
use ledger::Ledger;
use signer_client::SignerClient;
use telemetry::{Context, DaemonOptions};

/// A CRL of a large issuer takes the signer a while.
const SIGNER_DEADLINE: Duration = Duration::from_secs(60);

/// Builds, has signed, verifies and publishes the CRL of every issuer
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    daemon: DaemonOptions,
}

fn main() -> ExitCode {
    let options: Options = telemetry::parse_or_exit();
    telemetry::run(
        "crl-builder",
        &options.daemon,
        |config: &Config| &config.daemon,
        run,
    )
}

async fn run(context: Context<Config>) -> anyhow::Result<()> {
    let config = &context.config;
    let shared = Shared {
        accept_sha1: config.accept_sha1,
        base_url: config.base_url.clone(),
        clock: Arc::clone(&context.clock),
        health: context.health.clone(),
        imported: config.imported.clone(),
        ledger: Ledger::open_existing(&config.ledger, Arc::clone(&context.clock)).await?,
        metrics: Metrics::new(&context.registry, Arc::clone(&context.clock))?,
        ocsp_trust: config.ocsp_trust()?,
        publication: config.publication.clone(),
        publication_key: Arc::new(PublicationKey::load(&config.publication_key)?),
        signer: SignerClient::new(&config.signer_socket).with_deadline(SIGNER_DEADLINE),
    };
    context.announce(None)?;
    follow(Arc::new(shared), context.stop.clone()).await
}
