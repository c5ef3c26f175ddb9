//! The reading side: every channel of a directory, verified, only forward.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;

use crate::directory::sha256_hex;
use crate::generations::Taken;
use crate::manifest::{Manifest, Object, Trust};
use crate::watch::Watch;
use crate::{Directory, Generations, Refusal};

/// Follows a publication directory.
///
/// [`Follower::scan`] offers what is new and verifies; the reader looks into the objects and then either
/// [takes](Follower::take) the candidate or [refuses](Follower::refuse) it.
#[derive(Debug)]
pub struct Follower {
    directory: Directory,
    generations: Generations,
    trust: Vec<Trust>,
    channels: BTreeMap<String, State>,
}

/// What the follower knows of one channel.
#[derive(Debug, Default)]
struct State {
    /// The manifest file that was dealt with last (taken, or refused for good), by its hash.
    settled: Option<String>,
    /// The refusal reported last, and the manifest it was about, so that the same is not reported at every look.
    reported: Option<(Option<String>, Refusal)>,
    /// The objects of the generation taken by this process, by hash.
    known: BTreeSet<String>,
}

/// A generation that verifies and is newer than the one taken last.
#[derive(Debug)]
pub struct Candidate {
    /// The manifest.
    pub manifest: Manifest,
    /// Its objects, in its order.
    pub objects: Vec<CandidateObject>,
    manifest_sha256: String,
}

/// One object of a candidate.
#[derive(Debug)]
pub struct CandidateObject {
    /// What the manifest says of it.
    pub object: Object,
    /// Its content.
    pub content: Content,
}

/// The content of an object.
#[derive(Debug)]
pub enum Content {
    /// An object that is named by its tail: its size and tail are verified. Whoever reads further holds the rest against
    /// the hashes in the tail before use.
    File(File),
    /// Read and verified now.
    Fresh(Vec<u8>),
    /// The same object is part of the generation that this process took last; the reader has it already.
    Known,
}

/// What was found and is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The channel.
    pub channel: String,
    /// Why.
    pub reason: Refusal,
}

impl Follower {
    /// A follower of `root`, which need not exist yet.
    pub fn new(directory: Directory, trust: Vec<Trust>, generations: Generations) -> Self {
        Self {
            directory,
            generations,
            trust,
            channels: BTreeMap::new(),
        }
    }

    /// Looks at every channel and returns those with something new: a candidate, or a refusal not reported before.
    pub fn scan(&mut self) -> io::Result<Vec<Result<Candidate, Refused>>> {
        let channels = self.directory.channels()?;
        Ok(channels
            .into_iter()
            .filter_map(|channel| self.look(&channel))
            .collect())
    }

    /// Takes a candidate: remembers its generation, durably before this returns. To be called before it is used.
    pub fn take(&mut self, candidate: &Candidate) -> io::Result<()> {
        let manifest = &candidate.manifest;
        self.generations.remember(
            &manifest.channel,
            Taken {
                generation: manifest.generation,
                manifest_sha256: candidate.manifest_sha256.clone(),
            },
        )?;
        let state = self.channels.entry(manifest.channel.clone()).or_default();
        state.settled = Some(candidate.manifest_sha256.clone());
        state.reported = None;
        state.known = manifest
            .objects
            .iter()
            .map(|object| object.sha256.clone())
            .collect();
        Ok(())
    }

    /// Refuses a candidate whose objects are not what they should be. It is not offered again.
    pub fn refuse(&mut self, candidate: &Candidate, why: impl Into<String>) -> Refused {
        let channel = candidate.manifest.channel.clone();
        let state = self.channels.entry(channel.clone()).or_default();
        state.settled = Some(candidate.manifest_sha256.clone());
        let reason = Refusal::Unacceptable(why.into());
        state.reported = Some((state.settled.clone(), reason.clone()));
        Refused { channel, reason }
    }

    /// Offers the channel's generation again, though it was refused: what it was refused for has changed elsewhere.
    pub fn reconsider(&mut self, channel: &str) {
        if let Some(state) = self.channels.get_mut(channel)
            && matches!(state.reported, Some((_, Refusal::Unacceptable(_))))
        {
            state.settled = None;
        }
    }

    /// The channels whose newest manifest is not the one taken, and why.
    pub fn behind(&self) -> Vec<Refused> {
        self.channels
            .iter()
            .filter_map(|(channel, state)| {
                let (_, reason) = state.reported.clone()?;
                Some(Refused {
                    channel: channel.clone(),
                    reason,
                })
            })
            .collect()
    }

    /// The generations taken, also by earlier processes.
    pub fn generations(&self) -> &Generations {
        &self.generations
    }

    /// Waits for hints that something was published.
    pub fn watch(&self) -> Watch {
        Watch::new(self.directory.root())
    }

    fn look(&mut self, channel: &str) -> Option<Result<Candidate, Refused>> {
        let state = self.channels.entry(channel.to_owned()).or_default();
        let file = match self.directory.manifest_file(channel) {
            Ok(Some(file)) => file,
            Ok(None) => return None,
            Err(refusal) => return report(state, channel, None, refusal),
        };
        let manifest_sha256 = sha256_hex(&file);
        if state.settled.as_ref() == Some(&manifest_sha256) {
            if !matches!(state.reported, Some((_, Refusal::Unacceptable(_)))) {
                state.reported = None;
            }
            return None;
        }
        let offered = Manifest::verify(&file, channel, &self.trust)
            .and_then(|manifest| {
                check_forward(&manifest, &manifest_sha256, self.generations.get(channel))?;
                Ok(manifest)
            })
            .and_then(|manifest| {
                let objects = read_objects(&self.directory, &manifest, &state.known)?;
                Ok((manifest, objects))
            });
        match offered {
            Ok((manifest, objects)) => Some(Ok(Candidate {
                manifest,
                objects,
                manifest_sha256,
            })),
            Err(refusal) => report(state, channel, Some(manifest_sha256), refusal),
        }
    }
}

fn check_forward(
    manifest: &Manifest,
    manifest_sha256: &str,
    taken: Option<&Taken>,
) -> Result<(), Refusal> {
    match taken {
        Some(taken) if manifest.generation < taken.generation => Err(Refusal::OlderGeneration {
            offered: manifest.generation,
            taken: taken.generation,
        }),
        Some(taken)
            if manifest.generation == taken.generation
                && manifest_sha256 != taken.manifest_sha256 =>
        {
            Err(Refusal::ChangedGeneration {
                generation: manifest.generation,
            })
        }
        _ => Ok(()),
    }
}

fn read_objects(
    directory: &Directory,
    manifest: &Manifest,
    known: &BTreeSet<String>,
) -> Result<Vec<CandidateObject>, Refusal> {
    // The newest first: small layers are folded away soon after, while a large base stays for long.
    let mut objects = manifest
        .objects
        .iter()
        .rev()
        .map(|object| {
            let content = if known.contains(&object.sha256) {
                Content::Known
            } else if object.tail.is_some() {
                Content::File(directory.object_file(&manifest.channel, object)?)
            } else {
                Content::Fresh(directory.object(&manifest.channel, object)?)
            };
            Ok(CandidateObject {
                object: object.clone(),
                content,
            })
        })
        .collect::<Result<Vec<_>, Refusal>>()?;
    objects.reverse();
    Ok(objects)
}

/// A refusal is retried at every look (a missing object may still arrive) but reported once.
fn report(
    state: &mut State,
    channel: &str,
    manifest_sha256: Option<String>,
    reason: Refusal,
) -> Option<Result<Candidate, Refused>> {
    let report = Some((manifest_sha256, reason.clone()));
    if state.reported == report {
        return None;
    }
    state.reported = report;
    Some(Err(Refused {
        channel: channel.to_owned(),
        reason,
    }))
}
