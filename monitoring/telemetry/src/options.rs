//! What every daemon takes on its command line and in the `[daemon]` table of its configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

/// Exit code of wrong usage or a wrong configuration (EX_USAGE of sysexits).
pub const EXIT_USAGE: u8 = 64;

/// The command line of a daemon; flatten it into the daemon's own `clap::Parser`.
#[derive(Clone, Debug, clap::Args)]
pub struct DaemonOptions {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// Address of the admin listener, instead of the configured one
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<SocketAddr>,

    /// Form of the log on stderr, instead of the configured one
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// Stop (as on SIGTERM) when the thread that started this process ends
    #[arg(long)]
    pub die_with_parent: bool,
}

/// The `[daemon]` table of a daemon's configuration.
///
/// ```
/// let config: telemetry::DaemonConfig = toml::from_str(r#"
///     admin = "127.0.0.1:9101"      # default: a free port of 127.0.0.1, see state_file
///     log_format = "json"           # or "text", the default
///     log_filter = "info,hyper=warn"
///     state_file = "/run/avouch/ocsp-responder.json"
///     stop_timeout_seconds = 30
/// "#).unwrap();
/// assert_eq!(config.admin.port(), 9101);
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DaemonConfig {
    /// Address of the admin listener; port 0 picks a free one.
    pub admin: SocketAddr,
    /// Form of the log on stderr.
    pub log_format: LogFormat,
    /// Which events are logged, in the syntax of `tracing_subscriber::EnvFilter`; the variable `AVOUCH_LOG` goes first.
    pub log_filter: String,
    /// Where the daemon writes `{"pid", "admin", "listen"}` once it serves.
    pub state_file: Option<PathBuf>,
    /// How long a graceful stop may take before the process gives up and exits 1.
    pub stop_timeout_seconds: u64,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self {
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            log_format: LogFormat::default(),
            log_filter: "info,notify=warn".to_owned(),
            state_file: None,
            stop_timeout_seconds: 30,
        }
    }
}

/// Form of the log lines.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Lines for people.
    #[default]
    Text,
}

/// Parses the command line; wrong usage exits 64, `--help` and `--version` exit 0.
pub fn parse_or_exit<P: clap::Parser>() -> P {
    match P::try_parse() {
        Ok(options) => options,
        Err(error) => {
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            // A closed stdout or stderr leaves nobody to tell; the exit code still does.
            let _ = error.print();
            std::process::exit(i32::from(code))
        }
    }
}
