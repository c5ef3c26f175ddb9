//! Makes the journal of a standby (G8): a second signer with the same keys, which follows the active one's journal until
//! it is promoted at its console.

use std::path::PathBuf;

use anyhow::ensure;
use keystore::EncryptedStore;
use pki::Clock;

use crate::ceremony::journal_path;
use crate::journal_record::Record;
use crate::log::Log;

/// What a standby is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Directory of the key store, copied from the active signer's machine
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,

    /// The journal to make; by default the file "journal" beside the key store's directory
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
}

/// Makes the journal; nothing is ever overwritten. What the active signer has done comes over the cable.
pub fn run(options: &Options, clock: &dyn Clock) -> anyhow::Result<()> {
    let keys = &options.keys;
    ensure!(
        EncryptedStore::header_path(keys).exists(),
        "there is no key store in {}: copy the active signer's (all of its directory) to this machine first",
        keys.display()
    );
    let path = journal_path(options.journal.as_deref(), keys)?;
    ensure!(
        !path.exists(),
        "{} is there already: a signer that has a journal goes on with it. To make a new standby of a machine that was \
         active, move the old journal away, keep it, and give the machine a cable of a new number",
        path.display()
    );
    let time = clock.now().unix();
    Log::create(&path, &Record::Follows { time })?;
    println!(
        "{} is a standby's journal. Start it with `signer run`, unlock it, and see `status`: when `replicated` stands where \
         the active signer's log does, it could take over (`promote`).",
        path.display()
    );
    Ok(())
}
