//! A serial cable with faults on demand, between two devices or pseudo-terminals.

use std::process::ExitCode;

use clap::Parser;
use serial_proxy::program::{self, Options};

fn main() -> ExitCode {
    match program::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serial-proxy: {error:#}");
            ExitCode::FAILURE
        }
    }
}
