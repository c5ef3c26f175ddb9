//! Reading a private key from every PEM form that openssl writes.
//!
//! | label | form |
//! | --- | --- |
//! | `PRIVATE KEY` | PKCS#8 (RFC 5958) |
//! | `ENCRYPTED PRIVATE KEY` | PKCS#8 under PBES2 (RFC 8018) |
//! | `RSA PRIVATE KEY` | PKCS#1 (RFC 8017) |
//! | `EC PRIVATE KEY` | SEC 1 (RFC 5915), often after an `EC PARAMETERS` block |

use pkcs8::EncryptedPrivateKeyInfo;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::pem_blocks::{Block, blocks};
use crate::{KeyError, SigningKey};

/// The one private key in `text`. Blocks of other kinds (certificates, parameters) are passed over.
pub(crate) fn read(text: &str, passphrase: Option<&SecretString>) -> Result<SigningKey, KeyError> {
    let blocks = blocks(text)?;
    let keys: Vec<_> = blocks
        .iter()
        .filter(|block| block.label.ends_with("PRIVATE KEY"))
        .collect();
    match keys.as_slice() {
        [] => Err(KeyError::NoPrivateKey {
            found: labels(&blocks),
        }),
        [key] => read_block(key, passphrase),
        several => Err(KeyError::Several(several.len())),
    }
}

fn read_block(
    block: &Block<'_>,
    passphrase: Option<&SecretString>,
) -> Result<SigningKey, KeyError> {
    if block.is_legacy_encrypted() {
        return Err(KeyError::LegacyEncryption);
    }
    match block.label {
        "PRIVATE KEY" => SigningKey::from_pkcs8_der(&block.der()?),
        "ENCRYPTED PRIVATE KEY" => {
            let passphrase = passphrase.ok_or(KeyError::PassphraseNeeded)?;
            SigningKey::from_pkcs8_der(&decrypt(&block.der()?, passphrase)?)
        }
        "RSA PRIVATE KEY" => SigningKey::from_pkcs1_der(&block.der()?),
        "EC PRIVATE KEY" => SigningKey::from_sec1_der(&block.der()?),
        other => Err(KeyError::Unsupported(format!("a PEM block \"{other}\""))),
    }
}

fn decrypt(der: &[u8], passphrase: &SecretString) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let encrypted = EncryptedPrivateKeyInfo::try_from(der).map_err(|error| {
        KeyError::Malformed(format!(
            "its encryption is not PBES2 ({error}); convert it: \
             openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD.pem -out NEW.pem"
        ))
    })?;
    let document = encrypted
        .decrypt(passphrase.expose_secret())
        .map_err(|_| KeyError::WrongPassphrase)?;
    Ok(document.to_bytes())
}

fn labels(blocks: &[Block<'_>]) -> String {
    if blocks.is_empty() {
        return "no PEM block".to_owned();
    }
    let labels: Vec<_> = blocks.iter().map(|block| block.label).collect();
    labels.join(", ")
}
