//! `status-watch --once`: everything is compared once, and a report says what differs.

use std::io::{IsTerminal as _, stderr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::Ledger;
use pki::{Clock as _, SystemClock};
use serde_json::{Value, json};
use telemetry::EXIT_USAGE;

use crate::changes::by_name;
use crate::config::Config;
use crate::difference::Difference;
use crate::edge::Edge;
use crate::findings::{Findings, Key};
use crate::lists::Looked;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::shared::Shared;
use crate::subject;
use crate::which::Which;

const TICK: Duration = Duration::from_millis(100);

/// Compares everything once; 0 when it agrees, 1 when something differs or could not be asked, 64 when the
/// configuration is wrong. `adjust` applies the command line to the configuration.
pub fn once(config: &Path, adjust: impl FnOnce(Config) -> Config, as_json: bool) -> ExitCode {
    let config = match read(config).map(adjust) {
        Ok(config) => config,
        Err(error) => return fail(&error, EXIT_USAGE),
    };
    let urls = match config.check() {
        Ok(urls) => urls,
        Err(error) => return fail(&error, EXIT_USAGE),
    };
    let compared = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")
        .and_then(|runtime| runtime.block_on(compare(config, &urls)));
    match compared {
        Err(error) => fail(&error, 1),
        Ok(report) => {
            report.print(as_json);
            ExitCode::from(u8::from(!report.agrees()))
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Config> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "the configuration {} cannot be read; name another with --config",
            path.display()
        )
    })?;
    toml::from_str(&text).with_context(|| format!("the configuration {} is wrong", path.display()))
}

fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("status-watch: {error:#}");
    ExitCode::from(code)
}

async fn compare(config: Config, urls: &[String]) -> anyhow::Result<Report> {
    let clock = Arc::new(SystemClock);
    let metrics = Metrics::new(&prometheus::Registry::new())?;
    let shared = Arc::new(Shared {
        started: clock.now(),
        findings: Findings::new(config.promise, metrics.clone()),
        health: None,
        ledger: Ledger::open_read_only(&config.ledger, clock.clone()).await?,
        memory: Mutex::new(Memory::default()),
        config,
        metrics,
        clock,
    });
    let mut report = Report::default();
    for url in urls {
        let edge = Arc::new(Edge::new(url, Arc::clone(&shared))?);
        compare_edge(&edge, &mut report).await?;
        report.troubles.extend(edge.troubles.all());
    }
    report.differences = shared.findings.report();
    Ok(report)
}

async fn compare_edge(edge: &Arc<Edge>, report: &mut Report) -> anyhow::Result<()> {
    let ledger = &edge.shared.ledger;
    let subjects = subject::all(ledger).await?;
    let mut total = 0;
    for subject in &subjects {
        total += ledger.counts(subject.name()).await?.issued;
    }
    let bar = Bar::new(format!("{} CRLs", edge.url), total);
    for subject in &subjects {
        match edge.look_for_list(subject, &Which::Complete).await {
            Looked::Absent => {}
            Looked::Failed => report.gaps = true,
            Looked::Is(list) => {
                report.crls += 1;
                edge.walk(subject, &list, |number| bar.advance(number))
                    .await?;
                match edge.walk_others(subject, &list).await? {
                    Some(others) => report.crls += others as u64,
                    None => report.gaps = true,
                }
            }
        }
    }
    bar.done();
    let bar = Bar::new(format!("{} OCSP", edge.url), total);
    report.gaps |= !edge.sweep(|done, _| bar.set(done)).await?;
    report.certificates += total;
    bar.done();
    // What differed may have been on its way: it is looked at until it agrees or the promise is broken.
    let subjects = by_name(subjects);
    while edge.shared.findings.suspected(&edge.url) > 0 {
        edge.look_again(&subjects).await?;
        if !edge.troubles.all().is_empty() {
            break;
        }
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}

/// What came of it.
#[derive(Debug, Default)]
struct Report {
    /// Compared, once for each edge.
    certificates: u64,
    crls: u64,
    differences: Vec<(Key, Option<Difference>)>,
    troubles: Vec<String>,
    /// Whether something could not be asked.
    gaps: bool,
}

impl Report {
    fn agrees(&self) -> bool {
        self.differences.is_empty() && self.troubles.is_empty() && !self.gaps
    }

    fn print(&self, as_json: bool) {
        if as_json {
            println!("{}", self.json());
            return;
        }
        for (key, difference) in &self.differences {
            println!("{}", line(key, difference.as_ref()));
        }
        for trouble in &self.troubles {
            println!("{trouble}");
        }
        let verdict = if self.agrees() {
            "everything agrees".to_owned()
        } else if self.differences.is_empty() {
            "not everything could be asked".to_owned()
        } else {
            format!("{} differ", self.differences.len())
        };
        println!(
            "{} certificates by OCSP and {} CRLs compared with the ledger: {verdict}",
            self.certificates, self.crls
        );
    }

    fn json(&self) -> Value {
        let differences: Vec<Value> = self
            .differences
            .iter()
            .map(|(key, difference)| {
                json!({
                    "edge": &*key.edge,
                    "issuer": &*key.issuer,
                    "product": key.product(),
                    "crl": key.list.as_ref().map(ToString::to_string),
                    "serial": key.serial,
                    "kind": difference.as_ref().map(|difference| difference.kind.as_str()),
                    "ledger": difference.as_ref().map(|difference| &difference.ledger),
                    "served": difference.as_ref().map(|difference| &difference.served),
                })
            })
            .collect();
        json!({
            "agrees": self.agrees(),
            "certificates": self.certificates,
            "crls": self.crls,
            "differences": differences,
            "troubles": self.troubles,
        })
    }
}

fn line(key: &Key, difference: Option<&Difference>) -> String {
    let what = match &key.serial {
        Some(serial) => format!("{} {serial}", key.issuer),
        None => key.issuer.to_string(),
    };
    let mut text = format!("{}: {what}: ", key.edge);
    if let Some(difference) = difference {
        text.push_str(&format!(
            "{} ({}): ledger: {}; served: {}",
            key.what(),
            difference.kind.as_str(),
            difference.ledger,
            difference.served
        ));
    }
    text
}

/// Progress on a terminal; nothing elsewhere.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(what: String, total: u64) -> Self {
        let style = ProgressStyle::with_template(
            "{msg} [{bar:30}] {percent:>3} % {human_pos} of {human_len}, {eta} left",
        );
        Self(
            style
                .ok()
                .filter(|_| stderr().is_terminal())
                .map(|style| ProgressBar::new(total).with_style(style).with_message(what)),
        )
    }

    fn advance(&self, number: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(number);
        }
    }

    fn set(&self, done: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(done);
        }
    }

    fn done(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
