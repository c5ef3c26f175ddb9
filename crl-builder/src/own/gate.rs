//! What a CRL of ours must be before it is published, besides what any CRL must be (V7, CRL-31): nothing that was
//! revoked is forgotten, nothing that was said is said otherwise, and every change is one that the ledger knows.

use std::collections::HashMap;

use aws_lc_rs::digest;
use ledger::{CrlScope, Issuer, Ledger, LedgerError, StatusRow};
use pki::crl::EntryChange;
use pki::crl::build::CrlEntry;
use pki::{RevocationReason, Serial, Time, Violation};

use super::ocsp::Answers;

/// With more changes than this, all revocations are read.
const MANY: usize = 2000;

/// Judges how a CRL differs from the one before. The cost follows the number of differences.
pub(super) struct Gate<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) issuer: &'a Issuer,
    /// What OCSP says, if that is known.
    pub(super) answers: Option<&'a Answers>,
    /// The event of the ledger up to which the CRL holds everything.
    pub(super) as_of: u64,
    pub(super) now: Time,
}

/// Why a CRL is not published, unless two operators allow it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{violation}{}; {}", others(*.more), remedy(*.may_be_allowed, .id))]
pub(crate) struct GateRefusal {
    /// The first reason.
    violation: Violation,
    /// How many more there are.
    more: usize,
    /// Names exactly this refusal.
    pub(crate) id: String,
    /// Whether operators may allow it.
    pub(crate) may_be_allowed: bool,
}

fn others(more: usize) -> String {
    match more {
        0 => String::new(),
        _ => format!(" (and {more} more)"),
    }
}

fn remedy(may_be_allowed: bool, id: &str) -> String {
    match may_be_allowed {
        true => format!(
            "if it is right all the same, two operators say so: avouch crl allow ISSUER {id}"
        ),
        false => "nobody can allow that: please report it".to_owned(),
    }
}

impl Gate<'_> {
    /// The outer error is that the ledger cannot be asked.
    pub(super) async fn judge(
        &self,
        scope: &CrlScope,
        entries_before: usize,
        changes: &[EntryChange],
    ) -> Result<Result<(), GateRefusal>, LedgerError> {
        let name = &self.issuer.name;
        let mut found = Vec::new();
        found.extend(self.plausible(entries_before, changes).err());
        let mut id = digest::Context::new(&digest::SHA256);
        id.update(format!("{name}\n{scope}\n{entries_before}\n").as_bytes());
        let statuses = self.statuses(changes).await?;
        for change in changes {
            if let Err(violation) = self.change(change, statuses.get(&change.serial)) {
                id.update(violation.to_string().as_bytes());
                found.push(violation);
            }
        }
        let may_be_allowed = found.iter().all(|violation| violation.rule != "V7");
        let more = found.len().saturating_sub(1);
        let Some(violation) = found.into_iter().next() else {
            return Ok(Ok(()));
        };
        let id = hex::encode(&id.finish().as_ref()[..8]);
        if may_be_allowed && self.ledger.crl_allowed_by(name, &id).await? >= 2 {
            tracing::warn!(
                issuer = name,
                refusal = id,
                "published although {violation}: two operators allow it"
            );
            return Ok(Ok(()));
        }
        Ok(Err(GateRefusal {
            violation,
            more,
            id,
            may_be_allowed,
        }))
    }

    /// What the ledger says of the certificates concerned. Asking for each by itself takes too long if there are many.
    async fn statuses(
        &self,
        changes: &[EntryChange],
    ) -> Result<HashMap<Serial, StatusRow>, LedgerError> {
        let name = &self.issuer.name;
        let mut known = HashMap::new();
        if changes.len() > MANY {
            let revoked = self.ledger.revoked_entries(name).await?;
            known.extend(revoked.into_iter().map(|row| (row.serial, row)));
        }
        for change in changes {
            if !known.contains_key(&change.serial)
                && let Some(status) = self.ledger.status(name, &change.serial).await?
            {
                known.insert(change.serial, status);
            }
        }
        Ok(known)
    }

    /// More at once than was ever seen is more often a mistake than true.
    fn plausible(&self, before: usize, changes: &[EntryChange]) -> Result<(), Violation> {
        let new = changes.iter().filter(|change| change.before.is_none());
        let new = new.count();
        let most = (before / 2).max(self.issuer.policy.crl.most_new_entries as usize);
        if new <= most {
            return Ok(());
        }
        Err(Violation::new(
            "CRL-31",
            format!(
                "it has {new} entries more than the {before} of the last one, and {most} are allowed at once \
                 (crl.most_new_entries)"
            ),
        ))
    }

    fn change(&self, change: &EntryChange, status: Option<&StatusRow>) -> Result<(), Violation> {
        match (&change.before, &change.after) {
            (Some(before), None) => self.vanished(before, status),
            (before, Some(after)) => {
                if let Some(before) = before {
                    not_rewritten(before, after)?;
                }
                agrees(after, status)?;
                self.answers
                    .map_or(Ok(()), |answers| answers.agree(after, self.as_of))
            }
            (None, None) => Ok(()),
        }
    }

    /// V1: an entry leaves when its certificate has ended, or when it was only on hold.
    fn vanished(&self, before: &CrlEntry, status: Option<&StatusRow>) -> Result<(), Violation> {
        let ended = status
            .and_then(|status| status.not_after)
            .is_some_and(|end| end < self.now);
        let released = before.reason == Some(RevocationReason::CertificateHold)
            && status.is_some_and(|status| status.revoked.is_none());
        if ended || released {
            return Ok(());
        }
        Err(Violation::new(
            "V1",
            format!(
                "the entry {}, revoked at {}, is no longer on it, and the ledger does not say that the certificate has \
                 expired",
                before.serial, before.revocation_date
            ),
        ))
    }
}

/// What a CRL has said about a certificate stands (CRL-15): date and reason.
fn not_rewritten(before: &CrlEntry, after: &CrlEntry) -> Result<(), Violation> {
    if (before.revocation_date, before.reason) == (after.revocation_date, after.reason) {
        return Ok(());
    }
    Err(Violation::new(
        "CRL-15",
        format!(
            "the entry {} was revoked at {} ({}) on the last one and is revoked at {} ({}) on this one",
            before.serial,
            before.revocation_date,
            reason(before),
            after.revocation_date,
            reason(after)
        ),
    ))
}

/// V7: the ledger says the same.
fn agrees(entry: &CrlEntry, status: Option<&StatusRow>) -> Result<(), Violation> {
    if status.is_some_and(|status| status.agrees_with(entry)) {
        return Ok(());
    }
    let ledger = match status.map(|status| status.revoked) {
        None => "does not know it".to_owned(),
        Some(None) => "says that it is not revoked".to_owned(),
        Some(Some((time, reason))) => format!("says {time} ({reason})"),
    };
    Err(Violation::new(
        "V7",
        format!(
            "the entry {} says revoked at {} ({}), and the ledger {ledger}",
            entry.serial,
            entry.revocation_date,
            reason(entry)
        ),
    ))
}

fn reason(entry: &CrlEntry) -> RevocationReason {
    entry.reason.unwrap_or(RevocationReason::Unspecified)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: Time = Time::from_unix(1_800_000_000);

    fn entry() -> CrlEntry {
        CrlEntry {
            serial: Serial::from_be_bytes(&[7]).unwrap(),
            revocation_date: THEN,
            reason: None,
            invalidity_date: None,
        }
    }

    fn status(revoked: Option<(Time, RevocationReason)>) -> StatusRow {
        StatusRow {
            serial: entry().serial,
            not_after: None,
            revoked,
            invalidity_date: None,
        }
    }

    /// An error in what is kept between builds would show as an entry that the ledger knows otherwise.
    #[test]
    fn the_ledger_has_the_last_word() {
        let right = status(Some((THEN, RevocationReason::Unspecified)));
        assert_eq!(agrees(&entry(), Some(&right)), Ok(()));
        let other_time = THEN.plus_seconds(1);
        for wrong in [
            None,
            Some(status(None)),
            Some(status(Some((other_time, RevocationReason::Unspecified)))),
            Some(status(Some((THEN, RevocationReason::Superseded)))),
            Some(StatusRow {
                invalidity_date: Some(THEN),
                ..right
            }),
        ] {
            assert_eq!(agrees(&entry(), wrong.as_ref()).unwrap_err().rule, "V7");
        }
    }
}
