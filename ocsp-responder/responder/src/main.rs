//! The keyless edge as a daemon.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::process::ExitCode;

use ocsp_responder::{Config, Edge};
use telemetry::{Context, DaemonOptions};

/// Serve pre-signed OCSP answers, CRLs and CA certificates
#[derive(clap::Parser)]
#[command(name = "ocsp-responder", version)]
struct Options {
    #[command(flatten)]
    daemon: DaemonOptions,

    /// Address of the status listener, instead of the configured one
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

fn main() -> ExitCode {
    let options: Options = telemetry::parse_or_exit();
    telemetry::run(
        "ocsp-responder",
        &options.daemon,
        |config: &Config| &config.daemon,
        async |context| serve(context, options.listen).await,
    )
}

async fn serve(mut context: Context<Config>, listen: Option<SocketAddr>) -> anyhow::Result<()> {
    if let Some(listen) = listen {
        context.config.listen = listen;
    }
    let edge = Edge::start(
        &context.config,
        context.clock.clone(),
        &context.registry,
        &context.health,
        &context.stop,
    )
    .await?;
    context.announce(Some(format!("http://{}/", edge.address())))?;
    edge.finished().await
}
