//! Another reader of journals, written from the format's description alone: it looks at what is durable on a disk.

use journal::Position;

use crate::violation::{Invariant, Violation, check};

/// Reads on as the file grows.
#[derive(Clone, Debug)]
pub(crate) struct LogReader {
    name: String,
    first_line: usize,
    offset: usize,
    position: Position,
}

impl LogReader {
    pub(crate) fn new(name: &str, first_line: &str) -> Self {
        Self {
            name: name.to_owned(),
            first_line: first_line.len() + 1,
            offset: first_line.len() + 1,
            position: Position::start(first_line),
        }
    }

    /// How many records were read.
    pub(crate) const fn records(&self) -> u64 {
        self.position.sequence
    }

    /// The whole records that are new since the last time. What was there must still be there.
    pub(crate) fn read_on(&mut self, durable: &[u8]) -> Result<Vec<Vec<u8>>, Violation> {
        let begun = self.offset > self.first_line;
        check(
            durable.len() >= self.offset || !begun,
            Invariant::LogIsWhole,
            || {
                format!(
                    "{} had {} octets on the disk and has {}",
                    self.name,
                    self.offset,
                    durable.len()
                )
            },
        )?;
        let mut records = Vec::new();
        while let Some((record, chain)) = frame(durable.get(self.offset..).unwrap_or_default()) {
            let next = self.position.after(record);
            // What a crash has left may be half written; it is overwritten or cut off by the next start.
            if next.head != *chain {
                break;
            }
            self.position = next;
            self.offset += 8 + record.len() + chain.len();
            records.push(record.to_vec());
        }
        Ok(records)
    }
}

/// `length | its complement | record | chain`
fn frame(octets: &[u8]) -> Option<(&[u8], &[u8; 32])> {
    let (length, octets) = octets.split_first_chunk::<4>()?;
    let (complement, octets) = octets.split_first_chunk::<4>()?;
    let length = u32::from_be_bytes(*length);
    if length != !u32::from_be_bytes(*complement) {
        return None;
    }
    let (record, octets) = octets.split_at_checked(usize::try_from(length).ok()?)?;
    Some((record, octets.first_chunk()?))
}
