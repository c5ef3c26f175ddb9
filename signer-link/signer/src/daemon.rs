//! The daemon: opens the journal and the keys, then serves.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use keystore::EncryptedStore;
use telemetry::{Context, Part};

use crate::config::Config;
use crate::engine::Engine;
use crate::journal::Journal;
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::passphrase;
use crate::policy::Policy;
use crate::server::Socket;
use crate::state::State;

/// How often the store is looked at for new keys, and the clock against the journal.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Runs until it is told to stop.
pub async fn run(context: Context<Config>) -> anyhow::Result<()> {
    let metrics = Metrics::register(&context.registry)?;
    let part = context.health.part("signing");
    let config = context.config.clone();
    let clock = Arc::clone(&context.clock);
    let engine = tokio::task::spawn_blocking(move || open(&config, clock)).await??;
    let engine = Arc::new(engine);
    part.set_ready();
    let socket = Socket::bind(&context.config.socket)?;
    context.announce(Some(format!("unix:{}", context.config.socket.display())))?;
    let watched = Arc::clone(&engine);
    let stop = context.stop.clone();
    let watch = tokio::spawn(async move { stop.run_until_stopped(watch(watched, part)).await });
    let served = socket.serve(engine, metrics, &context.stop).await;
    context.stop.stop();
    watch.await?;
    served.context("the signer cannot go on")
}

/// Everything before the first request.
fn open(config: &Config, clock: Arc<dyn pki::Clock>) -> anyhow::Result<Engine> {
    let policy = match &config.profiles {
        Some(directory) => Policy::load(directory, config.rule_set, config.idn.clone())?,
        None => {
            tracing::warn!(
                "no profiles are configured: any end-entity certificate that keeps the standards is signed"
            );
            Policy::without_profiles(config.idn.clone())
        }
    };
    let policy = policy.with_base_url(config.base_url.clone());
    let passphrase = passphrase::obtain(config.passphrase_file.as_deref())?;
    if passphrase.unattended {
        tracing::warn!(
            "DEMO MODE: the CA keys are unlocked by a passphrase that lies in a file. Whoever can read this disk has the \
             keys. In production, remove passphrase_file and unlock the signer in person"
        );
    }
    let keyring = Keyring::new(EncryptedStore::open(&config.keys, &passphrase.secret)?);
    let mut state = State::default();
    let journal = Journal::open(&config.journal, |entry, record| state.replay(entry, record))?;
    let engine = Engine::new(keyring, journal, state, policy, clock);
    if let Some((now, latest)) = engine.clock_runs_backwards() {
        tracing::error!(
            "the clock says {now}, the journal {latest}: nothing is signed until the clock is right"
        );
    }
    engine.record_start()?;
    engine.refresh_keys()?;
    if engine.issuers().is_empty() {
        tracing::warn!(
            "no CA key in {}; `signer ceremony` or `signer import` puts some in",
            config.keys.display()
        );
    }
    tracing::info!(records = engine.head().sequence, "journal open");
    Ok(engine)
}

async fn watch(engine: Arc<Engine>, part: Part) {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let looked = Arc::clone(&engine);
        let refreshed = tokio::task::spawn_blocking(move || looked.refresh_keys()).await;
        match (refreshed, engine.clock_runs_backwards()) {
            (Ok(Ok(())), None) => part.set_ready(),
            (Ok(Ok(())), Some((now, latest))) => {
                part.set_failed(format!("the clock says {now}, the journal {latest}"));
            }
            (Ok(Err(error)), _) => part.set_failed(format!("{error:#}")),
            (Err(error), _) => part.set_failed(error.to_string()),
        }
    }
}
