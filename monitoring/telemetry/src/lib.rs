//! How every Avouch daemon starts, logs, exposes metrics and health, and stops.
//!
//! A daemon's `main` is three lines: parse the options, call [`run()`], return its exit code. [`run()`] reads the
//! configuration, starts logging (on stderr), the admin listener (`/metrics`, `/healthz`, `/readyz`) on a thread of its
//! own, and hands a [`Context`] to the daemon's own function. SIGTERM or SIGINT cancels [`Context::stop`]; the daemon
//! returns when its work is done, and the process exits 0.
//!
//! Exit codes: 0 stopped as asked, 64 wrong usage or configuration, 1 anything else. A panic anywhere is logged and
//! aborts the process: a daemon that lost a thread must not go on half alive; its supervisor starts it again.
//!
//! Nothing here may name a certificate that somebody asked about: not as a metric label, not in a log line.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod admin;
mod health;
mod log;
mod options;
mod run;
mod state_file;
mod stop;

pub use admin::AdminSocket;
pub use health::{Health, Part, Readiness};
pub use options::{DaemonConfig, DaemonOptions, EXIT_USAGE, LogFormat, parse_or_exit};
pub use run::{Context, run, run_in_place};
pub use state_file::StateFile;
pub use stop::Stopper;
