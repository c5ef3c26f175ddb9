//! What one end of the signer's cable must know to recognise the other: made for both ends at the ceremony.
//!
//! The session is Noise KKpsk0 over X25519: each end has a private key of its own, the other's public key, and a secret
//! that both share. Stored state, version 1, in a file of mode 0600; [`crate::armour`] says how the lines are read.
//!
//! ```text
//! -----BEGIN AVOUCH LINK KEYS-----
//! Version: 1
//! End: signer
//! Signer: 1
//! Private: <32 octets hex>
//! Peer: <32 octets hex: the other end's public key>
//! Psk: <32 octets hex: the same at both ends>
//! Checksum: <4 octets hex>
//! -----END AVOUCH LINK KEYS-----
//! ```

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::agreement::{PrivateKey, X25519};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::armour::{Reader, Writer};
use crate::{Access, KeyError, write_atomically};

const LABEL: &str = "AVOUCH LINK KEYS";

/// An end of the cable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkEnd {
    /// The online host, which speaks first.
    Host,
    /// The isolated signer.
    Signer,
}

impl LinkEnd {
    /// As it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Signer => "signer",
        }
    }
}

/// The number of a signer, which stands in every serial number that it signs: 1 to 127. A standby has another than the
/// signer that it stands by for, so that the two never give the same serial number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SignerId(u8);

impl SignerId {
    /// The first signer of a CA.
    pub const FIRST: Self = Self(1);

    /// This number, if it is one.
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= 127 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for SignerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why link keys could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkKeysError {
    /// Not such a text, or damaged.
    #[error("{path}: {reason}; take it again from where the ceremony wrote it", path = .0.display(), reason = .1)]
    Damaged(PathBuf, String),
    /// A file could not be read or written.
    #[error("{path}: {source}", path = .0.display(), source = .1)]
    File(PathBuf, io::Error),
    /// Others may read the file.
    #[error("{path}: can be read by others (mode {mode:o}); chmod 600 it, and make new link keys if others did", path = .0.display(), mode = .1)]
    Readable(PathBuf, u32),
    /// The other end's file.
    #[error("{path}: these are the keys of the {found} end, the {wanted}'s are wanted", path = .path.display(), found = .found.as_str(), wanted = .wanted.as_str())]
    WrongEnd {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: LinkEnd,
        /// Whose it ought to be.
        wanted: LinkEnd,
    },
}

/// The keys of one end. Wiped when they are dropped; their `Debug` shows no secret.
#[derive(Clone)]
pub struct LinkKeys {
    end: LinkEnd,
    signer: SignerId,
    private: Zeroizing<[u8; 32]>,
    peer: [u8; 32],
    psk: Zeroizing<[u8; 32]>,
}

/// The keys of both ends of one cable.
#[derive(Clone, Debug)]
pub struct LinkPair {
    /// The isolated signer's.
    pub signer: LinkKeys,
    /// The online host's.
    pub host: LinkKeys,
}

impl LinkKeys {
    /// Makes new keys for both ends of the cable of this signer.
    pub fn pair(signer: SignerId) -> Result<LinkPair, KeyError> {
        let (signer_private, host_private, psk) = (random()?, random()?, random()?);
        let end = |end, private: &Zeroizing<[u8; 32]>, peer| {
            Ok::<_, KeyError>(Self {
                end,
                signer,
                private: private.clone(),
                peer: public_of(peer)?,
                psk: psk.clone(),
            })
        };
        Ok(LinkPair {
            signer: end(LinkEnd::Signer, &signer_private, &host_private)?,
            host: end(LinkEnd::Host, &host_private, &signer_private)?,
        })
    }

    /// Reads the file of this end. One that others may read is refused.
    pub fn load(path: &Path, wanted: LinkEnd) -> Result<Self, LinkKeysError> {
        let file = |error| LinkKeysError::File(path.to_owned(), error);
        let mode = fs::metadata(path).map_err(file)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(LinkKeysError::Readable(path.to_owned(), mode));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(file)?);
        let keys = Self::from_text(&text)
            .map_err(|reason| LinkKeysError::Damaged(path.to_owned(), reason))?;
        if keys.end != wanted {
            return Err(LinkKeysError::WrongEnd {
                path: path.to_owned(),
                found: keys.end,
                wanted,
            });
        }
        Ok(keys)
    }

    /// Writes them (mode 0600, synced). Nothing is overwritten.
    pub fn save(&self, path: &Path) -> Result<(), LinkKeysError> {
        write_atomically(path, self.to_text().as_bytes(), Access::SecretNew)
            .map_err(|error| LinkKeysError::File(path.to_owned(), error))
    }

    /// The content of the file.
    pub fn to_text(&self) -> Zeroizing<String> {
        let secret = |octets: &[u8; 32]| Zeroizing::new(hex::encode(octets));
        Writer::new(LABEL)
            .line("Version", "1")
            .line("End", self.end.as_str())
            .line("Signer", &self.signer.to_string())
            .line("Private", &secret(&self.private))
            .line("Peer", &hex::encode(self.peer))
            .line("Psk", &secret(&self.psk))
            .finish()
    }

    /// Reads the content of the file. The error is a reason.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let mut reader = Reader::new(LABEL, text)?;
        let version = reader.line("Version")?;
        if version != "1" {
            return Err(format!(
                "it is of version {version:?}; this program reads version 1"
            ));
        }
        let end = reader.line("End")?;
        let end = [LinkEnd::Host, LinkEnd::Signer]
            .into_iter()
            .find(|known| known.as_str() == end)
            .ok_or_else(|| format!("its end {end:?} is neither host nor signer"))?;
        let signer = reader.line("Signer")?;
        let signer = signer
            .parse()
            .ok()
            .and_then(SignerId::new)
            .ok_or_else(|| format!("{signer:?} is no signer's number (1 to 127)"))?;
        let keys = Self {
            end,
            signer,
            private: Zeroizing::new(reader.octets("Private")?),
            peer: reader.octets("Peer")?,
            psk: Zeroizing::new(reader.octets("Psk")?),
        };
        reader.finish()?;
        Ok(keys)
    }

    /// Whose they are.
    pub const fn end(&self) -> LinkEnd {
        self.end
    }

    /// The signer of this cable.
    pub const fn signer(&self) -> SignerId {
        self.signer
    }

    /// The X25519 private key.
    pub fn private(&self) -> &[u8; 32] {
        &self.private
    }

    /// The X25519 public key of the other end.
    pub const fn peer(&self) -> &[u8; 32] {
        &self.peer
    }

    /// The secret that both ends share.
    pub fn psk(&self) -> &[u8; 32] {
        &self.psk
    }

    /// The X25519 public key of this end, which may be shown: people compare it.
    pub fn public(&self) -> Result<[u8; 32], KeyError> {
        public_of(&self.private)
    }
}

impl fmt::Debug for LinkKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkKeys")
            .field("end", &self.end)
            .field("signer", &self.signer)
            .field("peer", &hex::encode(self.peer))
            .finish_non_exhaustive()
    }
}

fn random() -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut octets = Zeroizing::new([0; 32]);
    rand::fill(&mut *octets).map_err(|_| KeyError::Crypto("drawing a random number"))?;
    Ok(octets)
}

fn public_of(private: &[u8; 32]) -> Result<[u8; 32], KeyError> {
    const WHILE: KeyError = KeyError::Crypto("making a link key");
    let key = PrivateKey::from_private_key(&X25519, private).map_err(|_| WHILE)?;
    let public = key.compute_public_key().map_err(|_| WHILE)?;
    public.as_ref().try_into().map_err(|_| WHILE)
}
