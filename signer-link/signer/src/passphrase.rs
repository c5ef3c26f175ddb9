//! Where passphrases come from: people at the terminal, or a file for those who run unattended.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use keystore::{ExposeSecret, SecretString};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The name of the systemd credential (`LoadCredentialEncrypted=signer-passphrase:…`).
const CREDENTIAL: &str = "signer-passphrase";
/// The shortest passphrase that is taken for something new, in characters.
const SHORTEST: usize = 10;
/// The longest line that is read.
const LONGEST: usize = 1024;

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
            secret: Terminal::open()?.secret("Passphrase of the signer's keys: ")?,
            unattended: false,
        });
    }
    bail!(
        "no passphrase: give --passphrase-file (or passphrase_file in the configuration), the systemd credential \
         {CREDENTIAL}, or start it on a terminal"
    )
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

/// The terminal at which people sit, whatever standard input and output are.
#[derive(Debug)]
pub struct Terminal {
    tty: File,
}

impl Terminal {
    /// Opens `/dev/tty`.
    pub fn open() -> io::Result<Self> {
        let tty = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        Ok(Self { tty })
    }

    /// Tells something.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.tty, "{text}")
    }

    /// Asks for a line.
    pub fn line(&mut self, question: &str) -> anyhow::Result<String> {
        write!(self.tty, "{question}")?;
        let line = self.read()?;
        Ok(line.trim().to_owned())
    }

    /// Asks for a passphrase, without showing what is typed, until there is one.
    pub fn secret(&mut self, question: &str) -> anyhow::Result<SecretString> {
        loop {
            if let Some(secret) = self.secret_or_nothing(question)? {
                return Ok(secret);
            }
        }
    }

    /// Asks for a passphrase, without showing what is typed; an empty line is none.
    pub fn secret_or_nothing(&mut self, question: &str) -> anyhow::Result<Option<SecretString>> {
        let shown = tcgetattr(&self.tty).context("the terminal cannot be read")?;
        let mut hidden = shown.clone();
        // Without ISIG: a process that Ctrl-C ends here would leave the terminal mute.
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ISIG);
        hidden.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&self.tty, OptionalActions::Flush, &hidden)
            .context("the terminal cannot be set")?;
        let asked = write!(self.tty, "{question}");
        let read = asked.map_err(Into::into).and_then(|()| self.read());
        tcsetattr(&self.tty, OptionalActions::Now, &shown)
            .context("the terminal cannot be set back")?;
        let line = read?;
        ensure!(!line.contains('\x03'), "broken off at the terminal");
        let secret = line.trim_end_matches(['\n', '\r']);
        Ok((!secret.is_empty()).then(|| SecretString::from(secret)))
    }

    /// Asks for a new passphrase until one was given twice that is long enough.
    pub fn new_secret(&mut self, whose: &str) -> anyhow::Result<SecretString> {
        loop {
            let secret = self.secret(&format!(
                "New passphrase of {whose} (at least {SHORTEST} characters): "
            ))?;
            if secret.expose_secret().chars().count() < SHORTEST {
                self.say("That is too short. Take several words that nobody would guess.")?;
                continue;
            }
            let again = self.secret("The same again: ")?;
            if secret.expose_secret() == again.expose_secret() {
                return Ok(secret);
            }
            self.say("The two differ.")?;
        }
    }

    /// One line. The terminal gives one at a time, so nothing is left in a buffer that nobody wipes.
    fn read(&mut self) -> anyhow::Result<Zeroizing<String>> {
        let mut octets = Zeroizing::new([0; LONGEST]);
        let length = self
            .tty
            .read(&mut *octets)
            .context("the terminal cannot be read")?;
        ensure!(length > 0, "broken off at the terminal");
        let line = std::str::from_utf8(&octets[..length])
            .context("what was typed is not UTF-8")?
            .to_owned();
        let line = Zeroizing::new(line);
        ensure!(line.ends_with('\n'), "a line that is too long was typed");
        Ok(line)
    }
}
