//! Takes over a CA that exists (R4): its key goes into the encrypted store, its certificate beside it.
//!
//! A step of a ceremony, held at the signer's console by those who open the store; with a passphrase file only where one
//! passphrase opens it, in a demo.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use keystore::{EncryptedStore, KeyError, SigningKey, StoreError};
use pki::{Certificate, Clock};
use zeroize::Zeroizing;

use crate::ceremony::{journal_path, open_journal};
use crate::issuer::Issuer;
use crate::key::{ask_people, guard_memory};
use crate::keyring::{load_certificate, save_certificate};
use crate::passphrase::{self, Terminal};

/// What an import is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Name of the CA in commands, file names and URLs
    #[arg(long)]
    pub name: String,

    /// The CA's private key (PEM: PKCS#8, encrypted PKCS#8, PKCS#1 or SEC 1)
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,

    /// The CA's certificate (PEM or DER)
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,

    /// Directory of the encrypted key store; with --passphrase-file made if it is not there
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,

    /// The signer's journal, made with a new key store; by default the file "journal" beside its directory
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// Directory of the holders' shares; by default the key store's
    #[arg(long, value_name = "DIR")]
    pub shares: Option<PathBuf>,

    /// For a demo only: file with the one passphrase that opens the key store; without it the holders are asked
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,

    /// File with the passphrase of the key that is imported, if it is encrypted
    #[arg(long, value_name = "FILE")]
    pub key_passphrase_file: Option<PathBuf>,
}

/// Imports a CA. A running signer notices the key by itself.
pub fn run(options: &Options, clock: &dyn Clock) -> anyhow::Result<()> {
    for warning in guard_memory()? {
        eprintln!("warning: {warning}");
    }
    let name = &options.name;
    let key = read_key(options)?;
    let certificate = read_certificate(options)?;
    // Checks that they belong together and that it is a CA.
    let issuer = Issuer::new(name, certificate, key)?;
    let certificate = issuer.certificate();
    if certificate.key_usage().is_none() {
        eprintln!(
            "warning: the certificate of {name} has no keyUsage; clients that keep RFC 10007 will not accept its CRLs \
             (CRL-27)"
        );
    }

    let store = open_store(options)?;
    if store.names()?.is_empty() {
        // A new store needs its journal; one that has keys has it, and a running signer holds it.
        drop(open_journal(
            &journal_path(options.journal.as_deref(), &options.keys)?,
            &store,
            clock,
        )?);
    }
    if let Some(before) = load_certificate(store.directory(), name)? {
        ensure!(
            before.der() == certificate.der(),
            "{name}: another certificate is in the store under this name ({})",
            before.subject()
        );
    }
    // The certificate first: a key is in use as soon as it is there.
    match store.get(name) {
        Ok(before) => {
            ensure!(
                before.public_key() == issuer.key().public_key(),
                "{name}: another key is in the store under this name; choose another --name"
            );
            save_certificate(store.directory(), name, certificate)?;
            eprintln!("{name}: the key was in the store already");
        }
        Err(StoreError::NotFound(_)) => {
            save_certificate(store.directory(), name, certificate)?;
            store.insert(name, issuer.key())?;
            eprintln!(
                "{name}: {} key of {} imported",
                issuer.key().kind(),
                certificate.subject()
            );
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn open_store(options: &Options) -> anyhow::Result<EncryptedStore> {
    if let Some(file) = &options.passphrase_file {
        let secret = passphrase::read_file(file)?;
        return Ok(EncryptedStore::open_or_create(&options.keys, &secret)?);
    }
    let mut terminal = Terminal::open()
        .context("the holders of the shares are asked at the terminal; import the key at one")?;
    let places: Vec<_> = options.shares.iter().cloned().collect();
    Ok(ask_people(&options.keys, &places, &mut terminal)?.store)
}

fn read_key(options: &Options) -> anyhow::Result<SigningKey> {
    let path = &options.key;
    let text = Zeroizing::new(
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?,
    );
    let key = match &options.key_passphrase_file {
        Some(file) => SigningKey::from_encrypted_pem(&text, &passphrase::read_file(file)?),
        None => SigningKey::from_pem(&text),
    };
    match key {
        Err(error @ KeyError::PassphraseNeeded) => {
            Err(error).with_context(|| format!("{}: give --key-passphrase-file", path.display()))
        }
        result => result.with_context(|| path.display().to_string()),
    }
}

fn read_certificate(options: &Options) -> anyhow::Result<Certificate> {
    let path = &options.certificate;
    let octets = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let certificate = match std::str::from_utf8(&octets) {
        Ok(text) if text.contains("-----BEGIN") => Certificate::from_pem(text)?,
        _ => Certificate::from_der(&octets)
            .with_context(|| format!("{}: no certificate", path.display()))?,
    };
    Ok(certificate)
}
