//! The memory of a follower: the generation it took last, channel by channel, across restarts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::directory::{create_durably, write_durably};

/// The generation taken last in one channel.
///
/// *Warning: this type is a stored format.*
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    /// The generation.
    pub generation: u64,
    /// SHA-256 of its manifest file, in hexadecimal: one generation has one content.
    pub manifest_sha256: String,
}

/// The generations taken, kept in a JSON file (or, for short-lived readers, only in memory).
#[derive(Debug, Default)]
pub struct Generations {
    path: Option<PathBuf>,
    taken: BTreeMap<String, Taken>,
}

impl Generations {
    /// A memory that does not outlive the process.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Opens the file, or starts with nothing when it does not exist.
    ///
    /// A file that cannot be understood is an error: going on without it could lead back to an old generation.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let taken = match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content).map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "{} is damaged ({error}); remove it only if the publication directory is known to be current",
                        path.display()
                    ),
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            path: Some(path),
            taken,
        })
    }

    /// The generation taken last in a channel.
    pub fn get(&self, channel: &str) -> Option<&Taken> {
        self.taken.get(channel)
    }

    /// Every channel and its generation.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Taken)> {
        self.taken
            .iter()
            .map(|(channel, taken)| (channel.as_str(), taken))
    }

    /// Remembers a generation, durably before it returns.
    pub(crate) fn remember(&mut self, channel: &str, taken: Taken) -> io::Result<()> {
        if self.taken.get(channel) == Some(&taken) {
            return Ok(());
        }
        let mut next = self.taken.clone();
        next.insert(channel.to_owned(), taken);
        self.save(&next)?;
        self.taken = next;
        Ok(())
    }

    fn save(&self, taken: &BTreeMap<String, Taken>) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let (Some(directory), Some(name)) = (
            path.parent(),
            path.file_name().and_then(|name| name.to_str()),
        ) else {
            return Err(io::Error::other(format!(
                "{} is no name for a file",
                path.display()
            )));
        };
        create_durably(directory)?;
        let mut content = serde_json::to_vec_pretty(taken)?;
        content.push(b'\n');
        write_durably(directory, name, &content)
    }
}
