//! Waiting for the next event without asking all the time.
//!
//! After each commit the writer rings a bell: it writes to a small file beside the database, which every process that
//! waits has a watch on. (The write-ahead log itself changes before a commit can be seen, so waking on it would be too
//! early.) A ring is a hint only. It gets lost when the writer is killed between commit and bell, or when no watch can
//! be had; whoever waits therefore also looks by itself after a while.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;

/// Waits for events of the ledger.
#[derive(Debug)]
pub struct Watch {
    rings: watch::Receiver<u64>,
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Waits until the ledger has probably changed since the last call, or for `max_wait`. True for a hint.
    pub async fn changed(&mut self, max_wait: Duration) -> bool {
        match tokio::time::timeout(max_wait, self.rings.changed()).await {
            Ok(Ok(())) => true,
            Ok(Err(_closed)) => {
                tokio::time::sleep(max_wait).await;
                false
            }
            Err(_elapsed) => false,
        }
    }

    pub(crate) fn on(bell: Option<PathBuf>) -> Self {
        let (sender, rings) = watch::channel(0);
        let watcher = bell.and_then(|bell| match listen(&bell, sender) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, bell = %bell.display(), "no watch on the ledger: changes are seen only by looking from time to time");
                None
            }
        });
        Self {
            rings,
            _watcher: watcher,
        }
    }
}

fn listen(bell: &Path, rings: watch::Sender<u64>) -> notify::Result<RecommendedWatcher> {
    let name = bell.file_name().map(ToOwned::to_owned);
    let directory = bell.parent().unwrap_or_else(|| Path::new("."));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let ring = match event {
            Ok(event) => {
                matches!(event.kind, EventKind::Modify(_) | EventKind::Create(_))
                    && event
                        .paths
                        .iter()
                        .any(|path| path.file_name() == name.as_deref())
                    || event.need_rescan()
            }
            Err(_overflow) => true,
        };
        if ring {
            rings.send_modify(|count| *count = count.wrapping_add(1));
        }
    })?;
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
