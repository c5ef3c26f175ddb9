//! Reading octets from front to back, never beyond their end.

use crate::AnswerSetError;

/// Octets, and how far they are read.
pub(crate) struct Input<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    /// Reads from `at` to the end of `octets`.
    pub(crate) fn new(octets: &'a [u8], at: usize) -> Self {
        Self { octets, at }
    }

    /// How far it has read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.octets.len()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], AnswerSetError> {
        let end = self
            .at
            .checked_add(length)
            .filter(|&end| end <= self.octets.len());
        let end = end.ok_or_else(|| malformed(self.at, "a field reaches beyond its table"))?;
        let taken = &self.octets[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A table of so many entries of that length.
    pub(crate) fn skip(&mut self, count: usize, length: usize) -> Result<&'a [u8], AnswerSetError> {
        let octets = count.checked_mul(length);
        self.take(octets.ok_or_else(|| malformed(self.at, "a table is longer than memory"))?)
    }

    pub(crate) fn octet(&mut self) -> Result<u8, AnswerSetError> {
        Ok(self.take(1)?[0])
    }

    /// A big-endian number of N octets, at most 8.
    pub(crate) fn number<const N: usize>(&mut self) -> Result<u64, AnswerSetError> {
        Ok(self
            .take(N)?
            .iter()
            .fold(0, |number, &octet| number << 8 | u64::from(octet)))
    }
}

pub(crate) fn malformed(offset: usize, what: &'static str) -> AnswerSetError {
    AnswerSetError::Malformed { offset, what }
}
