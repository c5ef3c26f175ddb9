//! The `[live]` table of the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

/// Where edges ask for answers that are signed while they wait.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveConfig {
    /// The Unix socket for edges on this machine, or for forwarders.
    pub socket: Option<PathBuf>,
    /// How many threads sign; 0 is one for every four cores.
    #[serde(default)]
    pub threads: usize,
    /// The listener for forwarders on other machines.
    pub tls: Option<TlsConfig>,
}

/// A listener with TLS 1.3 that knows its clients by their certificates. The files are read anew for every connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Its address; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Its certificate in PEM, followed by those between it and the root.
    pub certificate: PathBuf,
    /// The key of that certificate in PEM.
    pub key: PathBuf,
    /// Root certificates in PEM: whoever has a client certificate below one of them may ask.
    pub client_ca: PathBuf,
}
