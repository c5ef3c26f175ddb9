//! Who runs on which core.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Cores that this process may use: one for the server, one for the client, one for whoever publishes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    server: usize,
    client: usize,
    publisher: Option<usize>,
}

impl Cores {
    /// The first ones that are allowed.
    pub(crate) fn choose() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        match (cores.next(), cores.next()) {
            (Some(server), Some(client)) => Ok(Self {
                server,
                client,
                publisher: cores.next(),
            }),
            _ => anyhow::bail!("two cores are needed: one for the server, one for the client"),
        }
    }

    /// Whether whoever publishes has a core of its own.
    pub(crate) fn has_third(self) -> bool {
        self.publisher.is_some()
    }

    /// Moves this thread to the client's core.
    pub(crate) fn be_client(self) -> anyhow::Result<()> {
        pin(self.client)
    }

    /// Moves this thread to the publisher's core, or lets it stay with the client, and after it: what it takes from the
    /// client would count as latency of the server.
    pub(crate) fn be_publisher(self) -> anyhow::Result<()> {
        rustix::process::nice(LOWEST)?;
        pin(self.publisher.unwrap_or(self.client))
    }

    /// Does something (starting a process, which inherits it) on the server's core.
    pub(crate) fn as_server<T>(self, act: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        pin(self.server)?;
        let done = act();
        pin(self.client)?;
        done
    }
}

const LOWEST: i32 = 19;

fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
