//! What the kernel says about a process and its children.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// CPU time of all threads of these processes, user and system, to the nanosecond.
///
/// The scheduler's own account (`/proc/PID/task/TID/schedstat`): `utime` and `stime` of `/proc/PID/stat` are the same
/// sum, in ticks of ten milliseconds.
pub(crate) fn cpu(processes: &[u32]) -> anyhow::Result<Duration> {
    let mut nanoseconds = 0;
    for process in processes {
        let tasks = format!("/proc/{process}/task");
        let entries = fs::read_dir(&tasks).with_context(|| format!("{tasks} cannot be read"))?;
        for entry in entries {
            // A thread may have ended a moment ago.
            let Ok(text) = fs::read_to_string(entry?.path().join("schedstat")) else {
                continue;
            };
            let on_cpu = text.split_ascii_whitespace().next().unwrap_or_default();
            nanoseconds += on_cpu.parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// Memory of a process in octets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Its own: not backed by a file.
    pub(crate) private: u64,
    /// Pages of mapped files that are in memory.
    pub(crate) mapped: u64,
}

pub(crate) fn memory(processes: &[u32]) -> anyhow::Result<Memory> {
    let mut memory = Memory::default();
    for process in processes {
        let path = format!("/proc/{process}/status");
        let text = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
        memory.private += kilobytes(&text, "RssAnon:") * 1024;
        memory.mapped += (kilobytes(&text, "RssFile:") + kilobytes(&text, "RssShmem:")) * 1024;
    }
    Ok(memory)
}

/// A process and its children.
pub(crate) fn family(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let children = children
        .split_ascii_whitespace()
        .filter_map(|child| child.parse().ok());
    std::iter::once(process).chain(children).collect()
}

fn kilobytes(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|value| value.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
