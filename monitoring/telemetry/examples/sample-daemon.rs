//! A whole daemon, as small as one can be; the tests run it as a process.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use telemetry::{Context, DaemonConfig, DaemonOptions};

/// A daemon for the tests
#[derive(clap::Parser)]
#[command(name = "sample-daemon", version)]
struct Options {
    #[command(flatten)]
    daemon: DaemonOptions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    daemon: DaemonConfig,
    /// What it does: serve | panic | fail | hang | stuck
    behaviour: String,
    #[serde(default)]
    listen: Option<SocketAddr>,
}

fn main() -> ExitCode {
    let options: Options = telemetry::parse_or_exit();
    telemetry::run(
        "sample-daemon",
        &options.daemon,
        |config: &Config| &config.daemon,
        serve,
    )
}

async fn serve(context: Context<Config>) -> anyhow::Result<()> {
    let requests = prometheus::IntCounter::new("sample_requests_total", "Requests served")?;
    context.registry.register(Box::new(requests.clone()))?;
    requests.inc();
    context.health.part("issuer member").set_ready();
    context
        .state
        .set("progress", serde_json::json!({"member": 7}))?;
    context.announce(
        context
            .config
            .listen
            .map(|listen| format!("http://{listen}/")),
    )?;
    match context.config.behaviour.as_str() {
        "fail" => anyhow::bail!("the ledger is gone"),
        "hang" => std::future::pending().await,
        "panic" => {
            let _ = tokio::spawn(async { panic!("a worker is broken") }).await;
        }
        _ => {}
    }
    context.stop.cancelled().await;
    // The last work of a graceful stop.
    tokio::time::sleep(Duration::from_millis(50)).await;
    tracing::info!("finished the last work");
    Ok(())
}
