//! Where the octets of a set are.

use std::ops::Deref;
use std::time::{Duration, Instant};

use crate::map::Map;

/// An object in memory, or a file that is mapped.
#[derive(Debug)]
pub(crate) enum Octets {
    Map(Map),
    Memory(Vec<u8>),
}

impl Octets {
    /// Gives a map's memory back piece by piece; `pace` is told how long each took.
    pub(crate) fn release(&self, mut pace: impl FnMut(Duration)) {
        let Self::Map(map) = self else { return };
        for start in (0..map.len()).step_by(RELEASED_AT_ONCE) {
            let begun = Instant::now();
            map.release(start..(start + RELEASED_AT_ONCE).min(map.len()));
            pace(begun.elapsed());
        }
    }
}

impl Deref for Octets {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Map(map) => map,
            Self::Memory(octets) => octets,
        }
    }
}

/// A multiple of every page size.
const RELEASED_AT_ONCE: usize = 4 << 20;
