//! CRLs of CAs whose key is elsewhere: files, put there by `avouch import ca` or by whoever fetches them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pki::crl::Crl;
use pki::crl::verify::{Expected, ImportedRules, Profile, Scope, verify_crl};
use pki::{Certificate, CrlNumber, Time, Violation};

use crate::failure::Failure;
use crate::live::{Live, sha256};

/// The imported CRL of one issuer, if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    path: PathBuf,
}

/// Tells one state of the file from another without reading it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

impl Import {
    pub(crate) fn new(directory: &Path, issuer: &str) -> Self {
        Self {
            path: directory.join(format!("{issuer}.crl")),
        }
    }

    /// The file as it is now; `None` if there is none.
    pub(crate) fn stamp(&self) -> Result<Option<Stamp>, Failure> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) => Ok(Some(Stamp {
                modified: metadata.modified().ok(),
                length: metadata.len(),
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.unreadable(source)),
        }
    }

    /// Its content, verified by RFC 5280 and not older than what is published; an expired one passes, since who
    /// asks for it can read when it ended.
    pub(crate) fn load(
        &self,
        ca: &Certificate,
        accept_sha1: bool,
        live: Option<&Live>,
        now: Time,
    ) -> Result<Option<Crl>, Failure> {
        let der = match std::fs::read(&self.path) {
            Ok(der) => der,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.unreadable(source)),
        };
        let expected = Expected {
            ca,
            now,
            scope: Scope::Complete,
            previous: None,
            profile: imported_rules(accept_sha1),
        };
        verify_crl(&der, &expected)
            .and_then(|verified| not_older(verified.crl, live))
            .map(Some)
            .map_err(|violation| Failure::Unfit {
                what: self.path.display().to_string(),
                violation,
            })
    }

    /// Its number, which ours must be above; `None` if there is no such CRL.
    pub(crate) fn number(&self) -> Option<CrlNumber> {
        let der = std::fs::read(&self.path).ok()?;
        Crl::from_der(&der).ok()?.number().cloned()
    }

    fn unreadable(&self, source: std::io::Error) -> Failure {
        Failure::Imported {
            path: self.path.display().to_string(),
            source,
        }
    }
}

/// The rules for CRLs of others.
pub(crate) fn imported_rules(accept_sha1: bool) -> Profile {
    Profile::Imported(ImportedRules {
        old_algorithms: accept_sha1,
        bare: true,
    })
}

/// Never back to an older one (CRL-11), except that the same one may be published again.
fn not_older(crl: Crl, live: Option<&Live>) -> Result<Crl, Violation> {
    let Some(live) = live.filter(|live| live.sha256 != sha256(crl.der())) else {
        return Ok(crl);
    };
    let newer = match (crl.number(), &live.number) {
        (Some(number), Some(published)) => number > published,
        _ => crl.this_update() > live.this_update,
    };
    if newer {
        return Ok(crl);
    }
    Err(Violation::new(
        "CRL-11",
        format!(
            "it is not newer than the published CRL of {}",
            live.this_update
        ),
    ))
}
