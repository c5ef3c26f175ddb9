//! How long OCSP responses and CRLs of an issuer are valid, and how early they are renewed.
//!
//! The limits are those of the Baseline Requirements (4.9.7, 4.9.9, 7.2) and of this project; a policy outside them is
//! refused where it enters, so that nothing downstream has to judge it again. Rule names are those of the standards
//! page (`OCSP-35`, `CRL-06`, …).

use pki::{KeyKind, RevocationReason, Serial, Time};
use serde::{Deserialize, Serialize};

use super::SourcePolicy;
use crate::LedgerError;

const HOURS_OF_10_DAYS: u32 = 240;
const HOURS_OF_12_MONTHS: u32 = 8760;
/// The signer certifies no longer, but for a root.
const DAYS_OF_A_RESPONDER: u32 = 7;
/// Nor further ahead.
const DAYS_AHEAD: u32 = 28;

/// Validity and renewal of what is said about an issuer's certificates.
///
/// Stored as JSON in the ledger and written by operators as TOML: fields may be added with a default, never renamed.
///
/// ```
/// let policy: ledger::IssuerPolicy = serde_json::from_str(r#"{"ocsp": {"validity_hours": 72, "refresh_hours": 36}}"#)?;
/// assert_eq!(policy.crl.validity_hours, 168);
/// policy.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerPolicy {
    /// What the issuer certifies; decides which limits hold.
    pub subjects: Subjects,
    /// OCSP responses.
    pub ocsp: OcspPolicy,
    /// Certificate revocation lists.
    pub crl: CrlPolicy,
    /// Where its CRLs come from when they are not made here.
    pub source: SourcePolicy,
}

/// What kind of certificates an issuer issues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subjects {
    /// Subscriber (end-entity) certificates: status valid for 10 days at most.
    #[default]
    Subscribers,
    /// CA certificates only, as an offline root: status valid for 12 months at most.
    CaCertificates,
}

/// Validity and renewal of OCSP responses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OcspPolicy {
    /// nextUpdate - thisUpdate (OCSP-35).
    pub validity_hours: u32,
    /// A new response is ready this long after thisUpdate (OCSP-36).
    pub refresh_hours: u32,
    /// Kind of the delegated responder key; by default chosen from the CA key's kind.
    pub responder_key: Option<KeyKind>,
    /// Where new responder keys are made and stay.
    pub responder_key_in: KeyPlace,
    /// Lifetime of a delegated responder certificate; 7 at most where subscribers are certified (S9).
    pub responder_validity_days: u32,
    /// For how many days ahead responder certificates are kept in stock, so that status goes on without a signer; by
    /// default 28, which is the most, and none under the CA/Browser Forum's rules (OCSP-65).
    pub responder_ahead_days: Option<u32>,
    /// What becomes of nonces in requests.
    pub nonce: NoncePolicy,
}

/// What becomes of a nonce in an OCSP request (RFC 9654).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoncePolicy {
    /// It is echoed in an answer signed for this request, as far as the budget for such answers goes.
    #[default]
    Live,
    /// The answer signed ahead, without nonce, goes out (OCSP-16).
    Ignore,
}

impl NoncePolicy {
    /// As it stands in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ignore => "ignore",
        }
    }
}

impl Default for OcspPolicy {
    fn default() -> Self {
        Self {
            validity_hours: 96,
            refresh_hours: 48,
            responder_key: None,
            responder_key_in: KeyPlace::Software,
            responder_validity_days: DAYS_OF_A_RESPONDER,
            responder_ahead_days: None,
            nonce: NoncePolicy::Live,
        }
    }
}

/// Where a private key lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPlace {
    /// In a file, and in the memory of the process that signs.
    #[default]
    Software,
    /// In a PKCS#11 token, which it never leaves.
    Pkcs11,
}

/// Validity and renewal of CRLs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrlPolicy {
    /// nextUpdate - thisUpdate (CRL-06).
    pub validity_hours: u32,
    /// A new CRL at least this often (S3).
    pub refresh_hours: u32,
    /// Revocations that come faster share a CRL.
    pub min_interval_ms: u32,
    /// thisUpdate lies this far in the past, for relying parties whose clocks are slow.
    pub backdate_seconds: u32,
    /// How long an expired certificate stays on the CRL beyond the one CRL past its expiry.
    pub keep_expired_days: u32,
    /// Whether delta CRLs are made beside the complete ones (RFC 5280 section 5.2.4); not for the CA/Browser Forum's
    /// profile.
    pub deltas: bool,
    /// Into how many parts the CRL of new certificates is cut by their serial numbers (RFC 5280 section 5.2.5); 0 for
    /// none. It may change at any time: certificates keep the part that they name.
    pub partitions: u32,
    /// Whether it is cut by the month of issuance instead.
    pub partition_by_month: bool,
    /// Whether only what the CA/Browser Forum allows may stand on the CRL: reasons 1, 3, 4, 5 and 9 (CRL-13).
    pub browser_forum: bool,
    /// More new entries than this on one CRL, and than half of those before, must be allowed by two operators.
    pub most_new_entries: u32,
}

impl Default for CrlPolicy {
    fn default() -> Self {
        Self {
            validity_hours: 168,
            refresh_hours: 24,
            min_interval_ms: 2000,
            backdate_seconds: 120,
            keep_expired_days: 0,
            deltas: false,
            partitions: 0,
            partition_by_month: false,
            browser_forum: false,
            most_new_entries: 100_000,
        }
    }
}

impl CrlPolicy {
    /// Refuses a reason that may not stand on the CRL (CRL-13).
    pub fn check_reason(&self, reason: RevocationReason) -> Result<(), LedgerError> {
        use RevocationReason::{
            AffiliationChanged, CessationOfOperation, KeyCompromise, PrivilegeWithdrawn,
            Superseded, Unspecified,
        };
        let allowed = [
            Unspecified,
            KeyCompromise,
            AffiliationChanged,
            Superseded,
            CessationOfOperation,
            PrivilegeWithdrawn,
        ];
        if !self.browser_forum || allowed.contains(&reason) {
            return Ok(());
        }
        Err(LedgerError::refused(
            "CRL-13",
            format!(
                "{reason} is not a reason of the CA/Browser Forum's profile (crl.browser_forum); use keyCompromise, \
                 affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn or none"
            ),
        ))
    }

    /// The name of the part of the CRL that a new certificate belongs to; `None` without partitions.
    pub fn partition_of(&self, serial: &Serial, not_before: Time) -> Option<String> {
        if self.partition_by_month {
            // RFC 3339: the year and the month.
            return Some(not_before.to_string()[..7].to_owned());
        }
        let parts = u64::from(self.partitions);
        let fold = |rest: u64, octet: &u8| (rest * 256 + u64::from(*octet)) % parts;
        (parts > 0).then(|| serial.as_bytes().iter().fold(0, fold).to_string())
    }
}

impl IssuerPolicy {
    /// The policy of an offline root that certifies CAs only: status valid for a year (S3, OCSP-37, CRL-06).
    pub fn ca_certificates() -> Self {
        Self {
            subjects: Subjects::CaCertificates,
            ocsp: OcspPolicy {
                validity_hours: 8760,
                refresh_hours: 4380,
                responder_validity_days: 396,
                ..OcspPolicy::default()
            },
            crl: CrlPolicy {
                validity_hours: 8760,
                refresh_hours: 4380,
                ..CrlPolicy::default()
            },
            source: SourcePolicy::default(),
        }
    }

    /// Checks every limit; the error names the rule.
    pub fn validate(&self) -> Result<(), LedgerError> {
        match self.subjects {
            Subjects::Subscribers => {
                self.ocsp.validate_for_subscribers()?;
                self.crl.validate_for_subscribers()?;
            }
            Subjects::CaCertificates => {
                self.ocsp.validate_for_ca_certificates()?;
                self.crl.validate_for_ca_certificates()?;
            }
        }
        self.ocsp
            .validate_responder(self.subjects, self.crl.browser_forum)?;
        self.crl.validate_pace()?;
        self.source.validate()
    }

    /// How long a responder certificate that is asked for now is valid, in days. A policy from before may say more than
    /// the signer certifies.
    pub fn responder_days(&self) -> u32 {
        match self.subjects {
            Subjects::Subscribers => self.ocsp.responder_validity_days.min(DAYS_OF_A_RESPONDER),
            Subjects::CaCertificates => self.ocsp.responder_validity_days,
        }
    }

    /// For how many days ahead responder certificates are kept in stock, where the rule set lets them begin ahead.
    pub fn responder_ahead_days(&self) -> u32 {
        let most = if self.crl.browser_forum {
            0
        } else {
            DAYS_AHEAD
        };
        self.ocsp.responder_ahead_days.unwrap_or(most).min(most)
    }
}

impl OcspPolicy {
    fn validate_for_subscribers(&self) -> Result<(), LedgerError> {
        within(
            "OCSP-35",
            "ocsp.validity_hours",
            self.validity_hours,
            8,
            HOURS_OF_10_DAYS,
        )?;
        let latest = if self.validity_hours < 16 {
            self.validity_hours / 2
        } else {
            (self.validity_hours - 8).min(96)
        };
        within(
            "OCSP-36",
            "ocsp.refresh_hours",
            self.refresh_hours,
            1,
            latest,
        )
    }

    fn validate_for_ca_certificates(&self) -> Result<(), LedgerError> {
        within(
            "OCSP-37",
            "ocsp.validity_hours",
            self.validity_hours,
            8,
            HOURS_OF_12_MONTHS,
        )?;
        within(
            "OCSP-37",
            "ocsp.refresh_hours",
            self.refresh_hours,
            1,
            self.validity_hours - 1,
        )
    }

    fn validate_responder(
        &self,
        subjects: Subjects,
        browser_forum: bool,
    ) -> Result<(), LedgerError> {
        let longest = match subjects {
            Subjects::Subscribers => DAYS_OF_A_RESPONDER,
            Subjects::CaCertificates => 397,
        };
        within(
            "S9",
            "ocsp.responder_validity_days",
            self.responder_validity_days,
            1,
            longest,
        )?;
        within(
            "S9",
            "ocsp.responder_ahead_days",
            self.responder_ahead_days.unwrap_or(0),
            0,
            DAYS_AHEAD,
        )?;
        if browser_forum && self.responder_ahead_days.unwrap_or(0) > 0 {
            return Err(LedgerError::refused(
                "OCSP-65",
                "ocsp.responder_ahead_days does not go with crl.browser_forum, under whose rules a responder certificate \
                 begins when it is signed; set it to 0 or null"
                    .to_owned(),
            ));
        }
        if self.responder_validity_days * 24 <= self.refresh_hours {
            return Err(LedgerError::refused(
                "OCSP-38",
                format!(
                    "ocsp.responder_validity_days = {} ends before the next refresh in {} hours; make it longer",
                    self.responder_validity_days, self.refresh_hours
                ),
            ));
        }
        let in_token = self.responder_key_in == KeyPlace::Pkcs11;
        if in_token
            && matches!(
                self.responder_key,
                Some(KeyKind::Ed25519 | KeyKind::MlDsa65)
            )
        {
            return Err(LedgerError::refused(
                "ocsp.responder_key_in",
                "a PKCS#11 token holds RSA and P-256, P-384, P-521 responder keys here; choose one of them as \
                 ocsp.responder_key"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

impl CrlPolicy {
    fn validate_for_subscribers(&self) -> Result<(), LedgerError> {
        within(
            "CRL-06",
            "crl.validity_hours",
            self.validity_hours,
            2,
            HOURS_OF_10_DAYS,
        )?;
        within(
            "S3",
            "crl.refresh_hours",
            self.refresh_hours,
            1,
            24.min(self.validity_hours - 1),
        )
    }

    fn validate_for_ca_certificates(&self) -> Result<(), LedgerError> {
        within(
            "CRL-06",
            "crl.validity_hours",
            self.validity_hours,
            2,
            HOURS_OF_12_MONTHS,
        )?;
        within(
            "CRL-06",
            "crl.refresh_hours",
            self.refresh_hours,
            1,
            self.validity_hours - 1,
        )
    }

    fn validate_pace(&self) -> Result<(), LedgerError> {
        within("S2", "crl.min_interval_ms", self.min_interval_ms, 0, 60_000)?;
        within(
            "crl.backdate_seconds",
            "crl.backdate_seconds",
            self.backdate_seconds,
            0,
            3600,
        )?;
        within(
            "S4",
            "crl.keep_expired_days",
            self.keep_expired_days,
            0,
            3660,
        )?;
        if self.partitions > 0 && self.partition_by_month {
            return Err(LedgerError::refused(
                "CRL-20",
                "crl.partitions and crl.partition_by_month exclude each other; set partitions = 0 or \
                 partition_by_month = false",
            ));
        }
        if self.deltas && self.browser_forum {
            return Err(LedgerError::refused(
                "CRL-25",
                "crl.deltas does not go with crl.browser_forum, whose profile has no delta CRLs; set one of them to false",
            ));
        }
        within("CRL-20", "crl.partitions", self.partitions, 0, 4096)?;
        within(
            "crl.most_new_entries",
            "crl.most_new_entries",
            self.most_new_entries,
            1,
            u32::MAX,
        )
    }
}

pub(super) fn within(
    rule: &'static str,
    field: &str,
    value: u32,
    least: u32,
    most: u32,
) -> Result<(), LedgerError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(LedgerError::refused(
        rule,
        format!("{field} = {value} is outside {least} to {most}; choose a value within"),
    ))
}

#[cfg(test)]
mod tests;
