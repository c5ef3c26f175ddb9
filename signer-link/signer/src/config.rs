//! The daemon's configuration.

use std::path::PathBuf;

use hierarchy::BaseUrl;
use pki::name_rules::IdnPolicy;
use pki::profile::RuleSet;
use serde::Deserialize;
use telemetry::DaemonConfig;

/// The configuration of `signer --config FILE`.
///
/// ```
/// let config: signer::config::Config = toml::from_str(r#"
///     socket = "/run/avouch/signer.sock"        # where the host asks; mode 0600
///     keys = "/var/lib/avouch/signer/keys"      # the encrypted key store
///     journal = "/var/lib/avouch/signer/journal"
///     passphrase_file = "/var/lib/avouch/secret" # for a demo only; else the systemd credential or the terminal
///     profiles = "/etc/avouch/profiles"         # what may be issued; without it, any end-entity certificate
///     rule_set = "community"                    # or "cabf"
///     base_url = "http://status.example.org"    # where certificates must say that their status is; default: anywhere
///     idn_top_level_domains = ["de", "gr"]      # where host names may mix scripts (I10); default: the list of I10
///
///     [daemon]
///     admin = "127.0.0.1:9105"
/// "#).unwrap();
/// assert_eq!(config.daemon.admin.port(), 9105);
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The Unix socket.
    pub socket: PathBuf,
    /// The directory of the encrypted key store.
    pub keys: PathBuf,
    /// The journal.
    pub journal: PathBuf,
    /// A file with the passphrase in it.
    pub passphrase_file: Option<PathBuf>,
    /// The directory of profiles.
    pub profiles: Option<PathBuf>,
    /// Whose rules hold.
    #[serde(default)]
    pub rule_set: RuleSet,
    /// The base URL of status in certificates that follow a profile.
    pub base_url: Option<BaseUrl>,
    /// Top-level domains under which host names may mix scripts.
    #[serde(default, rename = "idn_top_level_domains")]
    pub idn: IdnPolicy,
    /// How it runs.
    #[serde(default)]
    pub daemon: DaemonConfig,
}
