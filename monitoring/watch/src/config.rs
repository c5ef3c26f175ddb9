//! The configuration of the daemon.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use telemetry::DaemonConfig;

/// The whole file.
///
/// ```
/// let config: status_watch::Config = toml::from_str(r#"
///     ledger = "/srv/avouch/ledger/ledger.sqlite"
///     ## Where it was, for the next start.
///     memory = "/srv/avouch/status-watch/memory.json"
///     ## Each is watched by itself.
///     edges = ["http://127.0.0.1:8080/", "http://status2.example.org/"]
///     ## For each edge. Every certificate is two questions, one per CertID hash.
///     ocsp_per_second = 500
///
///     [promise]
///     ocsp_ms = 5000
///
///     [daemon]
///     state_file = "/srv/avouch/run/status-watch.json"
/// "#).unwrap();
/// assert_eq!(config.edges.len(), 2);
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The ledger's database, which is only read.
    pub ledger: PathBuf,
    /// Where the sweeps are and what is open, so that a restart goes on from there.
    pub memory: PathBuf,
    /// Base URLs of the edges.
    #[serde(default)]
    pub edges: Vec<String>,
    /// OCSP questions per second, for each edge. A certificate is two questions, one for each CertID hash: at 500,
    /// 1 million certificates take 67 minutes and 10 million 11 hours.
    #[serde(default = "questions")]
    pub ocsp_per_second: u32,
    /// Connections to each edge.
    #[serde(default = "connections")]
    pub connections: u16,
    /// Between the end of a sweep and the next one; also the least time between two walks over one issuer's CRL.
    #[serde(default = "pause")]
    pub pause_seconds: u32,
    /// How often it is looked whether there is a new CRL.
    #[serde(default = "look")]
    pub crl_every_seconds: u32,
    /// A CRL that has less than this part of its life left is an alarm.
    #[serde(default = "margin")]
    pub crl_margin_percent: u8,
    /// How many serial numbers that were never issued are asked about, for each issuer and sweep.
    #[serde(default = "never_issued")]
    pub never_issued: u16,
    /// How soon what the ledger says must be seen.
    #[serde(default)]
    pub promise: Promise,
    /// What every daemon has.
    #[serde(default)]
    pub daemon: DaemonConfig,
}

/// How soon what the ledger says must be seen at every edge (S2); what differs for longer is an alarm.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Promise {
    /// A revocation by OCSP.
    pub ocsp_ms: u32,
    /// A revocation in the CRL; more where the CRL goes through a serial cable.
    pub crl_ms: u32,
    /// The first answer about a new certificate.
    pub new_ms: u32,
}

impl Default for Promise {
    fn default() -> Self {
        Self {
            ocsp_ms: 5000,
            crl_ms: 60_000,
            new_ms: 60_000,
        }
    }
}

impl Config {
    /// Refuses what cannot be worked with; gives the URLs of the edges, each once and with a slash at its end.
    pub(crate) fn check(&self) -> anyhow::Result<Vec<String>> {
        anyhow::ensure!(self.ocsp_per_second > 0, "ocsp_per_second must not be 0");
        anyhow::ensure!(self.connections > 0, "connections must not be 0");
        anyhow::ensure!(
            self.crl_every_seconds > 0,
            "crl_every_seconds must not be 0"
        );
        anyhow::ensure!(
            self.crl_margin_percent <= 100,
            "crl_margin_percent is a part of 100"
        );
        let mut urls: Vec<String> = Vec::new();
        for edge in &self.edges {
            let url = format!("{}/", edge.trim_end_matches('/'));
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        anyhow::ensure!(
            !urls.is_empty(),
            "there is no edge to watch; name one in `edges` or with --edge"
        );
        Ok(urls)
    }

    pub(crate) fn pause(&self) -> Duration {
        Duration::from_secs(self.pause_seconds.into())
    }
}

fn questions() -> u32 {
    500
}

fn connections() -> u16 {
    4
}

fn pause() -> u32 {
    60
}

fn look() -> u32 {
    5
}

fn margin() -> u8 {
    20
}

fn never_issued() -> u16 {
    8
}
