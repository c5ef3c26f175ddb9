//! Walking several layers at once.

use std::sync::Arc;

use pki::Serial;

use crate::Damaged;
use crate::set::AnswerSet;

/// Walks layers (newest first) by serial number; yields (layer, index) of the entry that decides.
pub(crate) struct Merged<'a> {
    cursors: Vec<Cursor<'a>>,
}

/// The next entry of one layer.
struct Cursor<'a> {
    set: &'a AnswerSet,
    index: usize,
    /// `None` at the end.
    serial: Option<Serial>,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(
        layers: &'a [Arc<AnswerSet>],
        after: Option<Serial>,
    ) -> Result<Self, Damaged> {
        let cursor = |set: &'a Arc<AnswerSet>| Cursor::at(set, set.first_after(after)?);
        Ok(Self {
            cursors: layers.iter().map(cursor).collect::<Result<_, _>>()?,
        })
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<(usize, usize), Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut lowest: Option<(Serial, usize)> = None;
        for (number, cursor) in self.cursors.iter().enumerate() {
            if let Some(serial) = cursor.serial
                // Of equals the first, that is the newest.
                && lowest.is_none_or(|(known, _)| serial < known)
            {
                lowest = Some((serial, number));
            }
        }
        let (serial, decides) = lowest?;
        let index = self.cursors[decides].index;
        for cursor in &mut self.cursors {
            if cursor.serial == Some(serial)
                && let Err(damaged) = cursor.advance()
            {
                // Nothing after it either.
                self.cursors.clear();
                return Some(Err(damaged));
            }
        }
        Some(Ok((decides, index)))
    }
}

impl<'a> Cursor<'a> {
    fn at(set: &'a AnswerSet, index: usize) -> Result<Self, Damaged> {
        let serial = set.serial_at(index)?;
        Ok(Self { set, index, serial })
    }

    fn advance(&mut self) -> Result<(), Damaged> {
        *self = Self::at(self.set, self.index + 1)?;
        Ok(())
    }
}
