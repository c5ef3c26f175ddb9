//! A `status-watch` of the test's own, beside the one that `avouch up` runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use e2e::clients::curl;
use e2e::program::{Finished, binary, program};
use e2e::system::{path, signal};
use e2e::{System, wait_for};
use pki::Serial;
use serde_json::Value;

pub(crate) struct Promise {
    pub(crate) ocsp_ms: u32,
    pub(crate) crl_ms: u32,
    pub(crate) new_ms: u32,
    pub(crate) ocsp_per_second: u32,
}

pub(crate) struct Watcher<'a> {
    system: &'a System,
    folder: PathBuf,
    child: Child,
}

impl<'a> Watcher<'a> {
    pub(crate) fn start(system: &'a System, edges: &[&str], promise: &Promise) -> Self {
        let folder = configured(system, edges, promise);
        let child = spawn(&folder);
        let watcher = Self {
            system,
            folder,
            child,
        };
        wait_for(|| watcher.admin().is_some());
        watcher
    }

    /// With `kill -9`.
    pub(crate) fn kill(&mut self) {
        signal("-KILL", self.child.id());
        self.child.wait().expect("it can be waited for");
        fs::remove_file(self.folder.join("state.json")).expect("it was there");
    }

    /// Starts it again.
    pub(crate) fn again(&mut self) {
        self.child = spawn(&self.folder);
        wait_for(|| self.admin().is_some());
    }

    /// What `/readyz` says.
    pub(crate) fn ready(&self) -> (u16, String) {
        let answer = curl(self.system, &self.url("readyz"), &[]);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        (answer.status, body)
    }

    pub(crate) fn metrics(&self) -> String {
        let answer = curl(self.system, &self.url("metrics"), &[]);
        String::from_utf8_lossy(&answer.body).into_owned()
    }

    /// The sum over all series of this name whose labels contain `labels`, each part of it between commas.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let metrics = self.metrics();
        metrics
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once("} "))
            .filter(|(series, _)| labels.split(',').all(|label| series.contains(label)))
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).expect("the log")
    }

    /// The line that names exactly this.
    pub(crate) fn alarm(
        &self,
        edge: &str,
        serial: &Serial,
        product: &str,
        kind: &str,
    ) -> Option<String> {
        let parts = [
            format!("{product} differs from the ledger"),
            format!("edge=\"{edge}\""),
            format!("serial={serial}"),
            format!("kind=\"{kind}\""),
        ];
        let log = self.log();
        log.lines()
            .find(|line| parts.iter().all(|part| line.contains(part)))
            .map(str::to_owned)
    }

    /// Waits until what it remembers contains this.
    pub(crate) fn written(&self, text: &str) {
        let memory = self.folder.join("memory.json");
        wait_for(|| fs::read_to_string(&memory).is_ok_and(|memory| memory.contains(text)));
    }

    fn url(&self, what: &str) -> String {
        format!("{}{what}", self.admin().expect("it announced itself"))
    }

    fn admin(&self) -> Option<String> {
        let state = fs::read(self.folder.join("state.json")).ok()?;
        let state: Value = serde_json::from_slice(&state).ok()?;
        Some(state["admin"].as_str()?.to_owned())
    }
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        signal("-TERM", self.child.id());
        let status = self.child.wait();
        if std::thread::panicking() {
            println!("{}", self.log());
        } else {
            assert!(status.is_ok_and(|status| status.success()));
        }
    }
}

/// `status-watch --once`, to its end.
pub(crate) fn once(system: &System, edges: &[&str], promise: &Promise) -> Finished {
    let folder = configured(system, edges, promise);
    let config = folder.join("watch.toml");
    let arguments = ["--config", path(&config), "--once", "--json"];
    program(system.folder(), binary("status-watch"), arguments)
}

/// The same with the clock moved, such as `+6d`.
pub(crate) fn once_at(
    system: &System,
    edges: &[&str],
    promise: &Promise,
    offset: &str,
) -> Finished {
    let folder = configured(system, edges, promise);
    let config = folder.join("watch.toml");
    let watch = binary("status-watch");
    let arguments = [
        "-f",
        offset,
        path(&watch),
        "--config",
        path(&config),
        "--once",
        "--json",
    ];
    program(system.folder(), "faketime", arguments)
}

fn configured(system: &System, edges: &[&str], promise: &Promise) -> PathBuf {
    let folder = tempfile::tempdir_in(system.folder())
        .expect("a folder")
        .keep();
    let text = format!(
        "ledger = {:?}\nmemory = {:?}\nedges = {edges:?}\npause_seconds = 1\ncrl_every_seconds = 1\n\
         ocsp_per_second = {}\n[promise]\nocsp_ms = {}\ncrl_ms = {}\nnew_ms = {}\n[daemon]\nstate_file = {:?}\n",
        system.data().join("ledger/ledger.sqlite"),
        folder.join("memory.json"),
        promise.ocsp_per_second,
        promise.ocsp_ms,
        promise.crl_ms,
        promise.new_ms,
        folder.join("state.json"),
    );
    fs::write(folder.join("watch.toml"), text).expect("written");
    folder
}

fn spawn(folder: &Path) -> Child {
    let log = File::options()
        .append(true)
        .create(true)
        .open(folder.join("log"))
        .expect("a log");
    Command::new(binary("status-watch"))
        .args(["--config", path(&folder.join("watch.toml"))])
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("it starts")
}
