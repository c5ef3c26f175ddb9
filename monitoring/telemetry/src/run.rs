//! From the command line to the exit code.

use std::fs;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pki::{Clock, SystemClock};
use serde::de::DeserializeOwned;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::{self, AdminSocket, Exposed, Pulse};
use crate::options::EXIT_USAGE;
use crate::{DaemonConfig, DaemonOptions, Health, StateFile, Stopper, log};

/// What a daemon gets to work with.
#[derive(Debug)]
pub struct Context<C> {
    /// The socket of the admin listener.
    pub admin: AdminSocket,
    /// The daemon's configuration.
    pub config: C,
    /// The only source of wall-clock time.
    pub clock: Arc<dyn Clock>,
    /// Where the daemon registers its metrics.
    pub registry: prometheus::Registry,
    /// Where the daemon tells how its parts are.
    pub health: Health,
    /// Where the daemon says that it serves.
    pub state: StateFile,
    /// Cancelled when the daemon must finish.
    pub stop: Stopper,
}

impl<C> Context<C> {
    /// Says that the daemon serves, and where: writes the state file and makes the daemon ready.
    pub fn announce(&self, listen: Option<String>) -> anyhow::Result<()> {
        match &listen {
            Some(listen) => tracing::info!("serving on {listen}"),
            None => tracing::info!("serving"),
        }
        self.state
            .announce(listen)
            .context("the state file cannot be written")?;
        self.health.part(STARTED).set_ready();
        Ok(())
    }
}

/// The part that [`Context::announce`] makes ready.
const STARTED: &str = "start";

/// Runs a daemon from its configuration file to its exit code.
///
/// `daemon` picks the `[daemon]` table out of the configuration; `main` is the daemon itself. It runs on a
/// multi-threaded runtime and returns when its work is done after [`Context::stop`] was cancelled.
pub fn run<C: DeserializeOwned>(
    name: &'static str,
    options: &DaemonOptions,
    daemon: fn(&C) -> &DaemonConfig,
    main: impl AsyncFnOnce(Context<C>) -> anyhow::Result<()>,
) -> ExitCode {
    run_in_place(name, options, daemon, |_| Ok(None), main)
}

/// Like [`run`], for a daemon that may take the place of a running one: `inherit` asks that one for its sockets and
/// gives back its admin listener.
pub fn run_in_place<C: DeserializeOwned>(
    name: &'static str,
    options: &DaemonOptions,
    daemon: fn(&C) -> &DaemonConfig,
    inherit: impl FnOnce(&C) -> anyhow::Result<Option<TcpListener>>,
    main: impl AsyncFnOnce(Context<C>) -> anyhow::Result<()>,
) -> ExitCode {
    if let Err(error) = follow_parent(options.die_with_parent) {
        return fail(name, &error, 1);
    }
    let config: C = match read_config(options) {
        Ok(config) => config,
        Err(error) => return fail(name, &error, EXIT_USAGE),
    };
    let mut common = daemon(&config).clone();
    common.admin = options.admin.unwrap_or(common.admin);
    common.log_format = options.log_format.unwrap_or(common.log_format);
    if let Err(error) = log::start(common.log_format, &common.log_filter) {
        return fail(name, &error, EXIT_USAGE);
    }
    log::abort_on_panic();
    let started = inherit(&config).and_then(|inherited| {
        let admin = AdminSocket::new(common.admin, inherited)?;
        run_started(name, common, admin, config, main)
    });
    match started {
        Ok(()) => {
            tracing::info!("{name} stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!("{name} failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_started<C>(
    name: &'static str,
    common: DaemonConfig,
    admin_socket: AdminSocket,
    config: C,
    main: impl AsyncFnOnce(Context<C>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let registry = registry(name)?;
    let health = Health::new();
    health.part(STARTED);
    let stop = Stopper::new();
    let pulse = Pulse::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name(name)
        .build()
        .context("the runtime cannot be started")?;
    let result = runtime.block_on(async {
        // Before anything else can be seen from outside: whoever finds the daemon may stop it at once.
        let signals = Signals::catch()?;
        let admin = admin::start(
            &admin_socket,
            Exposed {
                health: health.clone(),
                pulse: pulse.clone(),
                registry: registry.clone(),
                stop: stop.clone(),
            },
        )?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            pid = std::process::id(),
            "{name} starts; admin listener http://{admin}/"
        );
        let state = StateFile::new(common.state_file, admin);
        tokio::spawn(pulse.beat());
        tokio::spawn(signals.stop_on_first(stop.clone()));
        let context = Context {
            admin: admin_socket.clone(),
            config,
            clock: Arc::new(SystemClock),
            registry,
            health,
            state: state.clone(),
            stop: stop.clone(),
        };
        let result = tokio::select! {
            result = main(context) => result,
            () = overdue(&stop, common.stop_timeout_seconds) => Err(anyhow::anyhow!(
                "it did not finish its work within {} s of the request to stop", common.stop_timeout_seconds
            )),
        };
        stop.stop();
        if admin_socket.is_left() {
            return result;
        }
        let removed = state.remove().context("the state file cannot be removed");
        result.and(removed)
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

fn read_config<C: DeserializeOwned>(options: &DaemonOptions) -> anyhow::Result<C> {
    let path = options.config.display();
    let text = fs::read_to_string(&options.config).with_context(|| {
        format!("the configuration {path} cannot be read; name another with --config")
    })?;
    toml::from_str(&text).with_context(|| format!("the configuration {path} is wrong"))
}

/// Before there is a log: one line on stderr.
fn fail(name: &str, error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("{name}: {error:#}");
    ExitCode::from(code)
}

fn registry(name: &'static str) -> anyhow::Result<prometheus::Registry> {
    let registry = prometheus::Registry::new();
    registry.register(Box::new(
        prometheus::process_collector::ProcessCollector::for_self(),
    ))?;
    let build = prometheus::IntGaugeVec::new(
        prometheus::Opts::new("avouch_build_info", "The running program, always 1"),
        &["program", "version"],
    )?;
    build
        .with_label_values(&[name, env!("CARGO_PKG_VERSION")])
        .set(1);
    registry.register(Box::new(build))?;
    Ok(registry)
}

/// Asks the kernel for a SIGTERM when the parent ends.
fn follow_parent(wanted: bool) -> anyhow::Result<()> {
    if !wanted {
        return Ok(());
    }
    let parent = rustix::process::getppid();
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
        .context("--die-with-parent is not possible here")?;
    if rustix::process::getppid() != parent {
        anyhow::bail!("the process that started this one has ended already");
    }
    Ok(())
}

/// Ends when the daemon was asked to stop that many seconds ago.
async fn overdue(stop: &Stopper, seconds: u64) {
    stop.cancelled().await;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn catch() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("SIGINT cannot be caught")?,
            terminate: signal(SignalKind::terminate()).context("SIGTERM cannot be caught")?,
        })
    }

    /// The first signal asks for a graceful stop; later ones change nothing (SIGKILL is there for the impatient).
    async fn stop_on_first(mut self, stop: Stopper) {
        let name = tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        };
        tracing::info!("{name}: stopping");
        stop.stop();
        // Keeps the handlers: without them a second signal would kill the process in the middle of its last work.
        std::future::pending::<()>().await;
    }
}
