//! The header of a store: one line of ASCII in `store.header`, version 2. Stored state: a change needs a new version.
//!
//! ```text
//! avouch-keystore 2 set=<16 octets hex> threshold=2 shares=3 purpose=production commitment=<32 octets hex>\n
//! ```
//!
//! The commitment is HKDF-SHA256 (RFC 5869) with the key-encryption key as its input, `set` as its salt, and the line
//! without the commitment, after `avouch key store commitment: `, as its info. So whoever combines shares sees whether
//! they gave the key of this store, and a header that was altered fits no key. Version 1 had no shares: its key came
//! from one passphrase.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

use crate::sealing::SealError;
use crate::share::{Purpose, SetId, Sharing};

const MAGIC: &str = "avouch-keystore";
const VERSION: &str = "2";
const LONGEST_LINE: usize = 512;

/// The key-encryption key.
pub(crate) type Kek = Zeroizing<[u8; 32]>;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) set: SetId,
    pub(crate) sharing: Sharing,
    pub(crate) purpose: Purpose,
    commitment: [u8; 32],
}

impl Header {
    pub(crate) fn new(
        kek: &Kek,
        set: SetId,
        sharing: Sharing,
        purpose: Purpose,
    ) -> Result<Self, SealError> {
        let mut header = Self {
            set,
            sharing,
            purpose,
            commitment: [0; 32],
        };
        header.commitment = *header.commitment_to(kek)?;
        Ok(header)
    }

    /// Whether this is the key that the header was made for.
    pub(crate) fn fits(&self, kek: &Kek) -> Result<bool, SealError> {
        let commitment = self.commitment_to(kek)?;
        Ok(
            aws_lc_rs::constant_time::verify_slices_are_equal(&*commitment, &self.commitment)
                .is_ok(),
        )
    }

    pub(crate) fn to_text(&self) -> String {
        format!(
            "{} commitment={}\n",
            self.line(),
            hex::encode(self.commitment)
        )
    }

    pub(crate) fn from_text(text: &str) -> Result<Self, SealError> {
        let damaged = |reason: &str| SealError::Damaged(reason.to_owned());
        let line = text
            .strip_suffix('\n')
            .filter(|line| line.len() <= LONGEST_LINE)
            .ok_or_else(|| damaged("the header is not one line"))?;
        let fields: Vec<_> = line.split(' ').collect();
        let (Some(&magic), Some(&version)) = (fields.first(), fields.get(1)) else {
            return Err(damaged("the header is empty"));
        };
        if magic != MAGIC {
            return Err(SealError::Damaged(format!(
                "it does not begin with {MAGIC:?}"
            )));
        }
        if version != VERSION {
            return Err(SealError::Unsupported(format!(
                "format version {version:?}; this program reads version {VERSION}. Make a new store, and import the keys \
                 into it from where they came"
            )));
        }
        let [_, _, set, threshold, shares, purpose, commitment] = fields[..] else {
            return Err(damaged("the header has not seven fields"));
        };
        let number = |field: &str, prefix: &str| {
            field
                .strip_prefix(prefix)
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(|| {
                    SealError::Damaged(format!("the header's field {prefix:?} is no number"))
                })
        };
        let sharing =
            Sharing::from_numbers(number(threshold, "threshold=")?, number(shares, "shares=")?)
                .map_err(|error| SealError::Damaged(error.to_string()))?;
        let purpose = purpose
            .strip_prefix("purpose=")
            .and_then(Purpose::from_text)
            .ok_or_else(|| damaged("the header's purpose is not known here"))?;
        let header = Self {
            set: SetId(octets(set, "set=")?),
            sharing,
            purpose,
            commitment: octets(commitment, "commitment=")?,
        };
        if header.to_text() != text {
            return Err(damaged("the header is not written as it should be"));
        }
        Ok(header)
    }

    fn line(&self) -> String {
        format!(
            "{MAGIC} {VERSION} set={} threshold={} shares={} purpose={}",
            self.set,
            self.sharing.threshold(),
            self.sharing.shares(),
            self.purpose.as_str()
        )
    }

    fn commitment_to(&self, kek: &Kek) -> Result<Kek, SealError> {
        let info = format!("avouch key store commitment: {}", self.line());
        expand(kek, self.set, info.as_bytes())
    }
}

/// 32 octets out of the key-encryption key.
pub(crate) fn expand(kek: &Kek, set: SetId, info: &[u8]) -> Result<Kek, SealError> {
    let mut output = Zeroizing::new([0; 32]);
    Salt::new(HKDF_SHA256, &set.0)
        .extract(&**kek)
        .expand(&[info], Length)
        .and_then(|expanded| expanded.fill(&mut *output))
        .map_err(|_| SealError::Unsupported("HKDF-SHA256 is not available".to_owned()))?;
    Ok(output)
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

pub(crate) fn octets<const N: usize>(field: &str, prefix: &str) -> Result<[u8; N], SealError> {
    let mut octets = [0; N];
    field
        .strip_prefix(prefix)
        .and_then(|digits| hex::decode_to_slice(digits, &mut octets).ok())
        .ok_or_else(|| {
            SealError::Damaged(format!(
                "the header's field {prefix:?} is not {N} octets of hex"
            ))
        })?;
    Ok(octets)
}
