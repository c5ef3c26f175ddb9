//! The archived logs of all signers: their chains, and the places where a chain is known from elsewhere.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::Result;
use journal::{End, Position};
use pki::Certificate;
use serde_json::{Value, json};
use signer::journal_record::Record;

use super::acts::Acts;
use super::difference::{About, Difference};
use crate::data_dir::DataDir;
use crate::human;
use crate::progress::Progress;
use crate::signer_log::{self, Entry, SignerLog};

/// Somebody outside of the archive knows how a chain stands there.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) signer: u8,
    pub(super) position: Position,
    /// Who knows it.
    pub(super) of: String,
}

/// All archives, read so far.
pub(super) struct Logs {
    logs: Vec<Archive>,
    marks: Vec<Mark>,
    /// The CAs of the ledger, by name.
    cas: BTreeMap<String, Certificate>,
    pub(super) acts: Acts,
    pub(super) differences: Vec<Difference>,
}

struct Archive {
    log: SignerLog,
    end: End,
    /// Nothing after this place can be read.
    damaged: bool,
    counts: Counts,
    /// Of a standby: how far it has the other's log, and the chain there.
    replica: Position,
    vouched: Vouched,
}

/// What the signed checkpoints of a log cover.
#[derive(Clone, Copy, Debug, Default)]
struct Vouched {
    checkpoints: u64,
    /// The last of them.
    record: u64,
    /// By CAs that the ledger does not have.
    of_strangers: u64,
    /// One was no signature over the log; so nor are those after it.
    forged: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    certificates: u64,
    crls: u64,
    certifications: u64,
    revocations: u64,
    refused: u64,
}

impl Logs {
    pub(super) fn open(
        data: &DataDir,
        marks: Vec<Mark>,
        cas: BTreeMap<String, Certificate>,
    ) -> Result<Self> {
        let archive = |log| Archive {
            log,
            end: End::default(),
            damaged: false,
            counts: Counts::default(),
            replica: Position::start(journal::SIGNER_JOURNAL),
            vouched: Vouched::default(),
        };
        Ok(Self {
            logs: signer_log::all(data)?.into_iter().map(archive).collect(),
            marks,
            cas,
            acts: Acts::default(),
            differences: Vec::new(),
        })
    }

    /// Reads all of them, with a bar.
    pub(super) fn read(&mut self) -> Result<()> {
        let mut total = 0;
        for archive in &self.logs {
            total += archive.log.octets()?;
        }
        let mut progress = Progress::bar("checking the log of the signer, octet by octet", total);
        self.read_on(|octets| progress.set(octets));
        self.compare_replicas()?;
        progress.done(&format!("{} octets", human::count(total)));
        Ok(())
    }

    /// Reads what has been appended meanwhile.
    pub(super) fn read_more(&mut self) {
        self.read_on(|_| {});
    }

    fn read_on(&mut self, mut show: impl FnMut(u64)) {
        let mut before = 0;
        for archive in &mut self.logs {
            if archive.damaged {
                continue;
            }
            let (acts, marks, found) = (&mut self.acts, &self.marks, &mut self.differences);
            let (id, counts, replica, vouched) = (
                archive.log.signer_id,
                &mut archive.counts,
                &mut archive.replica,
                &mut archive.vouched,
            );
            let cas = &self.cas;
            let mut last = archive.end.position;
            let end = archive.log.read_on(|entry| {
                found.extend(vouched.take(cas, id, last, &entry));
                last = entry.position;
                counts.take(&entry);
                found.extend(acts.take(id, &entry));
                found.extend(check_marks(marks, id, entry.position));
                if let Ok(Record::Replicated { record, .. }) = &entry.record {
                    *replica = replica.after(record);
                }
                show(before + entry.offset);
                ControlFlow::Continue(())
            });
            match end {
                Ok(end) => archive.end = end,
                Err(error) => {
                    archive.damaged = true;
                    archive.end.position = last;
                    let about = About {
                        signer: Some(id),
                        record: Some(last.sequence + 1),
                        ..About::default()
                    };
                    let text = format!(
                        "the log of signer {id} does not hold from record {} on: {error}",
                        last.sequence + 1
                    );
                    found.push(Difference::new("log-damaged", about, text));
                }
            }
            before += archive.log.octets().unwrap_or_default();
        }
    }

    /// What a standby has is the beginning of another signer's log.
    fn compare_replicas(&mut self) -> Result<()> {
        for index in 0..self.logs.len() {
            let Archive { replica, log, .. } = &self.logs[index];
            let (replica, standby) = (*replica, log.signer_id);
            if replica.sequence == 0 {
                continue;
            }
            let others = self
                .logs
                .iter()
                .filter(|other| other.log.signer_id != standby);
            let mut found = Found::Nowhere;
            for other in others {
                found = found.or(compare(other, replica)?);
            }
            let about = About {
                signer: Some(standby),
                record: Some(replica.sequence),
                ..About::default()
            };
            let text = match found {
                Found::Here => continue,
                Found::Shorter(signer, end) => format!(
                    "the standby, signer {standby}, has {} records of another signer's log, and the archive of that of signer \
                     {signer} ends with record {end}: its end was cut off",
                    replica.sequence
                ),
                Found::Nowhere => format!(
                    "the standby, signer {standby}, has {} records of another signer's log that are in no archive here",
                    replica.sequence
                ),
            };
            self.differences
                .push(Difference::new("replica-differs", about, text));
        }
        Ok(())
    }

    /// Where a log ends and its chain there; `None` where there is no such log.
    pub(super) fn end(&self, signer: u8) -> Option<Position> {
        let archive = self.logs.iter().find(|it| it.log.signer_id == signer)?;
        Some(archive.end.position)
    }

    /// Whether all of each log could be read.
    pub(super) fn are_whole(&self) -> bool {
        self.logs.iter().all(|archive| !archive.damaged)
    }

    /// The marks that lie behind the end, the last of each signer: what they were about is gone.
    pub(super) fn missed_marks(&self) -> Vec<Difference> {
        let mut last: BTreeMap<u8, &Mark> = BTreeMap::new();
        for mark in &self.marks {
            let known = last.entry(mark.signer).or_insert(mark);
            if mark.position.sequence > known.position.sequence {
                *known = mark;
            }
        }
        let mut missed = Vec::new();
        for (signer, mark) in last {
            let (end, seen) = (
                self.end(signer).unwrap_or_default().sequence,
                mark.position.sequence,
            );
            // Damage is named already.
            if end >= seen || !self.are_whole() {
                continue;
            }
            let about = About {
                signer: Some(signer),
                record: Some(seen),
                ..About::default()
            };
            let text = format!(
                "the log of signer {signer} ends with record {end}, and {} has seen record {seen}: its end was cut off",
                mark.of
            );
            missed.push(Difference::new("log-cut-off", about, text));
        }
        missed
    }

    /// Reads from the beginning those records that `wanted` names.
    pub(super) fn look_up(
        &self,
        mut wanted: impl FnMut(u8, &Entry) -> ControlFlow<()>,
    ) -> Result<()> {
        for archive in &self.logs {
            let end = archive.end.position.sequence;
            let mut log = archive.log.again()?;
            log.read_on(|entry| {
                if entry.position.sequence > end {
                    return ControlFlow::Break(());
                }
                wanted(archive.log.signer_id, &entry)
            })
            // The damage is known.
            .or_else(|error| match archive.damaged {
                true => Ok(archive.end),
                false => Err(error),
            })?;
        }
        Ok(())
    }

    pub(super) fn text(&self) -> String {
        let line = |archive: &Archive| {
            let Counts {
                certificates,
                crls,
                certifications,
                revocations,
                refused,
            } = archive.counts;
            let mut line = format!(
                "Signer {}: {} records of its log, each chained to the one before; {} certificates, {} CRLs, {} revocations \
                 told, {} requests refused.\n  The chain ends in {}",
                archive.log.signer_id,
                human::count(archive.end.position.sequence),
                human::count(certificates),
                human::count(crls),
                human::count(revocations),
                human::count(refused),
                hex::encode(archive.end.position.head),
            );
            if certifications > 0 {
                line.push_str(&format!(
                    "\n  Beside these {} certifications of OpenPGP user ids",
                    human::count(certifications)
                ));
            }
            if archive.replica.sequence > 0 {
                line.push_str(&format!(
                    "\n  It has {} records of another signer's log",
                    human::count(archive.replica.sequence)
                ));
            }
            line.push_str(&format!(
                "\n  {} checkpoints in it are signed by its CAs; no signature covers the {} records after the last one",
                human::count(archive.vouched.checkpoints),
                human::count(archive.end.position.sequence - archive.vouched.record)
            ));
            if archive.vouched.of_strangers > 0 {
                line.push_str(&format!(
                    "\n  {} checkpoints in it are signed by CAs that the ledger does not have, so they say nothing",
                    human::count(archive.vouched.of_strangers)
                ));
            }
            if archive.end.incomplete > 0 && !archive.damaged {
                line.push_str(&format!(
                    "\n  {} octets behind that are no whole record (being written, or left by a crash)",
                    archive.end.incomplete
                ));
            }
            line
        };
        let lines: Vec<String> = self.logs.iter().map(line).collect();
        lines.join("\n")
    }

    pub(super) fn json(&self) -> Value {
        let object = |archive: &Archive| {
            json!({
                "signer": archive.log.signer_id,
                "archive": archive.log.path,
                "records": archive.end.position.sequence,
                "hash": hex::encode(archive.end.position.head),
                "whole": !archive.damaged,
                "certificates": archive.counts.certificates,
                "crls": archive.counts.crls,
                "certifications": archive.counts.certifications,
                "revocations": archive.counts.revocations,
                "refused": archive.counts.refused,
                "replicated": archive.replica.sequence,
                "checkpoints": archive.vouched.checkpoints,
                "last_checkpoint": archive.vouched.record,
                "checkpoints_of_strangers": archive.vouched.of_strangers,
            })
        };
        self.logs.iter().map(object).collect()
    }

    /// Where each log ends.
    pub(super) fn ends(&self) -> impl Iterator<Item = (u8, Position)> {
        self.logs
            .iter()
            .map(|archive| (archive.log.signer_id, archive.end.position))
    }
}

impl Vouched {
    /// Verifies a checkpoint, which stands behind `before` in the log.
    fn take(
        &mut self,
        cas: &BTreeMap<String, Certificate>,
        signer: u8,
        before: Position,
        entry: &Entry,
    ) -> Option<Difference> {
        let Ok(Record::Checkpoint(checkpoint)) = &entry.record else {
            return None;
        };
        let (record, issuer) = (entry.position.sequence, &checkpoint.issuer);
        let Some(ca) = cas.get(issuer) else {
            self.of_strangers += 1;
            return None;
        };
        let verified = match checkpoint.signer_id == signer {
            true => checkpoint
                .verify(ca.public_key(), before)
                .map_err(|error| error.to_string()),
            false => Err(format!("it is one of signer {}", checkpoint.signer_id)),
        };
        let why = match verified {
            Ok(()) => {
                self.checkpoints += 1;
                self.record = record;
                return None;
            }
            Err(_) if self.forged => return None,
            Err(why) => why,
        };
        self.forged = true;
        let about = About {
            signer: Some(signer),
            record: Some(record),
            ..About::default()
        };
        let text = format!(
            "record {record} of the log of signer {signer} is no signature of {issuer} over the records before it: {why}"
        );
        Some(Difference::new("log-forged", about, text))
    }
}

impl Counts {
    fn take(&mut self, entry: &Entry) {
        use signer::journal_record::Act;
        match &entry.record {
            Ok(Record::Intent {
                act: Act::Certificate { .. },
                ..
            }) => self.certificates += 1,
            Ok(Record::Intent {
                act: Act::Crl { .. },
                ..
            }) => self.crls += 1,
            Ok(Record::Intent {
                act: Act::PgpUserId { .. },
                ..
            }) => self.certifications += 1,
            Ok(Record::Revoked { revoke, .. }) => {
                self.revocations += revoke.revocations.len() as u64;
            }
            Ok(Record::Refused { .. }) => self.refused += 1,
            _ => {}
        }
    }
}

fn check_marks<'a>(
    marks: &'a [Mark],
    signer: u8,
    position: Position,
) -> impl Iterator<Item = Difference> + 'a {
    let here = marks
        .iter()
        .filter(move |mark| mark.signer == signer && mark.position.sequence == position.sequence);
    let other = here.filter(move |mark| mark.position.head != position.head);
    other.map(move |mark| {
        let about = About {
            signer: Some(signer),
            record: Some(position.sequence),
            ..About::default()
        };
        let text = format!(
            "record {} of the log of signer {signer} is not what {} has seen there: the log was written anew",
            position.sequence, mark.of
        );
        Difference::new("log-rewritten", about, text)
    })
}

/// Where the records of a standby stand.
enum Found {
    Here,
    /// They go on behind the end of this signer's archive.
    Shorter(u8, u64),
    Nowhere,
}

impl Found {
    fn or(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Here, _) | (Self::Shorter(..), Self::Nowhere) => self,
            _ => other,
        }
    }
}

fn compare(other: &Archive, replica: Position) -> Result<Found> {
    let end = other.end.position.sequence;
    if end < replica.sequence {
        return Ok(Found::Shorter(other.log.signer_id, end));
    }
    let mut found = Found::Nowhere;
    other.log.again()?.read_on(|entry| {
        if entry.position.sequence < replica.sequence {
            return ControlFlow::Continue(());
        }
        if entry.position == replica {
            found = Found::Here;
        }
        ControlFlow::Break(())
    })?;
    Ok(found)
}
