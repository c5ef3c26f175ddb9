//! Keeps the daemons running: starts them in order, starts again what dies, stops all in reverse order.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::backoff::Backoff;
use super::daemon::{self, Daemon, Stopped, WhenItDies};
use super::log_file;
use crate::outcome::Failure;

/// What happened to a daemon.
#[derive(Debug)]
pub(crate) enum Event {
    Ready {
        name: &'static str,
        again: bool,
    },
    Died {
        name: &'static str,
        status: String,
        next: Next,
    },
}

/// What follows a death.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    Restart { within: Duration, warn: bool },
    Nothing,
}

/// The running daemons.
#[derive(Debug)]
pub(crate) struct Supervisor {
    kept: Vec<Kept>,
    events: mpsc::UnboundedSender<Event>,
}

#[derive(Debug)]
struct Kept {
    name: &'static str,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Stopped>,
}

impl Supervisor {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (events, receiver) = mpsc::unbounded_channel();
        (
            Self {
                kept: Vec::new(),
                events,
            },
            receiver,
        )
    }

    /// Starts a daemon and returns when it is ready, or with what its log says when it does not come up.
    pub(crate) async fn start(&mut self, daemon: Daemon) -> Result<()> {
        let (stop, stopped) = oneshot::channel();
        let (came_up, up) = oneshot::channel();
        let name = daemon.name;
        let task = tokio::spawn(keep(daemon, self.events.clone(), came_up, stopped));
        self.kept.push(Kept { name, stop, task });
        match up.await {
            Ok(result) => result,
            Err(_) => Err(Failure::new(format!("{name} was stopped before it was ready")).into()),
        }
    }

    /// Stops everything, the last started first. Reports what did not end well.
    pub(crate) async fn stop(self, mut stopping: impl FnMut(&str, Option<&Stopped>)) {
        for Kept { name, stop, task } in self.kept.into_iter().rev() {
            stopping(name, None);
            // A daemon that was left dead no longer listens.
            let _ = stop.send(());
            if let Ok(stopped) = task.await {
                stopping(name, Some(&stopped));
            }
        }
    }
}

/// The life of one daemon, over all its processes.
async fn keep(
    daemon: Daemon,
    events: mpsc::UnboundedSender<Event>,
    came_up: oneshot::Sender<Result<()>>,
    mut stop: oneshot::Receiver<()>,
) -> Stopped {
    let mut backoff = Backoff::default();
    let mut came_up = Some(came_up);
    loop {
        let started = Instant::now();
        let end = live(&daemon, &events, &mut came_up, &mut stop).await;
        let status = match end {
            End::Asked(stopped) => return stopped,
            End::Died(status) => status,
        };
        let first_time = came_up.is_some();
        let pause = backoff.after(started.elapsed());
        if first_time && (status.is_final || backoff.deaths() >= FIRST_TRIES) {
            if let Some(came_up) = came_up.take() {
                // Nobody waits any more only when everything is being stopped.
                let _ = came_up.send(Err(does_not_come_up(&daemon, &status.text).into()));
            }
            let _ = stop.await;
            return Stopped::Cleanly;
        }
        let next = next(daemon.when_it_dies, first_time, pause);
        let _ = events.send(Event::Died {
            name: daemon.name,
            status: status.text,
            next,
        });
        if next == Next::Nothing {
            let _ = stop.await;
            return Stopped::Cleanly;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = &mut stop => return Stopped::Cleanly,
        }
    }
}

fn next(when_it_dies: WhenItDies, first_time: bool, within: Duration) -> Next {
    match when_it_dies {
        WhenItDies::Restart => Next::Restart {
            within,
            warn: false,
        },
        WhenItDies::RestartWithWarning => Next::Restart { within, warn: true },
        // Whoever called `avouch up` is still there to see the signer unlocked.
        WhenItDies::Leave if first_time => Next::Restart {
            within,
            warn: false,
        },
        WhenItDies::Leave => Next::Nothing,
    }
}

enum End {
    Asked(Stopped),
    Died(Death),
}

struct Death {
    text: String,
    /// Trying again would end the same way.
    is_final: bool,
}

/// The life of one process.
async fn live(
    daemon: &Daemon,
    events: &mpsc::UnboundedSender<Event>,
    came_up: &mut Option<oneshot::Sender<Result<()>>>,
    stop: &mut oneshot::Receiver<()>,
) -> End {
    let mut child = match daemon.start() {
        Ok(child) => child,
        Err(error) => {
            return End::Died(Death {
                text: format!("{error:#}"),
                is_final: true,
            });
        }
    };
    let pid = child.id().unwrap_or_default();
    tokio::select! {
        status = child.wait() => return End::Died(death(status)),
        _ = &mut *stop => return End::Asked(daemon::stop(&mut child).await),
        () = daemon.ready(pid) => {}
    }
    match came_up.take() {
        Some(came_up) => {
            let _ = came_up.send(Ok(()));
            let _ = events.send(Event::Ready {
                name: daemon.name,
                again: false,
            });
        }
        None => {
            let _ = events.send(Event::Ready {
                name: daemon.name,
                again: true,
            });
        }
    }
    tokio::select! {
        status = child.wait() => End::Died(death(status)),
        _ = &mut *stop => End::Asked(daemon::stop(&mut child).await),
    }
}

fn death(status: std::io::Result<ExitStatus>) -> Death {
    match status {
        Ok(status) => Death {
            text: status.to_string(),
            is_final: status.code() == Some(EX_USAGE),
        },
        Err(error) => Death {
            text: error.to_string(),
            is_final: true,
        },
    }
}

fn does_not_come_up(daemon: &Daemon, status: &str) -> Failure {
    Failure::new(format!(
        "{} does not come up ({status}); its log ends with\n{}",
        daemon.name,
        log_file::tail(&daemon.log).trim_end()
    ))
    .remedy(format!("the whole log is {}", daemon.log.display()))
}

/// A wrong configuration: the daemons' exit code 64.
const EX_USAGE: i32 = 64;
/// How often a daemon may die before it was ready for the first time.
const FIRST_TRIES: u32 = 4;

#[cfg(test)]
mod tests;
