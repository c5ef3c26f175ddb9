//! How much the line has still to carry.
//!
//! A terminal takes many frames at once, and a pseudo-terminal any number: what they have taken cannot be overtaken
//! any more. So the next frame is given only when the one before has nearly left.

use super::{LinkSettings, Millis};

/// Given so much earlier, so that the line does not wait for a process to wake.
const LEAD_MICROS: u64 = 20_000;

#[derive(Debug)]
pub(crate) struct Pace {
    settings: LinkSettings,
    /// When the last octet given will have left, in microseconds.
    free_at: u64,
}

impl Pace {
    pub(crate) fn new(settings: LinkSettings) -> Self {
        Self {
            settings,
            free_at: 0,
        }
    }

    /// So many octets go to the line now. Gives when they will have left.
    pub(crate) fn send(&mut self, octets: usize, now: Millis) -> Millis {
        self.free_at = self.free_at.max(now * 1000) + self.settings.micros(octets);
        self.free_at.div_ceil(1000)
    }

    /// From when on the line takes a frame.
    pub(crate) fn ready_at(&self) -> Millis {
        self.free_at.saturating_sub(LEAD_MICROS).div_ceil(1000)
    }
}
