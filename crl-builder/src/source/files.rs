//! Where CRLs of others lie: `{issuer}.crl` and `{issuer}.delta.crl`, put there by a fetch, by `avouch import ca`, or by
//! whoever brings them.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pki::CrlNumber;
use pki::crl::Crl;

use super::List;
use crate::failure::Failure;

/// The file of one list.
#[derive(Clone, Debug)]
pub(crate) struct ListFile {
    path: PathBuf,
}

/// Tells one state of the file from another without reading it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    pub(crate) length: u64,
}

impl ListFile {
    pub(crate) fn new(directory: &Path, issuer: &str, list: List) -> Self {
        let name = match list {
            List::Complete => format!("{issuer}.crl"),
            List::Delta => format!("{issuer}.delta.crl"),
        };
        Self {
            path: directory.join(name),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it is now; `None` if there is none.
    pub(crate) fn stamp(&self) -> Result<Option<Stamp>, Failure> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) => Ok(Some(Stamp {
                modified: metadata.modified().ok(),
                length: metadata.len(),
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.unusable(source)),
        }
    }

    /// Its content.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        std::fs::read(&self.path).map_err(|source| self.unusable(source))
    }

    /// Replaces it, durably and as a whole.
    pub(crate) fn save(&self, der: &[u8]) -> Result<(), Failure> {
        let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
        let new = self.path.with_extension("new");
        let write = || {
            std::fs::create_dir_all(directory)?;
            let mut file = File::create(&new)?;
            file.write_all(der)?;
            file.sync_all()?;
            std::fs::rename(&new, &self.path)?;
            File::open(directory)?.sync_all()
        };
        write().map_err(|source| self.unusable(source))
    }

    /// Its number, which ours must be above; `None` if there is no such CRL.
    pub(crate) fn number(&self) -> Option<CrlNumber> {
        let der = std::fs::read(&self.path).ok()?;
        Crl::from_der(&der).ok()?.number().cloned()
    }

    fn unusable(&self, source: std::io::Error) -> Failure {
        Failure::Imported {
            path: self.path.display().to_string(),
            source,
        }
    }
}
