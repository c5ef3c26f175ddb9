//! Following the ledger: one reader for all issuers, which never waits for any of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ledger::{Change, LedgerError};
use telemetry::Stopper;
use tokio::task::JoinSet;

use crate::inbox::Inbox;
use crate::shared::Shared;
use crate::worker::Worker;

/// Without a hint, the ledger is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PAGE: u32 = 1000;

/// Runs a worker for every issuer and feeds them until the daemon stops.
pub async fn follow(shared: Arc<Shared>, stop: Stopper) -> anyhow::Result<()> {
    let mut watch = shared.ledger.watch();
    // First the head: whatever comes after it is read again below, whatever was before it the first sweeps find.
    let mut cursor = shared.ledger.head().await?;
    let mut workers = Workers {
        inboxes: HashMap::new(),
        tasks: JoinSet::new(),
        shared,
        stop,
    };
    for issuer in workers.shared.ledger.issuers().await? {
        workers.start(&issuer.name, cursor);
    }
    let part = workers.shared.health.part("ledger");
    part.set_ready();
    while !workers.stop.is_stopped() {
        let more = match workers.read(&mut cursor).await {
            Ok(more) => {
                part.set_ready();
                if !more {
                    let shared = &workers.shared;
                    shared.standings.ledger_read(shared.clock.now());
                }
                more
            }
            Err(error) => {
                part.set_failed(format!("the ledger cannot be read: {error}"));
                false
            }
        };
        if !more {
            let stop = workers.stop.clone();
            // None: stopping, which the loop sees.
            let _ = stop.run_until_stopped(watch.changed(LOOK_EVERY)).await;
        }
    }
    while workers.tasks.join_next().await.is_some() {}
    Ok(())
}

struct Workers {
    inboxes: HashMap<String, Arc<Inbox>>,
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
    stop: Stopper,
}

impl Workers {
    /// Reads a page of events; true if there may be more.
    async fn read(&mut self, cursor: &mut u64) -> Result<bool, LedgerError> {
        let changes = self.shared.ledger.changes_after(*cursor, PAGE).await?;
        for change in &changes {
            self.deliver(change, *cursor);
        }
        if let Some(last) = changes.last() {
            *cursor = last.seq;
            for inbox in self.inboxes.values() {
                inbox.read_up_to(*cursor);
            }
        }
        let more = changes.len() == PAGE as usize;
        let behind = if more {
            self.shared.ledger.head().await?.saturating_sub(*cursor)
        } else {
            0
        };
        self.shared
            .metrics
            .feed_lag
            .set(i64::try_from(behind).unwrap_or(i64::MAX));
        Ok(more)
    }

    fn deliver(&mut self, change: &Change, cursor: u64) {
        if !self.inboxes.contains_key(&change.issuer) {
            self.start(&change.issuer, cursor);
        }
        if let Some(inbox) = self.inboxes.get(&change.issuer) {
            inbox.put(change.kind, change.serial);
        }
    }

    fn start(&mut self, issuer: &str, cursor: u64) {
        let inbox = Arc::new(Inbox::new(cursor));
        self.inboxes.insert(issuer.to_owned(), Arc::clone(&inbox));
        self.shared.health.part(&format!("issuer {issuer}"));
        self.tasks.spawn(work(
            Arc::clone(&self.shared),
            issuer.to_owned(),
            inbox,
            self.stop.clone(),
        ));
    }
}

/// The work for one issuer, taken up again whenever it cannot begin.
async fn work(shared: Arc<Shared>, name: String, inbox: Arc<Inbox>, stop: Stopper) {
    while !stop.is_stopped() {
        match open(&shared, &name, &inbox).await {
            Ok(worker) => return worker.run(&stop).await,
            Err(error) => {
                shared
                    .metrics
                    .failures
                    .with_label_values(&[&name, "opening"])
                    .inc();
                shared
                    .health
                    .part(&format!("issuer {name}"))
                    .set_failed(format!("{error:#}"));
            }
        }
        // None: stopping, which the loop sees.
        let _ = stop
            .run_until_stopped(tokio::time::sleep(Duration::from_secs(2)))
            .await;
    }
}

async fn open(shared: &Arc<Shared>, name: &str, inbox: &Arc<Inbox>) -> anyhow::Result<Worker> {
    let issuer = shared.ledger.issuer(name).await?;
    let issuer = issuer.ok_or_else(|| anyhow::anyhow!("the ledger has no issuer of this name"))?;
    Worker::open(Arc::clone(shared), issuer, Arc::clone(inbox)).await
}
