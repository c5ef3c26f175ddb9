//! Where everything lies inside the data directory: the one place that knows the paths.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use keystore::Access;

use crate::outcome::Failure;

/// The data directory of one installation (`--data`), as an absolute path.
#[derive(Clone, Debug)]
pub(crate) struct DataDir {
    root: PathBuf,
}

impl DataDir {
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let root = std::path::absolute(path)
            .with_context(|| format!("{} cannot be made an absolute path", path.display()))?;
        if root.to_str().is_none() {
            return Err(Failure::usage(format!(
                "the data directory {} is not UTF-8, and configuration files are",
                root.display()
            ))
            .into());
        }
        Ok(Self { root })
    }

    /// For commands that need an installation: says what to do when there is none.
    pub(crate) fn require_initialised(&self) -> Result<()> {
        if self.is_initialised() {
            return Ok(());
        }
        Err(Failure::new(format!("there is no CA in {}", self.root.display()))
            .remedy("run `avouch up` (a demo) or `avouch init` first, or name the right directory with --data")
            .into())
    }

    pub(crate) fn is_initialised(&self) -> bool {
        self.installation_file().exists()
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn config_dir(&self) -> PathBuf {
        self.root.join("config")
    }

    pub(crate) fn config(&self, daemon: &str) -> PathBuf {
        self.config_dir().join(format!("{daemon}.toml"))
    }

    /// Written last by init: its being there means that init finished.
    pub(crate) fn installation_file(&self) -> PathBuf {
        self.config_dir().join("avouch.toml")
    }

    pub(crate) fn hierarchy(&self) -> PathBuf {
        self.config_dir().join("hierarchy.toml")
    }

    pub(crate) fn profiles(&self) -> PathBuf {
        self.config_dir().join("profiles")
    }

    pub(crate) fn ca_dir(&self) -> PathBuf {
        self.root.join("ca")
    }

    pub(crate) fn ca_certificate(&self, issuer: &str) -> PathBuf {
        self.ca_dir().join(format!("{issuer}.pem"))
    }

    pub(crate) fn ca_chain(&self, issuer: &str) -> PathBuf {
        self.ca_dir().join(format!("chain-{issuer}.pem"))
    }

    pub(crate) fn ledger_dir(&self) -> PathBuf {
        self.root.join("ledger")
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.ledger_dir().join("ledger.sqlite")
    }

    pub(crate) fn signer_dir(&self) -> PathBuf {
        self.root.join("signer")
    }

    pub(crate) fn signer_keys(&self) -> PathBuf {
        self.signer_dir().join("keys")
    }

    pub(crate) fn signer_journal(&self) -> PathBuf {
        self.signer_dir().join("journal")
    }

    /// The cable's keys at the signer's end.
    pub(crate) fn signer_link_keys(&self) -> PathBuf {
        self.signer_dir().join("link-signer-1.key")
    }

    /// The cable's keys at the host's end.
    pub(crate) fn host_link_keys(&self) -> PathBuf {
        self.signer_dir().join("link-host-1.key")
    }

    /// The outbox of `signer-host`, and its archive of the signer's log.
    pub(crate) fn signer_host_dir(&self) -> PathBuf {
        self.root.join("signer-host")
    }

    /// The pseudo-terminal in the cable's place.
    pub(crate) fn signer_line(&self) -> PathBuf {
        self.run_dir().join("signer.tty")
    }

    /// The passphrase of a demo; elsewhere it lies outside the data directory.
    pub(crate) fn demo_passphrase(&self) -> PathBuf {
        self.signer_dir().join("passphrase")
    }

    pub(crate) fn publication(&self) -> PathBuf {
        self.root.join("publication")
    }

    pub(crate) fn presigner_dir(&self) -> PathBuf {
        self.root.join("ocsp-presigner")
    }

    /// Where the presigner looks for responder keys and their certificates.
    pub(crate) fn responder_keys(&self, issuer: &str) -> PathBuf {
        self.presigner_dir().join("keys").join(issuer)
    }

    pub(crate) fn crl_builder_dir(&self) -> PathBuf {
        self.root.join("crl-builder")
    }

    /// CRLs of CAs whose key is elsewhere, as they came.
    pub(crate) fn imported_crls(&self) -> PathBuf {
        self.crl_builder_dir().join("imported")
    }

    pub(crate) fn responder_dir(&self) -> PathBuf {
        self.root.join("ocsp-responder")
    }

    /// What `status-watch` goes on from after a restart.
    pub(crate) fn status_watch_memory(&self) -> PathBuf {
        self.root.join("status-watch/memory.json")
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn signer_socket(&self) -> PathBuf {
        self.run_dir().join("signer.sock")
    }

    /// Where the edge asks the presigner for answers that are signed while a client waits.
    pub(crate) fn live_socket(&self) -> PathBuf {
        self.run_dir().join("ocsp-live.sock")
    }

    /// The system allows only short paths for sockets; the daemons would not come up with longer ones.
    pub(crate) fn check_socket_path(&self) -> Result<()> {
        let longest = self.live_socket();
        let length = longest.as_os_str().len();
        if length <= LONGEST_SOCKET_PATH {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "the path {} is too long for a socket: {length} octets, at most {LONGEST_SOCKET_PATH}",
            longest.display()
        ))
        .remedy("choose a shorter --data")
        .into())
    }

    pub(crate) fn api_token(&self) -> PathBuf {
        self.run_dir().join("api-token")
    }

    pub(crate) fn endpoints(&self) -> PathBuf {
        self.run_dir().join("endpoints.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.run_dir().join("lock")
    }

    /// What a daemon says about itself once it listens.
    pub(crate) fn state_file(&self, daemon: &str) -> PathBuf {
        self.run_dir().join(format!("{daemon}.json"))
    }

    pub(crate) fn log(&self, daemon: &str) -> PathBuf {
        self.run_dir().join(format!("{daemon}.log"))
    }
}

/// Makes a directory and those above it; new ones are closed to others.
pub(crate) fn private_dir(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("the directory {} cannot be made", path.display()))
}

/// Makes a directory that everybody may read.
pub(crate) fn public_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .with_context(|| format!("the directory {} cannot be made", path.display()))
}

/// Writes a whole file so that a crash leaves the old one or the new one, never a half.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8], access: Access) -> Result<()> {
    keystore::write_atomically(path, bytes, access)
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// Writes where an operator said, which may also be a pipe or a terminal.
pub(crate) fn write_out(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// Reads a file an operator named, with an error that names it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| {
        Failure::new(format!("{} cannot be read: {error}", path.display()))
            .remedy("check the path and its permissions")
            .into()
    })
}

pub(crate) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|_| Failure::new(format!("{} is not UTF-8 text", path.display())).into())
}

/// `sun_path` has 108 octets; daemons first bind under the name with their process number at the end.
const LONGEST_SOCKET_PATH: usize = 107 - ".4194304".len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_without_a_ca_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path()).unwrap();
        let error = data.require_initialised().unwrap_err().to_string();
        assert!(error.contains("avouch up"), "{error}");
    }
}
