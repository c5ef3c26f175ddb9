//! Looks at the disks of all machines and at all that leaves a signer, and says when something does not hold.

use std::collections::{BTreeMap, BTreeSet};

use journal::SIGNER_JOURNAL;
use pki::{CrlNumber, Serial};
use signer::journal_record::{Act, Hash, Record};
use wire::{CrlScope, FromSigner, Outcome, Reply, RequestId};

use crate::log_reader::LogReader;
use crate::violation::{Invariant, Violation, check, violated};

/// What is known of all that was ever durable.
#[derive(Debug)]
pub(crate) struct Checker {
    pub(crate) signers: [Seen; 2],
    archives: [Archived; 2],
    serials: BTreeMap<Serial, RequestId>,
    crls: BTreeMap<(String, CrlNumber), Hash>,
    /// The last ones of each signer, and the first ones of the second.
    last_crls: BTreeMap<(usize, String), (CrlNumber, i64)>,
    first_crls: BTreeMap<String, CrlNumber>,
    /// What each request makes a signer sign.
    tbs: BTreeMap<RequestId, Hash>,
    answers: BTreeMap<RequestId, Outcome>,
    /// The highest promotion epoch, and whose it is.
    promoted: (u32, usize),
    /// What could not be told where it was found.
    pub(crate) found: Option<Violation>,
}

/// The journal of one signer.
#[derive(Debug)]
pub(crate) struct Seen {
    reader: LogReader,
    records: Vec<Vec<u8>>,
    /// Of this signer's own doing.
    intents: BTreeMap<RequestId, Hash>,
    signed: BTreeMap<RequestId, Vec<u8>>,
    refused: BTreeSet<RequestId>,
    revoked: BTreeSet<RequestId>,
    /// What it knows of the other one's.
    followed: BTreeSet<RequestId>,
    /// Its journal is an old one for now, at which nobody looks.
    pub(crate) is_old: bool,
}

#[derive(Debug)]
struct Archived {
    reader: LogReader,
    most: u64,
}

impl Checker {
    pub(crate) fn new() -> Self {
        let seen = |name| Seen {
            reader: LogReader::new(name, SIGNER_JOURNAL),
            records: Vec::new(),
            intents: BTreeMap::new(),
            signed: BTreeMap::new(),
            refused: BTreeSet::new(),
            revoked: BTreeSet::new(),
            followed: BTreeSet::new(),
            is_old: false,
        };
        let archived = |name| Archived {
            reader: LogReader::new(name, SIGNER_JOURNAL),
            most: 0,
        };
        Self {
            signers: ["signer 17's journal", "signer 18's journal"].map(seen),
            archives: ["signer 17's archive", "signer 18's archive"].map(archived),
            serials: BTreeMap::new(),
            crls: BTreeMap::new(),
            last_crls: BTreeMap::new(),
            first_crls: BTreeMap::new(),
            tbs: BTreeMap::new(),
            answers: BTreeMap::new(),
            promoted: (0, 0),
            found: None,
        }
    }

    /// The signer that was promoted last, as it stands on its disk.
    pub(crate) const fn promoted(&self) -> usize {
        self.promoted.1
    }

    /// How many records of a signer's journal are durable.
    pub(crate) fn records(&self, signer: usize) -> u64 {
        self.signers[signer].reader.records()
    }

    /// How many of them are durable in the archive.
    pub(crate) const fn archived(&self, signer: usize) -> u64 {
        self.archives[signer].reader.records()
    }

    /// Whether an act is archived after so many records. Without one, a signer that is started anew within the same second
    /// writes the same records again, and its journal is no other one.
    pub(crate) fn has_archived_acts(&self, signer: usize, after: u64) -> bool {
        let archived = self.archived(signer);
        let missing = (1..).zip(&self.signers[signer].records);
        missing
            .filter(|(number, _)| (after + 1..=archived).contains(number))
            .any(|(_, octets)| matches!(Record::decode(octets), Ok(Record::Signed { .. })))
    }

    /// Whether all of them are.
    pub(crate) fn archive_is_whole(&self, signer: usize) -> bool {
        self.archives[signer].reader.records() == self.records(signer)
    }

    /// Looks at a signer's disk.
    pub(crate) fn journal(&mut self, signer: usize, durable: &[u8]) -> Result<(), Violation> {
        if self.signers[signer].is_old {
            return Ok(());
        }
        for octets in self.signers[signer].reader.read_on(durable)? {
            let record =
                Record::decode(&octets).map_err(|error| violated(Invariant::LogIsWhole, error))?;
            self.signers[signer].records.push(octets);
            self.record(signer, record)?;
        }
        Ok(())
    }

    /// Looks at the host's disk.
    pub(crate) fn archive(&mut self, signer: usize, durable: &[u8]) -> Result<(), Violation> {
        let archived = &mut self.archives[signer];
        let first = archived.reader.records();
        let records = archived.reader.read_on(durable)?;
        archived.most = archived.most.max(archived.reader.records());
        let own = &self.signers[signer].records;
        for (number, record) in (first..).zip(records) {
            let same = usize::try_from(number)
                .ok()
                .and_then(|number| own.get(number));
            check(same == Some(&record), Invariant::LogIsWhole, || {
                format!(
                    "record {} of the archive is not durable in the signer's journal: {:?}",
                    number + 1,
                    Record::decode(&record)
                )
            })?;
        }
        Ok(())
    }

    /// The host's disk is an old one from now on.
    pub(crate) fn archives_are_old(&mut self) {
        for (archived, name) in self
            .archives
            .iter_mut()
            .zip(["signer 17's archive", "signer 18's archive"])
        {
            archived.reader = LogReader::new(name, SIGNER_JOURNAL);
        }
    }

    /// A key is used: what is on the disk must say why.
    pub(crate) fn signs(&mut self, signer: usize, durable: &[u8], tbs: Hash) {
        let looked = self.journal(signer, durable).and_then(|()| {
            let seen = &self.signers[signer];
            check(!seen.is_old, Invariant::WrongIsRefused, || {
                "a signer with an old journal signs".to_owned()
            })?;
            let intended = self.tbs.iter().any(|(id, of)| {
                *of == tbs && (seen.intents.contains_key(id) || seen.followed.contains(id))
            });
            check(intended, Invariant::IntentFirst, || {
                format!("signer {signer} signs what no durable intent says")
            })
        });
        if let Err(violation) = looked {
            self.found.get_or_insert(violation);
        }
    }

    /// Something leaves a signer.
    pub(crate) fn leaves(&self, signer: usize, message: &FromSigner) -> Result<(), Violation> {
        let FromSigner::Reply(Reply { id, outcome, .. }) = message else {
            return Ok(());
        };
        let seen = &self.signers[signer];
        if seen.is_old || seen.followed.contains(id) {
            return Ok(());
        }
        let durable = match outcome {
            Outcome::Signed { signature } => seen.signed.get(id) == Some(signature),
            Outcome::Remembered { .. } => seen.revoked.contains(id),
            Outcome::Log { head, .. } => head.sequence <= seen.reader.records(),
            _ => true,
        };
        check(durable, Invariant::NothingLost, || {
            format!("an answer to {id} leaves signer {signer} and is not on its disk: {outcome:?}")
        })
    }

    /// What a signer says of the archive.
    pub(crate) fn acknowledged(&self, signer: usize, archived: u64) -> Result<(), Violation> {
        let most = self.archives[signer].most;
        check(archived <= most, Invariant::NothingLost, || {
            format!(
                "{archived} records were acknowledged to signer {signer}, {most} are on the host's disk"
            )
        })
    }

    /// A caller has the answer to an act.
    pub(crate) fn answered(&mut self, id: RequestId, outcome: &Outcome) -> Result<(), Violation> {
        let kept = |seen: &Seen| match outcome {
            Outcome::Signed { signature } => seen.signed.get(&id) == Some(signature),
            Outcome::Remembered { .. } => seen.revoked.contains(&id),
            Outcome::Refused(_) => seen.refused.contains(&id),
            _ => false,
        };
        check(
            self.signers.iter().any(kept),
            Invariant::NothingLost,
            || format!("{id} was answered, and no signer has that on its disk: {outcome:?}"),
        )?;
        let before = self.answers.entry(id).or_insert_with(|| outcome.clone());
        let same = match (&*before, outcome) {
            // The count and the digest are those of the moment.
            (Outcome::Remembered { .. }, Outcome::Remembered { .. }) => true,
            (before, outcome) => before == outcome,
        };
        check(same, Invariant::OneSignature, || {
            format!("{id} was answered with {before:?} and then with {outcome:?}")
        })
    }

    fn record(&mut self, signer: usize, record: Record) -> Result<(), Violation> {
        let seen = &mut self.signers[signer];
        match record {
            Record::Intent { id, act, .. } => {
                let known = seen.intents.contains_key(&id)
                    || seen.refused.contains(&id)
                    || seen.revoked.contains(&id);
                check(!known, Invariant::OneSignature, || {
                    format!("{id} is going to be signed again")
                })?;
                let (Act::Certificate { tbs, .. }
                | Act::Crl { tbs, .. }
                | Act::PgpUserId { tbs, .. }) = &act;
                seen.intents.insert(id, *tbs);
                let first = *self.tbs.entry(id).or_insert(*tbs);
                check(first == *tbs, Invariant::OneSignature, || {
                    format!("{id} makes the two signers sign different things")
                })?;
                self.intended(signer, id, act)?;
            }
            Record::Signed { id, signature } => {
                let intended = seen.intents.contains_key(&id) || seen.followed.contains(&id);
                check(intended, Invariant::IntentFirst, || {
                    format!("{id} is signed without an intent")
                })?;
                check(
                    seen.signed.insert(id, signature).is_none(),
                    Invariant::OneSignature,
                    || format!("{id} is signed twice"),
                )?;
            }
            Record::Refused { id, .. } => {
                check(
                    seen.refused.insert(id) && !seen.signed.contains_key(&id),
                    Invariant::OneSignature,
                    || format!("{id} is answered twice"),
                )?;
            }
            Record::Revoked { id, .. } => {
                check(seen.revoked.insert(id), Invariant::OneSignature, || {
                    format!("{id} is answered twice")
                })?;
            }
            Record::Promoted { epoch, .. } => {
                self.promoted = self.promoted.max((epoch, signer));
            }
            Record::Replicated { record, .. } => {
                if let Ok(
                    Record::Intent { id, .. }
                    | Record::Signed { id, .. }
                    | Record::Refused { id, .. }
                    | Record::Revoked { id, .. },
                ) = Record::decode(&record)
                {
                    seen.followed.insert(id);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Serial and CRL numbers are used up by intents.
    fn intended(&mut self, signer: usize, id: RequestId, act: Act) -> Result<(), Violation> {
        match act {
            // Uses nothing up.
            Act::PgpUserId { .. } => Ok(()),
            Act::Certificate { serial, .. } => {
                let serial = Serial::from_be_bytes(&serial)
                    .map_err(|error| violated(Invariant::SerialOnce, error.to_string()))?;
                let first = *self.serials.entry(serial).or_insert(id);
                check(first == id, Invariant::SerialOnce, || {
                    format!("{serial} is used for {first} and for {id}")
                })
            }
            Act::Crl {
                scope,
                number,
                this_update,
                tbs,
                ..
            } => {
                let number = CrlNumber::from_be_bytes(&number)
                    .map_err(|error| violated(Invariant::CrlsRise, error.to_string()))?;
                let scope = name(&scope);
                let last = self.last_crls.get(&(signer, scope.clone()));
                let rises = |last: Option<&(CrlNumber, i64)>| {
                    last.is_none_or(|(last, time)| number > *last && this_update >= *time)
                };
                // The one that was promoted is above the other, which may still sign what it was asked before.
                let apart = match signer {
                    0 => {
                        let first = self.first_crls.get(&scope);
                        first.is_none_or(|first| number < *first)
                    }
                    _ => rises(self.last_crls.get(&(0, scope.clone()))),
                };
                let same = self.crls.get(&(scope.clone(), number.clone())) == Some(&tbs);
                check(rises(last) && apart || same, Invariant::CrlsRise, || {
                    format!("CRL {number} of {this_update} ({scope}) follows on {last:?}")
                })?;
                if signer == 1 {
                    let first = self.first_crls.entry(scope.clone());
                    first.or_insert_with(|| number.clone());
                }
                self.last_crls
                    .insert((signer, scope.clone()), (number.clone(), this_update));
                self.crls.insert((scope, number), tbs);
                Ok(())
            }
        }
    }
}

fn name(scope: &CrlScope) -> String {
    match scope {
        CrlScope::Complete => "complete".to_owned(),
        CrlScope::Delta => "delta".to_owned(),
        CrlScope::Partition(uri) => uri.clone(),
    }
}
