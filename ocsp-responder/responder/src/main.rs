//! The keyless edge as a daemon.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::process::ExitCode;

use ocsp_responder::{Config, Edge, Inherited, Succession, take_over};
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

    /// Take the place of the edge that runs with the same state, without a lost request; start anew if there is none
    #[arg(long)]
    take_over: bool,
}

fn main() -> ExitCode {
    let options: Options = telemetry::parse_or_exit();
    let inherited = RefCell::new(None);
    telemetry::run_in_place(
        "ocsp-responder",
        &options.daemon,
        |config: &Config| &config.daemon,
        |config| {
            if options.take_over {
                inherited.replace(take_over(&config.state)?);
            }
            let admin = inherited.borrow().as_ref().map(Inherited::admin);
            Ok(admin.transpose()?)
        },
        async |context| serve(context, options.listen, inherited.take()).await,
    )
}

async fn serve(
    mut context: Context<Config>,
    listen: Option<SocketAddr>,
    inherited: Option<Inherited>,
) -> anyhow::Result<()> {
    if let Some(listen) = listen {
        context.config.listen = listen;
    }
    let succession = Succession {
        inherited,
        admin: Some(context.admin.clone()),
    };
    let edge = Edge::start(
        &context.config,
        context.clock.clone(),
        &context.registry,
        &context.health,
        &context.stop,
        succession,
    )
    .await?;
    context.announce(Some(format!("http://{}/", edge.address())))?;
    edge.finished().await
}
