//! Filling a publication from the command line.

#![forbid(unsafe_code)]

mod options;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let options: Options = telemetry::parse_or_exit();
    match options.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fill: {error:#}");
            ExitCode::FAILURE
        }
    }
}
