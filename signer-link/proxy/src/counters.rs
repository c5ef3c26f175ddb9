//! What has happened.

use std::fmt;

/// Of one direction. All are octets, except stalls and pieces of garbage.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counters {
    /// Taken from the writer.
    pub taken: u64,
    /// Given to the reader.
    pub given: u64,
    /// With a wrong bit.
    pub flipped: u64,
    /// Lost one by one.
    pub dropped: u64,
    /// That came twice.
    pub doubled: u64,
    /// That came after the next one.
    pub reordered: u64,
    /// Put in.
    pub garbage: u64,
    /// Lost in a cut.
    pub cut: u64,
    /// Lost because the reader did not read.
    pub overrun: u64,
    /// How often the line stood still.
    pub stalls: u64,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets taken, {} given", self.taken, self.given)?;
        let faults = [
            (self.flipped, "flipped"),
            (self.dropped, "dropped"),
            (self.doubled, "doubled"),
            (self.reordered, "reordered"),
            (self.garbage, "of garbage"),
            (self.cut, "lost in cuts"),
            (self.overrun, "lost to a reader that did not read"),
            (self.stalls, "stalls"),
        ];
        faults
            .iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}
