//! Where a key is that a store names but does not hold.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::{KeyError, SigningKey, Token};

/// A key in a PKCS#11 token, and the PIN that opens the token. In a store it is sealed like a key.
///
/// Stored state: four lines, `module=`, `token=`, `id=` (CKA_ID in hex) and `pin=`.
#[derive(Clone, Debug)]
pub struct TokenEntry {
    /// The vendor's PKCS#11 library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// CKA_ID of the key.
    pub id: Vec<u8>,
    /// The user PIN.
    pub pin: SecretString,
}

impl TokenEntry {
    /// Finds the key in its token.
    pub fn key(&self) -> Result<SigningKey, KeyError> {
        Token::with_pin(self.module.clone(), &self.token, self.pin.clone()).key(&self.id)
    }

    pub(crate) fn to_text(&self) -> Result<Zeroizing<String>, KeyError> {
        let module = self.module.to_str().ok_or_else(|| {
            KeyError::Malformed("the path of the PKCS#11 module is not UTF-8".to_owned())
        })?;
        let pin = self.pin.expose_secret();
        if [module, &self.token, pin]
            .iter()
            .any(|value| value.contains('\n'))
        {
            return Err(KeyError::Malformed(
                "the module, the token's label or the PIN has a line feed in it".to_owned(),
            ));
        }
        Ok(Zeroizing::new(format!(
            "module={module}\ntoken={}\nid={}\npin={pin}\n",
            self.token,
            hex::encode(&self.id)
        )))
    }

    pub(crate) fn from_octets(octets: &[u8]) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed("a token entry that cannot be read".to_owned());
        let text = std::str::from_utf8(octets).map_err(|_| malformed())?;
        let mut lines = text.lines();
        let mut line = |name: &str| lines.next().and_then(|line| line.strip_prefix(name));
        let entry = (|| {
            Some(Self {
                module: line("module=")?.into(),
                token: line("token=")?.to_owned(),
                id: hex::decode(line("id=")?).ok()?,
                pin: SecretString::from(line("pin=")?),
            })
        })();
        entry.ok_or_else(malformed)
    }
}
