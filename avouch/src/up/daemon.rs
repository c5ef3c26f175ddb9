//! One daemon: how it is started, how it is known to be ready, how it is stopped.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::log_file;
use crate::http;

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) state_file: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) readiness: Readiness,
    pub(crate) when_it_dies: WhenItDies,
}

/// How a daemon shows that it works.
#[derive(Clone, Debug)]
pub(crate) enum Readiness {
    /// Its admin listener, named in the state file, answers `/healthz` with 200. (`/readyz` also tells of single
    /// issuers that lack something, which must not keep the others from being served.)
    Admin,
    /// The host's end of its cable, on this Unix socket, says that it signs.
    SignerSocket(PathBuf),
}

/// What follows a death that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum WhenItDies {
    /// Start it again.
    Restart,
    /// Start it again, and say that this unlocks CA keys without anybody being there.
    RestartWithWarning,
    /// Leave it: somebody must unlock it.
    Leave,
}

/// What a daemon's state file says.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct State {
    pub(crate) pid: u32,
    pub(crate) admin: Option<String>,
    pub(crate) listen: Option<String>,
    #[serde(default)]
    pub(crate) progress: serde_json::Value,
}

impl State {
    pub(crate) fn read(path: &std::path::Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }
}

impl Daemon {
    pub(crate) fn start(&self) -> Result<Child> {
        let log = log_file::open(&self.log)?;
        let errors = log.try_clone().context("the log cannot be shared")?;
        match std::fs::remove_file(&self.state_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("{} cannot be removed", self.state_file.display()));
            }
            _ => {}
        }
        Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Ctrl-C is for us alone; we stop the daemons in their order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.program.display()))
    }

    /// Waits until this process, and no earlier one, is ready.
    pub(crate) async fn ready(&self, pid: u32) {
        while !self.is_ready(pid).await {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn is_ready(&self, pid: u32) -> bool {
        match &self.readiness {
            Readiness::SignerSocket(path) => signer_client::SignerClient::new(path)
                .with_deadline(ASK_FOR)
                .ping()
                .await
                .is_ok_and(|status| status.mode == signer_client::Mode::Active),
            Readiness::Admin => {
                let Some(State {
                    admin: Some(admin), ..
                }) = State::read(&self.state_file).filter(|state| state.pid == pid)
                else {
                    return false;
                };
                let answer = http::get(&format!("{admin}healthz"), &[], ASK_FOR).await;
                answer.is_ok_and(|answer| answer.status.is_success())
            }
        }
    }
}

/// Asks a process to finish; after a while it is killed. Says whether it had to be.
pub(crate) async fn stop(child: &mut Child) -> Stopped {
    let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) else {
        return Stopped::Cleanly;
    };
    if kill_process(pid, Signal::TERM).is_ok()
        && let Ok(Ok(status)) = timeout(GRACE, child.wait()).await
    {
        return if status.success() {
            Stopped::Cleanly
        } else {
            Stopped::WithFailure(status)
        };
    }
    // It has ended in between, or it does not listen: in both cases this is the last word.
    let _ = child.kill().await;
    Stopped::Killed
}

#[derive(Debug)]
pub(crate) enum Stopped {
    Cleanly,
    WithFailure(ExitStatus),
    Killed,
}

const LOOK_AGAIN: Duration = Duration::from_millis(25);
const ASK_FOR: Duration = Duration::from_secs(5);
/// Longer than the daemons' own limit, which says more in their logs.
const GRACE: Duration = Duration::from_secs(35);
