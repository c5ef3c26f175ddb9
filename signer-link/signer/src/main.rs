//! `signer`: the daemon's processes, and the commands of its console.

#![forbid(unsafe_code)]

use std::fs;
use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use keystore::{LinkEnd, LinkKeys};
use rustix::process::{
    DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal,
};
use signer::config::Config;
use signer::confine::{Confinement, confine};
use signer::{ceremony, import, key, link, run, standby};
use tracing_subscriber::EnvFilter;

/// The isolated signer of a certificate authority: it alone holds CA keys
///
/// It signs certificates and CRLs that it has judged, for one host at the other end of one serial cable. Start it with
/// `signer run` at the machine's own terminal, which is its console: there the keys are opened, and nowhere else.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the signer; the terminal becomes its console
    Run(RunOptions),
    /// Make the keys and certificates of a hierarchy of CAs
    Ceremony(ceremony::Options),
    /// Take over the key of a CA that exists
    Import(import::Options),
    /// Make the journal of a standby: a second signer that follows the active one
    Standby(standby::Options),
    /// The process that has the cable; started by `signer run`
    #[command(hide = true)]
    Link(ConfigFile),
    /// The process that has the keys; started by `signer run`
    #[command(hide = true)]
    Key,
}

#[derive(Debug, clap::Args)]
struct RunOptions {
    #[command(flatten)]
    file: ConfigFile,

    /// End when the process that started this one ends
    #[arg(long)]
    die_with_parent: bool,
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed stdout or stderr leaves nobody to tell; the exit code still does.
            let _ = error.print();
            return match error.use_stderr() {
                true => ExitCode::from(EXIT_USAGE),
                false => ExitCode::SUCCESS,
            };
        }
    };
    // No core dump and no debugger of the same user sees a key.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        eprintln!("signer: memory cannot be kept out of core dumps: {error}");
        return ExitCode::FAILURE;
    }
    let result = match &cli.command {
        Command::Run(options) => with_config(&options.file.config, |config| {
            if options.die_with_parent {
                set_parent_process_death_signal(Some(Signal::KILL))?;
            }
            run::run(&options.file.config, config)
        }),
        Command::Link(file) => with_config(&file.config, run_link),
        Command::Key => {
            log("info");
            key::main()
        }
        Command::Ceremony(options) => ceremony::run(options, &pki::SystemClock),
        Command::Import(options) => import::run(options, &pki::SystemClock),
        Command::Standby(options) => standby::run(options, &pki::SystemClock),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signer: {error:#}");
            match error.is::<WrongConfiguration>() {
                true => ExitCode::from(EXIT_USAGE),
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// Wrong usage, or a configuration that is wrong or missing.
const EXIT_USAGE: u8 = 64;

#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .path.display())]
struct WrongConfiguration {
    path: PathBuf,
    reason: String,
}

fn with_config(path: &Path, run: impl FnOnce(&Config) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let wrong = |reason: String| WrongConfiguration {
        path: path.to_owned(),
        reason,
    };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let config: Config = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    log(&config.log);
    run(&config)
}

fn run_link(config: &Config) -> anyhow::Result<()> {
    let keys = LinkKeys::load(&config.link_keys, LinkEnd::Signer)?;
    let policy = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let enforced = confine(&Confinement::link())?;
    tracing::info!("link process confined: {enforced}");
    link::run(&config.device, config.baud, &keys, policy)
}

fn log(level: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
