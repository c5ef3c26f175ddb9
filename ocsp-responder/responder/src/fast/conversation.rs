//! One connection on the short way.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::mem;
use std::ops::Range;

use mio::net::TcpStream;

use super::reply::{Moment, Step};
use crate::connection::Account;
use crate::handle::Handler;

/// What is read at once. Longer requests go the long way.
pub(super) const INPUT: usize = 16 * 1024;
/// Responses are sent when they are more than this, even if more requests wait: it bounds what a client that reads
/// nothing can make us keep.
const OUTPUT: usize = 16 * 1024;

/// A connection from its first request to its end, or to one that is not plain.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) account: Account,
    pub(super) stream: TcpStream,
    /// Octets read and not used up.
    held: Vec<u8>,
    /// The rest of responses that the client did not take at once.
    unsent: Vec<u8>,
    next: Next,
    /// There may be something to read, or the end of it.
    readable: bool,
    /// The client has said that it sends no more.
    closing: bool,
    /// It stands in line to be served.
    pub(super) in_line: bool,
}

/// How a conversation ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client ended it, or it broke.
    Gone,
    /// We end it after what was sent.
    Finished,
    /// It goes on the long way, from these octets on.
    Other(Vec<u8>),
}

/// What comes when everything is sent.
#[derive(Clone, Copy, Debug, Default)]
enum Next {
    #[default]
    Read,
    /// The rest of a request was not in the first read; it must be in this one.
    ReadRest,
    Answer,
    HandOver,
    Finish,
}

/// What a conversation has to be served with.
pub(super) enum Has {
    /// These octets, read into the room for them.
    Input(usize),
    /// Nothing until the client does something.
    Nothing,
    Ended(End),
}

/// The responses to what was read at once.
#[derive(Default)]
pub(super) struct Said {
    /// Where they are in the output.
    pub(super) output: Range<usize>,
    pub(super) requests: u64,
    /// What is left of the input.
    rest: usize,
    next: Next,
}

impl Conversation {
    /// A conversation that goes on from `held`, octets that were read of its next request.
    pub(super) fn new(stream: TcpStream, account: Account, held: Vec<u8>) -> Self {
        account.read(held.len());
        Self {
            account,
            stream,
            next: match held.len() {
                0 => Next::Read,
                1..INPUT => Next::ReadRest,
                _ => Next::HandOver,
            },
            held,
            unsent: Vec::new(),
            readable: false,
            closing: false,
            in_line: false,
        }
    }

    /// The kernel says that something has happened.
    pub(super) fn note(&mut self, readable: bool, closing: bool) {
        self.readable |= readable || closing;
        self.closing |= closing;
    }

    /// Tells it to end if nothing has come.
    pub(super) fn end(&mut self) {
        self.account.end();
        self.readable = true;
    }

    /// Sends what is left to be sent, then reads what has come; `room` is as long as [`INPUT`].
    pub(super) fn go_on(&mut self, room: &mut [u8]) -> Has {
        if !self.unsent.is_empty() {
            match self.send_rest() {
                Ok(()) if self.unsent.is_empty() => {}
                Ok(()) => return Has::Nothing,
                Err(_) => return Has::Ended(End::Gone),
            }
        }
        match self.next {
            Next::Read | Next::ReadRest => self.read(room),
            Next::Answer => {
                let held = mem::take(&mut self.held);
                room[..held.len()].copy_from_slice(&held);
                Has::Input(held.len())
            }
            Next::HandOver => Has::Ended(End::Other(mem::take(&mut self.held))),
            Next::Finish => Has::Ended(End::Finished),
        }
    }

    fn read(&mut self, room: &mut [u8]) -> Has {
        if !self.readable {
            return Has::Nothing;
        }
        let begun = self.held.len();
        room[..begun].copy_from_slice(&self.held);
        let free = &mut room[begun..];
        let read = loop {
            match self.stream.read(free) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(0) if begun == 0 => Has::Ended(End::Gone),
            // Cut off in a request, or nothing more fits.
            Ok(0) => Has::Ended(End::Other(mem::take(&mut self.held))),
            Ok(octets) => {
                // Less than there was room for: that was all, and what comes later is told of.
                self.readable = self.closing || octets == free.len();
                self.account.read(octets);
                self.held = Vec::new();
                Has::Input(begun + octets)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                if self.account.is_told_to_end() && begun == 0 {
                    Has::Ended(End::Finished)
                } else {
                    Has::Nothing
                }
            }
            Err(_) => Has::Ended(End::Gone),
        }
    }

    /// Appends the responses to the requests in `input`, of which the first has been read already.
    pub(super) fn answer<'i, 'm>(
        &self,
        input: &'i [u8],
        first: Step<'i, 'm>,
        moment: &'m Moment,
        handler: &Handler,
        desk: &mut Desk,
    ) -> Said {
        let begin = desk.output.len();
        let (mut at, mut requests) = (0, 0);
        let mut step = first;
        let next = loop {
            let asked = match step {
                Step::Ask(asked) => asked,
                Step::Beginning if at == 0 && matches!(self.next, Next::ReadRest) => {
                    break Next::HandOver;
                }
                Step::Beginning if input.len() - at == INPUT => break Next::HandOver,
                Step::Beginning => break Next::ReadRest,
                Step::Other => break Next::HandOver,
            };
            let close = asked.request.close || self.account.is_last();
            let length = asked.request.length;
            let replied = handler.reply(asked, moment, &self.account, close, &mut desk.output);
            if replied.is_none() {
                break Next::HandOver;
            }
            requests += 1;
            at += length;
            if close {
                break Next::Finish;
            }
            if at == input.len() {
                break Next::Read;
            }
            if desk.output.len() - begin >= OUTPUT {
                break Next::Answer;
            }
            step = handler.understand(&input[at..], moment, desk.head_limit, &mut desk.der);
        };
        Said {
            output: begin..desk.output.len(),
            requests,
            rest: at,
            next,
        }
    }

    /// Sends responses, and keeps what it needs to go on. Returns whether it can go on at once.
    pub(super) fn send(&mut self, input: &[u8], output: &[u8], said: &Said) -> io::Result<bool> {
        self.next = said.next;
        if !matches!(self.next, Next::Finish) && said.rest < input.len() {
            self.held = input[said.rest..].to_vec();
        }
        if !output.is_empty() {
            self.account.answering();
            let sent = match self.stream.write(output) {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            if sent < output.len() {
                self.unsent = output[sent..].to_vec();
                self.send_rest()?;
            }
            self.sent();
        }
        Ok(self.unsent.is_empty() && self.can_go_on())
    }

    fn can_go_on(&self) -> bool {
        match self.next {
            Next::Read | Next::ReadRest => self.readable,
            Next::Answer | Next::HandOver | Next::Finish => true,
        }
    }

    fn send_rest(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.stream.write(&self.unsent[sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(octets) => {
                    sent += octets;
                    self.account.wrote();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.account.cannot_write();
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if sent == self.unsent.len() {
            self.unsent = Vec::new();
            self.sent();
        } else {
            self.unsent.drain(..sent);
        }
        Ok(())
    }

    /// What follows the last octet of a response.
    fn sent(&self) {
        if !self.unsent.is_empty() {
            return;
        }
        match self.next {
            Next::Read => self.account.nothing_to_read(),
            Next::ReadRest => self.account.reading(),
            Next::Answer | Next::HandOver | Next::Finish => {}
        }
    }
}

/// Room that all connections of a thread share: one that waits owns none.
pub(super) struct Desk {
    pub(super) der: Vec<u8>,
    pub(super) head_limit: usize,
    pub(super) output: Vec<u8>,
}
