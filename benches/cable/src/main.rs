//! `cable`: what a whole CA does when all that it signs goes over one slow serial cable.
//!
//! The shipped programs, started by `avouch up`; between `signer-host` and `signer` stands `serial-proxy`, which carries
//! octets at the speed of a real line.
#![forbid(unsafe_code)]

mod issuing;
mod throttled;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use crl_day::site::{Serials, Site};

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
    let what = format!("one revocation to the CRL of {entries} entries as served");
    row(&what, "none (pseudo-terminal)", &mut revocations(&site)?);

    let site = Throttled::over(site, baud)?;
    let line = format!("{baud} baud");
    let first = one(site.site())?;
    row("the same, the first after a start", &line, &mut [first]);
    row(&what, &line, &mut revocations(site.site())?);

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

fn revocations(site: &Site) -> Result<Vec<Duration>> {
    (0..ROUNDS).map(|_| one(site)).collect()
}

/// Revokes one more and waits until the served CRL has it; all of the path but the start of a program.
fn one(site: &Site) -> Result<Duration> {
    let told = site.revoke_one(Serials::Sequential);
    let milliseconds = told["crl_ms"]
        .as_u64()
        .with_context(|| format!("how long it took until the CRL had it, in {told}"))?;
    Ok(Duration::from_millis(milliseconds))
}
