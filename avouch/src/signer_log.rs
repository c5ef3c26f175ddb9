//! The archives of the signers' logs, as `signer-host` keeps them: read record by record, never as a whole.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use journal::{End, JournalError, Position, Reader, SIGNER_JOURNAL};
use signer::journal_record::Record;

use crate::data_dir::DataDir;

/// What the files are called, before the signer's id.
const PREFIX: &str = "signer-log-";

/// The archive of one signer's log.
#[derive(Debug)]
pub(crate) struct SignerLog {
    pub(crate) signer_id: u8,
    pub(crate) path: PathBuf,
    reader: Reader,
}

/// One record, and where it stands.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Where its frame ends in the file.
    pub(crate) offset: u64,
    pub(crate) position: Position,
    /// Why it is not understood, otherwise.
    pub(crate) record: Result<Record, String>,
}

impl SignerLog {
    pub(crate) fn open(signer_id: u8, path: PathBuf) -> Result<Self, JournalError> {
        Ok(Self {
            signer_id,
            reader: Reader::open(&path)?,
            path,
        })
    }

    /// From the beginning again.
    pub(crate) fn again(&self) -> Result<Self, JournalError> {
        Self::open(self.signer_id, self.path.clone())
    }

    pub(crate) fn octets(&self) -> Result<u64, JournalError> {
        self.reader.octets()
    }

    /// Hands over what follows, as far as the file has grown by now.
    pub(crate) fn read_on(
        &mut self,
        mut take: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<End, JournalError> {
        self.reader
            .read_on(SIGNER_JOURNAL, |offset, position, octets| {
                take(Entry {
                    offset,
                    position,
                    record: Record::decode(&octets),
                })
            })
    }
}

/// Those of this installation, by the signer's id.
pub(crate) fn all(data: &DataDir) -> Result<Vec<SignerLog>> {
    in_folder(&data.signer_host_dir())
}

fn in_folder(folder: &Path) -> Result<Vec<SignerLog>> {
    let unreadable = || format!("{} cannot be read", folder.display());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(unreadable)?,
    };
    let mut logs = Vec::new();
    for entry in entries {
        let path = entry.with_context(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let id = name.and_then(|name| name.strip_prefix(PREFIX));
        if let Some(Ok(id)) = id.map(str::parse) {
            logs.push(SignerLog::open(id, path)?);
        }
    }
    logs.sort_by_key(|log| log.signer_id);
    Ok(logs)
}
