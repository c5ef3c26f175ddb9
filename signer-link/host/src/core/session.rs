//! One session with one signer: what was said, and what is not answered yet.

use std::collections::HashMap;

use wire::{Hello, Mode, Receipt, RequestId, SignedResult, Status};

use super::Caller;
use super::settings::Millis;
use super::view::AlarmKind;

/// What a request that is under way was for.
#[derive(Debug)]
pub(crate) enum Flight {
    /// An act; its id is the request's.
    Act,
    /// A caller's question, under the core's own id.
    Query {
        caller: Caller,
        id: RequestId,
    },
    /// A caller's question for the results of these ids; what the outbox knows is there already.
    Results {
        caller: Caller,
        id: RequestId,
        known: Vec<Option<SignedResult>>,
    },
    /// What became of acts whose answer was lost.
    Resolve {
        ids: Vec<RequestId>,
    },
    Ping {
        sent: Millis,
    },
    Log,
    Ack,
    Replicate {
        active: u8,
        last: u64,
    },
    /// Sent to this one too; the answer of another is what the caller gets.
    Unheard,
}

#[derive(Debug)]
pub(crate) struct Session {
    since: Millis,
    /// The promotion epoch in the host's Hello.
    pub(crate) said: u32,
    /// The signer's, if it fits.
    pub(crate) hello: Option<Hello>,
    /// As last said.
    pub(crate) mode: Mode,
    pub(crate) epoch: u32,
    /// Its last answer to Ping in this session.
    pub(crate) status: Option<Status>,
    pub(crate) flights: HashMap<RequestId, Flight>,
    /// The last record of its log that is known.
    pub(crate) head: u64,
    /// Why nothing is asked of it.
    pub(crate) fault: Option<(AlarmKind, String)>,
    pub(crate) ping_at: Millis,
    pub(crate) log_at: Millis,
    /// What is archived and not yet acknowledged.
    pub(crate) ack: Option<Receipt>,
    /// It was busy for something of this core's own.
    pub(crate) pause_until: Millis,
    /// When it last answered, or still had something to receive.
    pub(crate) alive_at: Millis,
}

impl Session {
    pub(crate) fn begin(said: u32, now: Millis) -> Self {
        Self {
            since: now,
            said,
            hello: None,
            mode: Mode::Sealed,
            epoch: 0,
            status: None,
            flights: HashMap::new(),
            head: 0,
            fault: None,
            ping_at: now,
            log_at: now,
            ack: None,
            pause_until: 0,
            alive_at: now,
        }
    }

    /// Whether the Hello came and fits.
    pub(crate) fn is_usable(&self) -> bool {
        self.hello.is_some() && self.fault.is_none()
    }

    /// Whether it is told the time: a signer that hears nothing locks itself in the end, and somebody must travel.
    pub(crate) fn is_pinged(&self) -> bool {
        self.hello.is_some()
            && matches!(
                self.fault,
                None | Some((AlarmKind::Chain | AlarmKind::LogOlder, _))
            )
    }

    pub(crate) fn has(&self, wanted: impl Fn(&Flight) -> bool) -> bool {
        self.flights.values().any(wanted)
    }

    /// When it counts as silent.
    pub(crate) fn silent_at(&self, silence: Millis) -> Option<Millis> {
        match self.hello {
            None if self.fault.is_some() => None,
            None => Some(self.since + silence),
            Some(_) if self.flights.is_empty() => None,
            Some(_) => Some(self.alive_at + silence),
        }
    }

    /// Takes where its log stands.
    pub(crate) fn knows_head(&mut self, head: u64) {
        self.head = self.head.max(head);
    }
}
