//! Answer sets: large ones are mapped and verified bit by bit, small ones are read and verified at once.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use answers::{AnswerSet, Entry};
use anyhow::Context as _;
use pki::ocsp::verify::{Expected, Rules, violations};
use publication::{Content, Object};

use super::{LOST, Loader};

/// Answer sets of that many octets or more are mapped and verified bit by bit; smaller ones are read and verified at once.
const LARGE: u64 = 8 << 20;
/// Octets of them that are read without a rest.
const READ_AT_ONCE: usize = 256 << 10;
/// Rules about an issuer's own policy, which the presigner holds; here they could only refuse what is valid.
const POLICY_RULES: [&str; 4] = ["OCSP-35", "OCSP-36", "OCSP-37", "OCSP-44"];

impl Loader<'_> {
    pub(super) fn answer_set(
        &self,
        object: &Object,
        content: Content,
    ) -> anyhow::Result<Arc<AnswerSet>> {
        let same_ca = self.same_ca();
        let set = match content {
            Content::Fresh(octets) => self.small_set(octets)?,
            Content::File(file) if object.size < LARGE => {
                self.small_set(self.read(file, object)?)?
            }
            Content::File(file) => match self.opened.get(&object.sha256) {
                Some(set) if same_ca => return sound(Arc::clone(set)),
                _ => AnswerSet::map(&file, &self.ca)?,
            },
            Content::Known => {
                let previous = self.previous.context(LOST)?;
                let set = previous.sets.get(&object.sha256).context(LOST)?;
                if same_ca && previous.answers_from(set) {
                    // Also if it is damaged: better that than to do without the revocations that come now.
                    return Ok(Arc::clone(set));
                }
                if same_ca {
                    return sound(Arc::clone(set));
                }
                // The CA certificate changed: everything is judged against the new one.
                set.reopen(&self.ca)?
            }
        };
        self.verify_sample(&set)?;
        Ok(Arc::new(set))
    }

    fn small_set(&self, octets: Vec<u8>) -> anyhow::Result<AnswerSet> {
        let pace = |_| self.pace.part_done();
        Ok(AnswerSet::from_bytes_at_a_pace(octets, &self.ca, pace)?)
    }

    /// All of a small object that came as a file.
    fn read(&self, mut file: File, object: &Object) -> anyhow::Result<Vec<u8>> {
        // Lossless: below the limit for large ones, and its size was compared with the file's.
        let mut octets = vec![0; object.size as usize];
        file.seek(SeekFrom::Start(0)).context("it cannot be read")?;
        for piece in octets.chunks_mut(READ_AT_ONCE) {
            file.read_exact(piece).context("it cannot be read")?;
            self.pace.part_done();
        }
        Ok(octets)
    }

    /// Signature, CertID and all else of a part of the answers, for one CertID hash and the other in turn: a set that was
    /// signed with the wrong key never gets live.
    fn verify_sample(&self, set: &AnswerSet) -> anyhow::Result<()> {
        let step = set.len().div_ceil(verified_answers(set.len())).max(1);
        let hashes = set.cert_ids().iter().map(|cert_id| cert_id.hash).cycle();
        for (entry, hash) in set.entries().step_by(step).zip(hashes) {
            let Entry::Answer(answer) = entry? else {
                continue;
            };
            let serial = answer.serial();
            let response = answer
                .response(hash)
                .context("an answer cannot be put together")?;
            let expected = Expected {
                ca: &self.ca,
                hash,
                serial: &serial,
                // Whether it is current is decided at each request.
                now: answer.this_update(),
                status: Some(answer.status()),
                rules: Rules {
                    keeps_holds: true,
                    ..Rules::default()
                },
            };
            let broken = violations(&response, &expected)?;
            if let Some(violation) = broken
                .into_iter()
                .find(|found| !POLICY_RULES.contains(&found.rule))
            {
                return Err(violation).context("an answer does not verify");
            }
            self.pace.part_done();
        }
        Ok(())
    }
}

/// So many answers of a set, evenly spread, are verified down to the signature: more of a large one, few of a delta, of
/// which ten may come in a second. The presigner verifies all.
fn verified_answers(of: usize) -> usize {
    (of / 4096).clamp(8, 256)
}

/// A set in which damage was found while it waited is not taken.
fn sound(set: Arc<AnswerSet>) -> anyhow::Result<Arc<AnswerSet>> {
    match set.damage() {
        Some(damaged) => Err(damaged.into()),
        None => Ok(set),
    }
}
