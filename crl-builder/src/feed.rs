//! Following the ledger: one reader for all issuers, which never waits for any of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ledger::{Change, ChangeKind, Ledger, LedgerError};
use telemetry::Stopper;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::shared::Shared;
use crate::signer::Signer;
use crate::worker::work;

/// Without a hint, the ledger is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const PAGE: u32 = 1000;

/// What the reader tells a worker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct News {
    /// The last event that changes the issuer's CRL or how it is published.
    pub(crate) concerned: u64,
    /// The last event that was read.
    pub(crate) head: u64,
}

/// Runs a worker for every issuer and feeds them until the daemon stops.
pub async fn follow<S: Signer>(shared: Arc<Shared<S>>, stop: Stopper) -> anyhow::Result<()> {
    let mut watch = shared.ledger.watch();
    // What comes after the head is read below; what was before it each worker finds by itself.
    let mut cursor = shared.ledger.head().await?;
    let mut workers = Workers {
        news: HashMap::new(),
        tasks: JoinSet::new(),
        shared,
        stop: stop.clone(),
    };
    for issuer in workers.shared.ledger.issuers().await? {
        workers.start(&issuer.name, cursor);
    }
    let part = workers.shared.health.part("ledger");
    while !stop.is_stopped() {
        let more = match workers.read(&mut cursor).await {
            Ok(more) => {
                part.set_ready();
                more
            }
            Err(error) => {
                part.set_failed(format!("the ledger cannot be read: {error}"));
                false
            }
        };
        if !more {
            // None: stopping, which the loop sees.
            let _ = stop.run_until_stopped(watch.changed(LOOK_EVERY)).await;
        }
    }
    while workers.tasks.join_next().await.is_some() {}
    Ok(())
}

/// The last event after `after` that concerns this issuer's CRL; `after` if there is none.
pub(crate) async fn last_concerning(
    ledger: &Ledger,
    issuer: &str,
    after: u64,
) -> Result<u64, LedgerError> {
    let mut last = after;
    let mut cursor = after;
    loop {
        let changes = ledger.changes_after(cursor, PAGE).await?;
        let Some(end) = changes.last() else {
            return Ok(last);
        };
        cursor = end.seq;
        let concerning = changes
            .iter()
            .rfind(|change| change.issuer == issuer && concerns(change));
        last = concerning.map_or(last, |change| change.seq);
    }
}

/// A new certificate alone changes no CRL.
fn concerns(change: &Change) -> bool {
    change.kind != ChangeKind::Issued
}

struct Workers<S> {
    news: HashMap<String, watch::Sender<News>>,
    tasks: JoinSet<()>,
    shared: Arc<Shared<S>>,
    stop: Stopper,
}

impl<S: Signer> Workers<S> {
    /// Reads a page of events; true if there may be more.
    async fn read(&mut self, cursor: &mut u64) -> Result<bool, LedgerError> {
        let changes = self.shared.ledger.changes_after(*cursor, PAGE).await?;
        let mut concerned = HashMap::new();
        for change in changes.iter().filter(|change| concerns(change)) {
            if !self.news.contains_key(&change.issuer) {
                self.start(&change.issuer, *cursor);
            }
            concerned.insert(change.issuer.as_str(), change.seq);
        }
        if let Some(last) = changes.last() {
            *cursor = last.seq;
        }
        for (issuer, news) in &self.news {
            let concerned = concerned.get(issuer.as_str()).copied();
            news.send_if_modified(|news| {
                news.head = *cursor;
                news.concerned = concerned.unwrap_or(news.concerned);
                concerned.is_some()
            });
        }
        Ok(changes.len() == PAGE as usize)
    }

    fn start(&mut self, issuer: &str, head: u64) {
        let (sender, receiver) = watch::channel(News { concerned: 0, head });
        self.news.insert(issuer.to_owned(), sender);
        self.shared.health.part(&format!("issuer {issuer}"));
        self.tasks.spawn(work(
            Arc::clone(&self.shared),
            issuer.to_owned(),
            receiver,
            self.stop.clone(),
        ));
    }
}
