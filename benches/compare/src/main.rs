//! Runs Avouch, nginx, a bare hyper server and a bare epoll loop side by side and prints tables.
//!
//! Each server has one core, the client the other. Rounds are interleaved and figures are medians, so that other work on
//! the machine does not favour anybody; what is compared is the CPU time that a server takes for a request.

#![forbid(unsafe_code)]

mod beside;
mod cores;
mod fetch;
mod measure;
mod process;
mod progress;
mod publish;
mod scenarios;
mod server;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use fill::Site;

use crate::cores::Cores;
use crate::scenarios::{Bench, deltas, memory, nonces, rest, swap};
use crate::server::Starter;

/// Compare Avouch's edge with nginx, with a bare hyper server and with the raw limit
#[derive(Debug, Parser)]
#[command(
    name = "compare",
    version,
    after_help = "\
In a minute, to see that everything is there:
  compare --quick

The tables of docs/performance.md:
  fill make ./bench --count 10000000
  compare --site ./bench

It needs two cores, nginx, and the release binaries beside itself. Swaps and revocations stay in --site. Answers are valid
for four days; `fill swap` signs them again."
)]
struct Options {
    /// A directory that `fill make` made (default: a new one, removed afterwards)
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,

    /// Without --site: how many certificates
    #[arg(long, value_name = "N", default_value = "100000")]
    count: u64,

    /// What to measure, in this order
    #[arg(value_enum, default_values_t = [Scenario::Rest, Scenario::Swap, Scenario::Deltas, Scenario::Nonces, Scenario::Memory])]
    scenarios: Vec<Scenario>,

    /// Rounds; every server has its turn in each
    #[arg(long, value_name = "N", default_value = "7")]
    rounds: usize,

    /// Seconds of one turn
    #[arg(long, value_name = "SECONDS", default_value = "3")]
    seconds: f64,

    /// Connections of the client
    #[arg(long, value_name = "N", default_value = "64")]
    connections: usize,

    /// Certificates that nginx has a file for
    #[arg(long, value_name = "N", default_value = "100000")]
    files: u64,

    /// How many bases are swapped in
    #[arg(long, value_name = "N", default_value = "10")]
    swaps: u32,

    /// Requests with a nonce that the edge forwards a second
    #[arg(long, value_name = "PER_SECOND", default_value = "100")]
    nonce_budget: f64,

    /// Few certificates, few and short rounds
    #[arg(long)]
    quick: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// 10,000 revocations a second arrive
    Deltas,
    /// What the answers take
    Memory,
    /// Ten times as many requests with a nonce as the budget allows
    Nonces,
    /// Nothing but requests, all servers
    Rest,
    /// New bases are swapped in
    Swap,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut options: Options) -> anyhow::Result<()> {
    if options.quick {
        options.rounds = options.rounds.min(3);
        options.seconds = options.seconds.min(1.0);
        options.count = options.count.min(20_000);
        options.files = options.files.min(2_000);
        options.swaps = options.swaps.min(3);
    }
    let scratch = tempfile::tempdir()?;
    let site = match &options.site {
        Some(folder) => Site::open(folder)?,
        None => fill::small_site(&scratch.path().join("site"), options.count)?,
    };
    let cores = Cores::choose()?;
    cores.be_client()?;
    let starter = Starter {
        cores,
        binaries: std::env::current_exe()?
            .parent()
            .map(PathBuf::from)
            .unwrap_or_default(),
        scratch: scratch.path().to_owned(),
    };
    let bench = Bench {
        site: &site,
        starter: &starter,
        rounds: options.rounds,
        seconds: Duration::from_secs_f64(options.seconds),
        connections: options.connections,
        files: options.files,
        swaps: options.swaps,
        nonce_budget: options.nonce_budget,
    };
    for scenario in &options.scenarios {
        let section = match scenario {
            Scenario::Deltas => deltas::run(&bench)?,
            Scenario::Memory => memory::run(&bench)?,
            Scenario::Nonces => nonces::run(&bench)?,
            Scenario::Rest => rest::run(&bench)?,
            Scenario::Swap => swap::run(&bench)?,
        };
        println!("{section}");
    }
    Ok(())
}
