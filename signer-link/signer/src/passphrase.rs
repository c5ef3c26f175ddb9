//! Where the passphrase of the key store comes from.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use keystore::SecretString;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The name of the systemd credential (`LoadCredentialEncrypted=signer-passphrase:…`).
const CREDENTIAL: &str = "signer-passphrase";

/// A passphrase, and whether somebody was there to give it.
#[derive(Debug)]
pub struct Passphrase {
    /// The passphrase.
    pub secret: SecretString,
    /// It lay in a plain file: whoever copies the disk has the keys.
    pub unattended: bool,
}

/// The passphrase from `file` if there is one, else from systemd's credential, else from the terminal.
pub fn obtain(file: Option<&Path>) -> anyhow::Result<Passphrase> {
    if let Some(path) = file {
        return Ok(Passphrase {
            secret: read_file(path)?,
            unattended: true,
        });
    }
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY")
        .map(|directory| PathBuf::from(directory).join(CREDENTIAL));
    if let Some(path) = credential.filter(|path| path.exists()) {
        return Ok(Passphrase {
            secret: read_file(&path)?,
            unattended: false,
        });
    }
    if io::stdin().is_terminal() {
        return Ok(Passphrase {
            secret: ask("Passphrase of the signer's keys: ")?,
            unattended: false,
        });
    }
    bail!(
        "no passphrase: give --passphrase-file (or passphrase_file in the configuration), the systemd credential \
         {CREDENTIAL}, or start it on a terminal"
    )
}

/// As [`obtain`], for a new store: what is typed is typed twice.
pub fn obtain_new(file: Option<&Path>) -> anyhow::Result<Passphrase> {
    if file.is_none() && io::stdin().is_terminal() {
        let secret = ask("New passphrase for the signer's keys: ")?;
        let again = ask("The same again: ")?;
        ensure!(
            keystore::ExposeSecret::expose_secret(&secret)
                == keystore::ExposeSecret::expose_secret(&again),
            "the two passphrases differ"
        );
        return Ok(Passphrase {
            secret,
            unattended: false,
        });
    }
    obtain(file)
}

/// A passphrase in a file: its first line.
pub fn read_file(path: &Path) -> anyhow::Result<SecretString> {
    let what = || format!("the passphrase file {} cannot be read", path.display());
    let mode = fs::metadata(path).with_context(what)?.permissions().mode();
    if mode & 0o077 != 0 {
        eprintln!(
            "warning: {} can be read by others (mode {:o}); chmod 600 it",
            path.display(),
            mode & 0o777
        );
    }
    let text = Zeroizing::new(fs::read_to_string(path).with_context(what)?);
    let line = text.lines().next().unwrap_or_default();
    ensure!(
        !line.is_empty(),
        "the passphrase file {} is empty",
        path.display()
    );
    Ok(SecretString::from(line))
}

/// Asks on the terminal without showing what is typed.
fn ask(prompt: &str) -> anyhow::Result<SecretString> {
    let stdin = io::stdin();
    let shown = tcgetattr(&stdin).context("the terminal cannot be read")?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    eprint!("{prompt}");
    io::stderr().flush()?;
    tcsetattr(&stdin, OptionalActions::Flush, &hidden).context("the terminal cannot be set")?;
    let mut line = Zeroizing::new(String::new());
    let read = stdin.lock().read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Flush, &shown).context("the terminal cannot be set back")?;
    read?;
    let secret = line.trim_end_matches(['\n', '\r']);
    ensure!(!secret.is_empty(), "no passphrase was given");
    Ok(SecretString::from(secret))
}
