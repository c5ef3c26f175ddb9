//! The log: lines on stderr, as text or JSON. And what happens on a panic.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::LogFormat;

/// Starts logging. The variable `AVOUCH_LOG` overrides the configured filter.
pub(crate) fn start(format: LogFormat, configured_filter: &str) -> anyhow::Result<()> {
    let directives = std::env::var("AVOUCH_LOG").unwrap_or_else(|_| configured_filter.to_owned());
    let filter = EnvFilter::try_new(&directives).with_context(|| {
        format!("log filter {directives:?} is not understood; example: info,hyper=warn")
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    }
    .map_err(|error| anyhow::anyhow!("the log cannot be started: {error}"))
}

/// From here on a panic of any thread is logged and aborts the process.
pub(crate) fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        log_panic(panic);
        std::process::abort();
    }));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("(no message)");
    let location = panic.location().map(ToString::to_string);
    let backtrace = std::backtrace::Backtrace::capture();
    let thread = std::thread::current();
    tracing::error!(
        location = location.as_deref().unwrap_or("unknown"),
        thread = thread.name().unwrap_or("unnamed"),
        "panic: {message}; the process aborts{}{backtrace}",
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            "\n"
        } else {
            "; "
        },
    );
}
