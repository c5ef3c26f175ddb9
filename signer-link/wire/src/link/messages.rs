//! Messages in the stream of a session: the length in four octets, most significant first, then the message.

use std::collections::VecDeque;

use super::Breach;
use crate::limits::MESSAGE_ON_LINK;

const LENGTH: usize = 4;

/// Messages on their way into records.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    stream: VecDeque<u8>,
}

impl Outbox {
    /// The message has at most [`MESSAGE_ON_LINK`] octets. Gives how many the stream gets.
    pub(crate) fn push(&mut self, message: &[u8]) -> usize {
        self.stream.extend((message.len() as u32).to_be_bytes());
        self.stream.extend(message);
        LENGTH + message.len()
    }

    /// The next piece of the stream, of at most so many octets.
    pub(crate) fn cut(&mut self, limit: usize) -> Vec<u8> {
        self.stream.drain(..limit.min(self.stream.len())).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stream.is_empty()
    }
}

/// Records on their way into messages. Holds at most one message.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    length: Vec<u8>,
    message: Vec<u8>,
    expected: usize,
}

impl Inbox {
    /// Takes a piece of the stream and gives the messages that it ends.
    pub(crate) fn push(
        &mut self,
        mut piece: &[u8],
        mut found: impl FnMut(Vec<u8>),
    ) -> Result<(), Breach> {
        while !piece.is_empty() {
            if self.length.len() < LENGTH {
                take(&mut piece, LENGTH, &mut self.length);
                if let [a, b, c, d] = self.length[..] {
                    // Lossless: usize has at least 32 bits here.
                    self.expected = u32::from_be_bytes([a, b, c, d]) as usize;
                    if !(1..=MESSAGE_ON_LINK).contains(&self.expected) {
                        return Err(Breach::Stream);
                    }
                }
                continue;
            }
            take(&mut piece, self.expected, &mut self.message);
            if self.message.len() == self.expected {
                self.length.clear();
                found(std::mem::take(&mut self.message));
            }
        }
        Ok(())
    }
}

/// Moves octets until `to` has so many.
fn take(from: &mut &[u8], until: usize, to: &mut Vec<u8>) {
    let (taken, rest) = from.split_at(from.len().min(until - to.len()));
    to.extend_from_slice(taken);
    *from = rest;
}
