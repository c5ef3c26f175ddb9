//! The key files of a store, version 2. Stored state: a change needs a new version number.
//!
//! `NAME.key`, one line of ASCII and then octets:
//!
//! ```text
//! avouch-key 2 aes-256-gcm content=<software or token> set=<16 octets hex> nonce=<12 octets hex>\n
//! <content under AES-256-GCM, with the 16-octet tag>
//! ```
//!
//! The content is the key itself (`software`: PKCS#8) or where it is (`token`: [`crate::TokenEntry`]). The AES key is
//! HKDF-SHA256 of the key-encryption key, with the set as salt and `avouch key store sealing` as info. Associated data:
//! the whole line, then NAME. A file renamed to stand for another key does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::header::{Kek, expand, octets};
use crate::share::SetId;

const MAGIC: &str = "avouch-key";
const VERSION: &str = "2";
/// A header line is short; nothing longer is looked at.
const LONGEST_LINE: usize = 512;

/// Why bytes could not be sealed or opened; the store adds the path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SealError {
    Damaged(String),
    ForeignKey,
    Unsupported(String),
}

/// What a key file has inside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Content {
    Software,
    Token,
}

impl Content {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Token => "token",
        }
    }
}

/// What seals the key files of one store.
pub(crate) struct StoreKey {
    set: SetId,
    key: LessSafeKey,
}

impl StoreKey {
    pub(crate) fn new(kek: &Kek, set: SetId) -> Result<Self, SealError> {
        let octets = expand(kek, set, b"avouch key store sealing")?;
        let key = UnboundKey::new(&AES_256_GCM, &*octets)
            .map(LessSafeKey::new)
            .map_err(|_| SealError::Unsupported("AES-256-GCM is not available".to_owned()))?;
        Ok(Self { set, key })
    }

    /// The whole content of a key file.
    pub(crate) fn seal(
        &self,
        name: &str,
        content: Content,
        secret: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce)
            .map_err(|_| SealError::Damaged("the system gives no random octets".to_owned()))?;
        let mut file = format!(
            "{MAGIC} {VERSION} aes-256-gcm content={} set={} nonce={}\n",
            content.as_str(),
            self.set,
            hex::encode(nonce)
        )
        .into_bytes();
        let mut sealed = Zeroizing::new(secret.to_vec());
        let tag = self
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(&file, name)),
                &mut sealed,
            )
            .map_err(|_| SealError::Damaged("encryption failed".to_owned()))?;
        file.extend_from_slice(&sealed);
        file.extend_from_slice(tag.as_ref());
        Ok(file)
    }

    /// The secret in a key file.
    pub(crate) fn unseal(
        &self,
        name: &str,
        file: &[u8],
    ) -> Result<(Content, Zeroizing<Vec<u8>>), SealError> {
        let damaged = |reason: &str| SealError::Damaged(reason.to_owned());
        let end = file
            .iter()
            .take(LONGEST_LINE)
            .position(|octet| *octet == b'\n')
            .ok_or_else(|| damaged("it has no header line"))?;
        let (header, sealed) = file.split_at(end + 1);
        let line =
            std::str::from_utf8(&header[..end]).map_err(|_| damaged("its header is not text"))?;
        let fields: Vec<_> = line.split(' ').collect();
        let [magic, version, cipher, content, set, nonce] = fields[..] else {
            return Err(damaged("its header has not six fields"));
        };
        if magic != MAGIC {
            return Err(SealError::Damaged(format!(
                "it does not begin with {MAGIC:?}"
            )));
        }
        if (version, cipher) != (VERSION, "aes-256-gcm") {
            return Err(SealError::Unsupported(format!(
                "format version {version:?} with cipher {cipher:?}; this program reads version {VERSION} with aes-256-gcm"
            )));
        }
        let content = [Content::Software, Content::Token]
            .into_iter()
            .find(|known| content.strip_prefix("content=") == Some(known.as_str()))
            .ok_or_else(|| SealError::Unsupported(format!("{content:?} is not known here")))?;
        if octets(set, "set=")? != self.set.0 {
            return Err(SealError::ForeignKey);
        }
        let nonce = octets::<NONCE_LEN>(nonce, "nonce=")?;
        let mut opened = Zeroizing::new(sealed.to_vec());
        let length = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(associated_data(header, name)),
                &mut opened,
            )
            .map_err(|_| damaged("its content does not authenticate"))?
            .len();
        opened.truncate(length);
        Ok((content, opened))
    }
}

fn associated_data(header: &[u8], name: &str) -> Vec<u8> {
    [header, name.as_bytes()].concat()
}
