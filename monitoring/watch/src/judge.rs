//! Whether what is served about one serial number is what the ledger says. Nothing is asked here.

use ledger::{CrlPolicy, StatusRow};
use pki::crl::build::CrlEntry;
use pki::ocsp::response::CertStatus;
use pki::{RevocationReason, Time, Violation};

use crate::difference::{Difference, Kind, entry_text, status_text};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// What an edge says by OCSP about one certificate.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// Signed, and verified.
    Signed(CertStatus),
    /// `unauthorized`: it knows no such certificate.
    Unauthorized,
    /// An answer that breaks a rule.
    Unfit(Violation),
}

/// What has to be known of a CRL to judge its entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListRules<'a> {
    /// Its thisUpdate.
    pub(crate) this_update: Time,
    /// That of an earlier CRL of the same issuer, if one was seen.
    pub(crate) earlier: Option<Time>,
    /// How long entries stay.
    pub(crate) policy: &'a CrlPolicy,
    /// Whether it is signed here, from this ledger. A CRL signed elsewhere may lack what was revoked here, and says when
    /// and why in its own words; but whatever it lists is revoked here too.
    pub(crate) ours: bool,
}

/// Judges an OCSP answer. `row` is `None` for a serial number that was never issued.
pub(crate) fn answer(row: Option<&StatusRow>, said: &Said, now: Time) -> Option<Difference> {
    let ledger = row_text(row);
    let served = match said {
        Said::Unfit(violation) => return Some(Difference::invalid(ledger, violation)),
        Said::Unauthorized => {
            let row = row?;
            // An expired certificate may still be answered for, and need not.
            let expired = row.not_after.is_some_and(|end| end < now);
            return (!expired).then(|| Difference::new(Kind::Missing, ledger, "unauthorized"));
        }
        Said::Signed(status) => *status,
    };
    let text = status_text(served);
    let Some(row) = row else {
        return Some(Difference::new(Kind::NeverIssued, ledger, text));
    };
    let kind = match (row.revoked, served) {
        (None, CertStatus::Good) => return None,
        (None, CertStatus::Revoked { .. }) => Kind::Extra,
        (Some(_), CertStatus::Good) => Kind::Status,
        (Some((time, _)), CertStatus::Revoked { time: said, .. }) if time != said => Kind::Date,
        (Some((_, reason)), CertStatus::Revoked { reason: said, .. }) => {
            if plain(reason) == said.and_then(plain) {
                return None;
            }
            Kind::Reason
        }
    };
    Some(Difference::new(kind, ledger, text))
}

/// Judges the place of one serial number in a CRL.
pub(crate) fn entry(
    row: Option<&StatusRow>,
    entry: Option<&CrlEntry>,
    list: &ListRules<'_>,
    now: Time,
) -> Option<Difference> {
    let differs = |kind| Some(Difference::new(kind, row_text(row), entry_text(entry)));
    let revoked = row.and_then(|row| Some((row, row.revoked?)));
    let (row, (time, reason), entry) = match (revoked, entry) {
        (None, None) => return None,
        // A delta CRL may have released it since (RFC 5280 section 5.3.1).
        (None, Some(entry))
            if !list.ours && entry.reason == Some(RevocationReason::CertificateHold) =>
        {
            return None;
        }
        (None, Some(_)) => return differs(Kind::Extra),
        (Some(_), None) if !list.ours => return None,
        (Some((row, (time, _))), None) => {
            // An entry may have left once its certificate has expired (CRL-18).
            let left = row.not_after.is_some_and(|end| {
                end < now && list.kept_until(end.max(time)) < list.latest_build()
            });
            return if left { None } else { differs(Kind::Missing) };
        }
        (Some((row, revoked)), Some(entry)) => (row, revoked, entry),
    };
    if !list.ours {
        return None;
    }
    if entry.revocation_date != time {
        return differs(Kind::Date);
    }
    if entry.reason.and_then(plain) != plain(reason) || entry.invalidity_date != row.invalidity_date
    {
        return differs(Kind::Reason);
    }
    let lingers = row
        .not_after
        .is_some_and(|end| list.must_have_left(end.max(time)));
    if lingers {
        return differs(Kind::Lingers);
    }
    None
}

impl ListRules<'_> {
    /// Until when an entry stays whose certificate ended, or was revoked after its end, at `since`.
    fn kept_until(&self, since: Time) -> Time {
        since.plus_seconds(
            i64::from(self.policy.refresh_hours) * HOUR
                + i64::from(self.policy.keep_expired_days) * DAY,
        )
    }

    /// The CRL was built no later than this: thisUpdate lies back for slow clocks.
    fn latest_build(&self) -> Time {
        self.this_update
            .plus_seconds(self.policy.backdate_seconds.into())
    }

    /// It was on a CRL past its certificate's end, and its time is over: it leaves with the next one, which this is.
    fn must_have_left(&self, since: Time) -> bool {
        self.earlier.is_some_and(|earlier| earlier > since)
            && self.this_update > self.kept_until(since)
    }
}

/// `unspecified` is the same as no reason (OCSP-44, CRL-12).
fn plain(reason: RevocationReason) -> Option<RevocationReason> {
    Some(reason).filter(|&reason| reason != RevocationReason::Unspecified)
}

/// What the ledger says, as people read it.
pub(crate) fn row_text(row: Option<&StatusRow>) -> String {
    let Some(row) = row else {
        return "never issued".to_owned();
    };
    let mut text = status_text(match row.revoked {
        None => CertStatus::Good,
        Some((time, reason)) => CertStatus::Revoked {
            time,
            reason: Some(reason),
        },
    });
    if let Some(date) = row.invalidity_date {
        text.push_str(&format!(", invalid since {date}"));
    }
    if let Some(end) = row.not_after {
        text.push_str(&format!(", expires {end}"));
    }
    text
}

#[cfg(test)]
mod tests;
