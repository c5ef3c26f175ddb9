//! What can be said on the command line, and its doing.

use std::io::{IsTerminal as _, stderr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand, ValueEnum};
use fill::sets::{self, Small};
use fill::{Channel, Filling, Site, Times};
use indicatif::{ProgressBar, ProgressStyle};
use pki::{Clock as _, KeyKind, SystemClock};
use synthetic::{Population, mix};

/// Fill a publication directory with signed answers for made-up certificates
#[derive(Debug, Parser)]
#[command(
    name = "fill",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Answers for ten million certificates, an edge that serves them, and a load that asks for them:
  fill make ./bench --count 10000000
  ocsp-responder --config ./bench/ocsp-responder.toml
  ocsp-load http://127.0.0.1:8080/ --ca ./bench/ca.pem --synthetic random:1:10000000

While they run:
  fill swap ./bench                     sign everything again and publish it as a new base
  fill revoke ./bench --rate 10000      revoke, publishing deltas as they come"
)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the directory: a CA, its responder, and a base with answers for all certificates
    Make(Make),
    /// Revoke certificates at a rate, publishing deltas
    Revoke(Revoke),
    /// Sign everything again and publish it as a new base
    Swap(Swap),
}

#[derive(Debug, Args)]
struct Make {
    /// The directory to make
    directory: PathBuf,

    /// How many certificates
    #[arg(long, value_name = "N", default_value = "100000")]
    count: u64,

    /// How their serial numbers go
    #[arg(long, value_enum, default_value = "random")]
    serials: Order,

    /// Seed of the random serial numbers, or the first sequential one
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,

    /// The responder's key
    #[arg(long, value_enum, default_value = "p256")]
    key: Key,

    /// CertID hashes to answer for
    #[arg(long, value_delimiter = ',', default_value = "sha1,sha256", value_parser = ["sha1", "sha256"])]
    hashes: Vec<String>,

    /// Share of certificates that are revoked
    #[arg(long, value_name = "SHARE", default_value = "0.01")]
    revoked: f64,
}

#[derive(Debug, Args)]
struct Revoke {
    /// A directory that `fill make` made
    directory: PathBuf,

    /// Revocations a second
    #[arg(long, value_name = "PER_SECOND", default_value = "1000")]
    rate: u64,

    /// For so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    duration: u64,

    /// Deltas a second
    #[arg(long, value_name = "PER_SECOND", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=100))]
    deltas: u64,
}

#[derive(Debug, Args)]
struct Swap {
    /// A directory that `fill make` made
    directory: PathBuf,

    /// How often
    #[arg(long, value_name = "N", default_value = "1")]
    times: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Random,
    Sequential,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Key {
    P256,
    Rsa2048,
}

impl Options {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        match &self.command {
            Command::Make(options) => options.run(),
            Command::Revoke(options) => options.run(),
            Command::Swap(options) => options.run(),
        }
    }
}

impl Make {
    fn run(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.count > 0, "--count must be at least 1");
        let population = match self.serials {
            Order::Random => Population::random(self.seed, self.count),
            Order::Sequential => Population::sequential(self.seed.max(1), self.count),
        };
        let filling = Filling {
            population: population.to_string(),
            revoked: self.revoked,
            hashes: self.hashes.clone(),
        };
        let kind = match self.key {
            Key::P256 => KeyKind::P256,
            Key::Rsa2048 => KeyKind::Rsa(2048),
        };
        let site = Site::make(&self.directory, kind, &filling)?;
        publish_base(&site)?;
        let directory = self.directory.display();
        println!(
            "{directory}: {} certificates, {} octets published. Now:\n  \
             ocsp-responder --config {directory}/ocsp-responder.toml\n  \
             ocsp-load http://127.0.0.1:8080/ --ca {directory}/ca.pem --synthetic {population}",
            self.count,
            Channel::open(&site)?.octets()
        );
        Ok(())
    }
}

impl Swap {
    fn run(&self) -> anyhow::Result<()> {
        let site = Site::open(&self.directory)?;
        for _ in 0..self.times {
            publish_base(&site)?;
        }
        Ok(())
    }
}

fn publish_base(site: &Site) -> anyhow::Result<()> {
    let mut channel = Channel::open(site)?;
    let count = site.population.count();
    let bar = bar(count);
    let base = sets::make(
        site,
        &channel,
        Times::from(SystemClock.now()),
        count,
        &|n| site.row(n),
        &mut |done| {
            if done % 1024 == 0 {
                bar.set_position(done);
            }
        },
    )?;
    bar.finish_and_clear();
    channel.publish_base(base)?;
    Ok(())
}

impl Revoke {
    fn run(&self) -> anyhow::Result<()> {
        let site = Site::open(&self.directory)?;
        let mut channel = Channel::open(&site)?;
        let ticks = self.deltas * self.duration;
        let each = (self.rate / self.deltas).max(1);
        let bar = bar(each * ticks);
        let began = Instant::now();
        let before = channel.deltas().len();
        let mut deltas = fill::Deltas::default();
        for number in 0..ticks {
            let due = Duration::from_micros(1_000_000 * number / self.deltas);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            let now = SystemClock.now();
            let rows = fill::revocations(&site, mix(number), each, now);
            let change = deltas.add(&site, Small::sign(&site, Times::from(now), &rows)?)?;
            channel.publish_delta(before + change.kept, change.newest.set())?;
            bar.set_position((number + 1) * each);
        }
        bar.finish_and_clear();
        println!(
            "{} revocations in {:.1} s",
            each * ticks,
            began.elapsed().as_secs_f64()
        );
        Ok(())
    }
}

fn bar(count: u64) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    // Unwrap safety: a constant, seen on the screen.
    let style = ProgressStyle::with_template(
        "[{bar:40}] {human_pos} of {human_len}, {per_sec}, {eta} to go",
    )
    .unwrap()
    .progress_chars("=> ");
    ProgressBar::new(count).with_style(style)
}
