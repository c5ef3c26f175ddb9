//! One `avouch up` per data directory, and none over the daemons of one before.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use crate::data_dir::DataDir;
use crate::outcome::Failure;

/// Held while this process lives.
#[derive(Debug)]
pub(crate) struct UpLock {
    _file: File,
}

impl UpLock {
    pub(crate) fn take(data: &DataDir) -> Result<Self> {
        let path = data.lock();
        let mut file = open(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(somebody_else(data, &mut file).into()),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

fn somebody_else(data: &DataDir, file: &mut File) -> Failure {
    let mut pid = String::new();
    let who = match file.read_to_string(&mut pid) {
        Ok(_) if !pid.trim().is_empty() => format!(" (process {})", pid.trim()),
        _ => String::new(),
    };
    Failure::new(format!(
        "another `avouch up` runs on {}{who}",
        data.root().display()
    ))
    .remedy(
        "use it, or stop it with Ctrl-C or SIGTERM; another data directory needs another --data",
    )
}

/// Held by this process and inherited by every daemon: free only when all of them have ended.
///
/// When `avouch up` is killed, its daemons stop by themselves, which takes a moment. The next one waits for that.
#[derive(Debug)]
pub(crate) struct DaemonsLock {
    _file: File,
}

impl DaemonsLock {
    pub(crate) async fn take(data: &DataDir) -> Result<Self> {
        let path = data.run_dir().join("daemons.lock");
        let file = open(&path)?;
        for attempt in 0..ATTEMPTS {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    fcntl_setfd(&file, FdFlags::empty())
                        .context("the daemons' lock cannot be passed on")?;
                    return Ok(Self { _file: file });
                }
                Err(Errno::WOULDBLOCK) => {
                    if attempt == 0 {
                        eprintln!("daemons of an earlier run are still stopping …");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("{} cannot be locked", path.display()));
                }
            }
        }
        Err(Failure::new(format!(
            "daemons of an earlier run on {} do not end",
            data.root().display()
        ))
        .remedy(format!(
            "see which with `fuser -v {}` and end them",
            path.display()
        ))
        .into())
    }
}

const PAUSE: Duration = Duration::from_millis(100);
const ATTEMPTS: u32 = 400;

fn open(path: &Path) -> Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .with_context(|| format!("{} cannot be opened", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::private_dir;

    #[test]
    fn the_second_is_told_who_is_first() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path()).unwrap();
        private_dir(&data.run_dir()).unwrap();
        let first = UpLock::take(&data).unwrap();
        let error = UpLock::take(&data).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(first);
        UpLock::take(&data).unwrap();
    }
}
