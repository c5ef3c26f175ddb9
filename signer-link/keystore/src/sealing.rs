//! The two file formats of a key store, version 1. Stored state: a change needs a new version number.
//!
//! `store.header`, one line of ASCII:
//!
//! ```text
//! avouch-keystore 1 argon2id m=65536 t=3 p=1 salt=<16 octets hex> check=<16 octets hex>\n
//! ```
//!
//! Argon2id version 1.3 over the passphrase and `salt` gives 48 octets: 32 of AES-256 key, 16 of `check`. The check
//! tells a wrong passphrase apart from a damaged key file, and helps a guesser no more than the key files do.
//!
//! `NAME.key`, one line of ASCII and then octets:
//!
//! ```text
//! avouch-key 1 aes-256-gcm store=<salt hex> nonce=<12 octets hex>\n
//! <PKCS#8 under AES-256-GCM, with the 16-octet tag>
//! ```
//!
//! Associated data: the whole line, then NAME. A file renamed to stand for another key does not open.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

const STORE_MAGIC: &str = "avouch-keystore";
const KEY_MAGIC: &str = "avouch-key";
const VERSION: &str = "1";
const SALT: usize = 16;
const CHECK: usize = 16;
const KEY: usize = 32;
/// A header line is short; nothing longer is looked at.
const LONGEST_LINE: usize = 512;

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

/// Why bytes could not be sealed or opened; the store adds the path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SealError {
    Damaged(String),
    ForeignKey,
    Unsupported(String),
    WrongPassphrase,
}

/// The key-encryption key of one store. The passphrase itself is not kept.
pub(crate) struct StoreKey {
    salt: [u8; SALT],
    key: LessSafeKey,
}

impl StoreKey {
    /// A new store: its key, and the header to write.
    pub(crate) fn create(
        passphrase: &SecretString,
        cost: Cost,
    ) -> Result<(Self, String), SealError> {
        let mut salt = [0; SALT];
        random(&mut salt)?;
        let (key, check) = derive(passphrase, &salt, cost)?;
        let header = format!(
            "{STORE_MAGIC} {VERSION} argon2id m={} t={} p={} salt={} check={}\n",
            cost.memory_kib,
            cost.passes,
            cost.lanes,
            hex::encode(salt),
            hex::encode(*check),
        );
        Ok((Self { salt, key }, header))
    }

    /// The key of the store whose header this is.
    pub(crate) fn open(header: &str, passphrase: &SecretString) -> Result<Self, SealError> {
        let line = header
            .strip_suffix('\n')
            .filter(|line| line.len() <= LONGEST_LINE)
            .ok_or_else(|| SealError::Damaged("the header is not one line".to_owned()))?;
        let fields: Vec<_> = line.split(' ').collect();
        let [magic, version, kdf, memory, passes, lanes, salt, check] = fields[..] else {
            return Err(SealError::Damaged(
                "the header has not eight fields".to_owned(),
            ));
        };
        expect_version(magic, STORE_MAGIC, version)?;
        if kdf != "argon2id" {
            return Err(SealError::Unsupported(format!(
                "key derivation {kdf:?} is not known here"
            )));
        }
        let cost = Cost {
            memory_kib: number(memory, "m=")?,
            passes: number(passes, "t=")?,
            lanes: number(lanes, "p=")?,
        };
        // Bounds, so that a planted header cannot take the machine's memory or days of time.
        if cost.memory_kib > 4 * 1024 * 1024 || cost.passes > 1_000 || cost.lanes > 64 {
            return Err(SealError::Unsupported(
                "the header asks for an absurd Argon2 cost".to_owned(),
            ));
        }
        let salt = octets::<SALT>(salt, "salt=")?;
        let expected = octets::<CHECK>(check, "check=")?;
        let (key, check) = derive(passphrase, &salt, cost)?;
        aws_lc_rs::constant_time::verify_slices_are_equal(&*check, &expected)
            .map_err(|_| SealError::WrongPassphrase)?;
        Ok(Self { salt, key })
    }

    /// The whole content of a key file.
    pub(crate) fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        let mut file = format!(
            "{KEY_MAGIC} {VERSION} aes-256-gcm store={} nonce={}\n",
            hex::encode(self.salt),
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
    pub(crate) fn unseal(&self, name: &str, file: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let end = file
            .iter()
            .take(LONGEST_LINE)
            .position(|octet| *octet == b'\n')
            .ok_or_else(|| SealError::Damaged("it has no header line".to_owned()))?;
        let (header, sealed) = file.split_at(end + 1);
        let line = std::str::from_utf8(&header[..end])
            .map_err(|_| SealError::Damaged("its header is not text".to_owned()))?;
        let fields: Vec<_> = line.split(' ').collect();
        let [magic, version, cipher, store, nonce] = fields[..] else {
            return Err(SealError::Damaged(
                "its header has not five fields".to_owned(),
            ));
        };
        expect_version(magic, KEY_MAGIC, version)?;
        if cipher != "aes-256-gcm" {
            return Err(SealError::Unsupported(format!(
                "cipher {cipher:?} is not known here"
            )));
        }
        if octets::<SALT>(store, "store=")? != self.salt {
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
            .map_err(|_| SealError::Damaged("its content does not authenticate".to_owned()))?
            .len();
        opened.truncate(length);
        Ok(opened)
    }
}

fn associated_data(header: &[u8], name: &str) -> Vec<u8> {
    [header, name.as_bytes()].concat()
}

fn derive(
    passphrase: &SecretString,
    salt: &[u8],
    cost: Cost,
) -> Result<(LessSafeKey, Zeroizing<[u8; CHECK]>), SealError> {
    let unsupported = |error: argon2::Error| SealError::Unsupported(format!("Argon2id: {error}"));
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY + CHECK))
        .map_err(unsupported)?;
    let mut output = Zeroizing::new([0; KEY + CHECK]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose_secret().as_bytes(), salt, &mut *output)
        .map_err(unsupported)?;
    let key = UnboundKey::new(&AES_256_GCM, &output[..KEY])
        .map(LessSafeKey::new)
        .map_err(|_| SealError::Unsupported("AES-256-GCM is not available".to_owned()))?;
    let mut check = Zeroizing::new([0; CHECK]);
    check.copy_from_slice(&output[KEY..]);
    Ok((key, check))
}

fn expect_version(magic: &str, expected: &str, version: &str) -> Result<(), SealError> {
    if magic != expected {
        return Err(SealError::Damaged(format!(
            "it does not begin with {expected:?}"
        )));
    }
    if version != VERSION {
        return Err(SealError::Unsupported(format!(
            "format version {version:?}; this program reads version {VERSION}"
        )));
    }
    Ok(())
}

fn number(field: &str, prefix: &str) -> Result<u32, SealError> {
    field
        .strip_prefix(prefix)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| SealError::Damaged(format!("the header's field {prefix:?} is no number")))
}

fn octets<const N: usize>(field: &str, prefix: &str) -> Result<[u8; N], SealError> {
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

fn random(into: &mut [u8]) -> Result<(), SealError> {
    rand::fill(into).map_err(|_| SealError::Damaged("the system gives no random octets".to_owned()))
}
