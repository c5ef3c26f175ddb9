//! The configuration of the daemon.

use std::path::PathBuf;

use anyhow::Context as _;
use hierarchy::BaseUrl;
use publication::Trust;
use serde::Deserialize;
use telemetry::DaemonConfig;

/// The whole file. How long CRLs live and how often they come is each issuer's policy, in the ledger.
///
/// ```
/// let config: crl_builder::Config = toml::from_str(r#"
///     ledger = "/srv/avouch/ledger/ledger.sqlite"
///     publication = "/srv/avouch/publication"
///     ## Signs the manifests (Ed25519, PKCS#8 PEM, mode 0600).
///     publication_key = "/srv/avouch/crl-builder/publication.key"
///     ## Signs the manifests of OCSP answers, with which CRLs are compared before they are published.
///     ocsp_public_key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
///     ## {issuer}.crl and {issuer}.delta.crl of CAs whose key is elsewhere: put there, or fetched.
///     imported = "/srv/avouch/crl-builder/imported"
///     ## Whether such a CRL may be signed with SHA-1. `avouch import ca` has asked that before it put one there.
///     accept_sha1 = true
///     ## As in certificates; needed for delta CRLs (crl.deltas of an issuer's policy).
///     base_url = "http://status.example"
///     signer_socket = "/srv/avouch/run/signer.sock"
///
///     [daemon]
///     state_file = "/srv/avouch/run/crl-builder.json"
/// "#).unwrap();
/// assert!(config.accept_sha1);
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
    /// The Ed25519 public key (in hexadecimal) of those who publish OCSP answers; CRLs are compared with the answers.
    #[serde(default)]
    pub ocsp_public_key: Option<String>,
    /// The directory of CRLs that others sign: `{issuer}.crl`, `{issuer}.delta.crl`.
    pub imported: PathBuf,
    /// Whether imported CRLs may be signed with SHA-1.
    #[serde(default = "yes")]
    pub accept_sha1: bool,
    /// The URL under which everything is served, as it stands in certificates; delta CRLs are announced below it.
    #[serde(default)]
    pub base_url: Option<BaseUrl>,
    /// The signer's socket.
    pub signer_socket: PathBuf,
    /// What every daemon has.
    #[serde(default)]
    pub daemon: DaemonConfig,
}

impl Config {
    /// Whose manifests of OCSP answers count.
    pub fn ocsp_trust(&self) -> anyhow::Result<Option<Trust>> {
        let Some(text) = &self.ocsp_public_key else {
            return Ok(None);
        };
        let mut public_key = [0; 32];
        hex::decode_to_slice(text, &mut public_key)
            .context("ocsp_public_key is not 32 octets in hexadecimal")?;
        Ok(Some(Trust {
            prefix: "ocsp/".to_owned(),
            public_key,
        }))
    }
}

fn yes() -> bool {
    true
}
