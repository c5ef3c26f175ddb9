//! Where the running installation is reached: `DIR/run/endpoints.json`.

use std::path::Path;

use anyhow::Result;
use keystore::Access;
use serde::{Deserialize, Serialize};

use crate::data_dir::{self, DataDir};
use crate::outcome::Failure;

/// Written by `up` when everything serves, removed when it stops. Scripts read it: names are never changed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Endpoints {
    /// OCSP, CRLs, CA certificates.
    pub(crate) status: String,
    /// The edge's metrics and health.
    pub(crate) admin: String,
    /// The issuer's API.
    pub(crate) api: String,
    /// The process that supervises the daemons.
    pub(crate) pid: u32,
}

impl Endpoints {
    pub(crate) fn write(&self, data: &DataDir) -> Result<()> {
        let text = format!("{}\n", serde_json::to_string(self)?);
        data_dir::write_atomically(&data.endpoints(), text.as_bytes(), Access::Public)
    }

    pub(crate) fn remove(data: &DataDir) -> Result<()> {
        match std::fs::remove_file(data.endpoints()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::new(
                format!("{} cannot be removed: {error}", data.endpoints().display()),
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// `None` when nothing runs.
    pub(crate) fn read(data: &DataDir) -> Result<Option<Self>> {
        let path = data.endpoints();
        match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Failure::new(format!("{} cannot be read: {error}", path.display())).into())
            }
            Ok(bytes) => Ok(Some(
                serde_json::from_slice(&bytes).map_err(|error| broken(&path, &error))?,
            )),
        }
    }

    /// For commands that need the running installation.
    pub(crate) fn require(data: &DataDir) -> Result<Self> {
        data.require_initialised()?;
        Self::read(data)?.ok_or_else(|| {
            Failure::new(format!("nothing runs on {}", data.root().display()))
                .remedy(format!(
                    "start it in another terminal: avouch --data {} up",
                    data.root().display()
                ))
                .into()
        })
    }
}

fn broken(path: &Path, error: &serde_json::Error) -> Failure {
    Failure::new(format!("{} is not understood: {error}", path.display()))
        .remedy("start `avouch up` again; it writes the file anew")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_read_removed() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path()).unwrap();
        data_dir::private_dir(&data.run_dir()).unwrap();
        assert_eq!(Endpoints::read(&data).unwrap(), None);
        let endpoints = Endpoints {
            status: "http://127.0.0.1:8080/".into(),
            admin: "http://127.0.0.1:9080/".into(),
            api: "http://127.0.0.1:7080/".into(),
            pid: 1,
        };
        endpoints.write(&data).unwrap();
        assert_eq!(Endpoints::read(&data).unwrap(), Some(endpoints));
        Endpoints::remove(&data).unwrap();
        Endpoints::remove(&data).unwrap();
        assert_eq!(Endpoints::read(&data).unwrap(), None);
    }
}
