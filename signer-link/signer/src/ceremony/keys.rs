//! The keys of the CAs: in the store, or in a token that the store names.

use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use hierarchy::{Ca, TokenTable};
use keystore::{SecretString, SigningKey, StoreError, Token, TokenEntry};

use super::Table;
use crate::passphrase::{self, Terminal};

impl Table<'_> {
    /// The key of a CA: the one that is there, or a new one.
    pub(super) fn key(&self, ca: &Ca) -> anyhow::Result<(SigningKey, bool)> {
        match self.store.get(&ca.name) {
            Ok(key) => {
                ensure!(
                    key.kind() == ca.key,
                    "{}: the store has a {} key of this name, the hierarchy wants {}; use another --keys directory",
                    ca.name,
                    key.kind(),
                    ca.key
                );
                ensure!(
                    key.is_in_token() == ca.in_token,
                    "{}: in_token = {} in the file, but the key that is there is not so; use another --keys directory",
                    ca.name,
                    ca.in_token
                );
                eprintln!("{}: key ({}) is there, kept", ca.name, ca.key);
                return Ok((key, false));
            }
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        eprint!("{}: making its key ({}) …", ca.name, ca.key);
        std::io::stderr().flush()?;
        let begun = Instant::now();
        let key = match (&self.hierarchy.token, ca.in_token) {
            (Some(token), true) => self.make_in_token(ca, token)?,
            _ => {
                let key = SigningKey::generate(ca.key)?;
                self.store.insert(&ca.name, &key)?;
                key
            }
        };
        eprintln!(" {:.1} s", begun.elapsed().as_secs_f32());
        Ok((key, true))
    }

    fn make_in_token(&self, ca: &Ca, table: &TokenTable) -> anyhow::Result<SigningKey> {
        let pin = self.pin(table)?;
        let token = Token::with_pin(table.module.clone(), &table.label, pin.clone());
        // Of this store, so that a key of another ceremony in the same token is not taken for this one's.
        let label = format!("avouch {} {}", self.store.set(), ca.name);
        let mut there = token.keys(&label)?;
        let key = match (there.pop(), there.pop()) {
            (None, _) => token.generate(ca.key, &label)?,
            // Made before the ceremony was broken off.
            (Some(key), None) if key.kind() == ca.key => key,
            _ => bail!(
                "the token {:?} has other keys with the label {label:?}; remove them",
                table.label
            ),
        };
        let entry = TokenEntry {
            module: table.module.clone(),
            token: table.label.clone(),
            id: key.token_id().context("the key is in no token")?.to_vec(),
            pin,
        };
        self.store.insert_token_key(&ca.name, &entry)?;
        Ok(key)
    }

    fn pin(&self, table: &TokenTable) -> anyhow::Result<SecretString> {
        match &self.options.pin_file {
            Some(file) => passphrase::read_file(file),
            None => {
                eprintln!();
                Terminal::open()
                    .context("the token's PIN is asked for at the terminal; or give --pin-file")?
                    .secret(&format!("PIN of the token {:?}: ", table.label))
            }
        }
    }
}
