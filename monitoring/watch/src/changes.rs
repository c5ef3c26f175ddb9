//! Following the ledger: what has just changed is looked at first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::edge::Edge;
use crate::subject::{self, Subject};

/// Without a hint, the ledger is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PAGE: u32 = 1000;
/// More than this many events behind, those before are left to the sweep: the newest are looked at in time.
const MOST_BEHIND: u64 = 5000;

impl Edge {
    /// Looks at every certificate that changes, from now on.
    pub(crate) async fn follow(self: &Arc<Self>) -> anyhow::Result<()> {
        let ledger = &self.shared.ledger;
        let mut watch = ledger.watch();
        let mut cursor = ledger.head().await?;
        let mut subjects = by_name(subject::all(ledger).await?);
        loop {
            let head = ledger.head().await?;
            // A ledger that was restored ends before what it once told.
            cursor = cursor.min(head).max(head.saturating_sub(MOST_BEHIND));
            let changes = ledger.changes_after(cursor, PAGE).await?;
            let more = changes.len() == PAGE as usize;
            for change in changes {
                cursor = change.seq;
                let Some(serial) = change.serial else {
                    subjects = by_name(subject::all(ledger).await?);
                    continue;
                };
                if let Some(subject) = subjects.get(&change.issuer) {
                    self.look_at(subject, serial).await?;
                }
            }
            if !more {
                watch.changed(LOOK_EVERY).await;
            }
        }
    }
}

pub(crate) fn by_name(subjects: Vec<Subject>) -> HashMap<String, Arc<Subject>> {
    subjects
        .into_iter()
        .map(|subject| (subject.name().to_owned(), Arc::new(subject)))
        .collect()
}
