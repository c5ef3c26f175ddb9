//! Puts DATA frames in order.

use std::collections::VecDeque;

use super::outgoing::WINDOW;

#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// The first frame that is missing.
    next: u16,
    /// What is there of the frames from `next` on; at most [`WINDOW`], and the first is always missing.
    ahead: VecDeque<Option<Vec<u8>>>,
}

impl Incoming {
    /// Takes a frame and gives all that are now in order; `None` if it is a duplicate.
    pub(crate) fn take(&mut self, seq: u16, payload: Vec<u8>) -> Option<Vec<Vec<u8>>> {
        let place = usize::from(seq.wrapping_sub(self.next));
        if place >= WINDOW {
            return None;
        }
        if self.ahead.len() <= place {
            self.ahead.resize(place + 1, None);
        }
        if self.ahead[place].is_some() {
            return None;
        }
        self.ahead[place] = Some(payload);

        let mut ordered = Vec::new();
        while let Some(Some(_)) = self.ahead.front() {
            ordered.extend(self.ahead.pop_front().flatten());
            self.next = self.next.wrapping_add(1);
        }
        Some(ordered)
    }

    /// The first frame that is missing, and which ones after it are there.
    pub(crate) fn acknowledgement(&self) -> (u16, u16) {
        let sack = self
            .ahead
            .iter()
            .skip(1)
            .enumerate()
            .filter(|(_, payload)| payload.is_some())
            .fold(0, |sack, (bit, _)| sack | 1 << bit);
        (self.next, sack)
    }
}
