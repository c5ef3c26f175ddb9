//! The daemon: four loops for each edge, and one that keeps what is remembered and tells how it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ledger::Ledger;
use pki::CrlNumber;
use telemetry::{Context, Health, Part};
use tokio::task::JoinSet;

use crate::changes::by_name;
use crate::config::Config;
use crate::difference::Product;
use crate::edge::Edge;
use crate::findings::{Findings, Key};
use crate::list::List;
use crate::lists::Looked;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::shared::Shared;
use crate::subject;
use crate::which::Which;

/// How often suspects are looked for and the metrics brought up to date.
const TICK: Duration = Duration::from_millis(250);
/// How often what is remembered is written.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// After a failure of the ledger.
const REST: Duration = Duration::from_secs(1);

/// Watches until the daemon stops.
pub async fn watch(context: Context<Config>) -> anyhow::Result<()> {
    let urls = context.config.check()?;
    let clock = Arc::clone(&context.clock);
    let metrics = Metrics::new(&context.registry)?;
    let shared = Arc::new(Shared {
        started: clock.now(),
        findings: Findings::new(context.config.promise, metrics.clone()),
        health: Some(context.health.clone()),
        ledger: Ledger::open_read_only(&context.config.ledger, Arc::clone(&clock)).await?,
        memory: Mutex::new(Memory::read(&context.config.memory)),
        config: context.config.clone(),
        metrics,
        clock,
    });
    let part = context.health.part("ledger");
    part.set_ready();
    let mut edges = Vec::new();
    for url in &urls {
        edges.push(Arc::new(Edge::new(url, Arc::clone(&shared))?));
    }
    shared.forget_edges_but(&urls);
    shared.recall();
    context.announce(None)?;

    let mut loops = JoinSet::new();
    for edge in &edges {
        loops.spawn(keep(Arc::clone(edge), part.clone(), "changes", follow));
        loops.spawn(keep(Arc::clone(edge), part.clone(), "CRLs", lists));
        loops.spawn(keep(Arc::clone(edge), part.clone(), "OCSP", sweeps));
        loops.spawn(keep(Arc::clone(edge), part.clone(), "suspects", suspects));
    }
    loops.spawn(tell(
        Arc::clone(&shared),
        edges.clone(),
        context.health.clone(),
    ));
    context.stop.cancelled().await;
    loops.shutdown().await;
    shared.write_memory();
    Ok(())
}

/// Runs a loop for ever: when the ledger fails it is begun again.
async fn keep<F>(edge: Arc<Edge>, part: Part, name: &'static str, run: fn(Arc<Edge>, Part) -> F)
where
    F: Future<Output = anyhow::Result<()>>,
{
    loop {
        if let Err(error) = run(Arc::clone(&edge), part.clone()).await {
            part.set_failed(format!("{error:#}"));
            tracing::error!(edge = edge.url, "{name}: {error:#}");
        }
        tokio::time::sleep(REST).await;
    }
}

async fn follow(edge: Arc<Edge>, _part: Part) -> anyhow::Result<()> {
    edge.follow().await
}

/// Looks for new CRLs, and walks each that is new or that the ledger has gone past.
async fn lists(edge: Arc<Edge>, part: Part) -> anyhow::Result<()> {
    let config = &edge.shared.config;
    let mut walked: HashMap<String, Walked> = HashMap::new();
    loop {
        let mut complete = true;
        for subject in subject::all(&edge.shared.ledger).await? {
            let head = edge.shared.ledger.head().await?;
            let list = match edge.look_for_list(&subject, &Which::Complete).await {
                Looked::Absent => continue,
                Looked::Failed => {
                    complete = false;
                    continue;
                }
                Looked::Is(list) => list,
            };
            match walked.get(subject.name()) {
                Some(last) if last.still_holds(head, &list) => {}
                Some(last) if last.is_recent(config) => complete = false,
                _ => {
                    let begun = Instant::now();
                    edge.walk(&subject, &list, |_| ()).await?;
                    let all = edge.walk_others(&subject, &list).await?.is_some();
                    let last = Walked {
                        at: begun,
                        took: begun.elapsed(),
                        head,
                        number: list.number.clone(),
                        all,
                    };
                    walked.insert(subject.name().to_owned(), last);
                    complete &= all;
                }
            }
        }
        part.set_ready();
        if complete {
            edge.shared.swept(&edge.url, Product::Crl);
        }
        tokio::time::sleep(Duration::from_secs(config.crl_every_seconds.into())).await;
    }
}

/// The last walk over an issuer's CRL.
struct Walked {
    at: Instant,
    took: Duration,
    head: u64,
    number: Option<CrlNumber>,
    /// Whether every part and delta could be compared as well.
    all: bool,
}

impl Walked {
    /// Whether nothing has changed since.
    fn still_holds(&self, head: u64, list: &List) -> bool {
        let same = self.head == head && self.number == list.number;
        same && self.all && self.at.elapsed() < FULL_EVERY
    }

    /// Whether it is too early for another one, which reads the whole ledger. Each change is looked at by itself
    /// meanwhile.
    fn is_recent(&self, config: &Config) -> bool {
        self.at.elapsed() < config.pause().max(self.took * 10)
    }
}

/// Time alone lets entries leave: also without any change there is a walk this often.
const FULL_EVERY: Duration = Duration::from_secs(3600);

async fn sweeps(edge: Arc<Edge>, part: Part) -> anyhow::Result<()> {
    loop {
        let begun = Instant::now();
        if edge.sweep(|_, _| ()).await? {
            edge.shared.swept(&edge.url, Product::Ocsp);
            tracing::debug!(
                edge = edge.url,
                seconds = begun.elapsed().as_secs(),
                "every serial number was asked about"
            );
        }
        part.set_ready();
        tokio::time::sleep(edge.shared.config.pause()).await;
    }
}

async fn suspects(edge: Arc<Edge>, _part: Part) -> anyhow::Result<()> {
    loop {
        let subjects = by_name(subject::all(&edge.shared.ledger).await?);
        edge.look_again(&subjects).await?;
        tokio::time::sleep(TICK).await;
    }
}

/// Keeps health, metrics and memory up to date.
async fn tell(shared: Arc<Shared>, edges: Vec<Arc<Edge>>, health: Health) {
    let mut written = Instant::now();
    let mut known = Vec::new();
    loop {
        match shared.ledger.issuers().await {
            Ok(issuers) => {
                known = issuers
                    .iter()
                    .map(|issuer| Arc::from(issuer.name.as_str()))
                    .collect();
            }
            // The loops that need it say so.
            Err(error) => tracing::debug!("the issuers: {error}"),
        }
        let alarms = shared.findings.alarms();
        for issuer in &known {
            let part = health.part(&format!("issuer {issuer}"));
            match alarms.get(issuer) {
                None => part.set_ready(),
                Some((1, one)) => {
                    part.set_failed(format!("differs from the ledger: {one}; the log names the serial number"));
                }
                Some((number, one)) => part.set_failed(format!(
                    "{number} serial numbers differ from the ledger, one of them: {one}; the log names them"
                )),
            }
        }
        for edge in &edges {
            shared.findings.tell(&edge.url, &known);
            shared.tell_ages(&edge.url);
        }
        if written.elapsed() >= WRITE_EVERY {
            written = Instant::now();
            shared.write_memory();
        }
        tokio::time::sleep(TICK).await;
    }
}

impl Shared {
    /// Takes up the alarms of the last start.
    fn recall(&self) {
        // Unwrap safety: nothing panics while the lock is held.
        let memory = self.memory.lock().unwrap();
        for (edge, memory) in &memory.edges {
            for open in &memory.open {
                let key = Key {
                    edge: edge.as_str().into(),
                    issuer: open.issuer.as_str().into(),
                    list: match open.product {
                        Product::Crl => Some(Which::recalled(open.list.as_deref())),
                        Product::Ocsp => None,
                    },
                    serial: open.serial,
                };
                self.findings.remember(key, open, open.since);
            }
        }
    }

    /// What is known of edges that are watched no longer goes.
    fn forget_edges_but(&self, urls: &[String]) {
        // Unwrap safety: nothing panics while the lock is held.
        let mut memory = self.memory.lock().unwrap();
        memory.edges.retain(|url, _| urls.contains(url));
    }

    fn write_memory(&self) {
        // Unwrap safety: nothing panics while the lock is held.
        let mut memory = self.memory.lock().unwrap().clone();
        for (edge, memory) in &mut memory.edges {
            memory.open = self.findings.open(edge);
        }
        if let Err(error) = memory.write(&self.config.memory) {
            tracing::warn!("a restart will begin anew: {error:#}");
        }
    }

    fn tell_ages(&self, edge: &str) {
        let now = self.clock.now();
        let mut swept = [None, None];
        self.remember(edge, |memory| swept = [memory.crl_swept, memory.ocsp_swept]);
        for (product, at) in [Product::Crl, Product::Ocsp].into_iter().zip(swept) {
            let since = at.unwrap_or(self.started);
            self.metrics
                .sweep_age(edge, product, since.seconds_until(now));
        }
    }
}
