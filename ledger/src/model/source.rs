//! Issuers whose CRLs somebody else signs: where those come from, and what the last ones were.

use pki::{CrlNumber, RevocationReason, Serial, Time};
use serde::{Deserialize, Serialize};

use crate::LedgerError;

/// [`SourcePolicy::crl`] for CRLs that are put into a directory as files.
const FILE: &str = "file";
const HOUR: i64 = 3600;

/// Where an issuer's CRLs come from when they are not made here (RFC 5280 section 5).
///
/// The statuses of such an issuer are those of its CRLs: what they revoke is revoked, and no OCSP answer is valid
/// longer than they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourcePolicy {
    /// Complete CRLs: an `http://` URL, or `file` for a file that others replace. Without one, no CRL is followed.
    pub crl: Option<String>,
    /// The `http://` URL of delta CRLs.
    pub delta: Option<String>,
    /// URLs are asked this often.
    pub interval_seconds: u32,
    /// A fetch that is not through after this time is given up.
    pub timeout_seconds: u32,
    /// The largest CRL that is fetched, in MiB.
    pub max_megabytes: u32,
    /// CRLs older than this are too old, even before their nextUpdate.
    pub max_age_hours: Option<u32>,
}

impl Default for SourcePolicy {
    fn default() -> Self {
        Self {
            crl: None,
            delta: None,
            interval_seconds: 600,
            timeout_seconds: 60,
            max_megabytes: 256,
            max_age_hours: None,
        }
    }
}

impl SourcePolicy {
    /// Whether CRLs of others say what is revoked.
    pub fn is_followed(&self) -> bool {
        self.crl.is_some()
    }

    /// The URL of complete CRLs, if they are not files.
    pub fn crl_url(&self) -> Option<&str> {
        self.crl.as_deref().filter(|crl| *crl != FILE)
    }

    pub(super) fn validate(&self) -> Result<(), LedgerError> {
        if let Some(url) = self.crl_url() {
            check_url("source.crl", url, "an http:// URL, or `file`")?;
        }
        if let Some(url) = &self.delta {
            check_url(
                "source.delta",
                url,
                "an http:// URL (a delta in a file needs no setting)",
            )?;
            if self.crl.is_none() {
                return Err(LedgerError::refused(
                    "source.delta",
                    "source.delta needs source.crl: a delta CRL adds to a complete one (RFC 5280 section 5.2.4)",
                ));
            }
        }
        for (field, value, most) in [
            ("source.interval_seconds", self.interval_seconds, 86_400),
            ("source.timeout_seconds", self.timeout_seconds, 3600),
            ("source.max_megabytes", self.max_megabytes, 1024),
            (
                "source.max_age_hours",
                self.max_age_hours.unwrap_or(1),
                8760,
            ),
        ] {
            super::policy::within(field, field, value, 1, most)?;
        }
        Ok(())
    }
}

/// RFC 5280 section 4.2.1.13: CRLs are fetched over plain HTTP; they are signed.
fn check_url(field: &'static str, url: &str, wanted: &str) -> Result<(), LedgerError> {
    let host = url
        .strip_prefix("http://")
        .map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    let fits = host.is_some_and(|host| !host.is_empty() && !host.contains('@'))
        && url.len() <= 1024
        && url
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"#\\\"<>".contains(&byte));
    if fits {
        return Ok(());
    }
    Err(LedgerError::refused(
        field,
        format!("{field} = {url:?} cannot be fetched; give {wanted}"),
    ))
}

/// The CRLs that the ledger's statuses of an issuer were taken from last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRecord {
    /// The complete CRL.
    pub complete: SourceCrl,
    /// The delta CRL on top of it.
    pub delta: Option<SourceCrl>,
}

/// One CRL that somebody else signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCrl {
    /// cRLNumber, if it has one.
    pub number: Option<CrlNumber>,
    /// thisUpdate.
    pub this_update: Time,
    /// nextUpdate.
    pub next_update: Time,
    /// SHA-256 of the CRL, DER.
    pub sha256: [u8; 32],
    /// Its size in octets.
    pub size: u64,
    /// How many entries it has.
    pub entries: u64,
}

impl SourceRecord {
    /// The CRL with the latest news; of two made at the same time the delta, whose successor comes first.
    pub fn newest(&self) -> &SourceCrl {
        self.delta
            .as_ref()
            .filter(|delta| delta.this_update >= self.complete.this_update)
            .unwrap_or(&self.complete)
    }

    /// Until when statuses taken from these CRLs may be said: nextUpdate of the newest, or earlier where the policy
    /// does not let it grow that old.
    pub fn ends(&self, policy: &SourcePolicy) -> Time {
        let newest = self.newest();
        policy.max_age_hours.map_or(newest.next_update, |hours| {
            newest
                .next_update
                .min(newest.this_update.plus_seconds(i64::from(hours) * HOUR))
        })
    }
}

/// What a CRL of somebody else says that the ledger does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The certificate is no longer on hold (RFC 5280 section 5.3.1, removeFromCRL).
    Released {
        /// Which certificate.
        serial: Serial,
    },
    /// The certificate is revoked or on hold, with these particulars.
    Revoked {
        /// Which certificate.
        serial: Serial,
        /// revocationDate.
        time: Time,
        /// Why; `Unspecified` when the CRL gives no reason.
        reason: RevocationReason,
        /// Since when the key may have been abused.
        invalidity_date: Option<Time>,
    },
}

impl Followed {
    /// Which certificate.
    pub fn serial(&self) -> &Serial {
        match self {
            Self::Released { serial } | Self::Revoked { serial, .. } => serial,
        }
    }
}

/// What following a CRL did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowSummary {
    /// Certificates that are revoked now and were not.
    pub revoked: u64,
    /// Revocations of which time, reason or invalidity date are others now.
    pub changed: u64,
    /// Holds that were released.
    pub released: u64,
    /// What the ledger said already.
    pub unchanged: u64,
    /// Certificates about which the ledger knows better: revoked here, or never issued, or revoked for good and said
    /// to be released.
    pub conflicts: Vec<Serial>,
}
