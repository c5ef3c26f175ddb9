//! A directory of private keys under one key-encryption key, which is in nobody's hands alone.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::header::{Header, Kek};
use crate::passphrase_key::Cost;
use crate::sealing::{Content, SealError, StoreKey};
use crate::share::{self, Holder, Purpose, SealedShare, SetId, ShareError, Sharing};
use crate::{
    Access, KeyError, SigningKey, StoreError, TokenEntry, Unlocking, shamir, write_atomically,
};

const HEADER: &str = "store.header";
const EXTENSION: &str = "key";

/// Private keys at rest: `DIR/store.header` and one `DIR/NAME.key` per key (formats in [`crate`]'s `header` and
/// `sealing`). A key is in its file, or the file says in which token it is.
///
/// The key-encryption key is random and on no disk: only shares of it are, each under its holder's passphrase
/// ([`SealedShare`]). An open store keeps it, so keys that another process adds are seen at the next [`Self::names`] or
/// [`Self::get`].
pub struct EncryptedStore {
    directory: PathBuf,
    header: Header,
    key: StoreKey,
}

/// A store that is not there yet: it comes into being when its header is written, after its shares have been.
#[derive(Debug)]
pub struct NewStore {
    shares: Vec<SealedShare>,
    store: EncryptedStore,
}

impl NewStore {
    /// Makes the key-encryption key and a share of it for each holder. Nothing is written but `directory` (mode 0700).
    pub fn prepare(
        directory: &Path,
        sharing: Sharing,
        purpose: Purpose,
        holders: &[Holder],
        cost: Cost,
    ) -> Result<Self, StoreError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(StoreError::file(directory))?;
        let path = EncryptedStore::header_path(directory);
        if path.try_exists().map_err(StoreError::file(&path))? {
            return Err(StoreError::Exists(path));
        }
        if holders.len() != usize::from(sharing.shares()) {
            return Err(ShareError::Holders {
                holders: holders.len(),
                shares: sharing.shares(),
            }
            .into());
        }
        let failed = |_| ShareError::Key(KeyError::Crypto("drawing a random number"));
        let mut set = SetId([0; 16]);
        rand::fill(&mut set.0).map_err(failed)?;
        let mut kek: Kek = Zeroizing::new([0; 32]);
        rand::fill(&mut *kek).map_err(failed)?;
        let values =
            shamir::split(&kek, sharing.threshold(), sharing.shares()).map_err(ShareError::from)?;
        let shares = (1..)
            .zip(holders)
            .zip(&values)
            .map(|((index, holder), value)| {
                SealedShare::seal(set, index, sharing, purpose, holder, cost, value)
            })
            .collect::<Result<_, _>>()?;
        let explained = |error| explain(error, &path);
        let header = Header::new(&kek, set, sharing, purpose).map_err(explained)?;
        let key = StoreKey::new(&kek, set).map_err(explained)?;
        Ok(Self {
            shares,
            store: EncryptedStore::opened(directory.to_owned(), header, key),
        })
    }

    /// The shares, which must be in files before [`Self::commit`].
    pub fn shares(&self) -> &[SealedShare] {
        &self.shares
    }

    /// Writes the header: from here on the store is there, and its shares are needed.
    pub fn commit(self) -> Result<EncryptedStore, StoreError> {
        let path = EncryptedStore::header_path(&self.store.directory);
        let text = self.store.header.to_text();
        write_atomically(&path, text.as_bytes(), Access::SecretNew).map_err(exists_or(&path))?;
        Ok(self.store)
    }
}

impl EncryptedStore {
    /// Makes a new store whose one share lies in its own directory: one passphrase opens it. For demos and unattended
    /// machines; [`NewStore`] makes one that several people guard.
    pub fn create(directory: &Path, passphrase: &SecretString) -> Result<Self, StoreError> {
        Self::create_with(directory, passphrase, Cost::default())
    }

    /// As [`Self::create`], with another cost of guessing.
    pub fn create_with(
        directory: &Path,
        passphrase: &SecretString,
        cost: Cost,
    ) -> Result<Self, StoreError> {
        Self::create_unattended(directory, passphrase, Purpose::Production, cost)
    }

    /// As [`Self::create`], for a purpose.
    pub fn create_unattended(
        directory: &Path,
        passphrase: &SecretString,
        purpose: Purpose,
        cost: Cost,
    ) -> Result<Self, StoreError> {
        let holder = Holder {
            name: "unattended".to_owned(),
            passphrase: passphrase.clone(),
        };
        let new = NewStore::prepare(directory, Sharing::unattended(), purpose, &[holder], cost)?;
        for share in &new.shares {
            let path = directory.join(share.file_name());
            write_atomically(&path, share.to_text().as_bytes(), Access::SecretNew)
                .map_err(exists_or(&path))?;
        }
        new.commit()
    }

    /// Opens a store that [`Self::create`] made.
    pub fn open(directory: &Path, passphrase: &SecretString) -> Result<Self, StoreError> {
        let mut unlocking = Unlocking::begin(directory)?;
        if !unlocking.sharing().is_unattended() {
            return Err(StoreError::SharesMissing {
                path: directory.to_owned(),
                sharing: unlocking.sharing(),
                given: 0,
            });
        }
        let share = SealedShare::load(&directory.join(share::file_name(unlocking.set(), 1)))?;
        unlocking.wants(&share)?;
        let open = share.open(passphrase).map_err(|error| match error {
            ShareError::WrongPassphrase(_) => StoreError::WrongPassphrase(directory.to_owned()),
            other => other.into(),
        })?;
        unlocking.add(open)?;
        unlocking.finish()
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
        let der = key.to_pkcs8_der().map_err(StoreError::key(&path))?;
        self.write(name, Content::Software, &der)
    }

    /// Adds the name of a key that is in a token, as [`Self::insert`] does a key. The key must be there.
    pub fn insert_token_key(&self, name: &str, entry: &TokenEntry) -> Result<(), StoreError> {
        let path = self.path(name)?;
        entry.key().map_err(StoreError::key(&path))?;
        let text = entry.to_text().map_err(StoreError::key(&path))?;
        self.write(name, Content::Token, text.as_bytes())
    }

    /// The key of this name: one in software, or one that signs in its token.
    pub fn get(&self, name: &str) -> Result<SigningKey, StoreError> {
        let path = self.path(name)?;
        let file = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::NotFound(path));
            }
            result => result.map_err(StoreError::file(&path))?,
        };
        let (content, secret) = self
            .key
            .unseal(name, &file)
            .map_err(|error| explain(error, &path))?;
        match content {
            Content::Software => SigningKey::from_pkcs8_der(&secret),
            Content::Token => TokenEntry::from_octets(&secret).and_then(|entry| entry.key()),
        }
        .map_err(StoreError::key(&path))
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

    /// How many shares there are and how many open it.
    pub const fn sharing(&self) -> Sharing {
        self.header.sharing
    }

    /// What it was made for.
    pub const fn purpose(&self) -> Purpose {
        self.header.purpose
    }

    /// Which shares are its own.
    pub const fn set(&self) -> SetId {
        self.header.set
    }

    /// The file that makes a directory a store.
    pub fn header_path(directory: &Path) -> PathBuf {
        directory.join(HEADER)
    }

    pub(crate) const fn opened(directory: PathBuf, header: Header, key: StoreKey) -> Self {
        Self {
            directory,
            header,
            key,
        }
    }

    fn write(&self, name: &str, content: Content, secret: &[u8]) -> Result<(), StoreError> {
        let path = self.path(name)?;
        let file = self
            .key
            .seal(name, content, secret)
            .map_err(|error| explain(error, &path))?;
        write_atomically(&path, &file, Access::SecretNew).map_err(exists_or(&path))
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
            .field("sharing", &self.header.sharing)
            .finish_non_exhaustive()
    }
}

pub(crate) fn read_header(directory: &Path) -> Result<Header, StoreError> {
    let path = EncryptedStore::header_path(directory);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::NoStore(directory.to_owned()));
        }
        result => result.map_err(StoreError::file(&path))?,
    };
    Header::from_text(&text).map_err(|error| explain(error, &path))
}

/// Names become file names and URLs, so they are few and plain.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=64).contains(&name.len())
        && name.starts_with(plain)
        && name.chars().all(|c| plain(c) || c == '-' || c == '_')
}

pub(crate) fn explain(error: SealError, path: &Path) -> StoreError {
    let path = path.to_owned();
    match error {
        SealError::Damaged(reason) => StoreError::Damaged { path, reason },
        SealError::ForeignKey => StoreError::ForeignKey(path),
        SealError::Unsupported(reason) => StoreError::Unsupported { path, reason },
    }
}

fn exists_or(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::Exists(path.to_owned()),
        _ => StoreError::file(path)(error),
    }
}
