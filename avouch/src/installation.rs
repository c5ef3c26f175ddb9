//! What kind of installation a data directory holds: `DIR/config/avouch.toml`, written last by init.

use anyhow::Result;
use keystore::Access;
use serde::{Deserialize, Serialize};

use crate::data_dir::{self, DataDir};
use crate::outcome::Failure;

/// Stored state: fields may be added with a default, never renamed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Installation {
    pub(crate) mode: Mode,
    /// The URL in the certificates, where the world finds the status listener.
    pub(crate) base_url: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// The signer's passphrase lies beside its keys; `up` unlocks it unattended.
    Demo,
    /// The signer's passphrase is kept outside; a signer that died stays down until somebody starts it.
    Attended,
}

impl Installation {
    pub(crate) fn read(data: &DataDir) -> Result<Self> {
        data.require_initialised()?;
        let path = data.installation_file();
        toml::from_str(&data_dir::read_text(&path)?)
            .map_err(|error| Failure::usage(format!("{} is wrong: {error}", path.display())).into())
    }

    pub(crate) fn write(&self, data: &DataDir) -> Result<()> {
        let text = format!(
            "# What `avouch init` made here.\n\
             # mode = \"demo\": the signer's passphrase lies in this directory and `avouch up` unlocks it by itself.\n\
             {}",
            toml::to_string(self)?
        );
        data_dir::write_atomically(&data.installation_file(), text.as_bytes(), Access::Public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path()).unwrap();
        data_dir::private_dir(&data.config_dir()).unwrap();
        let installation = Installation {
            mode: Mode::Demo,
            base_url: "http://127.0.0.1:8080".into(),
        };
        installation.write(&data).unwrap();
        assert_eq!(Installation::read(&data).unwrap(), installation);
    }
}
