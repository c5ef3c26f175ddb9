//! `ocsp-presigner`: signs the OCSP answers of every issuer ahead of time.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use keystore::Token;
use ocsp_presigner::{
    Backends, Config, Endpoint, IssuedHere, LiveMetrics, Metrics, Progress, PublicationKey, Shared,
    SignPool, follow,
};
use signer_client::SignerClient;
use telemetry::{Context, DaemonOptions};

/// Signs the OCSP answers of every issuer ahead of time and publishes them
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(flatten)]
    daemon: DaemonOptions,
}

fn main() -> ExitCode {
    let options: Options = telemetry::parse_or_exit();
    telemetry::run(
        "ocsp-presigner",
        &options.daemon,
        |config: &Config| &config.daemon,
        run,
    )
}

async fn run(context: Context<Config>) -> anyhow::Result<()> {
    let config = &context.config;
    let publication_key = Arc::new(PublicationKey::load(&config.publication_key)?);
    let ledger = ledger::Ledger::open_existing(&config.ledger, Arc::clone(&context.clock)).await?;
    let signer = SignerClient::new(&config.signer_socket);
    let certifier = IssuedHere::new(ledger.clone(), signer, Arc::clone(&context.clock));
    let token = config.pkcs11.clone().map(|place| Token::new(place.into()));
    let backends = Backends::find(&config.multi_buffer, token)?;
    backends.register(&context.registry)?;
    let shared = Shared {
        ledger,
        pool: SignPool::start(config.threads, Arc::clone(&context.clock))?,
        backends,
        clock: Arc::clone(&context.clock),
        certifier: Arc::new(certifier),
        rule_set: config.rule_set,
        keys: config.keys.clone(),
        publication: config.publication.clone(),
        publication_key,
        metrics: Metrics::new(&context.registry)?,
        health: context.health.clone(),
        progress: Progress::in_file(context.state.clone()),
        standings: Arc::default(),
    };
    let endpoint = match &config.live {
        Some(live) => {
            let (standings, clock) = (Arc::clone(&shared.standings), Arc::clone(&context.clock));
            let metrics = LiveMetrics::new(&context.registry)?;
            Some(Endpoint::bind(live, standings, clock, metrics).await?)
        }
        None => None,
    };
    context.announce(None)?;
    let live = async {
        if let Some(endpoint) = endpoint {
            endpoint.serve(&context.stop).await;
        }
    };
    let (followed, ()) = tokio::join!(follow(Arc::new(shared), context.stop.clone()), live);
    followed
}
