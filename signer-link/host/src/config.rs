//! The daemon's configuration.

use std::path::PathBuf;

use serde::Deserialize;
use telemetry::DaemonConfig;

use crate::core::Settings;
use crate::device::Socket;
use crate::rights::Right;

/// The configuration of `signer-host --config FILE`.
///
/// ```
/// let config: signer_host::config::Config = toml::from_str(r#"
///     socket = "/run/avouch/signer.sock"     # where local processes ask
///     socket_gid = 990                       # group that may connect; default: only this user and root
///     data = "/var/lib/avouch/signer-host"   # the outbox, and the archive of each signer's log
///     responder_profiles = ["ocsp-responder"] # whose certificates go before others
///
///     [[cables]]                             # one; two with a standby, in any order
///     device = "/dev/ttyUSB0"                # or pty = "FILE": a pseudo-terminal, for a signer on this machine
///     baud = 115200
///     keys = "/etc/avouch/link-host.key"     # made at the ceremony; says which signer must be there
///
///     [[callers]]                            # who may ask for what; this user and root always may
///     uid = 991                              # or gid = 991
///     may = ["issue", "revoke", "sign-crl", "read-log", "operate"]
///
///     [limits]
///     open_acts = 20000                      # acts without an answer; a further one is told to come again
///     open_megabytes = 64
///     answers = 100000                       # answers that are remembered here (the signer remembers all)
///     answers_hours = 24
///
///     [daemon]
///     admin = "127.0.0.1:9106"
/// "#).unwrap();
/// assert_eq!(config.cables[0].baud, 115_200);
/// assert_eq!(config.daemon.admin.port(), 9106);
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The Unix socket.
    pub socket: PathBuf,
    /// The group that may connect to it.
    pub socket_gid: Option<u32>,
    /// The directory of the outbox and the archives.
    pub data: PathBuf,
    /// Profiles whose certificates go before others.
    pub responder_profiles: Option<Vec<String>>,
    /// The cables: one or two.
    pub cables: Vec<CableConfig>,
    /// Who may ask for what.
    #[serde(default)]
    pub callers: Vec<CallerConfig>,
    /// How much is kept.
    #[serde(default)]
    pub limits: Limits,
    /// How it runs.
    #[serde(default)]
    pub daemon: DaemonConfig,
}

/// One cable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CableConfig {
    /// The serial device.
    pub device: Option<PathBuf>,
    /// Instead of a device: a pseudo-terminal is made, and a link to its other side is put here, which a signer on the
    /// same machine names as its device. For a demo, or a rehearsal.
    pub pty: Option<PathBuf>,
    /// Bits per second.
    #[serde(default = "default_baud")]
    pub baud: u32,
    /// The link keys of the host's end.
    pub keys: PathBuf,
}

/// Callers, and what they may ask for beside questions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerConfig {
    /// The user.
    pub uid: Option<u32>,
    /// The (primary) group.
    pub gid: Option<u32>,
    /// What they may do.
    pub may: Vec<Right>,
}

/// How much is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Acts without an answer.
    pub open_acts: usize,
    /// Megabytes of their requests.
    pub open_megabytes: usize,
    /// Answers that are remembered.
    pub answers: usize,
    /// How long, in hours.
    pub answers_hours: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            open_acts: settings.open_acts,
            open_megabytes: settings.open_octets >> 20,
            answers: settings.answers,
            answers_hours: 24,
        }
    }
}

impl CableConfig {
    /// Where the cable is plugged in.
    pub(crate) fn socket(&self) -> anyhow::Result<Socket> {
        match (&self.device, &self.pty) {
            (Some(device), None) => Ok(Socket::Device(device.clone())),
            (None, Some(pty)) => Ok(Socket::Pty(pty.clone())),
            _ => anyhow::bail!("each of [[cables]] has either device or pty"),
        }
    }
}

impl Config {
    /// What of it decides how the core works.
    pub(crate) fn settings(&self) -> Settings {
        let settings = Settings::default();
        Settings {
            open_acts: self.limits.open_acts,
            open_octets: self.limits.open_megabytes << 20,
            answers: self.limits.answers,
            answers_seconds: i64::from(self.limits.answers_hours) * 3600,
            responder_profiles: self
                .responder_profiles
                .clone()
                .unwrap_or(settings.responder_profiles),
            ..settings
        }
    }
}

const fn default_baud() -> u32 {
    115_200
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_manual_is_a_configuration() {
        let manual = include_str!("../../../docs/signer-host.md");
        let example = manual.split("```").nth(1).unwrap();
        let config: Config = toml::from_str(example.strip_prefix("toml").unwrap()).unwrap();
        assert_eq!(config.limits.open_acts, Settings::default().open_acts);
        assert_eq!(config.callers[0].may.len(), 5);
    }
}
