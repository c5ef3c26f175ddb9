//! The configuration of the daemon.

use std::path::PathBuf;

use keystore::TokenPlace;
use multi_buffer::Search;
use pki::profile::RuleSet;
use serde::{Deserialize, Deserializer, de};
use telemetry::DaemonConfig;

use crate::live::LiveConfig;

/// The whole file.
///
/// ```
/// let config: ocsp_presigner::Config = toml::from_str(r#"
///     ledger = "/srv/avouch/ledger/ledger.sqlite"
///     publication = "/srv/avouch/publication"
///     publication_key = "/srv/avouch/ocsp-presigner/publication.key"  # Ed25519, PKCS#8 PEM, mode 0600
///     keys = "/srv/avouch/ocsp-presigner/keys"                        # one directory per issuer
///     signer_socket = "/srv/avouch/run/signer.sock"                   # certifies responder keys
///     rule_set = "community"                                          # or "cabf": no responder certificate in stock
///     threads = 0                                                     # that sign; 0, the default: one per core
///     multi_buffer = "auto"                                           # or "off", or the path of libcrypto_mb.so
///
///     [pkcs11]                                                        # only if responder keys live in a token
///     module = "/usr/lib/softhsm/libsofthsm2.so"
///     token = "avouch"                                                # its label
///     pin_file = "/srv/avouch/ocsp-presigner/pin"                     # mode 0600
///
///     [live]                                           # answers with a nonce or about several certificates
///     socket = "/srv/avouch/run/ocsp-live.sock"        # edges on this machine ask here
///     threads = 0                                      # 0, the default: one for every four cores
///
///     [live.tls]                                       # forwarders on other machines ask here
///     listen = "0.0.0.0:7465"
///     certificate = "/srv/avouch/ocsp-presigner/live.pem"
///     key = "/srv/avouch/ocsp-presigner/live.key"
///     client_ca = "/srv/avouch/ocsp-presigner/forwarders.pem"
///
///     [daemon]
///     state_file = "/srv/avouch/run/ocsp-presigner.json"
/// "#).unwrap();
/// assert_eq!(config.threads, 0);
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The ledger's database.
    pub ledger: PathBuf,
    /// The publication directory.
    pub publication: PathBuf,
    /// The private key that signs manifests.
    pub publication_key: PathBuf,
    /// The directory of responder keys.
    pub keys: PathBuf,
    /// The signer's socket.
    pub signer_socket: PathBuf,
    /// As in the configurations of the issuer and the signer.
    #[serde(default)]
    pub rule_set: RuleSet,
    /// How many threads sign; 0 is one per core.
    #[serde(default)]
    pub threads: usize,
    /// Answers that are signed while an edge waits; without it there are none.
    #[serde(default)]
    pub live: Option<LiveConfig>,
    /// Where to look for the library that signs eight at a time.
    #[serde(default, deserialize_with = "search")]
    pub multi_buffer: Search,
    /// The token of the issuers whose policy says `responder_key_in = "pkcs11"`.
    #[serde(default)]
    pub pkcs11: Option<Pkcs11>,
    /// What every daemon has.
    #[serde(default)]
    pub daemon: DaemonConfig,
}

/// A PKCS#11 token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pkcs11 {
    /// The vendor's library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The file that holds its user PIN.
    pub pin_file: PathBuf,
}

impl From<Pkcs11> for TokenPlace {
    fn from(config: Pkcs11) -> Self {
        Self {
            module: config.module,
            token: config.token,
            pin_file: config.pin_file,
        }
    }
}

fn search<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Search, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(de::Error::custom)
}
