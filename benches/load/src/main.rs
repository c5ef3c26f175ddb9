//! The load generator as a program.

#![forbid(unsafe_code)]

mod options;

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ocsp_load::{Length, Phase, Plan, Report, run};

use options::Options;
use telemetry::EXIT_USAGE;

fn main() -> ExitCode {
    let options: Options = telemetry::parse_or_exit();
    let plan = match options.plan() {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("ocsp-load: {error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match load(&plan, &options) {
        Ok(report) if report.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ocsp-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load(plan: &Plan, options: &Options) -> anyhow::Result<Report> {
    let bar = bar(plan, options.json);
    let report = run(plan, &mut |phase| {
        if let Phase::Goes {
            done,
            answered,
            failed,
        } = phase
        {
            // Lossy: a thousand steps are enough for a bar.
            bar.set_position((done.clamp(0.0, 1.0) * 1000.0) as u64);
            bar.set_message(format!("{answered} answered, {failed} failed"));
        }
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    let text = if options.json {
        serde_json::to_string(&report)? + "\n"
    } else {
        report.to_string()
    };
    stdout().write_all(text.as_bytes())?;
    Ok(report)
}

fn bar(plan: &Plan, json: bool) -> ProgressBar {
    if json || !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let length = match plan.length {
        Length::Requests(count) => format!("{count} requests"),
        Length::Time(time) => format!("{} s", time.as_secs_f64()),
    };
    // Unwrap safety: a constant, seen on the screen.
    let style = ProgressStyle::with_template("{prefix} [{bar:40}] {percent:>3} %  {msg}")
        .unwrap()
        .progress_chars("=> ");
    let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr())
        .with_style(style)
        .with_prefix(length);
    bar.tick();
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}
