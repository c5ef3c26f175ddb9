//! The simulation as a program.

#![forbid(unsafe_code)]

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use simulation::many::{Length, Summary, many};
use simulation::{Authority, Detail, Report, run};

/// Whole runs of a host, two signers and their cables in virtual time, each from one number
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Runs seeds for so long
    #[arg(long, default_value_t = 120, conflicts_with_all = ["seeds", "seed"])]
    seconds: u64,
    /// Runs so many seeds
    #[arg(long, conflicts_with = "seed")]
    seeds: Option<u64>,
    /// The first seed; by default another one each time
    #[arg(long, conflicts_with = "seed")]
    from: Option<u64>,
    /// Runs this seed alone and prints what happens in it
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed: what the programs log, too
    #[arg(long, requires = "seed")]
    log: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Breaks the production code in one place after the other, and looks whether the simulation finds it
    Faults {
        /// Faults to plant, by name; without any, all
        names: Vec<String>,
        /// So many of them, others each day
        #[arg(long, conflicts_with = "names")]
        some: Option<usize>,
    },
}

fn main() -> ExitCode {
    let options = Options::parse();
    match simulate(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("simulation: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(options: &Options) -> anyhow::Result<bool> {
    if let Some(Command::Faults { names, some }) = &options.command {
        return simulation::faults::plant(names, *some);
    }
    let authority = Arc::new(Authority::new()?);
    if let Some(seed) = options.seed {
        if options.log {
            tracing_subscriber::fmt()
                .without_time()
                .with_max_level(tracing::Level::INFO)
                .init();
        }
        let report = run(&authority, seed, Detail::Print);
        println!("digest {:016x}", report.digest);
        return Ok(tell(&report));
    }
    let from = options.from.unwrap_or_else(|| fastrand::u64(..1 << 48));
    let length = match options.seeds {
        Some(seeds) => Length::Seeds(seeds),
        None => Length::Time(Duration::from_secs(options.seconds)),
    };
    let begun = Instant::now();
    let bar = bar(length);
    let summary = many(&authority, from, length, &|runs| {
        show(&bar, length, runs, begun)
    });
    bar.finish_and_clear();
    print(&summary, from, begun.elapsed());
    Ok(summary.failure.as_ref().is_none_or(tell))
}

fn bar(length: Length) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let total = match length {
        Length::Seeds(seeds) => seeds,
        Length::Time(time) => time.as_secs(),
    };
    // Unwrap safety: a constant, seen on the screen.
    let style = ProgressStyle::with_template("[{bar:40}] {percent:>3} %  {msg}")
        .unwrap()
        .progress_chars("=> ");
    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style)
}

fn show(bar: &ProgressBar, length: Length, runs: u64, begun: Instant) {
    bar.set_position(match length {
        Length::Seeds(_) => runs,
        Length::Time(_) => begun.elapsed().as_secs(),
    });
    bar.set_message(format!("{runs} seeds"));
}

fn print(summary: &Summary, from: u64, elapsed: Duration) {
    let totals = &summary.totals;
    println!(
        "{} seeds from {from} in {:.1} s ({:.0} a second), {} hours of virtual time",
        summary.runs,
        elapsed.as_secs_f64(),
        summary.runs as f64 / elapsed.as_secs_f64(),
        totals.time / 3_600_000,
    );
    println!(
        "{} certificates, {} revocations, {} CRLs, {} wrong requests refused, {} divergences healed",
        totals.counts.certificates,
        totals.counts.revocations,
        totals.counts.crls,
        totals.counts.refusals,
        totals.counts.compared,
    );
    println!(
        "{} crashes in {} syncs, {} cuts, {} promotions, {} old disks",
        totals.crashes, totals.syncs, totals.cuts, totals.promotions, totals.images,
    );
}

/// Whether it went well.
fn tell(report: &Report) -> bool {
    match &report.result {
        Ok(_) => true,
        Err(violation) => {
            println!("seed {} fails. {violation}", report.seed);
            println!("to see it: simulation --seed {} [--log]", report.seed);
            false
        }
    }
}
