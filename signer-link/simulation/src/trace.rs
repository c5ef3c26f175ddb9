//! What happened in a run: a digest over every octet on the cables, and on demand every event as a line.

use std::hash::{DefaultHasher, Hasher as _};

/// What is written down.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Detail {
    /// The digest alone.
    #[default]
    Digest,
    /// Every event, kept.
    Lines,
    /// Every event, printed as it happens.
    Print,
}

#[derive(Debug, Default)]
pub(crate) struct Trace {
    detail: Detail,
    digest: DefaultHasher,
    lines: Vec<String>,
}

impl Trace {
    pub(crate) fn new(detail: Detail) -> Self {
        Self {
            detail,
            ..Self::default()
        }
    }

    /// Octets go into a cable.
    pub(crate) fn octets(&mut self, now: u64, end: u8, octets: &[u8]) {
        self.digest.write_u64(now);
        self.digest.write_u8(end);
        self.digest.write(octets);
    }

    /// Something happens.
    pub(crate) fn note(&mut self, now: u64, text: impl FnOnce() -> String) {
        let line = || format!("{:>9.3} {}", now as f64 / 1_000.0, text());
        match self.detail {
            Detail::Digest => {}
            Detail::Lines => self.lines.push(line()),
            Detail::Print => println!("{}", line()),
        }
    }

    /// The digest, and the lines that were kept.
    pub(crate) fn finish(self) -> (u64, Vec<String>) {
        (self.digest.finish(), self.lines)
    }
}
