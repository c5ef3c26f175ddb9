//! The key ceremony (G12): from a hierarchy file to keys, certificates and a transcript.
//!
//! It can be broken off at any point and run again: keys and certificates that are there already are checked against
//! the hierarchy and kept, what is missing is made. Nothing is ever overwritten but the transcript and copies of
//! certificates.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use hierarchy::{BaseUrl, Ca, Hierarchy};
use keystore::{Access, EncryptedStore, SigningKey, StoreError, write_atomically};
use pki::{Certificate, Clock};

use crate::ca_certificate::{self, Signer};
use crate::journal::{Journal, JournalError};
use crate::journal_record::{Record, hash};
use crate::keyring::{load_certificate, save_certificate};
use crate::transcript::{self, Made};

/// What a ceremony is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The hierarchy to make (TOML)
    #[arg(long, value_name = "FILE")]
    pub hierarchy: PathBuf,

    /// Directory of the encrypted key store; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,

    /// Directory for certificates, chains and the transcript
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// The signer's journal; by default the file "journal" beside the key store's directory
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// Base URL for the status of all CAs, instead of the hierarchy's
    #[arg(long, value_name = "URL")]
    pub base_url: Option<BaseUrl>,

    /// File with the passphrase of the key store; by default it is asked for on the terminal
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// A CA with its key open.
struct Opened {
    key: SigningKey,
    certificate: Certificate,
}

/// Holds a ceremony.
pub fn run(options: &Options, clock: &dyn Clock) -> anyhow::Result<()> {
    let path = &options.hierarchy;
    let text =
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut hierarchy = Hierarchy::from_toml(&text).with_context(|| path.display().to_string())?;
    if let Some(base_url) = &options.base_url {
        hierarchy = hierarchy.with_base_url(base_url.clone());
    }
    fs::create_dir_all(&options.out)
        .with_context(|| format!("{} cannot be made", options.out.display()))?;
    let passphrase = crate::passphrase::obtain_new(options.passphrase_file.as_deref())?;
    let store = EncryptedStore::open_or_create(&options.keys, &passphrase.secret)?;
    let journal = open_journal(
        &journal_path(options.journal.as_deref(), &options.keys)?,
        &store,
        clock,
    )?;

    let mut opened: HashMap<&str, Opened> = HashMap::new();
    let mut made = Vec::new();
    for ca in &hierarchy.cas {
        let (key, key_is_new) = key(&store, ca)?;
        let issuer = ca.issuer.as_deref().map(|name| (&opened[name], name));
        let signer = match issuer {
            None => Signer {
                ca,
                key: &key,
                certificate: None,
            },
            Some((issuer, name)) => Signer {
                ca: hierarchy
                    .ca(name)
                    .context("the issuer is not in the hierarchy")?,
                key: &issuer.key,
                certificate: Some(&issuer.certificate),
            },
        };
        let (certificate, certificate_is_new) = certificate(
            options,
            &store,
            &journal,
            ca,
            &key,
            &signer,
            &hierarchy.base_url,
            clock,
        )?;
        made.push(Made {
            name: ca.name.clone(),
            certificate: certificate.clone(),
            is_new: key_is_new || certificate_is_new,
        });
        opened.insert(&ca.name, Opened { key, certificate });
        let chain: Vec<_> = hierarchy
            .chain(&ca.name)
            .map(|ca| opened[ca.name.as_str()].certificate.to_pem())
            .collect();
        write_public(
            &options.out.join(format!("chain-{}.pem", ca.name)),
            &chain.concat(),
        )?;
    }
    let text = transcript::text(&text, &hierarchy, &made, &journal.head(), clock.now());
    write_public(&options.out.join("transcript.txt"), &text)?;
    eprintln!(
        "transcript: {}",
        options.out.join("transcript.txt").display()
    );
    Ok(())
}

/// The journal beside the keys, unless another is named.
pub fn journal_path(named: Option<&Path>, keys: &Path) -> anyhow::Result<PathBuf> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => {
            let keys = std::path::absolute(keys).with_context(|| keys.display().to_string())?;
            let parent = keys
                .parent()
                .context("the key store's directory has no parent; name --journal")?;
            Ok(parent.join("journal"))
        }
    }
}

/// Opens the journal; makes one for a key store that has no keys yet.
pub fn open_journal(
    path: &Path,
    store: &EncryptedStore,
    clock: &dyn Clock,
) -> anyhow::Result<Journal> {
    match Journal::open(path, |_, _| ()) {
        Err(JournalError::Missing(_)) if store.names()?.is_empty() => {
            let first = Record::Created {
                time: clock.now().unix(),
            };
            Ok(Journal::create(path, &first)?)
        }
        result => Ok(result?),
    }
}

/// The key of a CA: the one in the store, or a new one.
fn key(store: &EncryptedStore, ca: &Ca) -> anyhow::Result<(SigningKey, bool)> {
    match store.get(&ca.name) {
        Ok(key) if key.kind() == ca.key => {
            eprintln!("{}: key ({}) is there, kept", ca.name, ca.key);
            return Ok((key, false));
        }
        Ok(key) => bail!(
            "{}: the store has a {} key of this name, the hierarchy wants {}; use another --keys directory",
            ca.name,
            key.kind(),
            ca.key
        ),
        Err(StoreError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    eprint!("{}: making its key ({}) …", ca.name, ca.key);
    std::io::stderr().flush()?;
    let begun = Instant::now();
    let key = SigningKey::generate(ca.key)?;
    store.insert(&ca.name, &key)?;
    eprintln!(" {:.1} s", begun.elapsed().as_secs_f32());
    Ok((key, true))
}

/// The certificate of a CA: the one beside its key, checked, or a new one.
#[expect(
    clippy::too_many_arguments,
    reason = "one step of a ceremony, with all that lies on the table"
)]
fn certificate(
    options: &Options,
    store: &EncryptedStore,
    journal: &Journal,
    ca: &Ca,
    key: &SigningKey,
    signer: &Signer<'_>,
    base_url: &BaseUrl,
    clock: &dyn Clock,
) -> anyhow::Result<(Certificate, bool)> {
    let public = options.out.join(format!("{}.pem", ca.name));
    if let Some(kept) = load_certificate(store.directory(), &ca.name)? {
        let subject = ca.subject.name()?;
        let issuer = signer.certificate.map_or(&subject, Certificate::subject);
        ca_certificate::check(&kept, ca, key.public_key(), signer.key.public_key(), issuer).with_context(|| {
            format!("{}: a certificate is there that is not this hierarchy's; use other directories", ca.name)
        })?;
        eprintln!("{}: certificate {} is there, kept", ca.name, kept.serial());
        write_public(&public, &kept.to_pem())?;
        return Ok((kept, false));
    }
    let certificate = ca_certificate::make(ca, key.public_key(), signer, base_url, clock.now())?;
    let entry = journal.append(&Record::CaCertificate {
        time: clock.now().unix(),
        name: ca.name.clone(),
        authority: hash(certificate.issuer().as_der()),
        serial: certificate.serial().as_bytes().to_vec(),
        certificate: hash(certificate.der()),
    })?;
    journal.sync(&entry)?;
    save_certificate(store.directory(), &ca.name, &certificate)?;
    write_public(&public, &certificate.to_pem())?;
    eprintln!(
        "{}: certificate {}, signed by {}",
        ca.name,
        certificate.serial(),
        signer.ca.name
    );
    Ok((certificate, true))
}

fn write_public(path: &Path, text: &str) -> anyhow::Result<()> {
    write_atomically(path, text.as_bytes(), Access::Public)
        .with_context(|| format!("{} cannot be written", path.display()))
}
