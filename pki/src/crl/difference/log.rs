//! The octets: a head, then segments, the newest first.

use std::collections::BTreeMap;

use crate::crl::difference::changes::{self, Change};
use crate::crl::difference::{DifferenceError, Parts, sha256};
use crate::{CrlNumber, Serial};

/// The media type of a difference.
pub const CONTENT_TYPE: &str = "application/vnd.avouch.crl-difference";

/// The first octets; the last of them is the version.
const MAGIC: [u8; 8] = *b"CRLdiff\x01";
/// The most octets before the entries of a CRL, and after them.
const MAX_FRAME: usize = 1 << 16;
/// The most segments.
const MAX_SEGMENTS: usize = 1024;
/// All segments together have at most a quarter of the CRL's octets, but this many are always allowed.
const ALWAYS_ALLOWED: usize = 1 << 16;

/// A difference that was read: the whole log of a CRL, or a prefix of it. Well-formed throughout, as yet unproven.
#[derive(Clone, Debug)]
pub struct Log<'a> {
    octets: &'a [u8],
    pub(super) number: CrlNumber,
    pub(super) sha256: [u8; 32],
    pub(super) before: &'a [u8],
    pub(super) after: &'a [u8],
    head_end: usize,
    pub(super) segments: Vec<Segment<'a>>,
}

/// The step from one number to the next higher one that was published.
#[derive(Clone, Debug)]
pub(super) struct Segment<'a> {
    pub(super) from: CrlNumber,
    content: &'a [u8],
    end: usize,
}

impl<'a> Log<'a> {
    /// Reads all of `octets`; only the one way to write each thing is taken.
    pub fn read(octets: &'a [u8]) -> Result<Self, DifferenceError> {
        let mut input = Input { octets, at: 0 };
        if input.take(MAGIC.len())? != MAGIC {
            return Err(DifferenceError::Malformed(
                "it does not begin as one of version 1 does",
            ));
        }
        let number = input.number()?;
        let mut hash = [0; 32];
        hash.copy_from_slice(input.take(32)?);
        let before = input.counted(MAX_FRAME)?;
        let after = input.counted(MAX_FRAME)?;
        let head_end = input.at;
        let mut segments = Vec::new();
        let mut above = &number;
        while input.at < octets.len() {
            if segments.len() == MAX_SEGMENTS {
                return Err(DifferenceError::Malformed("it has too many segments"));
            }
            let from = input.number()?;
            if from >= *above {
                return Err(DifferenceError::Malformed("its numbers do not descend"));
            }
            let content = input.counted(octets.len())?;
            for change in changes::read_all(content) {
                change?;
            }
            segments.push(Segment {
                from,
                content,
                end: input.at,
            });
            above = &segments[segments.len() - 1].from;
        }
        Ok(Self {
            octets,
            number,
            sha256: hash,
            before,
            after,
            head_end,
            segments,
        })
    }

    /// The number of the CRL that it leads to.
    pub fn number(&self) -> &CrlNumber {
        &self.number
    }

    /// The SHA-256 of the CRL that it leads to.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Each number that it leads from, and how many octets of it that takes. The first is the CRL's own number.
    pub fn prefixes(&self) -> impl Iterator<Item = (&CrlNumber, usize)> {
        let steps = self
            .segments
            .iter()
            .map(|segment| (&segment.from, segment.end));
        std::iter::once((&self.number, self.head_end)).chain(steps)
    }

    /// What the segments say together: of each serial number the newest.
    pub(super) fn newest(&self) -> Result<BTreeMap<Serial, Change<'a>>, DifferenceError> {
        let mut newest = BTreeMap::new();
        for segment in &self.segments {
            for change in changes::read_all(segment.content) {
                let (serial, change) = change?;
                newest.entry(serial).or_insert(change);
            }
        }
        Ok(newest)
    }

    /// Whether nothing in it contradicts the CRL that it leads to. Reads all of the CRL, but needs no earlier one: that
    /// no change is missing only shows when the difference is applied.
    pub fn agrees_with(&self, crl: &[u8]) -> Result<(), DifferenceError> {
        let parts = Parts::of(crl)?;
        let same_frame = (parts.before, parts.after) == (self.before, self.after);
        if !same_frame || sha256(crl) != self.sha256 {
            return Err(DifferenceError::OtherCrl);
        }
        let mut newest = self.newest()?;
        for item in parts.entries() {
            let (serial, entry) = item?;
            let said = newest.remove(&serial);
            if said.is_some_and(|said| said.entry() != Some(entry)) {
                return Err(DifferenceError::OtherCrl);
            }
        }
        // What is left must not be in the CRL.
        match newest.values().all(|left| left.entry().is_none()) {
            true => Ok(()),
            false => Err(DifferenceError::OtherCrl),
        }
    }
}

/// The log of a CRL without any step to it.
pub fn first(number: &CrlNumber, crl: &[u8]) -> Result<Vec<u8>, DifferenceError> {
    let parts = Parts::of(crl)?;
    let mut out = MAGIC.to_vec();
    append_number(&mut out, number);
    out.extend_from_slice(&sha256(crl));
    for part in [parts.before, parts.after] {
        if part.len() > MAX_FRAME {
            return Err(DifferenceError::Malformed(
                "the CRL has too much beside its entries",
            ));
        }
        append_counted(&mut out, part)?;
    }
    Ok(out)
}

/// The log of a CRL that follows the one with number `from` by these changes, which ascend by serial number. `older` is
/// that one's log; its steps are kept as far as there is room.
pub fn next<'c>(
    number: &CrlNumber,
    crl: &[u8],
    from: &CrlNumber,
    changes: impl IntoIterator<Item = Change<'c>>,
    older: Option<&Log<'_>>,
) -> Result<Vec<u8>, DifferenceError> {
    let mut out = first(number, crl)?;
    if from >= number || older.is_some_and(|older| older.number != *from) {
        return Err(DifferenceError::Unreached);
    }
    let mut content = Vec::new();
    let mut last: Option<Serial> = None;
    for change in changes {
        let serial = change.serial()?;
        if last.replace(serial).is_some_and(|last| last >= serial) {
            return Err(DifferenceError::Unordered);
        }
        change.append(&mut content);
    }
    let mut newest = Vec::new();
    append_number(&mut newest, from);
    append_counted(&mut newest, &content)?;

    let mut room = ALWAYS_ALLOWED.max(crl.len() / 4);
    let older_steps = older.into_iter().flat_map(|older| {
        let starts = older.prefixes().map(|(_, end)| end);
        starts
            .zip(&older.segments)
            .map(|(start, segment)| &older.octets[start..segment.end])
    });
    for step in std::iter::once(newest.as_slice())
        .chain(older_steps)
        .take(MAX_SEGMENTS)
    {
        let Some(left) = room.checked_sub(step.len()) else {
            break;
        };
        room = left;
        out.extend_from_slice(step);
    }
    Ok(out)
}

fn append_number(out: &mut Vec<u8>, number: &CrlNumber) {
    let octets = number.to_be_bytes();
    // Lossless: at most 20.
    out.push(octets.len() as u8);
    out.extend_from_slice(&octets);
}

fn append_counted(out: &mut Vec<u8>, octets: &[u8]) -> Result<(), DifferenceError> {
    let length = u32::try_from(octets.len())
        .map_err(|_| DifferenceError::Malformed("a part of it is longer than 4 GiB"))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(octets);
    Ok(())
}

struct Input<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DifferenceError> {
        let taken = self.octets[self.at..]
            .get(..count)
            .ok_or(DifferenceError::Malformed("it ends too early"))?;
        self.at += count;
        Ok(taken)
    }

    /// An octet that says how many follow, then the magnitude without leading zeros; zero is one zero octet.
    fn number(&mut self) -> Result<CrlNumber, DifferenceError> {
        let malformed = DifferenceError::Malformed("a number in it is no CRL number");
        let count = usize::from(self.take(1)?[0]);
        let octets = self.take(count)?;
        match octets {
            [] | [0, _, ..] => Err(malformed),
            octets => CrlNumber::from_be_bytes(octets).map_err(|_| malformed),
        }
    }

    /// Four octets that say how many follow.
    fn counted(&mut self, limit: usize) -> Result<&'a [u8], DifferenceError> {
        let mut length = [0; 4];
        length.copy_from_slice(self.take(4)?);
        let length = u32::from_be_bytes(length);
        match usize::try_from(length) {
            Ok(length) if length <= limit => self.take(length),
            _ => Err(DifferenceError::Malformed("a part of it is too long")),
        }
    }
}
