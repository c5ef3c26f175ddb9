//! The configuration of the edge.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use publication::Trust;
use serde::Deserialize;
use telemetry::DaemonConfig;

/// The configuration file.
///
/// ```
/// let config: ocsp_responder::Config = toml::from_str(r#"
///     listen = "0.0.0.0:80"
///     publication = "/srv/avouch/publication"
///     state = "/var/lib/avouch/ocsp-responder"     # remembers the generations taken
///     ocsp_paths = ["/ocsp"]                       # OCSP is served at / in any case
///     cores = 2                                    # default: all
///
///     [[trust]]                                    # whose signature counts for which channels
///     prefix = "ocsp/"
///     public_key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
///
///     [limits]
///     connections = 20000
///
///     [fresh]                                      # answers that the presigner signs while a client waits
///     socket = "/run/avouch/ocsp-live.sock"        # of the presigner, or of a forwarder to it
///     per_second = 200                             # for each issuer
///     per_network_per_second = 50                  # for each network of clients, /24 or /56
///     deadline_ms = 50                             # then the answer signed ahead goes out
///
///     [cache]
///     ocsp_max_age_seconds = 3600
///
///     [daemon]
///     admin = "127.0.0.1:9101"
/// "#).unwrap();
/// assert_eq!(config.limits.connections, 20000);
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address of the status listener; port 0 picks a free one.
    pub listen: SocketAddr,
    /// The publication directory to follow.
    pub publication: PathBuf,
    /// Where the generations taken are remembered.
    pub state: PathBuf,
    /// OCSP path prefixes besides `/` and those that the manifests name.
    #[serde(default)]
    pub ocsp_paths: Vec<String>,
    /// How many threads serve; default: one per core.
    #[serde(default)]
    pub cores: Option<usize>,
    /// The pinned publication keys.
    pub trust: Vec<TrustConfig>,
    /// What a client may use up.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Answers that are signed while a client waits.
    #[serde(default)]
    pub fresh: FreshConfig,
    /// How long caches may keep what is served.
    #[serde(default)]
    pub cache: CacheConfig,
    /// What every daemon has.
    #[serde(default)]
    pub daemon: DaemonConfig,
}

/// A pinned publication key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustConfig {
    /// The channels, by the beginning of their name: `ocsp/`, `crl/`.
    pub prefix: String,
    /// The Ed25519 public key in hexadecimal.
    pub public_key: String,
}

/// What a client may use up.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Connections at a time; beyond it the longest idle one is cut.
    pub connections: usize,
    /// Octets of a request line and its header fields; the request line alone may have 65,534.
    pub header_octets: usize,
    /// Octets of an OCSP request, by GET or POST (OCSP-24).
    pub request_octets: usize,
    /// From the first octet of a request to its last.
    pub request_seconds: u64,
    /// Between requests.
    pub idle_seconds: u64,
    /// Without a client taking any octet of its response.
    pub write_stall_seconds: u64,
    /// How long open connections may finish after the request to stop.
    pub drain_seconds: u64,
    /// How long this edge may be behind the publication and still call itself ready.
    pub lag_seconds: u64,
}

/// Answers that the presigner signs while a client waits: with the client's nonce, or about several certificates.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreshConfig {
    /// The Unix socket of the presigner, or of a forwarder to it. Without it, everything is answered from what was
    /// signed ahead.
    pub socket: Option<PathBuf>,
    /// So many of them for each issuer in a second.
    pub per_second: u32,
    /// So many of them for each network of clients in a second (/24 of IPv4, /56 of IPv6).
    pub per_network_per_second: u32,
    /// How long a client is kept waiting for one.
    pub deadline_ms: u64,
}

/// How long caches may keep what is served; never longer than it is valid or than until it is renewed (HTTP-10).
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheConfig {
    /// Upper bound of max-age of OCSP answers: a revocation shows behind a cache after this time at the latest.
    pub ocsp_max_age_seconds: u32,
    /// Upper bound of max-age of CRLs.
    pub crl_max_age_seconds: u32,
    /// max-age of CA certificates and whatever has no end of validity.
    pub certificate_max_age_seconds: u32,
}

impl Config {
    /// The pinned keys, decoded.
    pub(crate) fn trust(&self) -> anyhow::Result<Vec<Trust>> {
        self.trust
            .iter()
            .map(|trust| {
                let mut public_key = [0; 32];
                hex::decode_to_slice(&trust.public_key, &mut public_key).with_context(|| {
                    format!(
                        "[[trust]] {:?}: public_key is not 32 octets in hexadecimal",
                        trust.prefix
                    )
                })?;
                Ok(Trust {
                    prefix: trust.prefix.clone(),
                    public_key,
                })
            })
            .collect()
    }
}

impl LimitsConfig {
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 20_000,
            header_octets: 80 * 1024,
            request_octets: 16 * 1024,
            request_seconds: 10,
            idle_seconds: 60,
            write_stall_seconds: 30,
            drain_seconds: 10,
            lag_seconds: 30,
        }
    }
}

impl Default for FreshConfig {
    fn default() -> Self {
        Self {
            socket: None,
            per_second: 200,
            per_network_per_second: 50,
            deadline_ms: 50,
        }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            ocsp_max_age_seconds: 3600,
            crl_max_age_seconds: 3600,
            certificate_max_age_seconds: 86_400,
        }
    }
}
