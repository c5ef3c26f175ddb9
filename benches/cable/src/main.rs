//! `cable`: what a whole CA does when all that it signs goes over one slow serial cable.
//!
//! The shipped programs, started by `avouch up`; between `signer-host` and `signer` stands `serial-proxy`, which carries
//! octets at the speed of a real line.
#![forbid(unsafe_code)]

mod issuing;
mod throttled;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use crl_day::site::{Serials, Site};
use e2e::wait_within;

use crate::throttled::Throttled;

/// What a whole CA does over one slow serial cable
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  cable                        a CRL of a million entries, 100,000 revocations, RSA certificates at 115,200 baud
  cable --baud 921600
  cable --quick                small numbers, to see that it works

It starts `avouch up` from the folder of this program, with a temporary data directory.")]
struct Options {
    /// Bits per second of the line (8N1)
    #[arg(long, default_value_t = 115_200)]
    baud: u32,

    /// Entries of the CRL
    #[arg(long, default_value_t = 1_000_000)]
    entries: u32,

    /// Revocations that cross the line at once
    #[arg(long, default_value_t = 100_000)]
    revocations: u32,

    /// Seconds in which certificates are issued
    #[arg(long, default_value_t = 30)]
    seconds: u64,

    /// Small numbers
    #[arg(long)]
    quick: bool,
}

/// Revocations, one after the other, of which the median counts.
const ROUNDS: usize = 5;
/// How long signing the answers may take.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// CRLs are built no closer to each other than this (`crl.min_interval_ms`), which is not what is measured.
const INTERVAL: Duration = Duration::from_secs(2);

fn main() -> Result<()> {
    let mut options = Options::parse();
    if options.quick {
        (options.entries, options.revocations, options.seconds) = (2_000, 1_000, 5);
    }
    let Options { baud, entries, .. } = options;
    let site = Site::start();
    site.import(Serials::Sequential, entries)?;
    println!("| what | line | median s | longest s |");
    println!("| --- | --- | ---: | ---: |");
    revocations(&site, entries, "none (pseudo-terminal)")?;

    let site = Throttled::over(site, baud);
    let line = format!("{baud} baud");
    let (first, _) = one(site.site())?;
    row("the first after a start, as served", &line, &mut [first]);
    revocations(site.site(), entries, &line)?;

    let before = Instant::now();
    let octets = site.octets()?;
    site.site().import(Serials::Random, options.revocations)?;
    let octets = site.octets()? - octets;
    let what = format!(
        "{} revocations to the CRL as served ({octets:.0} octets on the line)",
        options.revocations
    );
    row(&what, &line, &mut [before.elapsed()]);
    println!();
    issuing::measure(&site, Duration::from_secs(options.seconds))
}

fn row(what: &str, line: &str, times: &mut [Duration]) {
    times.sort();
    let [median, longest] = [times.len() / 2, times.len() - 1].map(|at| times[at].as_secs_f64());
    println!("| {what} | {line} | {median:.2} | {longest:.2} |");
}

fn revocations(site: &Site, entries: u32, line: &str) -> Result<()> {
    let rounds: Result<Vec<_>> = (0..ROUNDS).map(|_| one(site)).collect();
    let (mut served, mut published): (Vec<_>, Vec<_>) = rounds?.into_iter().unzip();
    let what = format!("one revocation to the CRL of {entries} entries");
    row(&format!("{what}, published"), line, &mut published);
    row(&format!("{what}, as served"), line, &mut served);
    Ok(())
}

/// Revokes one more and waits until the served CRL has it. Gives the time of the whole path but the start of a program,
/// and that of the builder's part: from the ledger to the durable manifest, with signing, gate and compression.
fn one(site: &Site) -> Result<(Duration, Duration)> {
    at_rest(site);
    let before = build_seconds(site);
    let told = site.revoke_one(Serials::Sequential);
    let milliseconds = told["crl_ms"]
        .as_u64()
        .with_context(|| format!("how long it took until the CRL had it, in {told}"))?;
    let published = build_seconds(site) - before;
    Ok((
        Duration::from_millis(milliseconds),
        Duration::from_secs_f64(published),
    ))
}

/// Waits until answers are signed and a CRL may be built again.
fn at_rest(site: &Site) {
    wait_within(PATIENCE, || {
        let metrics = site.system.metrics("ocsp-presigner");
        let figure = |name: &str| series(&metrics, &format!("{name}{{issuer=\"sequential\"}} "));
        figure("avouch_presigner_sweep_done") == figure("avouch_presigner_sweep_certificates")
    });
    thread::sleep(INTERVAL);
}

/// How long all builds of the CRL since the start took together.
fn build_seconds(site: &Site) -> f64 {
    let metrics = site.system.metrics("crl-builder");
    let name = "avouch_crl_build_seconds_sum{issuer=\"sequential\"} ";
    series(&metrics, name).unwrap_or_default()
}

fn series(metrics: &str, name: &str) -> Option<f64> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name))?;
    value.parse().ok()
}
