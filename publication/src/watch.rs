//! Hints that something changed below a directory. A hint may be lost, so whoever waits also looks by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// Without any hint, a follower looks this often.
pub const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Wakes a follower soon after something was published, and in any case every [`POLL_INTERVAL`].
#[derive(Debug)]
pub struct Watch {
    root: PathBuf,
    hint: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    warned: bool,
}

impl Watch {
    pub(crate) fn new(root: &Path) -> Self {
        let mut watch = Self {
            root: root.to_owned(),
            hint: Arc::default(),
            watcher: None,
            warned: false,
        };
        watch.connect();
        watch
    }

    /// Returns after a hint, or after [`POLL_INTERVAL`]. The caller then looks for itself.
    pub async fn changed(&mut self) {
        self.connect();
        // A timeout is the slow look: no hint is needed.
        let _ = tokio::time::timeout(POLL_INTERVAL, self.hint.notified()).await;
    }

    /// The directory may not exist yet, or may have been replaced: tried again at every look until it works.
    fn connect(&mut self) {
        if self.watcher.is_some() && self.root.is_dir() {
            return;
        }
        self.watcher = None;
        if !self.root.is_dir() {
            return;
        }
        let hint = Arc::clone(&self.hint);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !is_hint(&event)) {
                return;
            }
            hint.notify_one();
        })
        .and_then(|mut watcher| {
            watcher.watch(&self.root, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                self.warned = false;
                // Whatever came between the last look and now.
                self.hint.notify_one();
            }
            Err(error) if !self.warned => {
                tracing::warn!(
                    "{} cannot be watched ({error}); it is looked at every {} s instead",
                    self.root.display(),
                    POLL_INTERVAL.as_secs()
                );
                self.warned = true;
            }
            Err(_) => {}
        }
    }
}

/// A manifest got its name, or the tree changed in a way that may hide one. Reading is no hint: we read ourselves.
fn is_hint(event: &notify::Event) -> bool {
    if event.need_rescan() {
        return true;
    }
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => names_manifest(event),
        EventKind::Access(_) => false,
        EventKind::Create(_) => {
            names_manifest(event) || event.paths.iter().any(|path| path.is_dir())
        }
        EventKind::Remove(_) => true,
        _ => names_manifest(event),
    }
}

fn names_manifest(event: &notify::Event) -> bool {
    event.paths.is_empty()
        || event
            .paths
            .iter()
            .any(|path| path.file_name().is_some_and(|name| name == "manifest"))
}
