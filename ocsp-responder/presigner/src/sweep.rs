//! Looking through all certificates of an issuer: what the published set must be, against what it is.
//!
//! A sweep finds everything that the feed does not bring: what happened while the daemon was not there, imports too large
//! to list, answers due for renewal, certificates that have expired, and anything that should not be there at all. The
//! ledger is the truth; the set is held against it, both in the order of serial numbers, a page at a time, so memory does
//! not grow with the issuer. Revoked certificates come first.

use answers::{Answer, Damaged, Layered};
use ledger::{CrlRow, Ledger, StatusRow};
use pki::ocsp::response::CertStatus;
use pki::{RevocationReason, Serial, Time};

use crate::pool::Row;

/// Certificates looked at in one step.
const PAGE: u32 = 2000;

/// One pass over an issuer.
#[derive(Debug)]
pub(crate) struct Sweep {
    criteria: Criteria,
    phase: Phase,
    /// What was revoked by later events the feed brings.
    revoked_until: u64,
    /// Certificates looked at.
    pub(crate) done: u64,
    /// Certificates there were when it began.
    pub(crate) total: u64,
    /// Certificates that needed something.
    pub(crate) found: u64,
}

/// Which answers are good enough to stay.
#[derive(Clone, Debug)]
pub(crate) struct Criteria {
    /// Answers to be renewed before this moment are renewed now.
    pub(crate) renew_before: Time,
    /// The same for answers that could not last longer, since they end with the responder certificate: renewing those
    /// early gains nothing.
    pub(crate) renew_clamped_before: Time,
    /// When the responder certificate ends that would sign now.
    pub(crate) responder_ends: Time,
    /// When what is known about the issuer ends; no answer may end later.
    pub(crate) basis_ends: Option<Time>,
    /// An answer that ends then can get no longer, and stays.
    pub(crate) exhausted_at: Option<Time>,
    /// Responder certificates (DER) whose answers may stay.
    pub(crate) responders: Vec<Vec<u8>>,
}

/// What a page of certificates needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Sign these.
    pub(crate) sign: Vec<Row>,
    /// Take these out.
    pub(crate) remove: Vec<Serial>,
}

#[derive(Debug)]
enum Phase {
    /// Revocations that are not published yet, after this serial number.
    Revoked(Option<Serial>),
    /// Everything, after this serial number.
    All(Option<Serial>),
    Over,
}

impl Sweep {
    /// Begins a sweep over `total` certificates, when every event up to `revoked_until` has been taken from the feed.
    pub(crate) fn new(criteria: Criteria, total: u64, revoked_until: u64) -> Self {
        Self {
            criteria,
            phase: Phase::Revoked(None),
            revoked_until,
            done: 0,
            total,
            found: 0,
        }
    }

    /// Looks at the next page; `None` when all have been looked at.
    pub(crate) async fn next(
        &mut self,
        ledger: &Ledger,
        issuer: &str,
        published: &Layered,
        now: Time,
    ) -> anyhow::Result<Option<Page>> {
        let page = match &mut self.phase {
            Phase::Over => return Ok(None),
            Phase::Revoked(after) => {
                let rows = ledger
                    .revoked_after(issuer, *after, self.revoked_until, PAGE)
                    .await?;
                let last = rows.last().filter(|_| rows.len() == PAGE as usize);
                self.phase = last.map_or(Phase::All(None), |last| {
                    Phase::Revoked(Some(last.status.serial))
                });
                revocations(&rows, published, now)?
            }
            Phase::All(after) => {
                let after = *after;
                let rows = ledger.statuses(issuer, after, PAGE).await?;
                // Fewer than asked for: the last page, which also looks at everything published beyond.
                let last = rows
                    .last()
                    .filter(|_| rows.len() == PAGE as usize)
                    .map(|row| row.serial);
                let page = compare(&rows, published, after, last.as_ref(), &self.criteria, now)?;
                self.done += rows.len() as u64;
                self.phase = last.map_or(Phase::Over, |last| Phase::All(Some(last)));
                page
            }
        };
        self.found += (page.sign.len() + page.remove.len()) as u64;
        Ok(Some(page))
    }
}

/// What is to be said about a certificate; `None` once it has expired.
pub(crate) fn row_of(status: &StatusRow, now: Time) -> Option<Row> {
    if status.not_after.is_some_and(|not_after| not_after < now) {
        return None;
    }
    let status_to_say = match status.revoked {
        None => CertStatus::Good,
        // OCSP-44: unspecified is said by saying nothing.
        Some((time, RevocationReason::Unspecified)) => CertStatus::Revoked { time, reason: None },
        Some((time, reason)) => CertStatus::Revoked {
            time,
            reason: Some(reason),
        },
    };
    Some(Row {
        serial: status.serial,
        status: status_to_say,
    })
}

/// Those of a page of revoked certificates whose published answer does not say so.
fn revocations(rows: &[CrlRow], published: &Layered, now: Time) -> Result<Page, Damaged> {
    let mut page = Page::default();
    for row in rows.iter().filter_map(|row| row_of(&row.status, now)) {
        let answer = published.get(row.serial.as_bytes())?;
        if answer.is_none_or(|answer| answer.status() != row.status) {
            page.sign.push(row);
        }
    }
    Ok(page)
}

/// Holds the rows of the ledger after `after` up to `last` against what is published in that range.
fn compare(
    rows: &[StatusRow],
    published: &Layered,
    after: Option<Serial>,
    last: Option<&Serial>,
    criteria: &Criteria,
    now: Time,
) -> Result<Page, Damaged> {
    let mut page = Page::default();
    let mut damage = None;
    let in_range = |answer: &Answer<'_>| last.is_none_or(|last| answer.serial() <= *last);
    let mut answers = published
        .answers_after(after)?
        .map_while(|answer| answer.map_err(|damaged| damage = Some(damaged)).ok())
        .take_while(in_range)
        .peekable();
    for status in rows {
        while let Some(unknown) = answers.next_if(|answer| answer.serial() < status.serial) {
            page.remove.push(unknown.serial());
        }
        let answer = answers.next_if(|answer| answer.serial() == status.serial);
        match (row_of(status, now), answer) {
            (None, None) => {}
            (None, Some(expired)) => page.remove.push(expired.serial()),
            (Some(row), Some(answer)) if criteria.accept(&answer, &row, now) => {}
            (Some(row), _) => page.sign.push(row),
        }
    }
    page.remove.extend(answers.map(|unknown| unknown.serial()));
    // What is not seen for damage is not known to be missing either.
    damage.map_or(Ok(page), Err)
}

impl Criteria {
    /// Whether an answer may stay as it is.
    fn accept(&self, answer: &Answer<'_>, row: &Row, now: Time) -> bool {
        let clamped = answer.next_update() >= self.responder_ends;
        let renew_before = if clamped {
            self.renew_clamped_before
        } else {
            self.renew_before
        };
        let outlives = self
            .basis_ends
            .is_some_and(|ends| answer.next_update() > ends);
        let exhausted = self.exhausted_at == Some(answer.next_update());
        answer.status() == row.status
            && !outlives
            && (exhausted || answer.refresh_at() > renew_before)
            // The clock was set back, or the answer comes from a machine whose clock is ahead.
            && answer.this_update() <= now
            && answer.responder().is_none_or(|responder| {
                self.responders.iter().any(|known| known == responder.der())
            })
    }
}
