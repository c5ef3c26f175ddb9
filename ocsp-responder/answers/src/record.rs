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

#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    octets: &'a [u8],
    layout: Layout,
}

impl<'a> Record<'a> {
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    pub(crate) fn new(octets: &'a [u8], layout: Layout) -> Self {
        Self { octets, layout }
    }

    /// The serial number, filled up with zeros on the left: compares as a number.
    pub(crate) fn padded_serial(&self) -> &'a [u8] {
        &self.octets[..self.layout.serial_width]
    }

    pub(crate) fn serial(&self) -> Serial {
        // Unwrap safety: checked at opening, neither zero nor longer than 20 octets.
        Serial::from_be_bytes(self.padded_serial()).unwrap()
    }

    pub(crate) fn status_code(&self) -> u8 {
        self.octets[self.layout.status_at()]
    }

    pub(crate) fn time(&self) -> Time {
        let at = self.layout.time_at();
        Time::from_unix(i64::from_be_bytes(array(&self.octets[at..at + 8])))
    }

    pub(crate) fn batch(&self) -> u32 {
        let at = self.layout.batch_at();
        u32::from_be_bytes(array(&self.octets[at..at + 4]))
    }

    /// The signature's field for the CertID hash in that slot, with its filling.
    pub(crate) fn signature(&self, slot: usize) -> &'a [u8] {
        let at = self.layout.signatures_at() + slot * self.layout.signature_width;
        &self.octets[at..at + self.layout.signature_width]
    }

    pub(crate) fn signatures(&self) -> &'a [u8] {
        &self.octets[self.layout.signatures_at()..]
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

fn array<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(octets);
    array
}
