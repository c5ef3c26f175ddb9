//! Revocations: who asked, on what ground, why and when (S7).

use std::fmt;
use std::str::FromStr;

use pki::{RevocationReason, Serial, Time};
use serde::{Deserialize, Serialize};

use crate::LedgerError;

/// On what ground a certificate is revoked; there are exactly three, and one for what was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ground {
    /// The subscriber asked.
    Subscriber,
    /// Support, in an emergency; to be ratified afterwards.
    Support,
    /// The arbitrator ruled.
    Arbitrator,
    /// A CA taken over had revoked it.
    Imported,
}

impl Ground {
    /// The name used in commands, in the API and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscriber => "subscriber",
            Self::Support => "support",
            Self::Arbitrator => "arbitrator",
            Self::Imported => "imported",
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Ground {
    type Err = LedgerError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Subscriber,
            Self::Support,
            Self::Arbitrator,
            Self::Imported,
        ]
        .into_iter()
        .find(|ground| ground.as_str() == text)
        .ok_or_else(|| {
            LedgerError::refused(
                "S7",
                format!("{text:?} is no ground; use subscriber, support or arbitrator"),
            )
        })
    }
}

/// A revocation as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationRequest {
    /// Name of the issuer.
    pub issuer: String,
    /// Which certificate.
    pub serial: Serial,
    /// Who asks.
    pub actor: String,
    /// On what ground; [`Ground::Imported`] is refused.
    pub ground: Ground,
    /// Case reference.
    pub case: Option<String>,
    /// Why; `certificateHold` and `removeFromCRL` are refused (S6).
    pub reason: RevocationReason,
    /// Since when the key is known or suspected to be compromised.
    pub invalidity_date: Option<Time>,
}

/// A revocation as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Its place in the change feed.
    pub seq: u64,
    /// When it took effect: the revocationDate of OCSP and CRL.
    pub time: Time,
    /// Why.
    pub reason: RevocationReason,
    /// On what ground.
    pub ground: Ground,
    /// Who asked.
    pub actor: String,
    /// Case reference.
    pub case: Option<String>,
    /// Since when the key is known or suspected to be compromised.
    pub invalidity_date: Option<Time>,
    /// Whether it was revoked before this request; the record is then the first one, unchanged.
    pub already: bool,
}

/// A revoked certificate with its revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial number.
    pub serial: Serial,
    /// When it ends, if that is known.
    pub not_after: Option<Time>,
    /// The revocation.
    pub revocation: Revocation,
}

impl RevocationRequest {
    /// Refuses what nobody may ask for.
    pub fn validate(&self) -> Result<(), LedgerError> {
        if self.ground == Ground::Imported {
            return Err(LedgerError::refused(
                "S7",
                "the ground imported belongs to imports; use subscriber, support or arbitrator",
            ));
        }
        if matches!(
            self.reason,
            RevocationReason::CertificateHold | RevocationReason::RemoveFromCrl
        ) {
            return Err(LedgerError::refused(
                "S6",
                format!(
                    "{} is never issued: a revocation is final; choose another reason",
                    self.reason
                ),
            ));
        }
        Ok(())
    }
}
