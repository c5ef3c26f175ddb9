//! `avouch up`: everything on this machine, each daemon a process of its own, kept running until it is stopped.

mod backoff;
pub(crate) mod build;
pub(crate) mod daemon;
pub(crate) mod daemons;
mod lock;
mod log_file;
pub(crate) mod ports;
pub(crate) mod presigning;
mod screen;
pub(crate) mod served;
pub(crate) mod supervisor;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use self::build::Programs;
use self::daemon::{State, Stopped};
use self::lock::{DaemonsLock, UpLock};
use self::ports::Held;
use self::presigning::Presigning;
use self::supervisor::{Event, Supervisor};
use crate::cli::UpOptions;
use crate::commands::init;
use crate::config_files;
use crate::data_dir::{DataDir, private_dir, public_dir};
use crate::endpoints::Endpoints;
use crate::installation::{Installation, Mode};
use crate::outcome::{Failure, Outcome};
use crate::progress::Progress;

pub(crate) async fn up(data: &DataDir, options: &UpOptions, as_json: bool) -> Result<Outcome> {
    // A measured span, no wall-clock time.
    let begun = Instant::now();
    data.check_socket_path()?;
    public_dir(data.root())?;
    private_dir(&data.run_dir())?;
    let _up_lock = UpLock::take(data)?;
    Endpoints::remove(data)?;
    let programs = if options.no_build {
        Programs::find()?
    } else {
        Programs::build_and_find()?
    };
    let _daemons_lock = DaemonsLock::take(data).await?;

    let ports = Ports::hold(data, options)?;
    if !data.is_initialised() {
        eprintln!(
            "there is no CA in {} yet: making a demo",
            data.root().display()
        );
        init::demo(data, &ports.status.url(), &programs).await?;
    }
    let installation = Installation::read(data)?;
    config_files::add_status_watch(data)?;
    warn_of_other_base_url(&installation, &ports);

    // Until here a signal ends this at once: nothing runs yet, and init goes on where it was.
    let mut signals = Signals::catch()?;
    let (mut supervisor, mut events) = Supervisor::new();
    let started = tokio::select! {
        started = timeout(
            Duration::from_secs(options.ready_within),
            start(data, &programs, &installation, &ports, &mut supervisor),
        ) => started,
        name = signals.first() => Ok(Err(
            Failure::new(format!("stopped by {name} before everything was ready")).into()
        )),
    };
    let started = match started {
        Ok(result) => result,
        Err(_) => Err(not_ready(data, options.ready_within).await.into()),
    };
    let endpoints = match started {
        Ok(endpoints) => endpoints,
        Err(error) => {
            stop(data, supervisor).await?;
            return Err(error);
        }
    };
    endpoints.write(data)?;
    for complaint in served::complaints(data).await {
        eprintln!("note: {complaint}");
    }
    screen::show(data, &installation, &endpoints, begun.elapsed(), as_json).await?;

    let signal = watch(data, &mut events, &mut signals).await;
    eprintln!("{signal}: stopping");
    tokio::select! {
        result = stop(data, supervisor) => result?,
        _ = signals.first() => {
            eprintln!("a second time: the daemons are left to stop by themselves");
        }
    }
    // What there is to say was said when everything was ready.
    Ok(Outcome::silent())
}

/// Both listeners of the edge.
struct Ports {
    status: Held,
    admin: Held,
}

impl Ports {
    fn hold(data: &DataDir, options: &UpOptions) -> Result<Self> {
        let before = port_before(data, options.listen);
        Ok(Self {
            status: ports::hold("--listen", options.listen, before)?,
            admin: ports::hold("--admin", options.admin, None)?,
        })
    }
}

/// The port in the certificates, also when init was interrupted: of all free ports that one is best.
fn port_before(data: &DataDir, listen: SocketAddr) -> Option<u16> {
    let text = std::fs::read_to_string(data.hierarchy()).ok()?;
    let base_url = hierarchy::Hierarchy::from_toml(&text).ok()?.base_url;
    let address: SocketAddr = base_url.ocsp().strip_prefix("http://")?.parse().ok()?;
    (address.ip() == listen.ip()).then_some(address.port())
}

fn warn_of_other_base_url(installation: &Installation, ports: &Ports) {
    let here = ports.status.url();
    if installation.base_url.starts_with("http://127.0.0.1")
        && installation.base_url != here.trim_end_matches('/')
    {
        eprintln!(
            "note: certificates say {}, the status listener is {here} now; clients that follow them need --listen {}",
            installation.base_url,
            installation.base_url.trim_start_matches("http://")
        );
    }
}

/// Starts every daemon in order and waits until all serve.
async fn start(
    data: &DataDir,
    programs: &Programs,
    installation: &Installation,
    ports: &Ports,
    supervisor: &mut Supervisor,
) -> Result<Endpoints> {
    if installation.mode == Mode::Demo {
        eprintln!("{DEMO_WARNING}");
    }
    let mut presigning = Presigning::new(data);
    for daemon in daemons::all(
        data,
        programs,
        installation.mode,
        ports.status.address(),
        ports.admin.address(),
        &ports.status.url(),
    ) {
        let name = daemon.name;
        let progress = Progress::spinner(format!("starting {name}"));
        let started = supervisor.start(daemon);
        tokio::pin!(started);
        loop {
            tokio::select! {
                result = &mut started => break result?,
                () = tokio::time::sleep(presigning::LOOK_EVERY) => presigning.look(),
            }
        }
        progress.done("ready");
    }
    served::wait(data, &ports.status.url(), &mut presigning).await?;
    let issuer = State::read(&data.state_file("issuer"))
        .context("the issuer does not say where it listens")?;
    Ok(Endpoints {
        status: ports.status.url(),
        admin: ports.admin.url(),
        api: issuer
            .listen
            .context("the issuer does not say where its API is")?,
        pid: std::process::id(),
    })
}

/// What keeps it from being ready, as the daemons say.
async fn not_ready(data: &DataDir, seconds: u64) -> Failure {
    let complaints = served::complaints(data).await;
    let reasons: String = complaints
        .iter()
        .map(|line| format!("\n  {line}"))
        .collect();
    Failure::new(format!(
        "not everything is ready after {seconds} s{reasons}"
    ))
    .remedy("the logs are DIR/run/*.log; allow more time with --ready-within")
}

/// Tells what happens until a signal comes.
async fn watch(
    data: &DataDir,
    events: &mut UnboundedReceiver<Event>,
    signals: &mut Signals,
) -> &'static str {
    let mut presigning = Presigning::new(data);
    loop {
        tokio::select! {
            name = signals.first() => return name,
            Some(event) = events.recv() => {
                presigning.pause();
                screen::tell(data, &event);
                if let Event::Ready { name: "issuer", again: true } = event {
                    refresh_api(data);
                }
            }
            () = tokio::time::sleep(presigning::LOOK_EVERY) => presigning.look(),
        }
    }
}

/// A restarted issuer may listen on another port.
fn refresh_api(data: &DataDir) {
    let refresh = || -> Result<()> {
        let Some(mut endpoints) = Endpoints::read(data)? else {
            return Ok(());
        };
        if let Some(State {
            listen: Some(api), ..
        }) = State::read(&data.state_file("issuer"))
        {
            endpoints.api = api;
            endpoints.write(data)?;
        }
        Ok(())
    };
    if let Err(error) = refresh() {
        eprintln!("the new URL of the issuer's API is not in endpoints.json: {error:#}");
    }
}

async fn stop(data: &DataDir, supervisor: Supervisor) -> Result<()> {
    let removed = Endpoints::remove(data);
    supervisor
        .stop(|name, stopped| match stopped {
            None => eprint!("stopping {name} … "),
            Some(Stopped::Cleanly) => eprintln!("stopped"),
            Some(Stopped::WithFailure(status)) => {
                eprintln!("ended with {status}; see {}", data.log(name).display());
            }
            Some(Stopped::Killed) => eprintln!(
                "did not stop and was killed; see {}",
                data.log(name).display()
            ),
        })
        .await;
    for program in build::PROGRAMS {
        // Of one that died; the others have removed theirs.
        let _ = std::fs::remove_file(data.state_file(program));
    }
    removed
}

/// Ctrl-C, SIGTERM, SIGHUP.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn catch() -> Result<Self> {
        let catch = |kind| signal(kind).context("signals cannot be caught");
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn first(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}

const DEMO_WARNING: &str = "\
DEMO: the signer's passphrase lies beside its keys, and the signer is unlocked without anybody being there.
      Never run a CA that somebody trusts this way.";
