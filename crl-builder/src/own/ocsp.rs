//! What OCSP says at the same time (V7): the answers as they are published.

use std::path::Path;

use answers::{AnswerSet, Layered};
use pki::crl::build::CrlEntry;
use pki::ocsp::response::CertStatus;
use pki::{Certificate, Violation};
use publication::{Directory, Manifest, Refusal, Trust};

/// The published answers of one issuer.
pub(crate) struct Answers {
    /// The event of the ledger up to which they hold everything.
    as_of: u64,
    layers: Layered,
}

impl Answers {
    /// Opens what is published; `None` if there is nothing. What cannot be opened is the presigner's trouble and that of
    /// the edges, which report it: no CRL waits for that.
    pub(crate) fn open(
        publication: &Path,
        trust: &Trust,
        issuer: &str,
        ca: &Certificate,
    ) -> Option<Self> {
        let directory = Directory::new(publication);
        let channel = format!("ocsp/{issuer}");
        let manifest = directory.manifest(&channel, std::slice::from_ref(trust));
        let manifest = manifest
            .inspect_err(|refusal| tell(issuer, refusal))
            .ok()??;
        match layers(&directory, &manifest, ca) {
            Ok(layers) => Some(Self {
                as_of: manifest.as_of,
                layers: layers?,
            }),
            Err(problem) => {
                tell(issuer, &problem);
                None
            }
        }
    }

    /// Refuses an entry of a CRL up to event `as_of` if the answers know the same events and say otherwise.
    pub(crate) fn agree(&self, entry: &CrlEntry, as_of: u64) -> Result<(), Violation> {
        if self.as_of < as_of {
            return Ok(());
        }
        let Ok(Some(answer)) = self.layers.get(entry.serial.as_bytes()) else {
            return Ok(());
        };
        let (time, reason) = (entry.revocation_date, entry.reason);
        if answer.status() == (CertStatus::Revoked { time, reason }) {
            return Ok(());
        }
        Err(Violation::new(
            "V7",
            format!(
                "the entry {} says revoked at {time}, and the OCSP answer of the same time says {:?}",
                entry.serial,
                answer.status()
            ),
        ))
    }
}

fn tell(issuer: &str, problem: &dyn std::fmt::Display) {
    tracing::warn!("the OCSP answers of {issuer} are not compared with its CRL: {problem}");
}

/// The first set is the base; each later one lies over those before.
fn layers(
    directory: &Directory,
    manifest: &Manifest,
    ca: &Certificate,
) -> Result<Option<Layered>, Problem> {
    let mut sets = Vec::new();
    for object in manifest.objects_of(answers::ROLE) {
        let file = directory.object_file(&manifest.channel, object)?;
        sets.push(AnswerSet::map(&file, ca)?.into());
    }
    if sets.is_empty() {
        return Ok(None);
    }
    let base = sets.remove(0);
    sets.reverse();
    Ok(Some(Layered::new(base, sets)?))
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Damaged(#[from] answers::Damaged),
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error(transparent)]
    Set(#[from] answers::AnswerSetError),
}
