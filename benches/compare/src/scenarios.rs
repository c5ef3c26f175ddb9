//! What is measured: each scenario gives a section of the report.

pub(crate) mod deltas;
pub(crate) mod memory;
pub(crate) mod nonces;
pub(crate) mod rest;
pub(crate) mod swap;

use std::time::Duration;

use fill::Site;
use ocsp_load::{Methods, Nonces, Pace, Subjects};

use crate::measure::{Load, Measured, measure_all};
use crate::server::{Server, Starter};

/// What all scenarios work with.
pub(crate) struct Bench<'a> {
    pub(crate) site: &'a Site,
    pub(crate) starter: &'a Starter,
    pub(crate) rounds: usize,
    pub(crate) seconds: Duration,
    pub(crate) connections: usize,
    pub(crate) files: u64,
    pub(crate) swaps: u32,
    pub(crate) nonce_budget: f64,
}

impl Bench<'_> {
    /// As much as the server takes, about any certificate.
    pub(crate) fn load(&self, methods: Methods) -> Load {
        Load {
            ca: self.site.authority.ca.clone(),
            subjects: Subjects::Synthetic(self.site.population),
            methods,
            connections: self.connections,
            pace: Pace::Closed,
            nonces: Nonces::Never,
            length: self.seconds,
            samples: 256,
            seed: 1,
        }
    }

    /// Asks a fresh edge until it is as it will be: before their first use it verifies the parts of a base, which is not
    /// what it does at rest.
    pub(crate) fn warm_up(&self, edge: &Server) -> anyhow::Result<()> {
        let millions = self.site.population.count() / 1_000_000;
        let mut load = self.load(Methods::Get);
        load.length = Duration::from_secs(1 + millions.min(20));
        measure_all(edge, &load).map(drop)
    }
}

/// How an edge is loaded while something happens to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Intensity {
    pub(crate) name: &'static str,
    pub(crate) pace: Pace,
}

/// As much as it takes; and half of that where there is a third core. At the limit every microsecond of other work on
/// the core shows as waiting; half is what a well planned edge has. An open loop keeps the client's core busy all the
/// time, so that on two cores publishing would be measured instead of serving.
pub(crate) fn intensities(bench: &Bench<'_>, edge: &Server) -> anyhow::Result<Vec<Intensity>> {
    let mut intensities = vec![Intensity {
        name: "as much as it takes",
        pace: Pace::Closed,
    }];
    if bench.starter.cores.has_third() {
        intensities.push(Intensity {
            name: "half of that, open loop",
            pace: Pace::Open(most(bench, edge)? / 2.0),
        });
    }
    Ok(intensities)
}

/// Requests that the edge answers a second.
pub(crate) fn most(bench: &Bench<'_>, edge: &Server) -> anyhow::Result<f64> {
    let most = measure_all(edge, &bench.load(Methods::Get))?;
    Ok(most.report.per_second.max(1.0))
}

/// A row of a table of an edge to which something happens: latencies and the ratio to rest.
pub(crate) fn row(what: &str, intensity: Intensity, found: &Measured, rest: f64) -> [String; 7] {
    let latency = &found.report.latency;
    [
        what.to_owned(),
        intensity.name.to_owned(),
        format!("{:.0}", found.report.per_second),
        format!("{:.0}", latency.p50_us),
        format!("{:.0}", latency.p99_us),
        format!("{:.2}", latency.p99_us / rest.max(1e-9)),
        (found.report.failed + found.report.samples.bad).to_string(),
    ]
}

/// The head of that table.
pub(crate) const HEAD: [&str; 7] = [
    "what happens",
    "load",
    "requests/s",
    "p50 µs",
    "p99 µs",
    "p99 × at rest",
    "failed",
];
