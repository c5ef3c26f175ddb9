//! The key ceremony (G12): from one file to a key store that several people open, keys, certificates, the keys of the
//! cable, what an offline CA leaves behind, and a transcript.
//!
//! It can be broken off at any point and run again: what is there already is checked against the file and kept, what is
//! missing is made. Nothing is ever overwritten but the transcript and copies of certificates.
//!
//! At the end the key store is opened again from the shares as they lie in their files (`drill`): a ceremony whose
//! shares do not give the keys back has not been one.

mod book;
mod bootstrap;
mod certificates;
mod drill;
mod key_store;
mod keys;
mod link;
mod openpgp;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hierarchy::{BaseUrl, Hierarchy};
use keystore::{Access, EncryptedStore, SigningKey, write_atomically};
use pki::{Certificate, Clock};

use self::book::Book;
use crate::key::guard_memory;
use crate::transcript::Transcript;

pub use book::{journal_path, open_journal};

/// What a ceremony is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The ceremony's file (TOML): shares, CAs, certificates, links
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Directory of the encrypted key store; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,

    /// Directory for certificates, chains and the transcript
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// The signer's journal; by default the file "journal" beside the key store's directory
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// Directory of the holders' shares; by default the key store's
    #[arg(long, value_name = "DIR")]
    pub shares: Option<PathBuf>,

    /// Base URL for the status of all CAs, instead of the file's
    #[arg(long, value_name = "URL")]
    pub base_url: Option<BaseUrl>,

    /// Practise: whatever is made says that it is a rehearsal's
    #[arg(long)]
    pub rehearsal: bool,

    /// For a demo only: a file with the one passphrase that opens the key store, so that nobody is asked
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,

    /// File with the PIN of the token; by default it is asked for on the terminal
    #[arg(long, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
}

/// A CA with its key open.
struct Opened {
    key: SigningKey,
    certificate: Certificate,
}

/// What lies on the table.
struct Table<'a> {
    options: &'a Options,
    hierarchy: Hierarchy,
    store: EncryptedStore,
    book: Book,
    /// By name.
    opened: HashMap<String, Opened>,
    transcript: Transcript,
    clock: &'a dyn Clock,
}

/// Holds a ceremony.
pub fn run(options: &Options, clock: &dyn Clock) -> anyhow::Result<()> {
    for warning in guard_memory()? {
        eprintln!("warning: {warning}");
    }
    let path = &options.file;
    let text =
        fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let hierarchy = read(options, &text)?;
    let mut transcript = Transcript::new(&hierarchy, clock.now());
    transcript.came_in(path, text.as_bytes());
    if hierarchy.rehearsal {
        eprintln!("REHEARSAL: nothing that is made here may be trusted");
    }
    fs::create_dir_all(&options.out)
        .with_context(|| format!("{} cannot be made", options.out.display()))?;
    let store = key_store::open_or_make(options, &hierarchy, &mut transcript)?;
    let book = Book::open(
        &journal_path(options.journal.as_deref(), &options.keys)?,
        &store,
        clock,
    )?;
    let mut table = Table {
        options,
        hierarchy,
        store,
        book,
        opened: HashMap::new(),
        transcript,
        clock,
    };
    table.cas()?;
    table.further_certificates()?;
    table.bootstrap()?;
    table.openpgp()?;
    table.links()?;
    table.drill()?;
    table.finish()
}

fn read(options: &Options, text: &str) -> anyhow::Result<Hierarchy> {
    let mut hierarchy =
        Hierarchy::from_toml(text).with_context(|| options.file.display().to_string())?;
    if options.rehearsal {
        hierarchy = hierarchy.into_rehearsal()?;
    }
    if let Some(base_url) = &options.base_url {
        hierarchy = hierarchy.with_base_url(base_url.clone());
    }
    Ok(hierarchy)
}

impl Table<'_> {
    fn finish(self) -> anyhow::Result<()> {
        let path = self.options.out.join("transcript.txt");
        let text = self.transcript.finish(&self.book.head(), self.clock.now());
        write_atomically(&path, text.as_bytes(), Access::Public)
            .with_context(cannot_write(&path))?;
        eprintln!("transcript: {}", path.display());
        Ok(())
    }

    /// Writes something for the public, and its hash into the transcript.
    fn give_out(&mut self, name: &str, octets: &[u8]) -> anyhow::Result<()> {
        let path = self.options.out.join(name);
        write_atomically(&path, octets, Access::Public).with_context(cannot_write(&path))?;
        self.transcript.went_out(&path, octets);
        Ok(())
    }

    /// Certificates as PEM, and nothing beside it: not every reader of PEM passes over text.
    fn pem(certificates: &[&Certificate]) -> String {
        certificates
            .iter()
            .map(|certificate| certificate.to_pem())
            .collect()
    }
}

fn cannot_write(path: &Path) -> impl Fn() -> String {
    let path = path.display().to_string();
    move || format!("{path} cannot be written")
}
