//! What is known about a line.

use super::Millis;
use super::frame::MAX_ENCODED;

/// The line and its timers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LinkSettings {
    /// Bits per second, of which eight in ten carry data (8N1). What leaves is paced by it.
    pub baud: u32,
    /// An end that has nothing to say says so this often.
    pub keep_alive: Millis,
    /// An end that hears nothing for so long takes the cable for cut.
    pub silence: Millis,
    /// How long a handshake may take.
    pub handshake: Millis,
}

impl LinkSettings {
    /// The usual timers for a line of this speed: a cut is noticed within about five seconds, or the time of a few
    /// frames where that is longer.
    #[must_use]
    pub fn new(baud: u32) -> Self {
        let baud = baud.max(300);
        let largest = Self::time_on_line(baud, MAX_ENCODED).div_ceil(1000);
        Self {
            baud,
            keep_alive: 1000,
            silence: 4000.max(1000 + 4 * largest),
            handshake: 5000.max(1000 + 8 * largest),
        }
    }

    /// Microseconds that so many octets take.
    pub(crate) fn micros(&self, octets: usize) -> u64 {
        Self::time_on_line(self.baud, octets)
    }

    fn time_on_line(baud: u32, octets: usize) -> u64 {
        octets as u64 * 10_000_000 / u64::from(baud.max(1))
    }
}
