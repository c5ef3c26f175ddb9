//! One share of a store's key-encryption key, as its holder has it: sealed by a passphrase, in a text file.
//!
//! Stored state, version 1; [`crate::armour`] says how the lines are read.
//!
//! ```text
//! -----BEGIN AVOUCH KEY SHARE-----
//! Version: 1
//! Set: <16 octets hex: all shares of one store have the same>
//! Share: 2
//! Of: 3
//! Threshold: 2
//! Purpose: production
//! Holder: Bob Example
//! Derivation: argon2id m=65536 t=3 p=1 salt=<16 octets hex>
//! Nonce: <12 octets hex>
//! Sealed: <hex: the 32 octets of the share under AES-256-GCM, with the 16-octet tag>
//! Checksum: <4 octets hex>
//! -----END AVOUCH KEY SHARE-----
//! ```
//!
//! Argon2id over passphrase and salt gives the AES key; all lines above `Sealed` are associated data.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce};
use aws_lc_rs::rand;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::KeyError;
use crate::armour::{Reader, Writer};
use crate::passphrase_key::{Cost, SALT, derive};
use crate::shamir;

const LABEL: &str = "AVOUCH KEY SHARE";
const TAG: usize = 16;
/// The longest name of a holder, in octets.
const LONGEST_HOLDER: usize = 100;
/// Files of shares end like this.
pub(crate) const EXTENSION: &str = "share";

/// How many shares there are, and how many of them open the store.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sharing {
    threshold: u8,
    shares: u8,
}

impl Sharing {
    /// `threshold` of `shares`: 2 of 3 to 3 of 5, and always one more than are needed, since people lose things.
    pub fn new(threshold: u8, shares: u8) -> Result<Self, ShareError> {
        if (2..=3).contains(&threshold) && (3..=5).contains(&shares) && threshold < shares {
            Ok(Self { threshold, shares })
        } else {
            Err(ShareError::Sharing { threshold, shares })
        }
    }

    /// 1 of 1: whoever has the one share and its passphrase has the keys. For demos and unattended machines.
    pub const fn unattended() -> Self {
        Self {
            threshold: 1,
            shares: 1,
        }
    }

    /// How many open the store.
    pub const fn threshold(self) -> u8 {
        self.threshold
    }

    /// How many there are.
    pub const fn shares(self) -> u8 {
        self.shares
    }

    /// Whether one share is enough.
    pub const fn is_unattended(self) -> bool {
        self.threshold == 1
    }

    pub(crate) fn from_numbers(threshold: u8, shares: u8) -> Result<Self, ShareError> {
        if (threshold, shares) == (1, 1) {
            Ok(Self::unattended())
        } else {
            Self::new(threshold, shares)
        }
    }
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.threshold, self.shares)
    }
}

/// What a store was made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// To be relied on.
    Production,
    /// To practise: nothing that comes of it may be trusted.
    Rehearsal,
}

impl Purpose {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Rehearsal => "rehearsal",
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        [Self::Production, Self::Rehearsal]
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
    }
}

/// The shares of one store.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct SetId(pub(crate) [u8; 16]);

impl fmt::Display for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetId({self})")
    }
}

/// Who gets a share, and the passphrase that seals it.
#[derive(Debug)]
pub struct Holder {
    /// Their name: printable, one line.
    pub name: String,
    /// Chosen by them, known to them only.
    pub passphrase: SecretString,
}

/// Why a share does not help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareError {
    /// The text is damaged.
    #[error("{share}: {reason}; compare it with another copy of this share, or bring another holder's", share = .0.display(), reason = .1)]
    Damaged(PathBuf, String),
    /// A file could not be read or written.
    #[error("{path}: {source}", path = .0.display(), source = .1)]
    File(PathBuf, std::io::Error),
    /// A name that cannot stand in a share.
    #[error(
        "{0:?} is no name of a holder: 1 to 100 octets on one line, without spaces at its ends"
    )]
    Holder(String),
    /// Fewer or more holders than shares.
    #[error("{holders} holders for {shares} shares; name one holder for each share")]
    Holders {
        /// Holders that were named.
        holders: usize,
        /// Shares that there are to be.
        shares: u8,
    },
    /// The cryptographic library failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Of another store.
    #[error(
        "{share} is of the set {found}, this store's is {expected}; bring a share of this store"
    )]
    OtherSet {
        /// Which.
        share: String,
        /// Its set.
        found: SetId,
        /// The store's.
        expected: SetId,
    },
    /// More people than open a store, or fewer.
    #[error(
        "{threshold} of {shares} shares is not done here: choose 2 of 3, 2 of 4, 3 of 4, 2 of 5 or 3 of 5"
    )]
    Sharing {
        /// Shares that would be needed.
        threshold: u8,
        /// Shares that there would be.
        shares: u8,
    },
    /// Given before.
    #[error("{0} was given already; bring another holder's")]
    Twice(String),
    /// Sealed by another passphrase.
    #[error("the passphrase does not open {0}; try again, or bring another holder's")]
    WrongPassphrase(String),
}

/// A share as it lies in its holder's file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedShare {
    set: SetId,
    index: u8,
    sharing: Sharing,
    purpose: Purpose,
    holder: String,
    cost: Cost,
    salt: [u8; SALT],
    nonce: [u8; NONCE_LEN],
    sealed: [u8; shamir::LENGTH + TAG],
}

/// A share whose passphrase was given. Wiped when it is dropped.
#[derive(Clone)]
pub struct OpenShare {
    pub(crate) set: SetId,
    pub(crate) index: u8,
    pub(crate) holder: String,
    pub(crate) value: shamir::Share,
}

impl SealedShare {
    pub(crate) fn seal(
        set: SetId,
        index: u8,
        sharing: Sharing,
        purpose: Purpose,
        holder: &Holder,
        cost: Cost,
        value: &shamir::Share,
    ) -> Result<Self, ShareError> {
        let name = &holder.name;
        if !is_holder(name) {
            return Err(ShareError::Holder(name.clone()));
        }
        let mut share = Self {
            set,
            index,
            sharing,
            purpose,
            holder: name.clone(),
            cost,
            salt: [0; SALT],
            nonce: [0; NONCE_LEN],
            sealed: [0; shamir::LENGTH + TAG],
        };
        let failed = || KeyError::Crypto("sealing a share");
        rand::fill(&mut share.salt).map_err(|_| failed())?;
        rand::fill(&mut share.nonce).map_err(|_| failed())?;
        let key = derive(&holder.passphrase, &share.salt, cost).map_err(KeyError::Malformed)?;
        let (content, tag) = share.sealed.split_at_mut(shamir::LENGTH);
        content.copy_from_slice(&**value);
        let nonce = Nonce::assume_unique_for_key(share.nonce);
        let aad = share_lines(
            &share.holder,
            (set, index, sharing, purpose),
            cost,
            &share.salt,
            &share.nonce,
        );
        let sealed = key
            .seal_in_place_separate_tag(nonce, Aad::from(aad.so_far()), content)
            .map_err(|_| failed())?;
        tag.copy_from_slice(sealed.as_ref());
        Ok(share)
    }

    /// Opens it with its holder's passphrase. Takes as long as Argon2id was told to.
    pub fn open(&self, passphrase: &SecretString) -> Result<OpenShare, ShareError> {
        let key = derive(passphrase, &self.salt, self.cost).map_err(KeyError::Malformed)?;
        let mut content = Zeroizing::new(self.sealed);
        let opened = key
            .open_in_place(
                Nonce::assume_unique_for_key(self.nonce),
                Aad::from(self.lines().so_far()),
                &mut *content,
            )
            .map_err(|_| ShareError::WrongPassphrase(self.to_string()))?;
        let mut value = Zeroizing::new([0; shamir::LENGTH]);
        value.copy_from_slice(opened);
        Ok(OpenShare {
            set: self.set,
            index: self.index,
            holder: self.holder.clone(),
            value,
        })
    }

    /// The content of its file.
    pub fn to_text(&self) -> String {
        self.lines()
            .line("Sealed", &hex::encode(self.sealed))
            .finish()
            .to_string()
    }

    /// Reads the content of its file; `path` is for the errors.
    pub fn from_text(path: &Path, text: &str) -> Result<Self, ShareError> {
        Self::parse(text).map_err(|reason| ShareError::Damaged(path.to_owned(), reason))
    }

    /// Reads its file.
    pub fn load(path: &Path) -> Result<Self, ShareError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ShareError::File(path.to_owned(), error))?;
        Self::from_text(path, &text)
    }

    /// A name for its file that no share of another store has.
    pub fn file_name(&self) -> String {
        file_name(self.set, self.index)
    }

    /// Whose share it is.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Its number, from 1.
    pub const fn index(&self) -> u8 {
        self.index
    }

    /// Which store's it is.
    pub const fn set(&self) -> SetId {
        self.set
    }

    /// How many there are and how many are needed.
    pub const fn sharing(&self) -> Sharing {
        self.sharing
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::new(LABEL, text)?;
        let version = reader.line("Version")?;
        if version != "1" {
            return Err(format!(
                "it is of version {version:?}; this program reads version 1"
            ));
        }
        let set = SetId(reader.octets("Set")?);
        let mut number = |name: &str| -> Result<u8, String> {
            let text = reader.line(name)?;
            text.parse()
                .ok()
                .filter(|number: &u8| number.to_string() == text)
                .ok_or_else(|| format!("its line \"{name}\" is no number"))
        };
        let (index, shares, threshold) = (number("Share")?, number("Of")?, number("Threshold")?);
        let sharing =
            Sharing::from_numbers(threshold, shares).map_err(|error| error.to_string())?;
        if !(1..=shares).contains(&index) {
            return Err(format!("it says that it is share {index} of {shares}"));
        }
        let purpose = reader.line("Purpose")?;
        let purpose = Purpose::from_text(purpose)
            .ok_or_else(|| format!("its purpose {purpose:?} is not known here"))?;
        let holder = reader.line("Holder")?.to_owned();
        if !is_holder(&holder) {
            return Err("its holder's name is none".to_owned());
        }
        let (cost, salt) = Cost::from_text(reader.line("Derivation")?)?;
        let nonce = reader.octets("Nonce")?;
        let sealed = reader.octets("Sealed")?;
        reader.finish()?;
        Ok(Self {
            set,
            index,
            sharing,
            purpose,
            holder,
            cost,
            salt,
            nonce,
            sealed,
        })
    }

    /// The lines above `Sealed`.
    fn lines(&self) -> Writer {
        share_lines(
            &self.holder,
            (self.set, self.index, self.sharing, self.purpose),
            self.cost,
            &self.salt,
            &self.nonce,
        )
    }
}

fn share_lines(
    holder: &str,
    (set, index, sharing, purpose): (SetId, u8, Sharing, Purpose),
    cost: Cost,
    salt: &[u8; SALT],
    nonce: &[u8; NONCE_LEN],
) -> Writer {
    Writer::new(LABEL)
        .line("Version", "1")
        .line("Set", &set.to_string())
        .line("Share", &index.to_string())
        .line("Of", &sharing.shares.to_string())
        .line("Threshold", &sharing.threshold.to_string())
        .line("Purpose", purpose.as_str())
        .line("Holder", holder)
        .line("Derivation", &cost.to_text(salt))
        .line("Nonce", &hex::encode(nonce))
}

pub(crate) fn file_name(set: SetId, index: u8) -> String {
    let set = set.to_string();
    format!("{}-{index}.{EXTENSION}", &set[..8])
}

impl fmt::Display for SealedShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share {} of {}", self.index, self.holder)
    }
}

impl OpenShare {
    /// Whose share it is.
    pub fn holder(&self) -> &str {
        &self.holder
    }
}

impl fmt::Display for OpenShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share {} of {}", self.index, self.holder)
    }
}

impl fmt::Debug for OpenShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenShare")
            .field("set", &self.set)
            .field("index", &self.index)
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

fn is_holder(name: &str) -> bool {
    (1..=LONGEST_HOLDER).contains(&name.len())
        && name.trim() == name
        && !name.chars().any(char::is_control)
}
