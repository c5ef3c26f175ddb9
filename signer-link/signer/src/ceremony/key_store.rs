//! The key store: opened by those who hold its shares, or made for those who will.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use hierarchy::{Hierarchy, Shares};
use keystore::{
    Access, Cost, EncryptedStore, Holder, NewStore, Purpose, Sharing, write_atomically,
};

use super::{Options, cannot_write};
use crate::key::ask_people;
use crate::passphrase::{self, Terminal};
use crate::transcript::Transcript;

/// Where the shares lie.
pub(super) fn folder_of_shares(options: &Options) -> &Path {
    options.shares.as_deref().unwrap_or(&options.keys)
}

pub(super) fn open_or_make(
    options: &Options,
    hierarchy: &Hierarchy,
    transcript: &mut Transcript,
) -> anyhow::Result<EncryptedStore> {
    let purpose = if hierarchy.rehearsal {
        Purpose::Rehearsal
    } else {
        Purpose::Production
    };
    let exists = EncryptedStore::header_path(&options.keys).exists();
    let store = match (&options.passphrase_file, &hierarchy.shares) {
        (Some(_), Some(_)) => bail!(
            "[shares] names people, and --passphrase-file is for a machine without any: leave out one of the two"
        ),
        (Some(file), None) => unattended(options, file, purpose, exists)?,
        (None, Some(_)) if exists => {
            let mut terminal = Terminal::open().context(NO_TERMINAL)?;
            let places = [folder_of_shares(options).to_owned()];
            let unlocked = ask_people(&options.keys, &places, &mut terminal)?;
            transcript.say(&format!(
                "key store opened by {}",
                unlocked.holders.join(", ")
            ));
            unlocked.store
        }
        (None, Some(shares)) => make(options, shares, purpose, transcript)?,
        (None, None) => bail!(
            "{}: nobody is named who opens the key store: describe [shares], or give --passphrase-file for a demo",
            options.file.display()
        ),
    };
    ensure!(
        store.purpose() == purpose,
        "{}: the key store there was made {} a rehearsal; use another --keys directory",
        options.keys.display(),
        if hierarchy.rehearsal { "without" } else { "in" }
    );
    if let Some(shares) = &hierarchy.shares {
        ensure!(
            store.sharing() == Sharing::new(shares.threshold, shares.of)?,
            "{}: the key store there is opened by {} shares, the file wants {} of {}",
            options.keys.display(),
            store.sharing(),
            shares.threshold,
            shares.of
        );
    }
    transcript.key_store(&store, exists);
    Ok(store)
}

fn unattended(
    options: &Options,
    file: &Path,
    purpose: Purpose,
    exists: bool,
) -> anyhow::Result<EncryptedStore> {
    if purpose == Purpose::Production {
        eprintln!(
            "WARNING: one passphrase in a file will open these keys, with nobody there. That is for a demo: describe \
             [shares] for keys that anybody is to rely on"
        );
    }
    let secret = passphrase::read_file(file)?;
    Ok(if exists {
        EncryptedStore::open(&options.keys, &secret)?
    } else {
        EncryptedStore::create_unattended(&options.keys, &secret, purpose, Cost::default())?
    })
}

fn make(
    options: &Options,
    shares: &Shares,
    purpose: Purpose,
    transcript: &mut Transcript,
) -> anyhow::Result<EncryptedStore> {
    let sharing = Sharing::new(shares.threshold, shares.of)?;
    let mut terminal = Terminal::open().context(NO_TERMINAL)?;
    terminal.say(&format!(
        "A new key store in {}: {sharing} shares will open it.\nEach holder chooses a passphrase now; the others look \
         away.",
        options.keys.display()
    ))?;
    let holders = shares
        .holders
        .iter()
        .map(|name| {
            Ok(Holder {
                name: name.clone(),
                passphrase: terminal.new_secret(name)?,
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let new = NewStore::prepare(&options.keys, sharing, purpose, &holders, Cost::default())?;
    let folder = folder_of_shares(options);
    fs::create_dir_all(folder).with_context(cannot_write(folder))?;
    for share in new.shares() {
        let path = folder.join(share.file_name());
        let text = share.to_text();
        write_atomically(&path, text.as_bytes(), Access::SecretNew)
            .with_context(cannot_write(&path))?;
        transcript.went_out(&path, text.as_bytes());
        eprintln!("{share}: {}", path.display());
    }
    Ok(new.commit()?)
}

const NO_TERMINAL: &str =
    "the holders of the shares are asked at the terminal; hold the ceremony at one";
