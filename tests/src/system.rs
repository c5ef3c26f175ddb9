//! A whole system: `avouch up` over a directory of its own, on free ports.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::http;
use crate::program::{Finished, binary, program, repository};

/// How long a start may take on a slow machine before the test gives up.
const START: Duration = Duration::from_secs(180);

/// The shipped hierarchy on elliptic curves.
pub const EC: &str = "signer-link/signer/hierarchies/ec.toml";

/// The demo's hierarchy with RSA-2048 keys.
pub const RSA: &str = "tests/fixtures/rsa.toml";

/// A running Avouch.
#[derive(Debug)]
pub struct System {
    folder: TempDir,
    up: Option<Child>,
    /// What `avouch up` has said since it was started.
    said: Arc<Mutex<String>>,
    endpoints: Value,
}

impl System {
    /// Starts with a hierarchy: a path in the repository, such as [`EC`] or [`RSA`].
    pub fn start(hierarchy: &str) -> Self {
        Self::prepared().started(hierarchy)
    }

    /// Starts one that does nothing by itself for some days: it makes no responder certificates ahead, so what a test
    /// copies or compares stays as it is.
    pub fn start_quiet(hierarchy: &str) -> Self {
        Self::start_prepared(
            |_, _| repository().join(hierarchy),
            |system| {
                for issuer in ["root", "member", "assured", "organisation"] {
                    let none = ["policy", issuer, "--set", "ocsp.responder_ahead_days=0"];
                    system.avouch(&none).ok();
                }
            },
        )
    }

    /// The same with everything in a directory inside `folder`, which is on a disk of the test's own.
    pub fn start_in(folder: &Path, hierarchy: &str) -> Self {
        let folder = tempfile::tempdir_in(folder).expect("a temporary directory");
        Self::within(folder).started(hierarchy)
    }

    /// Starts with what `prepare` has made for this base URL in the directory; it gives the hierarchy. Before anything runs,
    /// `configure` may change what `avouch init` wrote.
    pub fn start_prepared(
        prepare: impl FnOnce(&Self, &str) -> PathBuf,
        configure: impl FnOnce(&Self),
    ) -> Self {
        Self::prepared().configured(prepare, configure)
    }

    fn started(self, hierarchy: &str) -> Self {
        self.configured(|_, _| repository().join(hierarchy), |_| {})
    }

    fn configured(
        mut self,
        prepare: impl FnOnce(&Self, &str) -> PathBuf,
        configure: impl FnOnce(&Self),
    ) -> Self {
        // A port that was free a moment ago: the URLs in certificates must name it before anything listens.
        let port = free_port();
        let base_url = format!("http://127.0.0.1:{port}/");
        let file = prepare(&self, &base_url);
        let arguments = ["init", "--hierarchy", path(&file), "--base-url", &base_url];
        self.avouch(&arguments).ok();
        configure(&self);
        self.up(&format!("127.0.0.1:{port}"));
        self
    }

    /// Starts as a user's first command does: the demo.
    pub fn start_demo() -> Self {
        let mut system = Self::prepared();
        system.up("127.0.0.1:0");
        system
    }

    fn prepared() -> Self {
        Self::within(tempfile::tempdir().expect("a temporary directory"))
    }

    fn within(folder: TempDir) -> Self {
        Self {
            folder,
            up: None,
            said: Arc::default(),
            endpoints: Value::Null,
        }
    }

    /// The directory for a test's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The URL of the status listener, with a slash at its end.
    pub fn status_url(&self) -> &str {
        self.endpoints["status"]
            .as_str()
            .expect("endpoints.json has the status URL")
    }

    /// The URL of the admin listener, with a slash at its end.
    pub fn admin_url(&self) -> &str {
        self.endpoints["admin"]
            .as_str()
            .expect("endpoints.json has the admin URL")
    }

    /// The certificate of an issuer.
    pub fn ca(&self, issuer: &str) -> PathBuf {
        self.data().join("ca").join(format!("{issuer}.pem"))
    }

    /// The certificate of an issuer and those above it.
    pub fn chain(&self, issuer: &str) -> PathBuf {
        self.data().join("ca").join(format!("chain-{issuer}.pem"))
    }

    /// Runs `avouch --data … ARGUMENTS` and waits for its end.
    #[track_caller]
    pub fn avouch(&self, arguments: &[&str]) -> Finished {
        let data = self.data();
        let data = data.to_str().expect("paths here are text");
        program(
            self.folder(),
            binary("avouch"),
            [&["--data", data], arguments].concat(),
        )
    }

    /// Starts (or starts again) on this address and waits until it serves.
    pub fn up(&mut self, listen: &str) {
        let ready = self.begin(listen, &[]);
        let is_ready = ready.recv_timeout(START).is_ok();
        assert!(
            is_ready,
            "avouch up did not get ready; it said:\n{}",
            self.said()
        );
        let endpoints =
            std::fs::read(self.data().join("run/endpoints.json")).expect("endpoints.json");
        self.endpoints = serde_json::from_slice(&endpoints).expect("endpoints.json is JSON");
    }

    /// Starts it although it cannot get ready, and waits until it gives up, after so many seconds; what it says then.
    pub fn up_in_vain(&mut self, seconds: u32) -> String {
        let ready = self.begin(&self.address(), &["--ready-within", &seconds.to_string()]);
        let mut up = self.up.take().expect("it was started");
        let status = up.wait().expect("avouch can be waited for");
        assert_eq!(status.code(), Some(1), "{}", self.said());
        // Both of its streams are at their end.
        assert!(ready.recv().is_err(), "it got ready");
        self.said()
    }

    /// Starts it; one message comes when it is ready.
    fn begin(&mut self, listen: &str, more: &[&str]) -> mpsc::Receiver<()> {
        let arguments = ["up", "--no-build", "--listen", listen];
        let mut child = Command::new(binary("avouch"))
            .arg("--data")
            .arg(self.data())
            .args(arguments)
            .args(["--admin", "127.0.0.1:0"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("avouch starts");
        self.said = Arc::default();
        let (sender, ready) = mpsc::channel();
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        listen_to(stdout, &self.said, sender.clone());
        listen_to(stderr, &self.said, sender);
        self.up = Some(child);
        ready
    }

    /// What `avouch up` has said since it was started.
    pub fn said(&self) -> String {
        self.said.lock().expect("no thread panicked").clone()
    }

    /// Host and port of the status listener.
    pub fn address(&self) -> String {
        let url = self.status_url().trim_start_matches("http://");
        url.trim_end_matches('/').to_owned()
    }

    /// The process id of `avouch up` itself.
    #[track_caller]
    pub fn up_pid(&self) -> u32 {
        self.up.as_ref().expect("it runs").id()
    }

    /// Kills `avouch up` with SIGKILL; its daemons have to end by themselves, and the next start waits for them.
    pub fn kill(&mut self) {
        let mut up = self.up.take().expect("it runs");
        up.kill().expect("it is ours");
        up.wait().expect("it can be waited for");
    }

    /// Stops it as Ctrl-C would, and waits; the exit code must be 0.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.up.take() {
            signal("-TERM", child.id());
            let status = child.wait().expect("avouch can be waited for");
            if !std::thread::panicking() {
                assert_eq!(status.code(), Some(0), "avouch up after SIGTERM");
            }
        }
    }

    /// The process id of a daemon, from what it announced.
    #[track_caller]
    pub fn pid(&self, daemon: &str) -> u32 {
        self.try_pid(daemon).expect("the daemon announced itself")
    }

    /// The same, if it has announced itself.
    pub fn try_pid(&self, daemon: &str) -> Option<u32> {
        if daemon == "signer" {
            return self.signer_pid();
        }
        let path = self.data().join("run").join(format!("{daemon}.json"));
        let state: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        u32::try_from(state["pid"].as_u64()?).ok()
    }

    /// The signer announces itself to nobody but its host: its policy process, by its command line.
    fn signer_pid(&self) -> Option<u32> {
        let config = self.data().join("config/signer.toml");
        let config = config.to_str()?;
        std::fs::read_dir("/proc")
            .ok()?
            .flatten()
            .find_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let line = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
                let mut words = line.split('\0');
                let program = words.next()?;
                (program.ends_with("/signer")
                    && words.next() == Some("run")
                    && line.contains(config))
                .then_some(pid)
            })
    }

    /// The metrics of a daemon that has announced its admin listener.
    #[track_caller]
    pub fn metrics(&self, daemon: &str) -> String {
        let page = self.admin(daemon, "metrics");
        let page = page.expect("the daemon announced itself, and answers");
        String::from_utf8_lossy(&page.body).into_owned()
    }

    /// What the admin listener of a daemon says at this path, such as `readyz`; `None` while it cannot be asked.
    pub fn admin(&self, daemon: &str, what: &str) -> Option<http::Answer> {
        let path = self.data().join("run").join(format!("{daemon}.json"));
        let state: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let url = state["admin"].as_str()?.strip_prefix("http://")?;
        http::get(url.trim_end_matches('/'), &format!("/{what}"))
    }

    /// Makes a key and a CSR with openssl; gives the path of the CSR. `options` are those of
    /// `openssl req -newkey`.
    #[track_caller]
    pub fn csr(&self, name: &str, key: &str, subject: &str, extra: &[&str]) -> PathBuf {
        let csr = self.folder().join(format!("{name}.csr"));
        let key_file = self.folder().join(format!("{name}.key"));
        let mut arguments = vec!["req", "-new", "-nodes", "-utf8", "-subj", subject];
        arguments.extend(["-out", path(&csr), "-keyout", path(&key_file)]);
        arguments.push("-newkey");
        arguments.extend(key.split(' '));
        arguments.extend(extra);
        program(self.folder(), "openssl", &arguments).ok();
        csr
    }

    /// Issues two server certificates from this issuer and revokes the second.
    #[track_caller]
    pub fn issue_good_and_revoked(&self, issuer: &str) -> [PathBuf; 2] {
        let good = self.issue_server(issuer, "good.example.org");
        let revoked = self.issue_server(issuer, "revoked.example.org");
        self.revoke(&revoked);
        [good, revoked]
    }

    /// Issues a server certificate for `host` from this issuer; gives the certificate's path.
    #[track_caller]
    pub fn issue_server(&self, issuer: &str, host: &str) -> PathBuf {
        let name = format!("{issuer}-{host}");
        let san = format!("subjectAltName=DNS:{host}");
        let subject = format!("/CN={host}");
        let csr = self.csr(
            &name,
            "ec -pkeyopt ec_paramgen_curve:P-256",
            &subject,
            &["-addext", &san],
        );
        let out = self.folder().join(format!("{name}.pem"));
        self.avouch(&[
            "issue",
            "--profile",
            "server",
            "--issuer",
            issuer,
            "--csr",
            path(&csr),
            "--out",
            path(&out),
        ])
        .ok();
        out
    }

    /// Revokes a certificate and waits until the edge shows it.
    #[track_caller]
    pub fn revoke(&self, certificate: &Path) -> Value {
        self.avouch(&[
            "revoke",
            "--cert",
            path(certificate),
            "--ground",
            "subscriber",
            "--reason",
            "keyCompromise",
            "--wait",
            "--json",
        ])
        .ok()
        .json()
    }
}

impl System {
    /// Revokes by the serial number in a certificate, as support would.
    #[track_caller]
    pub fn revoke_serial_of(&self, certificate: &Path, issuer: &str) -> Value {
        let text = std::fs::read_to_string(certificate).expect("a certificate");
        let certificate = pki::Certificate::from_pem(&text).expect("a certificate");
        self.revoke_number(&certificate.serial().to_string(), issuer)
    }

    /// Revokes the certificate of this serial number, as support would, and waits until the edge shows it.
    #[track_caller]
    pub fn revoke_number(&self, serial: &str, issuer: &str) -> Value {
        self.avouch(&[
            "revoke",
            "--serial",
            serial,
            "--issuer",
            issuer,
            "--ground",
            "support",
            "--case",
            "s20261121.1",
            "--reason",
            "superseded",
            "--wait",
            "--json",
        ])
        .ok()
        .json()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A path as text.
pub fn path(path: &Path) -> &str {
    path.to_str().expect("paths here are text")
}

/// Sends a signal to a process of the test's own.
pub fn signal(signal: &str, pid: u32) {
    program(Path::new("/"), "kill", [signal, &pid.to_string()]).ok();
}

/// A port that is free. Not one of those that outgoing connections get: one of these, even a connection to itself, could
/// take it while what listens there is started again.
pub fn free_port() -> u16 {
    const FIRST: u16 = 10_240;
    const OUTGOING: u16 = 32_768;
    let span = u32::from(OUTGOING - FIRST);
    let random = pki::Serial::random().expect("random numbers");
    let random = random
        .as_bytes()
        .iter()
        .fold(0, |rest, &octet| (rest * 256 + u32::from(octet)) % span);
    (0..span)
        .map(|more| FIRST + u16::try_from((random + more) % span).expect("within the span"))
        .find(|&port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("a free port")
}

/// Keeps what it says, and tells when it is ready.
fn listen_to(
    stream: impl std::io::Read + Send + 'static,
    said: &Arc<Mutex<String>>,
    ready: mpsc::Sender<()>,
) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut said = said.lock().expect("no thread panicked");
            said.push_str(&line);
            said.push('\n');
            drop(said);
            if line.starts_with("ready") {
                // Nobody waits any more when the test has failed.
                let _ = ready.send(());
            }
        }
    });
}
