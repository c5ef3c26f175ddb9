//! A key that certifies OpenPGP keys: `NAME.key` in the encrypted store, and beside it `NAME.pgp`, its public half with
//! its user id (RFC 9580 section 10.1), where a CA has its certificate.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use keystore::{Access, write_atomically};
use openpgp::{Signature, TransferableKey};
use pki::Time;

/// What is public about such a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PgpKey {
    /// The name that requests ask with.
    pub name: String,
    /// The key.
    pub key: openpgp::PublicKey,
    /// When it ends, if it does.
    pub expires: Option<Time>,
    /// The public half as it is given to people.
    pub transferable: Vec<u8>,
}

impl PgpKey {
    /// Reads what lies beside the private half of `public`: exactly one user id, which the key has signed.
    pub fn read(
        name: &str,
        public: &pki::PublicKey,
        transferable: Vec<u8>,
    ) -> Result<Self, String> {
        let text = |error: openpgp::PgpError| error.to_string();
        let read = TransferableKey::from_octets(&transferable).map_err(text)?;
        if read.key().key() != public {
            return Err("its public half belongs to another key".to_owned());
        }
        if read.identities().len() != 1 {
            return Err("it has not exactly one user id".to_owned());
        }
        let signature = read.self_signature(0).and_then(Signature::from_body);
        let expires = signature.map_err(text)?.key_expires(read.key());
        Ok(Self {
            name: name.to_owned(),
            key: read.key().clone(),
            expires,
            transferable,
        })
    }
}

/// What lies beside a key, if it is one for OpenPGP.
pub fn load(keys: &Path, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let path = path(keys, name);
    match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => Ok(Some(read.with_context(|| path.display().to_string())?)),
    }
}

/// Keeps it there.
pub fn save(keys: &Path, name: &str, transferable: &[u8]) -> anyhow::Result<()> {
    let path = path(keys, name);
    write_atomically(&path, transferable, Access::Public)
        .with_context(|| path.display().to_string())
}

fn path(keys: &Path, name: &str) -> PathBuf {
    keys.join(format!("{name}.pgp"))
}
