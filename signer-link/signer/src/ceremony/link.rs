//! The keys of the cables, for both ends.

use anyhow::{Context as _, ensure};
use keystore::{LinkEnd, LinkKeys, SignerId};

use super::Table;
use super::book::beside;

impl Table<'_> {
    /// `link-signer-N.key` and `link-host-N.key` beside the key store's directory.
    pub(super) fn links(&mut self) -> anyhow::Result<()> {
        let folder = beside(&self.options.keys)?;
        for link in self.hierarchy.links.clone() {
            let number = SignerId::new(link.signer).context("a signer's number is 1 to 127")?;
            let [signer, host] = [LinkEnd::Signer, LinkEnd::Host]
                .map(|end| folder.join(format!("link-{}-{number}.key", end.as_str())));
            // The host's first: where the signer's is, both were made.
            if !signer.exists() {
                let pair = LinkKeys::pair(number)?;
                ensure!(
                    !host.exists(),
                    "{} is there without {}: an earlier run was broken off between the two; remove it",
                    host.display(),
                    signer.display()
                );
                pair.host.save(&host)?;
                pair.signer.save(&signer)?;
                eprintln!("link {number}: {} and {}", signer.display(), host.display());
            } else {
                eprintln!("link {number}: keys are there, kept");
            }
            let keys = LinkKeys::load(&signer, LinkEnd::Signer)?;
            // Of keys that nobody guesses a hash tells nothing. The host's may have been carried away before.
            self.transcript.went_out(&signer, keys.to_text().as_bytes());
            if host.exists() {
                let theirs = LinkKeys::load(&host, LinkEnd::Host)?;
                self.transcript.went_out(&host, theirs.to_text().as_bytes());
            }
            self.transcript.say(&format!(
                "link {number}: public keys, signer {}, host {}",
                hex::encode(keys.public()?),
                hex::encode(keys.peer())
            ));
        }
        Ok(())
    }
}
