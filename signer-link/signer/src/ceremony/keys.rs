//! The keys: in the store, or in a token that the store names.

use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use hierarchy::{Ca, TokenTable};
use keystore::{SecretString, SigningKey, StoreError, Token, TokenEntry};
use pki::KeyKind;

use super::Table;
use crate::passphrase::{self, Terminal};

/// What the ceremony's file says of a key.
pub(super) struct KeyWanted<'a> {
    pub(super) name: &'a str,
    pub(super) kind: KeyKind,
    pub(super) in_token: bool,
}

impl<'a> KeyWanted<'a> {
    pub(super) fn of(ca: &'a Ca) -> Self {
        Self {
            name: &ca.name,
            kind: ca.key,
            in_token: ca.in_token,
        }
    }
}

impl Table<'_> {
    /// A key: the one that is there, or a new one.
    pub(super) fn key(&self, wanted: &KeyWanted<'_>) -> anyhow::Result<(SigningKey, bool)> {
        match self.store.get(wanted.name) {
            Ok(key) => {
                ensure!(
                    key.kind() == wanted.kind,
                    "{}: the store has a {} key of this name, the hierarchy wants {}; use another --keys directory",
                    wanted.name,
                    key.kind(),
                    wanted.kind
                );
                ensure!(
                    key.is_in_token() == wanted.in_token,
                    "{}: in_token = {} in the file, but the key that is there is not so; use another --keys directory",
                    wanted.name,
                    wanted.in_token
                );
                eprintln!("{}: key ({}) is there, kept", wanted.name, wanted.kind);
                return Ok((key, false));
            }
            Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        eprint!("{}: making its key ({}) …", wanted.name, wanted.kind);
        std::io::stderr().flush()?;
        let begun = Instant::now();
        let key = match (&self.hierarchy.token, wanted.in_token) {
            (Some(token), true) => self.make_in_token(wanted, token)?,
            _ => {
                let key = SigningKey::generate(wanted.kind)?;
                self.store.insert(wanted.name, &key)?;
                key
            }
        };
        eprintln!(" {:.1} s", begun.elapsed().as_secs_f32());
        Ok((key, true))
    }

    fn make_in_token(
        &self,
        wanted: &KeyWanted<'_>,
        table: &TokenTable,
    ) -> anyhow::Result<SigningKey> {
        let pin = self.pin(table)?;
        let token = Token::with_pin(table.module.clone(), &table.label, pin.clone());
        // Of this store, so that a key of another ceremony in the same token is not taken for this one's.
        let label = format!("avouch {} {}", self.store.set(), wanted.name);
        let mut there = token.keys(&label)?;
        let key = match (there.pop(), there.pop()) {
            (None, _) => token.generate(wanted.kind, &label)?,
            // Made before the ceremony was broken off.
            (Some(key), None) if key.kind() == wanted.kind => key,
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
        self.store.insert_token_key(wanted.name, &entry)?;
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
