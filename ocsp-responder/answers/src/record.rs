//! One record: the fixed-width part of a set that stands for one certificate.

use pki::ocsp::response::CertStatus;
use pki::{RevocationReason, Serial, Time};

use crate::format::Layout;

pub(crate) const GOOD: u8 = 0;
pub(crate) const REVOKED: u8 = 1;
pub(crate) const REMOVED: u8 = 2;
/// Added to the reason's code.
pub(crate) const REVOKED_WITH_REASON: u8 = 0x80;
/// The batch number of a record that has no answer.
pub(crate) const NO_BATCH: u32 = u32::MAX;

/// Octets of a revocation time.
pub(crate) const TIME_LENGTH: usize = 5;

/// A record as it stands in the set.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    octets: &'a [u8],
    layout: Layout,
}

impl<'a> Record<'a> {
    pub(crate) fn new(octets: &'a [u8], layout: Layout) -> Self {
        Self { octets, layout }
    }

    pub(crate) fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The serial number, filled up with zeros on the left: compares as a number.
    pub(crate) fn padded_serial(&self) -> &'a [u8] {
        &self.octets[..self.layout.serial_width]
    }

    /// `None` for zero, which is no serial number.
    pub(crate) fn serial(&self) -> Option<Serial> {
        Serial::from_be_bytes(self.padded_serial()).ok()
    }

    pub(crate) fn status_code(&self) -> u8 {
        self.octets[self.layout.status_at()]
    }

    pub(crate) fn time(&self) -> Time {
        let at = self.layout.time_at();
        let mut octets = [0; 8];
        octets[3..].copy_from_slice(&self.octets[at..at + TIME_LENGTH]);
        // Shifted there and back, so that the sign fills the three octets above.
        Time::from_unix((i64::from_be_bytes(octets) << 24) >> 24)
    }

    pub(crate) fn batch(&self) -> u32 {
        let at = self.layout.batch_at();
        let octets = &self.octets[at..at + 4];
        u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]])
    }

    /// The signature's field for the CertID hash in that slot, with its filling.
    pub(crate) fn signature(&self, slot: usize) -> &'a [u8] {
        let at = self.layout.signatures_at() + slot * self.layout.signature_width;
        &self.octets[at..at + self.layout.signature_width]
    }

    pub(crate) fn signatures(&self) -> &'a [u8] {
        &self.octets[self.layout.signatures_at()..]
    }

    /// Whether each signature field holds nothing beyond its first `width` octets.
    pub(crate) fn is_filled_up_from(&self, width: usize) -> bool {
        (0..self.layout.hashes).all(|slot| {
            self.signature(slot)[width..]
                .iter()
                .all(|&octet| octet == 0)
        })
    }

    /// `None` for a record that removes.
    pub(crate) fn status(&self) -> Option<CertStatus> {
        match self.status_code() {
            GOOD => Some(CertStatus::Good),
            REMOVED => None,
            code => Some(CertStatus::Revoked {
                time: self.time(),
                reason: code
                    .checked_sub(REVOKED_WITH_REASON)
                    .and_then(RevocationReason::from_code),
            }),
        }
    }
}

/// The status octet and the time of a status; `None` for a reason that is never written (OCSP-44).
pub(crate) fn encode_status(status: CertStatus) -> Option<(u8, i64)> {
    match status {
        CertStatus::Good => Some((GOOD, 0)),
        CertStatus::Revoked { time, reason: None } => Some((REVOKED, time.unix())),
        CertStatus::Revoked {
            reason: Some(RevocationReason::Unspecified),
            ..
        } => None,
        CertStatus::Revoked {
            time,
            reason: Some(reason),
        } => Some((REVOKED_WITH_REASON + reason.code(), time.unix())),
    }
}

/// The octets of a time for which [`is_writable_time`] holds.
pub(crate) fn encode_time(time: i64) -> [u8; TIME_LENGTH] {
    let octets = time.to_be_bytes();
    [octets[3], octets[4], octets[5], octets[6], octets[7]]
}

/// Whether GeneralizedTime can write it: the years 0 to 9999.
pub(crate) fn is_writable_time(time: i64) -> bool {
    (-62_167_219_200..YEAR_10000).contains(&time)
}

/// The first second that has no four-digit year.
pub(crate) const YEAR_10000: i64 = 253_402_300_800;
