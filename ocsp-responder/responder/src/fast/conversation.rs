//! One connection on the short way.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::mem;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::ReadBuf;

use super::plain::{Found, find};
use crate::connection::Account;
use crate::handle::Handler;

/// What is read at once. Longer requests go the long way.
const INPUT: usize = 16 * 1024;
/// Responses are sent when they are more than this, even if more requests wait: it bounds what a client that reads
/// nothing can make us keep.
const OUTPUT: usize = 16 * 1024;

/// Room that all connections of a thread share: one that waits owns none.
pub(crate) struct Scratch {
    input: Box<[u8]>,
    der: Vec<u8>,
    output: Vec<u8>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            input: vec![0; INPUT].into(),
            der: Vec::new(),
            output: Vec::with_capacity(2 * OUTPUT),
        }
    }
}

/// A connection from its first request to its end, or to one that is not plain.
pub(crate) struct Conversation<'a> {
    account: &'a Account,
    handler: &'a Handler,
    head_limit: usize,
    scratch: &'a RefCell<Scratch>,
    /// Octets read and not used up.
    held: Vec<u8>,
    /// The rest of responses that the client did not take at once.
    unsent: Vec<u8>,
    next: Next,
}

/// How a conversation ends.
pub(crate) enum End {
    /// The client ended it, or it broke.
    Gone,
    /// We end it after what was sent.
    Finished,
    /// It goes on the long way, from these octets on.
    Other(Vec<u8>),
}

/// What comes when everything is sent.
#[derive(Clone, Copy)]
enum Next {
    Read,
    /// The rest of a request was not in the first read; it must be in this one.
    ReadRest,
    Answer,
    HandOver,
    Finish,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(
        account: &'a Account,
        handler: &'a Handler,
        head_limit: usize,
        scratch: &'a RefCell<Scratch>,
    ) -> Self {
        Self {
            account,
            handler,
            head_limit,
            scratch,
            held: Vec::new(),
            unsent: Vec::new(),
            next: Next::Read,
        }
    }

    /// Goes on until nothing can be done without the client.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            if !self.unsent.is_empty() && ready!(self.send_rest(cx)).is_err() {
                return Poll::Ready(End::Gone);
            }
            let went_on = match self.next {
                Next::Read | Next::ReadRest => ready!(self.read(cx)),
                Next::Answer => {
                    let held = mem::take(&mut self.held);
                    let Scratch { der, output, .. } = &mut *self.scratch.borrow_mut();
                    self.answer(&held, der, output, cx)
                }
                Next::HandOver => Err(End::Other(mem::take(&mut self.held))),
                Next::Finish => Err(End::Finished),
            };
            if let Err(end) = went_on {
                return Poll::Ready(end);
            }
        }
    }

    /// Reads what has come and answers it.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        let Scratch { input, der, output } = &mut *self.scratch.borrow_mut();
        let begun = self.held.len();
        input[..begun].copy_from_slice(&self.held);
        let mut buf = ReadBuf::new(&mut input[begun..]);
        let Poll::Ready(read) = self.account.poll_read(cx, &mut buf) else {
            return if self.account.is_told_to_end() && begun == 0 {
                Poll::Ready(Err(End::Finished))
            } else {
                Poll::Pending
            };
        };
        let octets = buf.filled().len();
        Poll::Ready(match (read, octets) {
            (Err(_), _) => Err(End::Gone),
            (Ok(()), 0) if begun == 0 => Err(End::Gone),
            // Cut off in a request, or nothing more fits.
            (Ok(()), 0) => Err(End::Other(mem::take(&mut self.held))),
            (Ok(()), _) => {
                self.held = Vec::new();
                self.answer(&input[..begun + octets], der, output, cx)
            }
        })
    }

    /// Answers the requests in `input`, and decides what comes next.
    fn answer(
        &mut self,
        input: &[u8],
        der: &mut Vec<u8>,
        output: &mut Vec<u8>,
        cx: &mut Context<'_>,
    ) -> Result<(), End> {
        let start = Instant::now();
        let moment = self.handler.moment();
        let second_read = matches!(self.next, Next::ReadRest);
        output.clear();
        let (mut at, mut answered) = (0, 0);
        self.next = loop {
            if at == input.len() {
                break Next::Read;
            }
            if output.len() >= OUTPUT {
                break Next::Answer;
            }
            let request = match find(&input[at..], self.head_limit, self.handler.request_octets) {
                Found::Plain(request) => request,
                Found::Beginning if (second_read && at == 0) || input.len() - at == INPUT => {
                    break Next::HandOver;
                }
                Found::Beginning => break Next::ReadRest,
                Found::Other => break Next::HandOver,
            };
            let close = request.close || self.account.is_last();
            if self
                .handler
                .reply(&request, &moment, self.account, close, der, output)
                .is_none()
            {
                break Next::HandOver;
            }
            answered += 1;
            at += request.length;
            if close {
                break Next::Finish;
            }
        };
        drop(moment);
        if !matches!(self.next, Next::Finish) {
            self.held = input[at..].to_vec();
        }
        if answered == 0 {
            return Ok(());
        }
        let nanoseconds = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.handler.own_cells().took(nanoseconds, answered);
        self.account.answering();
        let sent = match self.account.poll_write(cx, output) {
            Poll::Ready(Ok(sent)) => sent,
            Poll::Ready(Err(_)) => return Err(End::Gone),
            Poll::Pending => 0,
        };
        self.unsent = output[sent..].to_vec();
        if matches!(self.next, Next::ReadRest) {
            self.account.reading();
        }
        Ok(())
    }

    fn send_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = 0;
        let result = loop {
            match self.account.poll_write(cx, &self.unsent[sent..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(octets)) => sent += octets,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
            if sent == self.unsent.len() {
                break Poll::Ready(Ok(()));
            }
        };
        if sent == self.unsent.len() {
            self.unsent = Vec::new();
        } else {
            self.unsent.drain(..sent);
        }
        result
    }
}
