//! All connections of a thread that are on the short way, served in groups.

use std::ops::Range;
use std::time::Instant;
use std::{array, io, mem};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use slab::Slab;

use super::conversation::{Conversation, Desk, End, Has, INPUT, Said};
use super::reply::fetch_ahead;
use crate::connection::Account;
use crate::handle::Handler;

/// Connections that are served together at most: enough for their memory to come at the same time, few enough for what
/// they need to stay in the nearest cache.
const GROUP: usize = 16;
/// Room for what a group has sent. Requests have some hundred octets; when many are longer, the group is smaller.
const ROOM: usize = 4 * INPUT;

/// Connections from their first request to their end, or to one that is not plain.
pub(crate) struct ShortWay {
    conversations: Slab<Conversation>,
    desk: Desk,
    input: Box<[u8]>,
    /// Those that may have something to do.
    line: Vec<usize>,
    registry: Registry,
    /// The group that is being served.
    served: Vec<Served>,
    /// Room for the next line, while one is served.
    spare: Vec<usize>,
}

/// A connection that goes on elsewhere.
pub(crate) struct Leaving {
    pub(crate) stream: std::net::TcpStream,
    pub(crate) account: Account,
    /// What was read of a request, `None` if the connection ends.
    pub(crate) octets: Option<Vec<u8>>,
}

/// A connection, where its input is, and what is said to it.
struct Served {
    number: usize,
    input: Range<usize>,
    said: Said,
}

impl ShortWay {
    /// `registry` is of the poll whose events are given to [`ShortWay::note`].
    pub(crate) fn new(registry: Registry, head_limit: usize) -> Self {
        Self {
            conversations: Slab::new(),
            desk: Desk {
                der: Vec::new(),
                head_limit,
                output: Vec::new(),
            },
            input: vec![0; ROOM].into(),
            line: Vec::new(),
            registry,
            served: Vec::with_capacity(GROUP),
            spare: Vec::new(),
        }
    }

    /// Takes a connection, with what was read of it already.
    pub(crate) fn add(
        &mut self,
        stream: TcpStream,
        account: Account,
        octets: Vec<u8>,
    ) -> io::Result<()> {
        let entry = self.conversations.vacant_entry();
        let token = Token(entry.key());
        let conversation = entry.insert(Conversation::new(stream, account, octets));
        // Both, once and for all: the kernel tells when something changes.
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self
            .registry
            .register(&mut conversation.stream, token, interest);
        if registered.is_err() {
            self.conversations.remove(token.0);
        }
        registered
    }

    pub(crate) fn len(&self) -> usize {
        self.conversations.len()
    }

    /// Whether somebody can be served without waiting.
    pub(crate) fn has_work(&self) -> bool {
        !self.line.is_empty()
    }

    /// Takes note of what has happened on a connection.
    pub(crate) fn note(&mut self, event: &Event) {
        let number = event.token().0;
        let closing = event.is_read_closed() || event.is_error();
        if let Some(conversation) = self.conversations.get_mut(number) {
            conversation.note(event.is_readable(), closing);
            stand_in_line(&mut self.line, number, conversation);
        }
    }

    /// Every connection's account, under its number.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (usize, &Account)> {
        let conversations = self.conversations.iter();
        conversations.map(|(number, conversation)| (number, &conversation.account))
    }

    /// Closes a connection at once.
    pub(crate) fn cut(&mut self, number: usize) {
        let cut = self.conversations.try_remove(number);
        // Whoever gets its number may stand in line as well.
        if cut.is_some_and(|conversation| conversation.in_line) {
            self.line.retain(|&other| other != number);
        }
    }

    /// Has those end that `may` and to whom nothing more is said.
    pub(crate) fn end(&mut self, may: impl Fn(&Account) -> bool) {
        for (number, conversation) in &mut self.conversations {
            if may(&conversation.account) {
                conversation.end();
                stand_in_line(&mut self.line, number, conversation);
            }
        }
    }

    /// Serves everybody who stands in line once; `leave` takes those who go on elsewhere. Returns how many were closed.
    pub(crate) fn serve(&mut self, handler: &Handler, mut leave: impl FnMut(Leaving)) -> u64 {
        let mut line = mem::replace(&mut self.line, mem::take(&mut self.spare));
        let mut closed = 0;
        let mut ended = Vec::new();
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            rest = self.read_group(rest, &mut ended);
            self.answer_group(handler);
            self.send_group(&mut ended);
            for (number, end) in ended.drain(..) {
                match self.take_out(number, end) {
                    Some(leaving) => leave(leaving),
                    None => closed += 1,
                }
            }
        }
        line.clear();
        self.spare = line;
        closed
    }

    /// Reads from the first in line, and gives back the others.
    fn read_group<'l>(
        &mut self,
        mut line: &'l [usize],
        ended: &mut Vec<(usize, End)>,
    ) -> &'l [usize] {
        self.served.clear();
        let mut filled = 0;
        while let &[number, ref others @ ..] = line
            && self.served.len() < GROUP
            && ROOM - filled >= INPUT
        {
            line = others;
            let Some(conversation) = self.conversations.get_mut(number) else {
                continue;
            };
            conversation.in_line = false;
            match conversation.go_on(&mut self.input[filled..filled + INPUT]) {
                Has::Input(octets) => {
                    let input = filled..filled + octets;
                    filled = input.end;
                    let said = Said::default();
                    self.served.push(Served {
                        number,
                        input,
                        said,
                    });
                }
                Has::Nothing => {}
                Has::Ended(end) => ended.push((number, end)),
            }
        }
        line
    }

    /// Puts together what is said to each.
    fn answer_group(&mut self, handler: &Handler) {
        if self.served.is_empty() {
            return;
        }
        let begun = Instant::now();
        let moment = handler.moment();
        let Self {
            desk,
            input,
            served,
            ..
        } = self;
        let mut steps: [_; GROUP] = array::from_fn(|place| {
            let input = &input[served.get(place)?.input.clone()];
            Some(handler.understand(input, &moment, desk.head_limit, &mut desk.der))
        });
        fetch_ahead(steps.iter().flatten());
        desk.output.clear();
        let mut requests = 0;
        for (served, step) in served.iter_mut().zip(&mut steps) {
            if let Some(step) = step.take() {
                let conversation = &self.conversations[served.number];
                let input = &input[served.input.clone()];
                served.said = conversation.answer(input, step, &moment, handler, desk);
                requests += served.said.requests;
            }
        }
        if requests > 0 {
            let nanoseconds = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            handler.own_cells().took(nanoseconds, requests);
        }
    }

    fn send_group(&mut self, ended: &mut Vec<(usize, End)>) {
        for Served {
            number,
            input,
            said,
        } in &self.served
        {
            let conversation = &mut self.conversations[*number];
            let output = &self.desk.output[said.output.clone()];
            match conversation.send(&self.input[input.clone()], output, said) {
                Ok(true) => stand_in_line(&mut self.line, *number, conversation),
                Ok(false) => {}
                Err(_) => ended.push((*number, End::Gone)),
            }
        }
    }

    /// `None` if the connection is closed.
    fn take_out(&mut self, number: usize, end: End) -> Option<Leaving> {
        let Conversation {
            mut stream,
            account,
            ..
        } = self.conversations.remove(number);
        let octets = match end {
            End::Gone => return None,
            End::Finished => None,
            End::Other(octets) => Some(octets),
        };
        self.registry.deregister(&mut stream).ok()?;
        Some(Leaving {
            stream: stream.into(),
            account,
            octets,
        })
    }
}

fn stand_in_line(line: &mut Vec<usize>, number: usize, conversation: &mut Conversation) {
    if !conversation.in_line {
        conversation.in_line = true;
        line.push(number);
    }
}
