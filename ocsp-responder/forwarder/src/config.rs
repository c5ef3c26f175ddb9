//! The configuration.

use std::path::PathBuf;

use serde::Deserialize;
use telemetry::DaemonConfig;

/// The whole file.
///
/// ```
/// let config: ocsp_forwarder::Config = toml::from_str(r#"
///     socket = "/run/avouch/ocsp-live.sock"      # the edge asks here: `socket` in its [fresh] table
///     presigner = "presigner.example.org:7465"   # `listen` in its [live.tls] table
///     certificate = "/etc/avouch/forwarder.pem"  # shown to the presigner, followed by those between it and the root
///     key = "/etc/avouch/forwarder.key"
///     server_ca = "/etc/avouch/presigners.pem"   # roots of the presigner's certificate
///
///     [daemon]
///     admin = "127.0.0.1:9103"
/// "#).unwrap();
/// assert_eq!(config.server_name(), "presigner.example.org");
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The Unix socket that the edge asks on.
    pub socket: PathBuf,
    /// Host and port of the presigner's TLS listener.
    pub presigner: String,
    /// The name in the presigner's certificate; its host, when left out.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Our certificate in PEM, followed by those between it and the root.
    pub certificate: PathBuf,
    /// The key of that certificate in PEM.
    pub key: PathBuf,
    /// Root certificates in PEM, below one of which the presigner's certificate must be.
    pub server_ca: PathBuf,
    /// What every daemon has.
    #[serde(default)]
    pub daemon: DaemonConfig,
}

impl Config {
    /// The name that the presigner's certificate must have.
    pub fn server_name(&self) -> &str {
        let host = || match self.presigner.rsplit_once(':') {
            // An IPv6 address stands in brackets.
            Some((host, _)) => host.trim_matches(['[', ']']),
            None => self.presigner.as_str(),
        };
        self.server_name.as_deref().unwrap_or_else(host)
    }
}
