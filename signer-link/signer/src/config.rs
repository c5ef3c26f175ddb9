//! The configuration of `signer run`.

use std::path::PathBuf;

use hierarchy::BaseUrl;
use pki::name_rules::IdnPolicy;
use pki::profile::RuleSet;
use serde::Deserialize;

use crate::key::TokenAccess;
use crate::settings::Limits;

/// The configuration of `signer run --config FILE`.
///
/// ```
/// let config: signer::config::Config = toml::from_str(r#"
///     device = "/dev/ttyUSB0"                   # the cable
///     baud = 115_200                            # bits a second; 921_600 and 3_000_000 are common on USB
///     link_keys = "/var/lib/signer/link-signer.key"  # made by the ceremony; the host has the other half
///     keys = "/var/lib/signer/keys"             # the key store
///     journal = "/var/lib/signer/journal"
///     shares = ["/media/a", "/media/b"]         # files or folders with *.share; default: those in the key store
///     wind_down = false                         # true: sign revocations, CRLs and responders only, from now on
///     profiles = "/etc/signer/profiles"         # what may be issued; without it, any end-entity certificate
///     rule_set = "community"                    # or "cabf"
///     base_url = "http://status.example.org"    # where certificates must say that their status is; default: anywhere
///     idn_top_level_domains = ["de", "gr"]      # where host names may mix scripts (I10); default: the list of I10
///     pgp_policy = "http://www.example.org/policy"  # what certifications of OpenPGP keys name; default: nothing
///     log = "info"                              # error, warn, info, debug
///
///     [limits]
///     silence_seconds = 86_400
/// "#).unwrap();
/// assert_eq!((config.baud, config.limits.silence_seconds), (115_200, 86_400));
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The serial device (or pseudo-terminal).
    pub device: PathBuf,
    /// Bits a second on it.
    #[serde(default = "default_baud")]
    pub baud: u32,
    /// The signer's half of the cable's keys.
    pub link_keys: PathBuf,
    /// The directory of the key store.
    pub keys: PathBuf,
    /// The journal.
    pub journal: PathBuf,
    /// Where the shares are that open the key store: files, or folders with `*.share`.
    #[serde(default)]
    pub shares: Vec<PathBuf>,
    /// A file with the passphrase of an unattended key store. For a demo only.
    pub passphrase_file: Option<PathBuf>,
    /// The PKCS#11 module that some keys live in.
    pub token: Option<TokenAccess>,
    /// Whether it issues nothing to subscribers any more (G11). It stays so when this is set back: the console ends it.
    #[serde(default)]
    pub wind_down: bool,
    /// The directory of profiles.
    pub profiles: Option<PathBuf>,
    /// Whose rules hold.
    #[serde(default)]
    pub rule_set: RuleSet,
    /// The base URL of status in certificates that follow a profile.
    pub base_url: Option<BaseUrl>,
    /// The URI of the policy that certifications of OpenPGP keys name; at most 250 characters.
    pub pgp_policy: Option<String>,
    /// Top-level domains under which host names may mix scripts.
    #[serde(default, rename = "idn_top_level_domains")]
    pub idn: IdnPolicy,
    /// When it stops by itself.
    #[serde(default)]
    pub limits: Limits,
    /// What is logged.
    #[serde(default = "default_log")]
    pub log: String,
}

fn default_baud() -> u32 {
    115_200
}

fn default_log() -> String {
    "info".to_owned()
}
