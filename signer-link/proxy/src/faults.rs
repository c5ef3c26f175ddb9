//! What goes wrong, and how often.

use std::time::Duration;

/// A cable's speed and its faults, both ways alike. The chances are for each octet that is on the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Bits per second; an octet takes ten.
    pub baud: u32,
    /// A USB bridge holds less than a full packet (62 octets) for so long. Zero: there is none.
    pub latency: Duration,
    /// The reader gets pieces of 1 to so many octets, with a pause between them. Zero: whatever has arrived.
    pub split: usize,
    /// One bit is wrong.
    pub flip: f64,
    /// The octet is lost.
    pub drop: f64,
    /// The octet comes twice.
    pub double: f64,
    /// The octet comes after the next one.
    pub reorder: f64,
    /// 1 to 64 random octets come after this one, if it is a zero: between frames.
    pub garbage: f64,
    /// The line stands still; nothing is lost.
    pub stall: Sometimes,
    /// All that is on the line in either direction is lost.
    pub cut: Sometimes,
}

/// Something that begins by chance and lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sometimes {
    /// That it begins at an octet.
    pub chance: f64,
    /// How long it lasts.
    pub time: Duration,
}

impl Faults {
    /// A good cable of this speed.
    #[must_use]
    pub fn none(baud: u32) -> Self {
        Self {
            baud: baud.max(1),
            latency: Duration::ZERO,
            split: 0,
            flip: 0.0,
            drop: 0.0,
            double: 0.0,
            reorder: 0.0,
            garbage: 0.0,
            stall: Sometimes::default(),
            cut: Sometimes::default(),
        }
    }

    /// What one octet takes on the line.
    pub(crate) fn octet_time(&self) -> Duration {
        Duration::from_nanos(10_000_000_000 / u64::from(self.baud.max(1)))
    }
}
