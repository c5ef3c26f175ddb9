//! The configuration file of the issuer.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use pki::name_rules::IdnPolicy;
use pki::profile::RuleSet;
use serde::Deserialize;
use telemetry::DaemonConfig;

/// `issuer.toml`; paths are absolute, or relative to the working directory.
///
/// ```toml
/// listen = "127.0.0.1:0"                        # the API; port 0 takes a free one
/// token_file = "run/api-token"                  # made at the start if it is not there
/// ledger = "ledger/ledger.sqlite"
/// signer_socket = "run/signer.sock"
/// profiles = "config/profiles"                  # one file each; changes take effect at once
/// base_url = "http://status.example.org"        # what certificates say about OCSP, CRL, CA certificate
/// rule_set = "community"                        # or "cabf": the tables [rule_set.…] of the profiles
/// debian_weak_keys = "config/openssl-blacklist" # directory with blacklist.RSA-2048 and the like
/// idn_top_level_domains = ["de", "jp"]          # where a domain label may mix scripts
///
/// [daemon]
/// admin = "127.0.0.1:0"
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default = "default_listen")]
    pub(crate) listen: SocketAddr,
    pub(crate) token_file: PathBuf,
    pub(crate) ledger: PathBuf,
    pub(crate) signer_socket: PathBuf,
    pub(crate) profiles: PathBuf,
    pub(crate) base_url: String,
    #[serde(default)]
    pub(crate) rule_set: RuleSet,
    #[serde(default)]
    pub(crate) debian_weak_keys: Option<PathBuf>,
    #[serde(default, rename = "idn_top_level_domains")]
    pub(crate) idn: IdnPolicy,
    #[serde(default)]
    pub(crate) daemon: DaemonConfig,
}

const fn default_listen() -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let example: String = include_str!("config.rs")
            .lines()
            .skip_while(|line| !line.starts_with("/// ```toml"))
            .skip(1)
            .take_while(|line| !line.starts_with("/// ```"))
            .map(|line| format!("{}\n", line.trim_start_matches("///")))
            .collect();
        let config: Config = toml::from_str(&example).expect("the example");
        assert_eq!(config.rule_set, RuleSet::Community);
        assert_eq!(config.idn, IdnPolicy::new(["de", "jp"]));
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(toml::from_str::<Config>("token_fil = \"a\"").is_err());
    }
}
