//! A directory of private keys under one passphrase.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::sealing::{Cost, SealError, StoreKey};
use crate::{Access, SigningKey, StoreError, write_atomically};

const HEADER: &str = "store.header";
const EXTENSION: &str = "key";

/// Private keys at rest: `DIR/store.header` and one `DIR/NAME.key` per key (formats in [`crate`]'s `sealing`).
///
/// An open store keeps the key-encryption key, not the passphrase. Keys that another process adds with the same
/// passphrase are seen at the next [`Self::names`] or [`Self::get`].
pub struct EncryptedStore {
    directory: PathBuf,
    key: StoreKey,
}

impl EncryptedStore {
    /// Makes a new store in `directory`, which is created (mode 0700) if need be.
    pub fn create(directory: &Path, passphrase: &SecretString) -> Result<Self, StoreError> {
        Self::create_with(directory, passphrase, Cost::default())
    }

    /// As [`Self::create`], with another cost of guessing.
    pub fn create_with(
        directory: &Path,
        passphrase: &SecretString,
        cost: Cost,
    ) -> Result<Self, StoreError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(StoreError::file(directory))?;
        let path = directory.join(HEADER);
        let (key, header) =
            StoreKey::create(passphrase, cost).map_err(|error| explain(error, &path))?;
        write_atomically(&path, header.as_bytes(), Access::SecretNew).map_err(exists_or(&path))?;
        Ok(Self {
            directory: directory.to_owned(),
            key,
        })
    }

    /// Opens the store in `directory`. A wrong passphrase is told apart from damage.
    pub fn open(directory: &Path, passphrase: &SecretString) -> Result<Self, StoreError> {
        let path = directory.join(HEADER);
        let header = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::NoStore(directory.to_owned()));
            }
            result => result.map_err(StoreError::file(&path))?,
        };
        let key = StoreKey::open(&header, passphrase).map_err(|error| explain(error, &path))?;
        Ok(Self {
            directory: directory.to_owned(),
            key,
        })
    }

    /// Opens the store in `directory`, or makes it when there is none.
    pub fn open_or_create(directory: &Path, passphrase: &SecretString) -> Result<Self, StoreError> {
        match Self::open(directory, passphrase) {
            Err(StoreError::NoStore(_)) => Self::create(directory, passphrase),
            result => result,
        }
    }

    /// Adds a key; durable when this returns. A key that is there is never overwritten.
    pub fn insert(&self, name: &str, key: &SigningKey) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let der = key.to_pkcs8_der().map_err(|source| StoreError::Key {
            path: path.clone(),
            source,
        })?;
        let file = self
            .key
            .seal(name, &der)
            .map_err(|error| explain(error, &path))?;
        write_atomically(&path, &file, Access::SecretNew).map_err(exists_or(&path))
    }

    /// The key of this name.
    pub fn get(&self, name: &str) -> Result<SigningKey, StoreError> {
        let path = self.path(name)?;
        let file = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::NotFound(path));
            }
            result => result.map_err(StoreError::file(&path))?,
        };
        let der: Zeroizing<Vec<u8>> = self
            .key
            .unseal(name, &file)
            .map_err(|error| explain(error, &path))?;
        SigningKey::from_pkcs8_der(&der).map_err(|source| StoreError::Key { path, source })
    }

    /// The names of all keys, sorted. Looks at the directory each time.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(StoreError::file(&self.directory))? {
            let path = entry.map_err(StoreError::file(&self.directory))?.path();
            if path
                .extension()
                .is_none_or(|extension| extension != EXTENSION)
            {
                continue;
            }
            // Temporary files and whatever else cannot be a key's name is not a key.
            if let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
                && is_name(name)
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether there is a key of this name.
    pub fn contains(&self, name: &str) -> Result<bool, StoreError> {
        let path = self.path(name)?;
        path.try_exists().map_err(StoreError::file(&path))
    }

    /// The directory of the store.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, name: &str) -> Result<PathBuf, StoreError> {
        if !is_name(name) {
            return Err(StoreError::Name(name.to_owned()));
        }
        Ok(self.directory.join(format!("{name}.{EXTENSION}")))
    }
}

impl std::fmt::Debug for EncryptedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncryptedStore")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// Names become file names and URLs, so they are few and plain.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=64).contains(&name.len())
        && name.starts_with(plain)
        && name.chars().all(|c| plain(c) || c == '-' || c == '_')
}

fn explain(error: SealError, path: &Path) -> StoreError {
    let path = path.to_owned();
    match error {
        SealError::Damaged(reason) => StoreError::Damaged { path, reason },
        SealError::ForeignKey => StoreError::ForeignKey(path),
        SealError::Unsupported(reason) => StoreError::Unsupported { path, reason },
        SealError::WrongPassphrase => StoreError::WrongPassphrase(path),
    }
}

fn exists_or(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::Exists(path.to_owned()),
        _ => StoreError::file(path)(error),
    }
}
