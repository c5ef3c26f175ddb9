//! The system under test: `avouch up` with the library that kills.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use e2e::Random;
use e2e::program::{Finished, binary, program, repository};
use e2e::system::{EC, free_port, path, signal};
use serde_json::Value;
use tempfile::TempDir;

use crate::book::ISSUER;

/// The daemons, each killed at each of its points.
pub(crate) const PROGRAMS: [&str; 6] = [
    "signer",
    "signer-host",
    "issuer",
    "ocsp-presigner",
    "crl-builder",
    "ocsp-responder",
];

const START: Duration = Duration::from_secs(120);
const MOMENT: Duration = Duration::from_millis(100);

/// Where to kill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) number: usize,
    pub(crate) side: Side,
}

/// On which side of the call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Before,
    After,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Before => "before",
            Side::After => "after",
        };
        write!(f, "{} {side}", self.number)
    }
}

pub(crate) struct Machine {
    folder: TempDir,
    port: u16,
    up: Option<Child>,
}

impl Machine {
    /// Makes a CA and starts everything, loaded but not armed.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(folder.path().join("control")).expect("a directory");
        let port = free_port();
        let mut machine = Self {
            folder,
            port,
            up: None,
        };
        let hierarchy = repository().join(EC);
        let base_url = format!("http://127.0.0.1:{port}/");
        machine
            .avouch(&[
                "init",
                "--hierarchy",
                path(&hierarchy),
                "--base-url",
                &base_url,
            ])
            .ok();
        // Every kind of CRL.
        let kinds = ["--set", "crl.deltas=true", "--set", "crl.partitions=2"];
        machine
            .avouch(&[&["policy", ISSUER][..], &kinds].concat())
            .ok();
        machine.up();
        machine
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Address of the status listener.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn ca(&self, issuer: &str) -> PathBuf {
        self.data().join(format!("ca/{issuer}.pem"))
    }

    pub(crate) fn avouch(&self, arguments: &[&str]) -> Finished {
        let data = self.data();
        program(
            self.folder(),
            binary("avouch"),
            [&["--data", path(&data)], arguments].concat(),
        )
    }

    /// Tells a daemon where to die.
    pub(crate) fn arm(&self, program: &str, order: &Order) {
        // Only a whole line counts.
        fs::write(self.order_file(program), format!("{order}\n")).expect("the order is given");
    }

    /// Whether it has not died there yet.
    pub(crate) fn is_armed(&self, program: &str) -> bool {
        fs::metadata(self.order_file(program)).is_ok_and(|order| order.len() > 0)
    }

    /// Waits a moment for a daemon that works off what a round left to do: it may reach its point without another one.
    pub(crate) fn give_time(&self, program: &str) {
        let began = Instant::now();
        while self.is_armed(program) && began.elapsed() < MOMENT {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// How many points each program has passed.
    pub(crate) fn points(&self) -> BTreeMap<String, usize> {
        let mut points = BTreeMap::new();
        for line in self
            .log()
            .lines()
            .filter_map(|line| line.strip_prefix("point "))
        {
            let program = line.split(' ').next().unwrap_or_default();
            *points.entry(program.to_owned()).or_default() += 1;
        }
        points
    }

    /// The kills, as the library wrote them down.
    pub(crate) fn kills(&self) -> Vec<String> {
        self.log()
            .lines()
            .filter_map(|line| line.strip_prefix("kill "))
            .map(str::to_owned)
            .collect()
    }

    /// Kills a daemon with SIGKILL, now.
    pub(crate) fn kill_somebody(&self, random: &mut Random) {
        let name = PROGRAMS[random.below(PROGRAMS.len())];
        let state = fs::read(self.data().join(format!("run/{name}.json"))).unwrap_or_default();
        // Just dead already: then there is nothing to kill.
        let Ok(state) = serde_json::from_slice::<Value>(&state) else {
            return;
        };
        if let Some(pid) = state["pid"].as_u64()
            && self.is_ours(pid, name)
        {
            let _ = Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .status();
        }
    }

    /// Kills `avouch up` with SIGKILL while this command is under way; its daemons have to end by themselves. Then starts
    /// again.
    pub(crate) fn kill_everything(&mut self, random: &mut Random, command: &[&str]) {
        let mut up = self.up.take().expect("it runs");
        std::thread::scope(|scope| {
            scope.spawn(|| self.avouch(command));
            std::thread::sleep(Duration::from_millis(random.below(100) as u64));
            signal("-KILL", up.id());
        });
        up.wait().expect("it was ours");
        self.up();
    }

    /// Stops everything as Ctrl-C does.
    pub(crate) fn stop(mut self) {
        let mut up = self.up.take().expect("it runs");
        signal("-TERM", up.id());
        assert_eq!(
            up.wait().expect("it was ours").code(),
            Some(0),
            "{}",
            self.tell()
        );
    }

    /// What to know when something went wrong; the directory is kept.
    pub(crate) fn tell(&self) -> String {
        let kept = std::env::temp_dir().join(format!("avouch-crash-{}", std::process::id()));
        let copied = program(
            Path::new("/"),
            "cp",
            ["-a", path(self.folder()), path(&kept)],
        )
        .code
            == 0;
        let place = if copied {
            format!("everything is in {}", kept.display())
        } else {
            String::new()
        };
        let log = fs::read_to_string(self.folder().join("up.log")).unwrap_or_default();
        let end: Vec<&str> = log.lines().rev().take(10).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        let kills = self.kills();
        let last = kills.len().saturating_sub(5);
        format!(
            "last kills: {:?}; {place}\navouch up said:\n{}",
            &kills[last..],
            end.join("\n")
        )
    }

    fn up(&mut self) {
        let errors = File::options()
            .append(true)
            .create(true)
            .open(self.folder().join("up.log"))
            .expect("a log");
        let mut child = Command::new(binary("avouch"))
            .arg("--data")
            .arg(self.data())
            .args([
                "up",
                "--no-build",
                "--listen",
                &self.address(),
                "--admin",
                "127.0.0.1:0",
            ])
            .env("LD_PRELOAD", library())
            .env("KILLPOINT_LOG", self.folder().join("killpoint.log"))
            .env("KILLPOINT_CONTROL", self.folder().join("control"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("avouch starts");
        let stdout = child.stdout.take().expect("it is piped");
        self.up = Some(child);
        let (sender, ready) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.starts_with("ready") {
                    // Nobody waits any more when the test has failed.
                    let _ = sender.send(());
                }
            }
        });
        assert!(
            ready.recv_timeout(START).is_ok(),
            "avouch up did not get ready; {}",
            self.tell()
        );
    }

    fn is_ours(&self, pid: u64, name: &str) -> bool {
        fs::read_link(format!("/proc/{pid}/exe"))
            .is_ok_and(|exe| exe.file_name().is_some_and(|file| file == name))
            && fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(path(self.folder())))
    }

    fn order_file(&self, program: &str) -> PathBuf {
        self.folder().join("control").join(program)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder().join("killpoint.log")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut up) = self.up.take() {
            signal("-TERM", up.id());
            let _ = up.wait();
        }
    }
}

/// Built with this test: the package depends on it.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows its own path");
    test.parent()
        .map(|deps| deps.join("libkillpoint.so"))
        .filter(|path| path.exists())
        .expect("libkillpoint.so lies beside this test; build it with `cargo build --release -p killpoint`")
}
