//! The file that is kept up to date, and the note beside it of what its server said.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{SHA256, digest};
use pki::crl::Crl;
use pki::{Time, pem};
use serde::{Deserialize, Serialize};

use super::judge::Judge;
use crate::outcome::Failure;

const LABEL: &str = "X509 CRL";

pub(super) struct Kept {
    path: PathBuf,
    /// The file as it is.
    pub(super) bytes: Option<Vec<u8>>,
    /// The CRL in it, verified.
    pub(super) crl: Option<Crl>,
    /// Empty unless it is about that CRL.
    pub(super) note: Note,
}

/// What must be remembered of a CRL.
///
/// *Warning: this type is a stored format.*
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Note {
    /// Which CRL; a note about another one counts for nothing.
    pub(super) sha256: String,
    /// Where it came from.
    pub(super) url: String,
    /// As its server wrote it.
    pub(super) etag: Option<String>,
    /// As its server wrote it.
    pub(super) last_modified: Option<String>,
    /// The command of `--exec` has not yet succeeded since this CRL came.
    pub(super) reload_due: bool,
}

impl Kept {
    /// Reads the file. Something other than a CRL of this CA is never overwritten.
    pub(super) fn read(path: &Path, judge: &Judge) -> Result<Self> {
        let mut kept = Self {
            path: path.to_owned(),
            bytes: None,
            crl: None,
            note: Note::default(),
        };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(kept),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", path.display()));
            }
        };
        if !bytes.is_empty() {
            let verified = der(&bytes).and_then(|der| judge.verified(&der));
            let crl = verified.map_err(|error| {
                Failure::usage(format!("{} is there and is not replaced: {error:#}", path.display()))
                    .remedy("name another file with --out, or the right certificate with --ca; or remove that file")
            })?;
            kept.note = kept.read_note(&crl);
            kept.crl = Some(crl);
        }
        kept.bytes = Some(bytes);
        Ok(kept)
    }

    /// The CRL that is there, as long as it lasts: past its end nothing is built on it.
    pub(super) fn current(&self, now: Time) -> Option<&Crl> {
        self.crl
            .as_ref()
            .filter(|crl| crl.next_update().is_none_or(|end| end > now))
    }

    /// What asks the server whether it has another one.
    pub(super) fn conditions(&self) -> Vec<(&'static str, String)> {
        let Some(crl) = &self.crl else {
            return Vec::new();
        };
        let mut conditions = Vec::new();
        if self.note.etag.is_none() && self.note.last_modified.is_none() {
            // What an Avouch calls it.
            let etag = format!("\"{}\"", sha256_hex(crl.der()));
            conditions.push(("If-None-Match", etag));
        }
        if let Some(etag) = &self.note.etag {
            conditions.push(("If-None-Match", etag.clone()));
        }
        if let Some(time) = &self.note.last_modified {
            conditions.push(("If-Modified-Since", time.clone()));
        }
        conditions
    }

    /// Puts other content into place, whole and durable or not at all; owner and permissions stay.
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<()> {
        self.try_replace(&self.beside("new"), bytes)
            .with_context(|| {
                format!(
                    "{} cannot be written; what was there stays",
                    self.path.display()
                )
            })
    }

    fn try_replace(&self, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
        // Through a symbolic link the file that it names is replaced, not the link.
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let temporary = match path.parent() {
            Some(parent) => parent.join(temporary.file_name().unwrap_or_default()),
            None => temporary.to_owned(),
        };
        let written = self
            .write_temporary(&temporary, &path, bytes)
            .and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&temporary);
        }
        written?;
        match path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            Some(parent) => File::open(parent)?.sync_all(),
            None => File::open(".")?.sync_all(),
        }
    }

    fn write_temporary(&self, temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // Left behind by a run that was killed, or a trap.
        let _ = fs::remove_file(temporary);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(temporary)?;
        if let Ok(before) = fs::metadata(path) {
            let now = file.metadata()?;
            if (before.uid(), before.gid()) != (now.uid(), now.gid()) {
                fchown(&file, Some(before.uid()), Some(before.gid()))?;
            }
            file.set_permissions(fs::Permissions::from_mode(before.mode() & 0o7777))?;
        }
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn read_note(&self, crl: &Crl) -> Note {
        let about_it = |note: &Note| note.sha256 == sha256_hex(crl.der());
        fs::read(self.beside("fetched"))
            .ok()
            .and_then(|note| serde_json::from_slice(&note).ok())
            .filter(about_it)
            .unwrap_or_default()
    }

    /// A note that cannot be written costs some octets at the next run, no more.
    pub(super) fn write_note(&self, note: &Note) {
        let path = self.beside("fetched");
        let written = serde_json::to_vec(note)
            .map_err(io::Error::from)
            .and_then(|json| fs::write(&path, json));
        if let Err(error) = written {
            eprintln!("avouch: {} cannot be written: {error}", path.display());
        }
    }

    /// `.member.crl.fetched` beside `member.crl`.
    fn beside(&self, extension: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default();
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".");
        hidden.push(extension);
        self.path.with_file_name(hidden)
    }
}

/// The file's content for a CRL.
pub(super) fn written(crl: &Crl, as_pem: bool) -> Vec<u8> {
    match as_pem {
        true => pem::encode(LABEL, crl.der()).into_bytes(),
        false => crl.der().to_vec(),
    }
}

/// The DER in a file or an answer, which may be PEM.
pub(super) fn der(bytes: &[u8]) -> Result<Vec<u8>> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN ") => Ok(pem::decode(text, LABEL)?),
        _ => Ok(bytes.to_vec()),
    }
}

pub(super) fn sha256_hex(octets: &[u8]) -> String {
    hex::encode(digest(&SHA256, octets))
}
