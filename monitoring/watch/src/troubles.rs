//! What keeps one edge from being looked at: told by its part of the health, apart from what differs.

use std::collections::BTreeMap;
use std::sync::Mutex;

use telemetry::Part;

/// What is wrong with one edge, by what was asked of it.
#[derive(Debug)]
pub(crate) struct Troubles {
    part: Option<Part>,
    url: String,
    now: Mutex<BTreeMap<String, String>>,
}

impl Troubles {
    pub(crate) fn new(url: &str, part: Option<Part>) -> Self {
        if let Some(part) = &part {
            part.set_ready();
        }
        Self {
            part,
            url: url.to_owned(),
            now: Mutex::default(),
        }
    }

    /// Something cannot be asked, or is near its end. Logged when it is new.
    pub(crate) fn set(&self, what: &str, why: &str) {
        // Unwrap safety: nothing panics while the lock is held.
        let mut now = self.now.lock().unwrap();
        if now.insert(what.to_owned(), why.to_owned()).is_none() {
            tracing::warn!(edge = self.url, "{what}: {why}");
        }
        self.tell(&now);
    }

    pub(crate) fn clear(&self, what: &str) {
        // Unwrap safety: nothing panics while the lock is held.
        let mut now = self.now.lock().unwrap();
        if now.remove(what).is_some() {
            tracing::info!(edge = self.url, "{what}: all right again");
            self.tell(&now);
        }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        // Unwrap safety: nothing panics while the lock is held.
        let now = self.now.lock().unwrap();
        now.iter()
            .map(|(what, why)| format!("{}: {what}: {why}", self.url))
            .collect()
    }

    fn tell(&self, now: &BTreeMap<String, String>) {
        let Some(part) = &self.part else { return };
        if now.is_empty() {
            part.set_ready();
        } else {
            let texts: Vec<String> = now
                .iter()
                .map(|(what, why)| format!("{what}: {why}"))
                .collect();
            part.set_failed(texts.join("; "));
        }
    }
}
