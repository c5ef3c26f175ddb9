//! A real daemon process: how it starts, answers, logs, stops and dies.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

#[test]
fn version_and_help_exit_0_and_name_the_program() {
    let version = sample().arg("--version").output().unwrap();
    assert_eq!(version.status.code(), Some(0));
    let text = String::from_utf8(version.stdout).unwrap();
    assert_eq!(
        text.trim(),
        format!("sample-daemon {}", env!("CARGO_PKG_VERSION"))
    );
    let help = sample().arg("--help").output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("--config"));
}

#[test]
fn wrong_usage_and_wrong_configuration_exit_64_and_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [vec!["--no-such-option"], vec![], vec!["--config"]] {
        let output = sample().args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
    let missing = directory.path().join("missing.toml");
    let output = sample().arg("--config").arg(&missing).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("missing.toml cannot be read; name another")
    );
    for (wrong, named) in [
        ("behaviour = 'serve'\nunknown = 1", "unknown"),
        ("behaviour = 'serve'\n[daemon]\nadmin = 'nowhere'", "admin"),
        (
            "behaviour = 'serve'\n[daemon]\nlog_filter = '=='",
            "log filter",
        ),
        ("behaviour =", "behaviour"),
    ] {
        let path = directory.path().join("wrong.toml");
        fs::write(&path, wrong).unwrap();
        let output = sample().arg("--config").arg(&path).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{wrong}: {stderr}");
        assert!(stderr.contains(named), "{wrong}: {stderr}");
    }
}

#[test]
fn it_serves_its_state_and_stops_gracefully() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start("serve", "listen = '127.0.0.1:8080'");
        let state = daemon.state();
        assert_eq!(state["pid"], daemon.child.id());
        assert_eq!(state["listen"], "http://127.0.0.1:8080/");
        assert_eq!(state["progress"]["member"], 7);

        let (status, body) = daemon.get("/metrics");
        assert_eq!(status, 200);
        assert!(body.contains("sample_requests_total 1"), "{body}");
        assert!(body.contains("process_resident_memory_bytes"), "{body}");
        assert!(
            body.contains("avouch_build_info{program=\"sample-daemon\""),
            "{body}"
        );
        assert_eq!(daemon.get("/healthz").0, 200);
        assert_eq!(daemon.get("/readyz"), (200, "ready\n".to_owned()));
        assert_eq!(daemon.get("/readyz?issuer=member").0, 200);
        assert_eq!(daemon.get("/readyz?issuer=nobody").0, 404);

        daemon.signal(signal);
        let (status, log) = daemon.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("finished the last work"), "{log}");
        assert!(!daemon.state_path().exists());
    }
}

#[test]
fn a_second_signal_does_not_cut_the_last_work() {
    let mut daemon = Daemon::start("serve", "");
    daemon.state();
    daemon.signal(Signal::TERM);
    daemon.signal(Signal::TERM);
    daemon.signal(Signal::INT);
    let (status, log) = daemon.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("finished the last work"), "{log}");
}

#[test]
fn a_panic_is_logged_and_aborts_the_process() {
    let mut daemon = Daemon::start("panic", "");
    let (status, log) = daemon.wait();
    assert_eq!(status.signal(), Some(6), "{log}");
    assert!(log.contains("a worker is broken"), "{log}");
    assert!(log.contains("examples/sample-daemon.rs"), "{log}");
}

#[test]
fn a_failure_exits_1_with_its_reason() {
    let mut daemon = Daemon::start("fail", "");
    let (status, log) = daemon.wait();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("the ledger is gone"), "{log}");
}

#[test]
fn a_daemon_that_does_not_finish_in_time_exits_1() {
    let mut daemon = Daemon::start("hang", "[daemon]\nstop_timeout_seconds = 0");
    daemon.state();
    daemon.signal(Signal::TERM);
    let (status, log) = daemon.wait();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("did not finish"), "{log}");
}

#[test]
fn json_lines_are_json() {
    let mut daemon = Daemon::start_with("serve", "", &["--log-format", "json"]);
    daemon.state();
    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert!(log.lines().count() >= 3, "{log}");
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(
            event["message"].is_string() && event["timestamp"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn an_occupied_admin_address_is_a_clear_failure() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut daemon = Daemon::start_with("serve", "", &["--admin", &address]);
    let (status, log) = daemon.wait();
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("choose another address with --admin"), "{log}");
}

#[test]
fn it_dies_with_its_parent_when_asked() {
    let directory = tempfile::tempdir().unwrap();
    let config = write_config(directory.path(), "serve", "");
    // The shell is the parent; it is killed without a chance to tell anybody.
    let mut parent = Command::new("sh")
        .arg("-c")
        .arg("\"$0\" --config \"$1\" --die-with-parent & wait")
        .arg(sample_path())
        .arg(&config)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let state_path = directory.path().join("state.json");
    wait_until(|| state_path.exists());
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until(|| !state_path.exists());
}

/// A running sample daemon, killed when dropped.
struct Daemon {
    child: Child,
    directory: tempfile::TempDir,
}

impl Daemon {
    fn start(behaviour: &str, more: &str) -> Self {
        Self::start_with(behaviour, more, &[])
    }

    fn start_with(behaviour: &str, more: &str, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = write_config(directory.path(), behaviour, more);
        let child = sample()
            .arg("--config")
            .arg(config)
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, directory }
    }

    fn state_path(&self) -> PathBuf {
        self.directory.path().join("state.json")
    }

    fn state(&self) -> Value {
        wait_until(|| self.state_path().exists());
        serde_json::from_slice(&fs::read(self.state_path()).unwrap()).unwrap()
    }

    fn get(&self, path: &str) -> (u16, String) {
        let state = self.state();
        let admin = state["admin"].as_str().unwrap();
        let address = admin.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn wait(&mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write_config(directory: &Path, behaviour: &str, more: &str) -> PathBuf {
    let path = directory.join("sample.toml");
    let state = format!("state_file = {:?}\n", directory.join("state.json"));
    let daemon = match more.split_once("[daemon]\n") {
        Some((before, after)) => format!("{before}[daemon]\n{state}{after}"),
        None => format!("{more}\n[daemon]\n{state}"),
    };
    fs::write(&path, format!("behaviour = '{behaviour}'\n{daemon}")).unwrap();
    path
}

fn sample() -> Command {
    let mut command = Command::new(sample_path());
    command
        .env_remove("AVOUCH_LOG")
        .env_remove("RUST_BACKTRACE");
    command
}

/// Cargo builds examples with the tests and puts them beside the directory of the test programs.
fn sample_path() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples/sample-daemon")
}

fn wait_until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited for 20 s in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}
