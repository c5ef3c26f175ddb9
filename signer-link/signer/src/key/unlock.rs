//! From shares and passphrases to an open store.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use keystore::{EncryptedStore, SealedShare, ShareError, Unlocking};

use super::Open;
use crate::passphrase::{self, Terminal};

/// Files of shares end like this.
const EXTENSION: &str = "share";

/// An open store, and how it was opened.
pub(crate) struct Unlocked {
    pub(crate) store: EncryptedStore,
    pub(crate) holders: Vec<String>,
    pub(crate) unattended: bool,
}

/// Opens the store: with the secret file if there is one, else by asking people at the terminal.
pub(crate) fn unlock(open: &Open) -> anyhow::Result<Unlocked> {
    if let Some(file) = &open.secret_file {
        return Ok(Unlocked {
            store: EncryptedStore::open(&open.store, &passphrase::read_file(file)?)?,
            holders: Vec::new(),
            unattended: true,
        });
    }
    let mut terminal = Terminal::open().context(
        "the passphrases of the key shares are asked for at the terminal; start the signer at its console",
    )?;
    ask_people(&open.store, &open.shares, &mut terminal)
}

/// Asks for one share after the other until there are enough. Whatever is wrong with one can be tried again.
pub(crate) fn ask_people(
    store: &Path,
    places: &[PathBuf],
    terminal: &mut Terminal,
) -> anyhow::Result<Unlocked> {
    let mut unlocking = Unlocking::begin(store)?;
    let own = [store.to_owned()];
    let places = if places.is_empty() { &own } else { places };
    let mut shares = find(places, &unlocking, terminal)?;
    terminal.say(&format!(
        "The key store {} is opened by {} shares.",
        store.display(),
        unlocking.sharing()
    ))?;
    while unlocking.missing() > 0 {
        let Some(share) = choose(&mut shares, &unlocking, terminal)? else {
            continue;
        };
        let secret = terminal.secret(&format!("Passphrase of {share}: "))?;
        let added = share.open(&secret).and_then(|open| unlocking.add(open));
        match added {
            Ok(()) => terminal.say(&format!(
                "{share}: open. Still needed: {}.",
                unlocking.missing()
            ))?,
            Err(error) => terminal.say(&error.to_string())?,
        }
    }
    let holders = unlocking.holders();
    Ok(Unlocked {
        store: unlocking.finish()?,
        holders,
        unattended: false,
    })
}

/// Lets people say whose share comes next: the number of one that is known here, or the path of its file.
fn choose(
    shares: &mut Vec<SealedShare>,
    unlocking: &Unlocking,
    terminal: &mut Terminal,
) -> anyhow::Result<Option<SealedShare>> {
    let known: Vec<_> = shares
        .iter()
        .filter(|share| unlocking.wants(share).is_ok())
        .collect();
    for share in &known {
        terminal.say(&format!("  {}  {}", share.index(), share.holder()))?;
    }
    let answer = terminal.line("Whose share comes next (its number, or the path of its file)? ")?;
    if let Some(share) = known
        .iter()
        .find(|share| share.index().to_string() == answer)
    {
        return Ok(Some((*share).clone()));
    }
    if answer.is_empty() || answer.parse::<u8>().is_ok() {
        terminal.say(&format!("There is no share {answer:?} to choose."))?;
        return Ok(None);
    }
    match load(Path::new(&answer), unlocking) {
        Ok(share) => {
            shares.retain(|other| other.index() != share.index());
            shares.push(share.clone());
            Ok(Some(share))
        }
        Err(error) => {
            terminal.say(&error.to_string())?;
            Ok(None)
        }
    }
}

fn load(path: &Path, unlocking: &Unlocking) -> Result<SealedShare, ShareError> {
    let share = SealedShare::load(path)?;
    unlocking.wants(&share)?;
    Ok(share)
}

/// The shares of this store in files and folders, one of each number. What is not one is said and passed over; shares
/// of other stores may lie in the same folder.
pub(crate) fn find(
    places: &[PathBuf],
    unlocking: &Unlocking,
    terminal: &mut Terminal,
) -> anyhow::Result<Vec<SealedShare>> {
    let mut shares: Vec<SealedShare> = Vec::new();
    for place in places {
        let paths = if place.is_dir() {
            in_folder(place)?
        } else {
            vec![place.clone()]
        };
        for path in paths {
            match load(&path, unlocking) {
                Ok(share) if shares.iter().all(|other| other.index() != share.index()) => {
                    shares.push(share);
                }
                Ok(_) => {}
                Err(ShareError::OtherSet { .. }) if path != *place => {}
                Err(error) => terminal.say(&error.to_string())?,
            }
        }
    }
    shares.sort_by_key(SealedShare::index);
    Ok(shares)
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let what = || format!("{}: the folder of shares cannot be read", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(what)? {
        let path = entry.with_context(what)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == EXTENSION)
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
