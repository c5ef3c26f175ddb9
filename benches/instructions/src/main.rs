//! The gate against slow creep: how many instructions the edge runs for one request.
//!
//! Times on a shared machine differ by more than any change does; counts do not. The real binary runs under valgrind's
//! callgrind, once without requests, once with many GETs, once with many POSTs, on some connections at a time. The
//! difference, divided by the number of requests, is compared with `budget.toml`. The kernel's share is not in it.

#![forbid(unsafe_code)]

mod budget;
mod edge;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ocsp_load::Methods;

use crate::budget::Budget;
use crate::edge::Edge;

/// Count the instructions that the edge runs for a request, and compare them with the budget
#[derive(Debug, Parser)]
#[command(
    name = "instructions",
    version,
    after_help = "\
Exit code 1 when a count is more than 5 % away from benches/instructions/budget.toml. Was the change meant?
  cargo run --release -p instructions -- --update      writes the new counts; commit them with the change
What takes them?
  callgrind_annotate target/instructions/get.out | head -60"
)]
struct Options {
    /// Where ocsp-responder is (default: beside this program)
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,

    /// Where callgrind's files go
    #[arg(long, value_name = "DIR", default_value = "target/instructions")]
    out: PathBuf,

    /// Write the counts to the budget instead of comparing them
    #[arg(long)]
    update: bool,
}

/// Enough that what the edge does by the clock does not show.
const REQUESTS: u64 = 16_000;
const CERTIFICATES: u64 = 2000;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<bool> {
    let binaries = match &options.binaries {
        Some(binaries) => binaries.clone(),
        None => std::env::current_exe()?
            .parent()
            .map(PathBuf::from)
            .unwrap_or_default(),
    };
    let scratch = tempfile::tempdir()?;
    let site = fill::small_site(scratch.path(), CERTIFICATES)?;
    std::fs::create_dir_all(&options.out)?;
    let count = |name: &str, methods: Option<Methods>| -> anyhow::Result<u64> {
        let out = options.out.join(format!("{name}.out"));
        let edge = Edge::start(&binaries, &site, &out)?;
        // One request in any case, so that what is done once is not counted for the others.
        edge.ask(&site, methods.unwrap_or(Methods::Get), 1)?;
        if let Some(methods) = methods {
            edge.ask(&site, methods, REQUESTS)?;
        }
        edge.stop()
    };
    let idle = count("idle", None)?;
    let each = |all: u64| all.saturating_sub(idle) / REQUESTS;
    let found = Budget {
        get: each(count("get", Some(Methods::Get))?),
        post: each(count("post", Some(Methods::Post))?),
    };
    if options.update {
        found.write()?;
        println!("{found}");
        return Ok(true);
    }
    Ok(found.is_within(&Budget::read()?))
}
