//! The real edge, counted by valgrind.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fill::Site;
use ocsp_load::{Length, Methods, Nonces, Pace, Plan, Subjects, run};
use pki::HashAlgorithm;
use rustix::process::{Pid, Signal, kill_process};

/// An edge under callgrind.
#[derive(Debug)]
pub(crate) struct Edge {
    address: SocketAddr,
    out: PathBuf,
    child: Child,
}

/// Under valgrind everything takes fifty times as long.
/// As many as the edge serves together: under load there are always some that have something.
const CONNECTIONS: usize = 16;
const LIMIT: Duration = Duration::from_secs(120);

impl Edge {
    pub(crate) fn start(binaries: &Path, site: &Site, out: &Path) -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let configuration = site.root.join("counted.toml");
        let text = fs::read_to_string(site.edge_configuration())?;
        fs::write(
            &configuration,
            text.replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
                .replace("127.0.0.1:8081", "127.0.0.1:0"),
        )?;
        let log = out.with_extension("log");
        let child = Command::new("valgrind")
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(binaries.join("ocsp-responder"))
            .arg("--config")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .context("valgrind is needed: apt-get install valgrind")?;
        let mut edge = Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            out: out.to_owned(),
            child,
        };
        let began = Instant::now();
        while TcpStream::connect(edge.address).is_err() {
            let ended = edge.child.try_wait()?.is_some();
            anyhow::ensure!(
                !ended && began.elapsed() < LIMIT,
                "ocsp-responder does not serve under valgrind; its log:\n{}",
                fs::read_to_string(&log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(edge)
    }

    /// Asks the same things in the same order every time.
    pub(crate) fn ask(&self, site: &Site, methods: Methods, count: u64) -> anyhow::Result<()> {
        let plan = Plan {
            address: self.address,
            host: "ocsp.example.org".to_owned(),
            path: "/".to_owned(),
            ca: site.authority.ca.clone(),
            subjects: Subjects::Synthetic(site.population),
            methods,
            hash: HashAlgorithm::Sha1,
            nonces: Nonces::Never,
            connections: CONNECTIONS,
            pipelining: 1,
            keep_alive: true,
            pace: Pace::Closed,
            length: Length::Requests(count),
            warm_up: Duration::ZERO,
            timeout: LIMIT,
            samples: 16,
            ocsp: true,
            seed: 1,
        };
        let report = run(&plan, &mut |_| ControlFlow::Continue(()))?;
        anyhow::ensure!(report.is_clean(), "the edge did not answer well:\n{report}");
        Ok(())
    }

    /// Stops it gracefully; how many instructions it has run.
    pub(crate) fn stop(mut self) -> anyhow::Result<u64> {
        let process = Pid::from_raw(self.child.id().cast_signed()).context("a process id")?;
        kill_process(process, Signal::TERM)?;
        self.child.wait()?;
        let text = fs::read_to_string(&self.out)
            .with_context(|| format!("{} was not written", self.out.display()))?;
        text.lines()
            .find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
            .with_context(|| format!("{} has no totals", self.out.display()))
    }
}
