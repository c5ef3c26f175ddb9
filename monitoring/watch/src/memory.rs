//! What a restart goes on from: where each sweep was, when the last ones ended, and what is open.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use pki::{Serial, Time};
use serde::{Deserialize, Serialize};

use crate::difference::Product;

/// By edge. Stored state: fields may be added with a default, never renamed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Memory {
    #[serde(default)]
    pub(crate) edges: BTreeMap<String, EdgeMemory>,
}

/// Of one edge.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct EdgeMemory {
    /// Where the OCSP sweep is.
    #[serde(default)]
    pub(crate) cursor: Option<Cursor>,
    /// When every serial number had last been asked about by OCSP.
    #[serde(default)]
    pub(crate) ocsp_swept: Option<Time>,
    /// When every CRL had last been compared in full.
    #[serde(default)]
    pub(crate) crl_swept: Option<Time>,
    /// The alarms.
    #[serde(default)]
    pub(crate) open: Vec<Open>,
}

/// A place in a sweep: after this serial number of this issuer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Cursor {
    pub(crate) issuer: String,
    pub(crate) after: Option<Serial>,
    /// How many certificates are behind it.
    pub(crate) done: u64,
    /// Whether something before it could not be asked about.
    pub(crate) gaps: bool,
}

/// An alarm.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Open {
    pub(crate) issuer: String,
    pub(crate) product: Product,
    /// Which CRL: `delta`, or the URI of a part; absent for the complete one.
    #[serde(default)]
    pub(crate) list: Option<String>,
    pub(crate) serial: Option<Serial>,
    pub(crate) kind: String,
    pub(crate) since: Time,
}

impl Memory {
    /// What was kept. One that is damaged is left behind with a warning: everything in it can be found again.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::default(),
            Err(error) => {
                tracing::warn!(
                    "{} cannot be read, the sweeps begin anew: {error}",
                    path.display()
                );
                return Self::default();
            }
        };
        serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(
                "{} is not understood, the sweeps begin anew: {error}",
                path.display()
            );
            Self::default()
        })
    }

    /// Keeps it: after a crash there is the old one or the new one.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let write = || -> anyhow::Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
            fs::write(&temporary, serde_json::to_vec(self)?)?;
            Ok(fs::rename(&temporary, path)?)
        };
        write().with_context(|| format!("{} cannot be written", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watch/memory.json");
        assert_eq!(Memory::read(&path), Memory::default());
        let mut memory = Memory::default();
        let serial = Serial::from_be_bytes(&[1, 2]).unwrap();
        memory.edges.insert(
            "http://edge/".to_owned(),
            EdgeMemory {
                cursor: Some(Cursor {
                    issuer: "member".to_owned(),
                    after: Some(serial),
                    done: 7,
                    gaps: false,
                }),
                ocsp_swept: Some(Time::from_unix(1_800_000_000)),
                crl_swept: None,
                open: vec![Open {
                    issuer: "member".to_owned(),
                    product: Product::Crl,
                    list: Some("delta".to_owned()),
                    serial: None,
                    kind: "invalid".to_owned(),
                    since: Time::from_unix(1_800_000_001),
                }],
            },
        );
        memory.write(&path).unwrap();
        assert_eq!(Memory::read(&path), memory);
        fs::write(&path, "{").unwrap();
        assert_eq!(Memory::read(&path), Memory::default());
    }
}
