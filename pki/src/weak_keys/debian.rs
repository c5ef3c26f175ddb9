//! The keys that Debian's OpenSSL made between 2006 and 2008 (CVE-2008-0166), by a list.
//!
//! The list comes in the format of the `openssl-blacklist` package: one file per size, such as
//! `blacklist.RSA-2048`, whose lines are the last 20 hex digits of the SHA-1 digest of
//! `Modulus=<upper-case hex>` and a newline, as `openssl rsa -modulus` prints it; `#` begins a comment.
//! No package ships the list any more, so the operator installs it.

use num_bigint::BigUint;

use super::refuse;
use crate::HashAlgorithm;
use crate::refusal::Refusal;

const PREFIX: &str = "blacklist.RSA-";

/// The weak keys known, of all sizes.
#[derive(Clone, Debug, Default)]
pub struct DebianWeakKeys {
    /// Sorted and without duplicates.
    fingerprints: Vec<[u8; 10]>,
    sizes: Vec<u32>,
}

impl DebianWeakKeys {
    /// Whether a file of this name is a list of RSA keys (`blacklist.RSA-4096`; lists of DSA keys are
    /// not needed, since DSA is refused).
    pub fn is_list_name(name: &str) -> bool {
        size_of(name).is_some()
    }

    /// Adds the list in the file `name`.
    pub fn add_list(&mut self, name: &str, text: &str) -> Result<(), ListError> {
        let size = size_of(name).ok_or_else(|| ListError::Name(name.to_owned()))?;
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let mut fingerprint = [0; 10];
            hex::decode_to_slice(line, &mut fingerprint).map_err(|_| ListError::Line {
                name: name.to_owned(),
                number: index + 1,
            })?;
            self.fingerprints.push(fingerprint);
        }
        self.fingerprints.sort_unstable();
        self.fingerprints.dedup();
        self.sizes.push(size);
        self.sizes.sort_unstable();
        Ok(())
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.fingerprints.len()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.fingerprints.is_empty()
    }

    /// The key sizes of which a list was added, in bits.
    pub fn sizes(&self) -> &[u32] {
        &self.sizes
    }

    /// Refuses a key on the list.
    pub(super) fn check(&self, modulus: &BigUint) -> Result<(), Refusal> {
        if self
            .fingerprints
            .binary_search(&fingerprint(modulus))
            .is_ok()
        {
            return Err(refuse(
                "CERT-21",
                "the RSA key is on the list of keys made by Debian's broken random numbers (CVE-2008-0166)",
            ));
        }
        Ok(())
    }
}

/// Why a list could not be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ListError {
    /// A line that is no fingerprint.
    #[error("{name}, line {number}: not 20 hex digits; get the list of weak keys again")]
    Line {
        /// The file.
        name: String,
        /// The line, from 1.
        number: usize,
    },
    /// A file with another name.
    #[error("{0:?} is not named like a list of weak RSA keys (blacklist.RSA-2048)")]
    Name(String),
}

fn size_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

fn fingerprint(modulus: &BigUint) -> [u8; 10] {
    let line = format!("Modulus={}\n", hex::encode_upper(modulus.to_bytes_be()));
    let digest = HashAlgorithm::Sha1.digest(line.as_bytes());
    let mut last = [0; 10];
    last.copy_from_slice(&digest[digest.len() - 10..]);
    last
}
