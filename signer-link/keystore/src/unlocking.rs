//! Opening a store with shares, one after the other.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::encrypted_store::{explain, read_header};
use crate::header::Header;
use crate::sealing::StoreKey;
use crate::share::{OpenShare, Purpose, SealedShare, SetId, ShareError, Sharing};
use crate::{EncryptedStore, StoreError, shamir};

/// A store for which shares are being collected.
#[derive(Debug)]
pub struct Unlocking {
    directory: PathBuf,
    header: Header,
    shares: Vec<OpenShare>,
}

impl Unlocking {
    /// Begins with the store in `directory`.
    pub fn begin(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            directory: directory.to_owned(),
            header: read_header(directory)?,
            shares: Vec::new(),
        })
    }

    /// How many shares there are and how many are needed.
    pub const fn sharing(&self) -> Sharing {
        self.header.sharing
    }

    /// Which shares are this store's.
    pub const fn set(&self) -> SetId {
        self.header.set
    }

    /// What the store was made for.
    pub const fn purpose(&self) -> Purpose {
        self.header.purpose
    }

    /// How many shares are still needed.
    pub fn missing(&self) -> usize {
        usize::from(self.header.sharing.threshold()).saturating_sub(self.shares.len())
    }

    /// Those who have given theirs.
    pub fn holders(&self) -> Vec<String> {
        self.shares
            .iter()
            .map(|share| share.holder.clone())
            .collect()
    }

    /// Whether a share would be one more: of this store, and not given yet. To be asked before its passphrase is.
    pub fn wants(&self, share: &SealedShare) -> Result<(), ShareError> {
        self.check(share.set(), share.index(), &share.to_string())
    }

    /// Adds a share.
    pub fn add(&mut self, share: OpenShare) -> Result<(), ShareError> {
        self.check(share.set, share.index, &share.to_string())?;
        self.shares.push(share);
        Ok(())
    }

    /// Combines the shares. As many as are needed must be there.
    pub fn finish(self) -> Result<EncryptedStore, StoreError> {
        let header_path = EncryptedStore::header_path(&self.directory);
        if self.missing() > 0 {
            return Err(StoreError::SharesMissing {
                path: self.directory.clone(),
                sharing: self.sharing(),
                given: self.shares.len(),
            });
        }
        let shares: Vec<_> = self
            .shares
            .iter()
            .map(|share| (share.index, &*share.value))
            .collect();
        let kek: Zeroizing<[u8; 32]> = shamir::combine(&shares);
        let fits = self
            .header
            .fits(&kek)
            .map_err(|error| explain(error, &header_path))?;
        if !fits {
            return Err(StoreError::Commitment {
                path: header_path,
                holders: self.holders().join(", "),
            });
        }
        let key =
            StoreKey::new(&kek, self.header.set).map_err(|error| explain(error, &header_path))?;
        Ok(EncryptedStore::opened(self.directory, self.header, key))
    }

    fn check(&self, set: SetId, index: u8, share: &str) -> Result<(), ShareError> {
        if set != self.header.set {
            return Err(ShareError::OtherSet {
                share: share.to_owned(),
                found: set,
                expected: self.header.set,
            });
        }
        if self.shares.iter().any(|given| given.index == index) {
            return Err(ShareError::Twice(share.to_owned()));
        }
        Ok(())
    }
}
