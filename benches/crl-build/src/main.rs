//! What a CRL costs after one revocation, beside one pass of SHA-256 over it, beside Go's x509 package and beside
//! `openssl ca -gencrl`, with the same entries in one run.
//!
//! Each size has a process of its own, so that its peak memory can be told.

#![forbid(unsafe_code)]

mod entries;
mod ours;
mod peers;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::ours::Ours;

/// Compare the cost of a CRL after one revocation with the limit, Go and openssl
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
The table of docs/performance.md:
  crl-build

It needs go and openssl (apt-get install golang-go openssl); --sizes without --peers needs neither."
)]
struct Options {
    /// How many entries the CRLs have
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "100000,1000000,5000000"
    )]
    sizes: Vec<u64>,

    /// The sizes that Go and openssl do as well
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "100000,1000000"
    )]
    peers: Vec<u64>,

    /// Rounds; figures are medians
    #[arg(long, value_name = "N", default_value = "7")]
    rounds: usize,

    /// Measure one size in this process
    #[arg(long, hide = true)]
    alone: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crl-build: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if options.alone {
        for &size in &options.sizes {
            println!("{}", ours::measure(size, options.rounds)?);
        }
        return Ok(());
    }
    println!(
        "| entries | MB | SHA-256 ms | write ms | build ms | of 2.5 × SHA-256 + write | peak memory / CRL | Go ms | × | openssl ms | × |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let directory = tempfile::tempdir()?;
    for &size in &options.sizes {
        eprintln!("{size} entries …");
        let ours = alone(size, options.rounds)?;
        let peers = if options.peers.contains(&size) {
            Some(beside(directory.path(), size, &ours)?)
        } else {
            None
        };
        println!(
            "| {size} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {} |",
            ours.octets / 1e6,
            ours.sha256_ms,
            ours.write_ms,
            ours.build_ms,
            ours.build_ms / (2.5 * ours.sha256_ms + ours.write_ms),
            ours.peak_octets / ours.octets,
            peers.unwrap_or_else(|| "| | |".to_owned()),
        );
    }
    Ok(())
}

/// A process of this program for one size.
fn alone(size: u64, rounds: usize) -> Result<Ours> {
    let program = std::env::current_exe()?;
    let output = Command::new(program)
        .args(["--alone", "--sizes", &size.to_string()])
        .args(["--rounds", &rounds.to_string()])
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)?.parse()
}

/// The columns of the peers; what they are compared with is the build with its signature.
fn beside(directory: &Path, size: u64, ours: &Ours) -> Result<String> {
    let go = peers::go(directory, size).context("go")?;
    let openssl = peers::openssl(directory, size).context("openssl")?;
    let with_signature = ours.build_ms + ours.sign_ms;
    Ok(format!(
        "{go:.0} | {:.0} | {openssl:.0} | {:.0}",
        go / with_signature,
        openssl / with_signature
    ))
}

/// The middle of some times.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
