//! What stands on an issuer's CRLs, kept from one build to the next.

use std::collections::BTreeMap;

use ledger::{CrlPolicy, CrlRow, Ledger, LedgerError};
use pki::crl::build::CrlEntry;
use pki::crl::{Crl, Entries};
use pki::{RevocationReason, Serial, Time};

const PAGE: u32 = 20_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Before all times.
const NEVER: Time = Time::from_unix(i64::MIN / 2);

/// The entries of every CRL of one issuer. All of it comes from the ledger and can be read anew at any time.
#[derive(Clone, Debug)]
pub(crate) struct Lists {
    /// Everything revoked.
    pub(crate) complete: Entries,
    /// The parts by their URI, also those without an entry.
    pub(crate) partitions: BTreeMap<String, Entries>,
    /// The event of the ledger up to which they hold everything.
    pub(crate) as_of: u64,
    /// What ended before this time has left.
    left_until: Time,
}

type Changes = BTreeMap<Serial, Option<CrlEntry>>;

impl Lists {
    /// Starts from what is published.
    pub(crate) fn of_published(crl: &Crl, parts: &BTreeMap<String, Crl>, as_of: u64) -> Self {
        // Made by somebody else, for a CA that was taken over: other order, other encoding, and perhaps entries that no
        // certificate could have.
        let entries = |crl: &Crl| {
            Entries::read(crl.encoded_entries())
                .unwrap_or_else(|_| crl.entries().flatten().collect())
        };
        let parts = parts.iter();
        Self {
            complete: entries(crl),
            partitions: parts
                .map(|(uri, crl)| (uri.clone(), entries(crl)))
                .collect(),
            as_of,
            left_until: NEVER,
        }
    }

    /// Reads all of it from the ledger, also what has ended.
    pub(crate) async fn everything(ledger: &Ledger, issuer: &str) -> Result<Self, LedgerError> {
        Self::read(ledger, issuer, NEVER).await
    }

    /// Reads all of it from the ledger.
    pub(crate) async fn read(
        ledger: &Ledger,
        issuer: &str,
        left_until: Time,
    ) -> Result<Self, LedgerError> {
        // The head first: what is committed meanwhile may be here already, and comes again with the next changes.
        let mut lists = Self {
            complete: Entries::default(),
            partitions: BTreeMap::new(),
            as_of: ledger.head().await?,
            left_until,
        };
        let mut after = None;
        loop {
            let rows = ledger
                .revoked_after(issuer, after, lists.as_of, PAGE)
                .await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.status.serial);
            lists.take(&rows);
        }
        lists.know_partitions(ledger, issuer).await?;
        Ok(lists)
    }

    /// The lists as they are now: what happened since, and without what has ended since.
    pub(crate) async fn advanced(
        &self,
        ledger: &Ledger,
        issuer: &str,
        left_until: Time,
    ) -> Result<Self, LedgerError> {
        let head = ledger.head().await?;
        if head < self.as_of || left_until < self.left_until {
            // The ledger was restored, or entries stay longer than they did: what has left may have to come back.
            return Ok(Self::read(ledger, issuer, left_until).await?.sharing(self));
        }
        let mut rows = ledger.changed_between(issuer, self.as_of, head).await?;
        rows.extend(
            ledger
                .ended_between(issuer, self.left_until, left_until)
                .await?,
        );
        let mut lists = Self {
            as_of: head,
            left_until,
            ..self.clone()
        };
        lists.take(&rows);
        lists.know_partitions(ledger, issuer).await?;
        Ok(lists)
    }

    /// The same lists, made of the pieces of `other` where they say the same.
    pub(crate) fn sharing(self, other: &Self) -> Self {
        let mut partitions = self.partitions;
        for (uri, list) in &mut partitions {
            if let Some(other) = other.partitions.get(uri) {
                *list = share(list, other);
            }
        }
        Self {
            complete: share(&self.complete, &other.complete),
            partitions,
            ..self
        }
    }

    fn take(&mut self, rows: &[CrlRow]) {
        let mut complete = Changes::new();
        let mut partitions: BTreeMap<&str, Changes> = BTreeMap::new();
        for row in rows {
            let entry = self.entry(row);
            complete.insert(row.status.serial, entry);
            if let Some(uri) = &row.partition {
                let changes = partitions.entry(uri).or_default();
                changes.insert(row.status.serial, entry);
            }
        }
        self.complete = self.complete.with(&complete);
        for (uri, changes) in partitions {
            let list = self.partitions.entry(uri.to_owned()).or_default();
            *list = list.with(&changes);
        }
    }

    /// What stands on a CRL about a certificate, if anything does (CRL-18).
    fn entry(&self, row: &CrlRow) -> Option<CrlEntry> {
        let status = &row.status;
        let (revocation_date, reason) = status.revoked?;
        let left = status
            .not_after
            .is_some_and(|end| end.max(revocation_date) < self.left_until);
        (!left).then_some(CrlEntry {
            serial: status.serial,
            revocation_date,
            reason: Some(reason).filter(|&reason| reason != RevocationReason::Unspecified),
            invalidity_date: status.invalidity_date,
        })
    }

    /// Certificates name a part before anything in it is revoked, and expect a CRL there.
    async fn know_partitions(&mut self, ledger: &Ledger, issuer: &str) -> Result<(), LedgerError> {
        for uri in ledger.crl_partitions(issuer).await? {
            self.partitions.entry(uri).or_default();
        }
        Ok(())
    }
}

/// A list that says what `list` says, made of the pieces of `other` as far as possible.
fn share(list: &Entries, other: &Entries) -> Entries {
    let changes = list.changes_since(other);
    other.with(
        &changes
            .iter()
            .map(|change| (change.serial, change.after))
            .collect(),
    )
}

/// Entries leave after they were on a CRL past the certificate's end (or past its revocation, if that came later), and
/// a whole round of scheduled CRLs went by, and what the operator adds: those that ended before this time.
pub(crate) fn left_until(policy: &CrlPolicy, last: Option<Time>, now: Time) -> Time {
    let kept = i64::from(policy.refresh_hours) * HOUR + i64::from(policy.keep_expired_days) * DAY;
    match last {
        Some(last) => last.min(now.plus_seconds(-kept)),
        None => NEVER,
    }
}

#[cfg(test)]
mod tests {
    use ledger::StatusRow;

    use super::*;

    fn at(days: i64) -> Time {
        Time::from_unix(1_800_000_000 + days * DAY)
    }

    fn row(not_after: Option<Time>, revoked: Time) -> StatusRow {
        StatusRow {
            serial: Serial::from_be_bytes(&[7]).unwrap(),
            not_after,
            revoked: Some((revoked, RevocationReason::KeyCompromise)),
            invalidity_date: None,
        }
    }

    fn on_crl_by(policy: &CrlPolicy, status: StatusRow, last: Option<Time>, now: Time) -> bool {
        let lists = Lists {
            complete: Entries::default(),
            partitions: BTreeMap::new(),
            as_of: 0,
            left_until: left_until(policy, last, now),
        };
        let partition = None;
        lists.entry(&CrlRow { status, partition }).is_some()
    }

    fn on_crl(status: StatusRow, last: Option<Time>, now: Time) -> bool {
        on_crl_by(&CrlPolicy::default(), status, last, now)
    }

    /// CRL-18: on one CRL beyond notAfter, then gone.
    #[test]
    fn expired_certificates_leave() {
        let ends_on_day_10 = row(Some(at(10)), at(0));
        assert!(on_crl(ends_on_day_10, Some(at(8)), at(9)));
        assert!(on_crl(ends_on_day_10, Some(at(9)), at(10)));
        // No CRL past its end yet, however late it is.
        assert!(on_crl(ends_on_day_10, Some(at(9)), at(30)));
        assert!(on_crl(ends_on_day_10, None, at(30)));
        // One past its end, but within the same day.
        assert!(on_crl(
            ends_on_day_10,
            Some(at(10).plus_seconds(60)),
            at(10).plus_seconds(90)
        ));
        assert!(!on_crl(ends_on_day_10, Some(at(11)), at(12)));
    }

    #[test]
    fn the_operator_may_keep_them_longer() {
        let policy = CrlPolicy {
            keep_expired_days: 30,
            ..CrlPolicy::default()
        };
        let ends_on_day_10 = row(Some(at(10)), at(0));
        let kept = |now| on_crl_by(&policy, ends_on_day_10, Some(at(39)), now);
        assert!(kept(at(41)));
        assert!(!kept(at(42)));
    }

    /// Revoked after its end, it is still shown once.
    #[test]
    fn late_revocations_are_shown() {
        assert!(on_crl(row(Some(at(10)), at(20)), Some(at(19)), at(20)));
        assert!(!on_crl(row(Some(at(10)), at(20)), Some(at(21)), at(22)));
    }

    #[test]
    fn without_an_end_they_stay() {
        assert!(on_crl(row(None, at(0)), Some(at(9000)), at(10_000)));
    }
}
