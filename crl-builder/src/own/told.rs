//! What the signer was told of an issuer and what it signed last, so that only changes cross the cable.
//!
//! The signer keeps the revocations and the entries of its last CRLs. It is told every revocation once, with who revoked
//! and why, and each CRL as a change of an earlier one. Should the two sides ever differ (a lost message, a restored
//! backup), the signer refuses the CRL as another one than its own; then the revocations are compared by their digests,
//! whatever one side lacks is made good, and the CRL is told from nothing (F8).

use std::collections::{HashMap, HashSet};

use ledger::{CrlScope, Issuer, Ledger, RevokedCertificate};
use pki::crl::Entries;
use pki::crl::build::CrlEntry;
use pki::{CrlNumber, RevocationReason, Serial};
use signer_client::{Added, ListChange, Revocation, Revoke, RevokedDigest, SerialOctets, fresh_id};

use super::restored::{ACTOR, recover};
use crate::failure::Failure;
use crate::signer::Signer;

/// Revocations in one message: some seconds of a slow line, so that nothing urgent waits long behind it.
const BATCH: usize = 500;
/// Events of the ledger that are read at once.
const EVENTS: u64 = 50_000;

/// What the signer knows of one issuer, as far as this side can tell.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The event of the ledger up to which it was told; `None`: it must be asked.
    as_of: Option<u64>,
    /// Its last CRLs.
    signed: HashMap<CrlScope, (CrlNumber, Entries)>,
    /// It has put another CRL together: counting is not enough.
    differs: bool,
}

impl Told {
    /// After a restart: what is published was signed.
    pub(crate) fn of_published(number: Option<&CrlNumber>, entries: &Entries) -> Self {
        let signed = number.map(|number| (CrlScope::Complete, (number.clone(), entries.clone())));
        Self {
            signed: signed.into_iter().collect(),
            ..Self::default()
        }
    }

    /// The signer has put another CRL together.
    pub(crate) fn differs(&mut self) {
        *self = Self {
            differs: true,
            ..Self::default()
        };
    }

    /// The signer has signed this.
    pub(crate) fn signed(&mut self, scope: CrlScope, number: &CrlNumber, entries: &Entries) {
        self.signed.insert(scope, (number.clone(), entries.clone()));
    }

    /// Tells the signer every revocation up to the event `until`.
    pub(crate) async fn tell<S: Signer>(
        &mut self,
        ledger: &Ledger,
        signer: &S,
        issuer: &Issuer,
        until: u64,
    ) -> Result<(), Failure> {
        let as_of = match self.as_of {
            Some(as_of) => as_of,
            None => self.compare(ledger, signer, issuer, until).await?,
        };
        for (from, to) in stretches(as_of, until) {
            let revoked = ledger.revocations_between(&issuer.name, from, to).await?;
            send(signer, &issuer.name, &revoked).await?;
            self.as_of = Some(to);
        }
        self.as_of = Some(until);
        Ok(())
    }

    /// How the entries of the next CRL differ from those of an earlier one that the signer has.
    pub(crate) async fn change(
        &self,
        ledger: &Ledger,
        issuer: &str,
        scope: &CrlScope,
        entries: &Entries,
    ) -> Result<ListChange, Failure> {
        if let Some((number, before)) = self.signed.get(scope) {
            let changes = entries.changes_since(before);
            let (added, removed): (Vec<_>, Vec<_>) =
                changes.iter().partition(|change| change.after.is_some());
            let serials = |changes: Vec<&pki::crl::EntryChange>| {
                changes
                    .iter()
                    .map(|change| octets(&change.serial))
                    .collect()
            };
            return Ok(ListChange {
                from: Some(number.clone()),
                added: match scope {
                    CrlScope::Complete => Added::All,
                    _ => Added::Serials(serials(added)),
                },
                removed: serials(removed),
            });
        }
        let (added, removed) = match scope {
            CrlScope::Complete => (Added::All, self.left(ledger, issuer, entries).await?),
            _ => {
                let all = entries.iter().map(|entry| octets(&entry.serial));
                (Added::Serials(all.collect()), Vec::new())
            }
        };
        Ok(ListChange {
            from: None,
            added,
            removed,
        })
    }

    /// What the signer was told and stands on no CRL any more.
    async fn left(
        &self,
        ledger: &Ledger,
        issuer: &str,
        entries: &Entries,
    ) -> Result<Vec<SerialOctets>, Failure> {
        let until = self.as_of.unwrap_or_default();
        let mut left = Vec::new();
        if ledger.count_revocations(issuer, until).await? != entries.len() as u64 {
            let on_it: HashSet<Serial> = entries.iter().map(|entry| entry.serial).collect();
            for (from, to) in stretches(0, until) {
                let revoked = ledger.revocations_between(issuer, from, to).await?;
                let gone = revoked.iter().filter(|one| !on_it.contains(&one.serial));
                left.extend(gone.map(|one| octets(&one.serial)));
            }
            left.sort();
        }
        Ok(left)
    }

    /// Finds out what the signer knows, and makes good what either side lacks; gives the event up to which it was told.
    async fn compare<S: Signer>(
        &mut self,
        ledger: &Ledger,
        signer: &S,
        issuer: &Issuer,
        until: u64,
    ) -> Result<u64, Failure> {
        let name = &issuer.name;
        let (count, buckets) = signer.revoked(name).await?;
        let own = ledger.count_revocations(name, until).await?;
        if count <= own && !self.differs {
            // They are told in their order, so these are the first ones: if not, that shows when the CRL is another one.
            let next = ledger.revocation_event(name, count).await?;
            return Ok(next.map_or(until, |next| until.min(next.saturating_sub(1))));
        }
        let mut digest = RevokedDigest::default();
        for (from, to) in stretches(0, until) {
            for revoked in ledger.revocations_between(name, from, to).await? {
                digest.add(&message(&revoked));
            }
        }
        let differing: HashSet<u8> = (0..=u8::MAX)
            .filter(|bucket| {
                let bucket = usize::from(*bucket);
                digest.buckets().get(bucket) != buckets.get(bucket)
            })
            .collect();
        let mut known: HashMap<Serial, CrlEntry> = HashMap::new();
        for bucket in differing.iter().filter(|_| count > 0) {
            for revocation in signer.revoked_in(name, *bucket).await? {
                if let Some(entry) = entry(&revocation) {
                    known.insert(entry.serial, entry);
                }
            }
        }
        for (from, to) in stretches(0, until) {
            let mut lacking = ledger.revocations_between(name, from, to).await?;
            for one in &lacking {
                if let Some(told) = known
                    .get(&one.serial)
                    .filter(|told| entry(&message(one)).as_ref() != Some(*told))
                {
                    reinstate(ledger, name, one, told).await?;
                }
            }
            lacking.retain(|one| {
                let bucket = RevokedDigest::bucket_of(one.serial.as_bytes());
                differing.contains(&bucket) && known.remove(&one.serial).is_none()
            });
            send(signer, name, &lacking).await?;
        }
        if !known.is_empty() {
            tracing::error!(
                issuer = name,
                revocations = known.len(),
                "the signer knows revocations that the ledger does not: it was restored; they are recorded again"
            );
            let forgotten: Entries = known.into_values().collect();
            recover(ledger, issuer, &forgotten).await?;
        }
        self.differs = false;
        Ok(until)
    }
}

/// The ledger was restored to a state without a revocation, and somebody revoked anew before this was seen: the date that
/// the signer was told is the older one, and stands for ever.
async fn reinstate(
    ledger: &Ledger,
    issuer: &str,
    anew: &RevokedCertificate,
    told: &CrlEntry,
) -> Result<(), Failure> {
    let (serial, in_ledger) = (anew.serial, anew.revocation.time);
    if told.revocation_date > in_ledger {
        return Err(Failure::Contradiction {
            serial,
            told: told.revocation_date,
            ledger: in_ledger,
        });
    }
    tracing::warn!(
        issuer,
        %serial,
        first = %told.revocation_date,
        in_ledger = %in_ledger,
        "the ledger was restored, and has a later revocation than the signer was told; the first one is recorded again"
    );
    ledger.reinstate_revocation(issuer, told, ACTOR).await?;
    Ok(())
}

/// The events after `from` and up to `until`, in stretches that are read at once.
fn stretches(from: u64, until: u64) -> impl Iterator<Item = (u64, u64)> {
    let begins = (from..until).step_by(EVENTS as usize);
    begins.map(move |begin| (begin, until.min(begin + EVENTS)))
}

/// Tells revocations in their order, those of one actor, ground and case together.
async fn send<S: Signer>(
    signer: &S,
    issuer: &str,
    revoked: &[RevokedCertificate],
) -> Result<(), Failure> {
    let together = |a: &RevokedCertificate, b: &RevokedCertificate| {
        let (a, b) = (&a.revocation, &b.revocation);
        (&a.actor, a.ground, &a.case) == (&b.actor, b.ground, &b.case)
    };
    for batch in revoked
        .chunk_by(together)
        .flat_map(|same| same.chunks(BATCH))
    {
        let Some(first) = batch.first() else {
            continue;
        };
        let revoke = Revoke {
            issuer: issuer.to_owned(),
            actor: first.revocation.actor.clone(),
            ground: first.revocation.ground.as_str().to_owned(),
            case: first.revocation.case.clone(),
            revocations: batch.iter().map(message).collect(),
        };
        signer.revoke(fresh_id()?.0, revoke).await?;
    }
    Ok(())
}

fn message(revoked: &RevokedCertificate) -> Revocation {
    Revocation {
        serial: octets(&revoked.serial),
        date: revoked.revocation.time,
        reason: revoked.revocation.reason.code(),
        not_after: revoked.not_after,
        invalidity_date: revoked.revocation.invalidity_date,
    }
}

fn entry(revocation: &Revocation) -> Option<CrlEntry> {
    let reason = RevocationReason::from_code(revocation.reason)?;
    Some(CrlEntry {
        serial: Serial::from_be_bytes(&revocation.serial.0).ok()?,
        revocation_date: revocation.date,
        reason: (reason != RevocationReason::Unspecified).then_some(reason),
        invalidity_date: revocation.invalidity_date,
    })
}

fn octets(serial: &Serial) -> SerialOctets {
    SerialOctets(serial.as_bytes().to_vec())
}
