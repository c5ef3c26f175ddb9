//! Limits of the signer that its owner sets.

use std::time::Duration;

use serde::Deserialize;

/// When the signer stops by itself.
///
/// ```
/// let limits: signer::settings::Limits = toml::from_str(r#"
///     ping_seconds = 15             # without a word of the host for so long it signs nothing (dead-man switch)
///     silence_seconds = 86_400      # and after so long it wipes its keys
///     maintenance_hours = 72        # how much more silence may be announced, once
///     signatures = 1_000_000        # until it must be unlocked again
///     strikes = 1_000               # refusals by policy until it locks
///     strict = false                # lock at the first refusal by policy
///     unarchived_records = 200_000  # sign nothing while so much of the log is not archived by the host
///     certificates_a_day = 20_000   # of each issuer and profile
///     responders_a_day = 250        # of each issuer; a stock for four weeks is 114 at the most
/// "#).unwrap();
/// assert_eq!(limits, signer::settings::Limits::default());
/// ```
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Seconds without a Ping after which nothing is signed.
    pub ping_seconds: u32,
    /// Seconds without a Ping after which the keys are wiped.
    pub silence_seconds: u32,
    /// Hours by which announced maintenance may extend that.
    pub maintenance_hours: u32,
    /// Signatures of one unlock.
    pub signatures: u64,
    /// Refusals by policy of one unlock.
    pub strikes: u32,
    /// Whether one refusal by policy is too many.
    pub strict: bool,
    /// Records of the log that may be unacknowledged.
    pub unarchived_records: u64,
    /// Certificates of one issuer and profile in 24 hours.
    pub certificates_a_day: u32,
    /// Certificates of OCSP responders of one issuer in 24 hours.
    pub responders_a_day: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ping_seconds: 15,
            silence_seconds: 86_400,
            maintenance_hours: 72,
            signatures: 1_000_000,
            strikes: 1_000,
            strict: false,
            unarchived_records: 200_000,
            certificates_a_day: 20_000,
            responders_a_day: 250,
        }
    }
}

impl Limits {
    /// How long a Ping counts, in milliseconds.
    pub const fn ping(&self) -> u64 {
        milliseconds(Duration::from_secs(self.ping_seconds as u64))
    }

    /// After how much silence the keys are wiped, in milliseconds.
    pub const fn silence(&self) -> u64 {
        milliseconds(Duration::from_secs(self.silence_seconds as u64))
    }
}

const fn milliseconds(duration: Duration) -> u64 {
    // Lossless: hours of 32 bits.
    duration.as_millis() as u64
}
