//! The store: a directory tree, written so that a reader never sees half of anything, at any instant of a crash.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use crate::Refusal;
use crate::manifest::{MAX_MANIFEST_OCTETS, Manifest, Object, Trust};
use crate::names::{is_channel, is_hash};

const MANIFEST: &str = "manifest";
const OBJECTS: &str = "objects";
/// Names of unfinished files begin with this; no hash does.
const TEMPORARY: &str = ".new-";

/// A publication directory.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The store below `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The channels that have a manifest, sorted. A root that does not exist has none.
    pub fn channels(&self) -> io::Result<Vec<String>> {
        let mut channels = Vec::new();
        for kind in subdirectories(&self.root)? {
            for issuer in subdirectories(&self.root.join(&kind))? {
                let channel = format!("{kind}/{issuer}");
                if is_channel(&channel) && self.manifest_path(&channel).exists() {
                    channels.push(channel);
                }
            }
        }
        channels.sort();
        Ok(channels)
    }

    /// The channel's manifest, verified; `None` if nothing has been published there.
    pub fn manifest(&self, channel: &str, trust: &[Trust]) -> Result<Option<Manifest>, Refusal> {
        match self.manifest_file(channel)? {
            Some(file) => Manifest::verify(&file, channel, trust).map(Some),
            None => Ok(None),
        }
    }

    /// An object's content; its size and hash are verified. Of one that is named by its tail, whoever uses the rest holds
    /// that against the hashes in the tail.
    pub fn object(&self, channel: &str, object: &Object) -> Result<Vec<u8>, Refusal> {
        let mut content = Vec::new();
        self.open_object(channel, object)?
            .take(object.size)
            .read_to_end(&mut content)
            .map_err(|error| missing(object, &error))?;
        let hashed = hashed_length(object).min(content.len());
        let whole = content.len() as u64 == object.size;
        if !whole || sha256_hex(&content[content.len() - hashed..]) != object.sha256 {
            return Err(Refusal::HashMismatch {
                object: object.name.clone(),
            });
        }
        Ok(content)
    }

    /// An object that is named by its tail, as a file; its size and its tail are verified, and no more is read.
    pub fn object_file(&self, channel: &str, object: &Object) -> Result<File, Refusal> {
        let mut file = self.open_object(channel, object)?;
        let mut tail = vec![0; hashed_length(object)];
        file.seek(SeekFrom::Start(object.size - tail.len() as u64))
            .and_then(|_| file.read_exact(&mut tail))
            .map_err(|error| missing(object, &error))?;
        if sha256_hex(&tail) != object.sha256 {
            return Err(Refusal::HashMismatch {
                object: object.name.clone(),
            });
        }
        Ok(file)
    }

    /// The manifest file as it is, unverified.
    pub(crate) fn manifest_file(&self, channel: &str) -> Result<Option<Vec<u8>>, Refusal> {
        if !is_channel(channel) {
            return Err(Refusal::UnsafeName(channel.to_owned()));
        }
        let path = self.manifest_path(channel);
        let unreadable = |error: io::Error| Refusal::Unreadable(error.to_string());
        match regular_file_length(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
            Ok(length) if length > MAX_MANIFEST_OCTETS => {
                return Err(Refusal::Malformed(format!(
                    "it has {length} octets; the limit is {MAX_MANIFEST_OCTETS}"
                )));
            }
            Ok(_) => {}
        }
        read_at_most(&path, MAX_MANIFEST_OCTETS)
            .map(Some)
            .map_err(unreadable)
    }

    /// Makes the channel's directories, durably.
    pub(crate) fn create_channel(&self, channel: &str) -> io::Result<PathBuf> {
        let directory = self.root.join(channel);
        create_durably(&directory.join(OBJECTS))?;
        Ok(directory)
    }

    /// Replaces the manifest, durably.
    pub(crate) fn write_manifest(&self, channel: &str, file: &[u8]) -> io::Result<()> {
        write_durably(&self.root.join(channel), MANIFEST, file)
    }

    /// Writes an object, durably, unless it is there already, whole.
    pub(crate) fn write_object(
        &self,
        channel: &str,
        sha256: &str,
        content: &[u8],
    ) -> io::Result<()> {
        let directory = self.root.join(channel).join(OBJECTS);
        let path = directory.join(sha256);
        let same_size = regular_file_length(&path).is_ok_and(|size| size == content.len() as u64);
        let whole = same_size && fs::read(&path).is_ok_and(|found| found == content);
        if whole {
            // Its writer may have died before the name was on disk.
            return sync_directory(&directory);
        }
        write_durably(&directory, sha256, content)
    }

    /// The name and the size that a finished file will have as an object, when it is forced to disk.
    pub(crate) fn name_file(&self, path: &Path, tail: Option<u64>) -> io::Result<(String, u64)> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let hashed = tail.unwrap_or(size);
        let start = size
            .checked_sub(hashed)
            .ok_or_else(|| io::Error::other("it is shorter than its tail"))?;
        file.seek(SeekFrom::Start(start))?;
        let mut digest = Context::new(&SHA256);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
        }
        file.sync_all()?;
        Ok((hex::encode(digest.finish()), size))
    }

    /// Moves a file in as an object, durably.
    pub(crate) fn move_object(&self, channel: &str, file: &Path, sha256: &str) -> io::Result<()> {
        fs::rename(file, self.object_path(channel, sha256))?;
        sync_directory(&self.root.join(channel).join(OBJECTS))
    }

    /// Removes what a crash left of files that were to become objects.
    pub(crate) fn clean_staging(&self, channel: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.staging(channel)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Where files are made that become objects.
    pub(crate) fn staging(&self, channel: &str) -> PathBuf {
        self.root.join(channel).join("staging")
    }

    /// Size of an object that is there.
    pub(crate) fn object_size(&self, channel: &str, sha256: &str) -> io::Result<u64> {
        regular_file_length(&self.object_path(channel, sha256))
    }

    /// File names in the channel's object directory, unfinished ones included.
    pub(crate) fn object_names(&self, channel: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.root.join(channel).join(OBJECTS))? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Removes an object or an unfinished file; one that is gone already is no error.
    pub(crate) fn remove_object(&self, channel: &str, name: &str) -> io::Result<()> {
        match fs::remove_file(self.object_path(channel, name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// An object's file, when it has the right size.
    fn open_object(&self, channel: &str, object: &Object) -> Result<File, Refusal> {
        if !is_channel(channel) || !is_hash(&object.sha256) {
            return Err(Refusal::UnsafeName(format!("{channel} {}", object.sha256)));
        }
        let path = self.object_path(channel, &object.sha256);
        let found = regular_file_length(&path).map_err(|error| missing(object, &error))?;
        if found != object.size {
            return Err(Refusal::WrongSize {
                object: object.name.clone(),
                found,
                expected: object.size,
            });
        }
        File::open(path).map_err(|error| missing(object, &error))
    }

    fn manifest_path(&self, channel: &str) -> PathBuf {
        self.root.join(channel).join(MANIFEST)
    }

    fn object_path(&self, channel: &str, name: &str) -> PathBuf {
        self.root.join(channel).join(OBJECTS).join(name)
    }
}

fn missing(object: &Object, error: &io::Error) -> Refusal {
    Refusal::MissingObject {
        object: object.name.clone(),
        reason: error.to_string(),
    }
}

/// Octets at the end of an object that its name is the hash of.
fn hashed_length(object: &Object) -> usize {
    // A length that this machine cannot address is longer than any file that it can read: refused by the hash.
    usize::try_from(object.tail.unwrap_or(object.size)).unwrap_or(usize::MAX)
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256_hex(content: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&SHA256, content))
}

/// Writes a whole file under a temporary name, forces it to disk, and gives it its name.
pub(crate) fn write_durably(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = directory.join(format!("{TEMPORARY}{name}"));
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, directory.join(name))?;
    sync_directory(directory)
}

/// Makes a directory and its parents, each entry forced to disk.
pub(crate) fn create_durably(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = match directory.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    create_durably(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync_directory(parent)
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Nothing but a regular file is opened: a named pipe would block its reader for ever.
fn regular_file_length(path: &Path) -> io::Result<u64> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(metadata.len())
}

fn read_at_most(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut content)?;
    Ok(content)
}

fn subdirectories(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        // A linked directory counts as well: a whole publication may be swapped in by a link.
        if let Ok(name) = entry.file_name().into_string()
            && entry.path().is_dir()
        {
            names.push(name);
        }
    }
    Ok(names)
}
