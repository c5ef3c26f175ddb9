//! From a passphrase to a key, by Argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Octets of the salt.
pub(crate) const SALT: usize = 16;

/// What Argon2id costs whoever tries a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Cost {
    /// 64 MiB, three passes, one lane.
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        }
    }
}

impl Cost {
    /// `argon2id m=… t=… p=… salt=…`
    pub(crate) fn to_text(self, salt: &[u8; SALT]) -> String {
        let Self {
            memory_kib,
            passes,
            lanes,
        } = self;
        format!(
            "argon2id m={memory_kib} t={passes} p={lanes} salt={}",
            hex::encode(salt)
        )
    }

    /// What [`Self::to_text`] wrote. The error is a reason.
    pub(crate) fn from_text(text: &str) -> Result<(Self, [u8; SALT]), String> {
        let fields: Vec<_> = text.split(' ').collect();
        let ["argon2id", memory, passes, lanes, salt] = fields[..] else {
            return Err(format!(
                "the derivation {text:?} is not known here; use the program that wrote it"
            ));
        };
        let number = |field: &str, prefix: &str| {
            field
                .strip_prefix(prefix)
                .and_then(|digits| digits.parse::<u32>().ok())
                .ok_or_else(|| format!("the derivation has no number {prefix:?}"))
        };
        let cost = Self {
            memory_kib: number(memory, "m=")?,
            passes: number(passes, "t=")?,
            lanes: number(lanes, "p=")?,
        };
        // Bounds, so that a planted file cannot take the machine's memory or days of time.
        if cost.memory_kib > 4 * 1024 * 1024 || cost.passes > 1_000 || cost.lanes > 64 {
            return Err("it asks for an absurd Argon2 cost".to_owned());
        }
        let mut octets = [0; SALT];
        salt.strip_prefix("salt=")
            .and_then(|digits| hex::decode_to_slice(digits, &mut octets).ok())
            .ok_or_else(|| format!("its salt is not {SALT} octets in hex"))?;
        Ok((cost, octets))
    }
}

/// The AES-256-GCM key of a passphrase. The error is a reason.
pub(crate) fn derive(
    passphrase: &SecretString,
    salt: &[u8; SALT],
    cost: Cost,
) -> Result<LessSafeKey, String> {
    let wrong = |error: argon2::Error| format!("Argon2id: {error}");
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(wrong)?;
    let mut output = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose_secret().as_bytes(), salt, &mut *output)
        .map_err(wrong)?;
    UnboundKey::new(&AES_256_GCM, &*output)
        .map(LessSafeKey::new)
        .map_err(|_| "AES-256-GCM is not available".to_owned())
}
