//! Takes over a CA that exists (R4): its key goes into the encrypted store, its certificate beside it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use keystore::{EncryptedStore, KeyError, SigningKey, StoreError};
use pki::{Certificate, Clock};
use zeroize::Zeroizing;

use crate::ceremony::{journal_path, open_journal};
use crate::issuer::Issuer;
use crate::keyring::{load_certificate, save_certificate};
use crate::passphrase;

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

    /// Directory of the encrypted key store; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,

    /// The signer's journal, made with a new key store; by default the file "journal" beside its directory
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// File with the passphrase of the key store; by default it is asked for on the terminal
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,

    /// File with the passphrase of the key that is imported, if it is encrypted
    #[arg(long, value_name = "FILE")]
    pub key_passphrase_file: Option<PathBuf>,
}

/// Imports a CA. A running signer notices the key by itself.
pub fn run(options: &Options, clock: &dyn Clock) -> anyhow::Result<()> {
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

    let passphrase = passphrase::obtain_new(options.passphrase_file.as_deref())?;
    let store = EncryptedStore::open_or_create(&options.keys, &passphrase.secret)?;
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
