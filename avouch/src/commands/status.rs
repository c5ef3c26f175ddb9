//! `avouch status`: every issuer with its OCSP answers and its CRL, and which daemon runs.

use std::fs;
use std::io;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ledger::{Issuer, Ledger};
use pki::ocsp::verify::covered_until;
use pki::{Clock, SystemClock, Time};
use publication::Manifest;
use serde_json::{Value, json};
use signer_client::{Mode, SignerClient};

use crate::data_dir::DataDir;
use crate::endpoints::Endpoints;
use crate::outcome::Outcome;
use crate::publications::{self, Kind};
use crate::table::Table;
use crate::up::build::PROGRAMS;
use crate::up::daemon::State;
use crate::{http, human, records};

pub(crate) async fn status(data: &DataDir) -> Result<Outcome> {
    let ledger = records::open(data).await?;
    let now = SystemClock.now();
    let mut issuers = Vec::new();
    for issuer in ledger.issuers().await? {
        issuers.push(IssuerStatus::read(data, &ledger, &issuer, now).await?);
    }
    let mut daemons = Vec::new();
    for name in PROGRAMS {
        daemons.push(DaemonStatus::look(data, name).await);
    }
    let endpoints = Endpoints::read(data)?;
    let object = json!({
        "running": endpoints.is_some(),
        "endpoints": endpoints,
        "issuers": issuers.iter().map(IssuerStatus::json).collect::<Vec<_>>(),
        "daemons": daemons.iter().map(DaemonStatus::json).collect::<Vec<_>>(),
    });
    let mut text = format!(
        "{}\n\n{}",
        issuer_table(&issuers, now),
        daemon_table(&daemons)
    );
    for problem in issuers.iter().flat_map(|issuer| &issuer.problems) {
        text.push_str(&format!("\n{problem}"));
    }
    match &endpoints {
        Some(endpoints) => text.push_str(&format!("\n\nstatus listener {}", endpoints.status)),
        None => text.push_str("\n\nnothing runs; start it with `avouch up`"),
    }
    Ok(Outcome::new(object, text))
}

struct IssuerStatus {
    name: String,
    signs: bool,
    issued: u64,
    revoked: u64,
    ocsp: Option<Published>,
    crl: Option<Published>,
    /// Until when responder certificates follow each other: so long there are new answers without a signer.
    responder_until: Option<Time>,
    problems: Vec<String>,
}

/// What a channel of the publication says.
struct Published {
    generation: u64,
    as_of: u64,
    issued_at: Time,
    /// Since when the oldest part is valid.
    this_update: Option<Time>,
    /// When the first part ends.
    next_update: Option<Time>,
    /// Answers, or entries of the CRL.
    count: Option<u64>,
    number: Option<String>,
}

impl IssuerStatus {
    async fn read(data: &DataDir, ledger: &Ledger, issuer: &Issuer, now: Time) -> Result<Self> {
        let counts = ledger.counts(&issuer.name).await?;
        let mut problems = Vec::new();
        let mut published = |kind: Kind, role: &str| {
            let channel = kind.channel(&issuer.name);
            let read = publications::manifest(data, kind, &issuer.name)
                .map(|manifest| manifest.map(|manifest| Published::of(&manifest, role)));
            match read {
                Ok(published) => {
                    let end = published
                        .as_ref()
                        .and_then(|published| published.next_update);
                    if end.is_some_and(|end| end <= now) {
                        problems.push(format!(
                            "{channel}: EXPIRED, no client accepts it; see DIR/run/*.log"
                        ));
                    }
                    published
                }
                Err(error) => {
                    problems.push(format!("{channel}: {error:#}"));
                    None
                }
            }
        };
        let ocsp = published(Kind::Ocsp, "answers");
        let mut crl = published(Kind::Crl, "crl");
        if let (Some(crl), Some(last)) = (&mut crl, ledger.last_crl(&issuer.name).await?) {
            crl.number.get_or_insert_with(|| last.number.to_string());
            crl.count.get_or_insert(last.entries);
        }
        problems.extend(source_problem(ledger, issuer, now).await?);
        let responder_until = responder_until(data, ledger, &issuer.name, now).await;
        let responder_until = responder_until.unwrap_or_else(|error| {
            problems.push(format!("responder of {}: {error:#}", issuer.name));
            None
        });
        Ok(Self {
            name: issuer.name.clone(),
            signs: issuer.signs,
            issued: counts.issued,
            revoked: counts.revoked,
            ocsp,
            crl,
            responder_until,
            problems,
        })
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "signs": self.signs,
            "issued": self.issued,
            "revoked": self.revoked,
            "ocsp": self.ocsp.as_ref().map(|published| published.json("answers")),
            "crl": self.crl.as_ref().map(|published| published.json("entries")),
            "responder_until": self.responder_until,
            "problems": self.problems,
        })
    }
}

/// Until when the certificates in the issuer's key directory follow each other, those in stock included.
async fn responder_until(
    data: &DataDir,
    ledger: &Ledger,
    issuer: &str,
    now: Time,
) -> Result<Option<Time>> {
    let folder = data.responder_keys(issuer);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.with_context(|| format!("{} cannot be read", folder.display()))?,
    };
    let mut spans = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "cer") {
            continue;
        }
        let certificate = records::certificate(&path)?;
        let status = ledger.status(issuer, certificate.serial()).await?;
        if status.is_none_or(|status| status.revoked.is_none()) {
            spans.push((certificate.not_before(), certificate.not_after()));
        }
    }
    Ok(covered_until(spans, now))
}

/// Why nothing can be said of an issuer whose CRLs come from elsewhere.
async fn source_problem(ledger: &Ledger, issuer: &Issuer, now: Time) -> Result<Option<String>> {
    let policy = &issuer.policy.source;
    if !policy.is_followed() {
        return Ok(None);
    }
    let source = ledger.source(&issuer.name).await?;
    let ends = source.map(|source| source.ends(policy));
    Ok(match ends {
        None => {
            Some("source: no CRL has been taken in yet; see DIR/run/crl-builder.log".to_owned())
        }
        Some(ends) if ends <= now => Some(format!(
            "source: its CRLs were to be relied on until {ends}; see DIR/run/crl-builder.log"
        )),
        Some(_) => None,
    })
}

impl Published {
    fn of(manifest: &Manifest, role: &str) -> Self {
        let objects = || manifest.objects_of(role);
        let detail = |key: &str| objects().find_map(|object| object.details.get(key).cloned());
        let counted: Vec<u64> = objects()
            .filter_map(|object| COUNTS.iter().find_map(|key| object.details.get(*key)))
            .filter_map(|count| count.parse().ok())
            .collect();
        Self {
            generation: manifest.generation,
            as_of: manifest.as_of,
            issued_at: manifest.issued_at,
            this_update: objects().filter_map(|object| object.this_update).min(),
            next_update: objects().filter_map(|object| object.next_update).min(),
            count: (!counted.is_empty()).then(|| counted.iter().sum()),
            number: detail("number"),
        }
    }

    fn json(&self, counted: &str) -> Value {
        let mut object = json!({
            "generation": self.generation,
            "as_of": self.as_of,
            "published_at": self.issued_at,
            "this_update": self.this_update,
            "next_update": self.next_update,
        });
        object[counted] = json!(self.count);
        if let Some(number) = &self.number {
            object["number"] = json!(number);
        }
        object
    }
}

/// The details under which a publisher says how many answers or entries an object has.
const COUNTS: [&str; 3] = ["answers", "entries", "count"];

struct DaemonStatus {
    name: &'static str,
    pid: Option<u32>,
    admin: Option<String>,
    /// In one word, then its reasons.
    state: Vec<String>,
}

impl DaemonStatus {
    async fn look(data: &DataDir, name: &'static str) -> Self {
        if name == "signer" {
            return Self::look_at_signer(data).await;
        }
        let state = State::read(&data.state_file(name));
        let pid = state
            .as_ref()
            .map(|state| state.pid)
            .filter(|pid| is_alive(*pid));
        let admin = state
            .filter(|_| pid.is_some())
            .and_then(|state| state.admin);
        let state = match (&pid, &admin) {
            (None, _) => vec!["does not run".to_owned()],
            (Some(_), None) => vec!["runs".to_owned()],
            (Some(_), Some(admin)) => readiness(admin).await,
        };
        Self {
            name,
            pid,
            admin,
            state,
        }
    }

    /// The signer is at the other end of a cable: what it says of itself comes from the host's end.
    async fn look_at_signer(data: &DataDir) -> Self {
        let client = SignerClient::new(data.signer_socket()).with_deadline(Duration::from_secs(2));
        let state = match client.ping().await {
            Ok(status) if status.mode == Mode::Active => vec!["ready".to_owned()],
            Ok(status) => vec![status.mode.to_string(), status.reason],
            Err(error) => vec!["is not heard of".to_owned(), error.to_string()],
        };
        Self {
            name: "signer",
            pid: None,
            admin: None,
            state,
        }
    }

    fn json(&self) -> Value {
        json!({ "name": self.name, "pid": self.pid, "admin": self.admin, "state": self.state.first(), "reasons": self.state.get(1..) })
    }
}

async fn readiness(admin: &str) -> Vec<String> {
    match http::get(&format!("{admin}readyz"), &[], Duration::from_secs(5)).await {
        Ok(answer) if answer.status.is_success() => vec!["ready".to_owned()],
        Ok(answer) => String::from_utf8_lossy(&answer.body)
            .lines()
            .map(str::to_owned)
            .collect(),
        Err(error) => vec![format!("does not answer: {error:#}")],
    }
}

fn is_alive(pid: u32) -> bool {
    rustix::process::Pid::from_raw(pid.cast_signed())
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

fn issuer_table(issuers: &[IssuerStatus], now: Time) -> String {
    let mut table = Table::new(&[
        "issuer",
        "issued",
        "revoked",
        "OCSP set",
        "answers",
        "age",
        "time left",
        "CRL",
        "entries",
        "age",
        "time left",
        "without signer",
        "key",
    ]);
    for issuer in issuers {
        let [answers, ocsp_age, ocsp_left] =
            published_cells(issuer.ocsp.as_ref(), now, |ocsp| ocsp.this_update);
        let [entries, crl_age, crl_left] =
            published_cells(issuer.crl.as_ref(), now, |crl| Some(crl.issued_at));
        let number = issuer.crl.as_ref().and_then(|crl| crl.number.clone());
        table.row([
            issuer.name.clone(),
            human::count(issuer.issued),
            human::count(issuer.revoked),
            issuer
                .ocsp
                .as_ref()
                .map_or_else(none, |ocsp| ocsp.generation.to_string()),
            answers,
            ocsp_age,
            ocsp_left,
            number.unwrap_or_else(none),
            entries,
            crl_age,
            crl_left,
            issuer
                .responder_until
                .map_or_else(none, |until| human::span(now.seconds_until(until))),
            if issuer.signs { "here" } else { "elsewhere" }.to_owned(),
        ]);
    }
    table.render()
}

/// How many, how old, how long still valid. (A CRL's thisUpdate lies back on purpose and tells no age.)
fn published_cells(
    published: Option<&Published>,
    now: Time,
    since: fn(&Published) -> Option<Time>,
) -> [String; 3] {
    let Some(published) = published else {
        return [none(), none(), none()];
    };
    let span = |time: Option<Time>, span: fn(Time, Time) -> i64| {
        time.map_or_else(none, |time| human::span(span(time, now)))
    };
    [
        published.count.map_or_else(none, human::count),
        span(since(published), |time, now| time.seconds_until(now)),
        span(published.next_update, |time, now| now.seconds_until(time)),
    ]
}

fn none() -> String {
    "-".to_owned()
}

fn daemon_table(daemons: &[DaemonStatus]) -> String {
    let mut table = Table::new(&["daemon", "pid", "state"]);
    for daemon in daemons {
        let pid = daemon.pid.map_or_else(none, |pid| pid.to_string());
        let state = match daemon.state.as_slice() {
            [state, reason, more @ ..] if !more.is_empty() => {
                format!("{state}: {reason} (and {} more)", more.len())
            }
            few => few.join(": "),
        };
        table.row([daemon.name.to_owned(), pid, state]);
    }
    table.render()
}
