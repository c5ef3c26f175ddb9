//! Filling a publication from the command line.

#![forbid(unsafe_code)]

mod options;

use std::process::ExitCode;

use clap::Parser as _;

use options::Options;

/// Exit code of wrong usage (EX_USAGE of sysexits).
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            // The terminal is all there is to tell it to.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match options.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fill: {error:#}");
            ExitCode::FAILURE
        }
    }
}
