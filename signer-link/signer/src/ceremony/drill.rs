//! The restore drill: the key store is opened again from the shares as they lie in their files, by each smallest set of
//! holders who are there, and every key is taken out and compared with its certificate.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use keystore::{EncryptedStore, OpenShare, SealedShare, ShareError, Unlocking};

use super::Table;
use super::key_store::folder_of_shares;
use crate::key::shares_in;
use crate::passphrase::{self, Terminal};
use crate::pgp::key::{self, PgpKey};

impl Table<'_> {
    pub(super) fn drill(&mut self) -> anyhow::Result<()> {
        let said = match &self.options.passphrase_file {
            Some(file) => {
                let store =
                    EncryptedStore::open(&self.options.keys, &passphrase::read_file(file)?)?;
                self.compare(&store)?;
                "the one passphrase opened the store".to_owned()
            }
            None => self.drill_with_people()?,
        };
        let count = self.opened.len();
        let said =
            format!("restore drill: {said}, and all {count} keys belong to their certificates");
        eprintln!("{said}");
        self.transcript.say(&said);
        Ok(())
    }

    fn drill_with_people(&self) -> anyhow::Result<String> {
        let threshold = usize::from(self.store.sharing().threshold());
        let opened = self.type_again()?;
        ensure!(
            opened.len() >= threshold,
            "restore drill: {} of the {threshold} shares that are needed were opened; hold the ceremony again with the \
             same file, with more holders there",
            opened.len()
        );
        let mut sets = Vec::new();
        for mask in 0..1_u32 << opened.len() {
            if mask.count_ones() as usize != threshold {
                continue;
            }
            let chosen: Vec<_> = opened
                .iter()
                .enumerate()
                .filter(|(at, _)| mask & (1 << at) != 0)
                .map(|(_, share)| share.clone())
                .collect();
            let names: Vec<_> = chosen.iter().map(OpenShare::holder).collect();
            let names = names.join(" + ");
            let mut unlocking = Unlocking::begin(&self.options.keys)?;
            for share in chosen {
                unlocking.add(share)?;
            }
            let store = unlocking
                .finish()
                .with_context(|| format!("restore drill with {names}"))?;
            self.compare(&store)?;
            sets.push(names);
        }
        Ok(format!(
            "each of {} sets of shares ({}) opened the store",
            sets.len(),
            sets.join("; ")
        ))
    }

    /// Has the passphrases typed once more, for the shares that are there now.
    fn type_again(&self) -> anyhow::Result<Vec<OpenShare>> {
        let mut terminal = Terminal::open().context("the restore drill asks at the terminal")?;
        terminal.say(
            "Restore drill: each holder who is here types the passphrase once more (an empty line: not here).",
        )?;
        let folder: PathBuf = folder_of_shares(self.options).to_owned();
        let shares = shares_in(
            &[folder],
            &Unlocking::begin(&self.options.keys)?,
            &mut terminal,
        )?;
        let mut opened = Vec::new();
        for share in &shares {
            opened.extend(type_one(share, &mut terminal)?);
        }
        Ok(opened)
    }

    /// Every key of the store against the certificates on the table.
    fn compare(&self, store: &EncryptedStore) -> anyhow::Result<()> {
        for (name, opened) in &self.opened {
            let key = store.get(name)?;
            ensure!(
                key.public_key() == opened.certificate.public_key(),
                "restore drill: the key of {name} does not belong to its certificate"
            );
        }
        if let Some(openpgp) = &self.hierarchy.openpgp {
            let name = &openpgp.name;
            let transferable = key::load(store.directory(), name)?.unwrap_or_default();
            PgpKey::read(name, store.get(name)?.public_key(), transferable)
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("restore drill: the key {name}"))?;
        }
        Ok(())
    }
}

fn type_one(share: &SealedShare, terminal: &mut Terminal) -> anyhow::Result<Option<OpenShare>> {
    loop {
        let secret = terminal.secret_or_nothing(&format!("Passphrase of {share}: "))?;
        let Some(secret) = secret else {
            return Ok(None);
        };
        match share.open(&secret) {
            Ok(open) => return Ok(Some(open)),
            Err(error @ ShareError::WrongPassphrase(_)) => terminal.say(&error.to_string())?,
            Err(error) => return Err(error.into()),
        }
    }
}
