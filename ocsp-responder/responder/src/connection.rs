//! What a thread knows about each connection, so that slow and idle clients can be cut.
//!
//! A timer per request would cost more than answering it; instead the connection keeps a coarse account of what it is
//! doing and since when, and a sweep looks at all of them a few times a second.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::fresh::Network;

/// Time in sweeps; only differences count.
pub(crate) type Tick = u32;

/// What all connections of a thread see.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) tick: Cell<Tick>,
    /// The thread is about to end: whatever is answered now is the last on its connection.
    pub(crate) ending: Cell<bool>,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Open, and nothing came yet.
    New,
    /// Between requests.
    Idle,
    /// A request has begun and is not complete.
    Reading,
    /// A response is on its way.
    Writing,
}

/// The account of one connection.
#[derive(Debug)]
pub(crate) struct Account {
    around: Rc<Surroundings>,
    network: Network,
    phase: Cell<Phase>,
    since: Cell<Tick>,
    /// The client does not take what we send.
    blocked: Cell<bool>,
    told_to_end: Cell<bool>,
}

impl Account {
    pub(crate) fn new(client: SocketAddr, around: Rc<Surroundings>) -> Self {
        let since = Cell::new(around.tick.get());
        Self {
            around,
            network: Network::of(client.ip()),
            phase: Cell::new(Phase::New),
            since,
            blocked: Cell::new(false),
            told_to_end: Cell::new(false),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether it waits for the client to take what is sent.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// The client's network.
    pub(crate) fn network(&self) -> Network {
        self.network
    }

    /// Sweeps since the phase began (or, while writing, since the client last took something).
    pub(crate) fn age(&self) -> Tick {
        self.around.tick.get().wrapping_sub(self.since.get())
    }

    /// Whether the next response is the last one, and says so.
    pub(crate) fn is_last(&self) -> bool {
        self.around.ending.get()
    }

    /// Tells a connection that waits for a request to end.
    pub(crate) fn end(&self) {
        self.told_to_end.set(true);
    }

    pub(crate) fn is_told_to_end(&self) -> bool {
        self.told_to_end.get()
    }

    /// The beginning of a request is there.
    pub(crate) fn reading(&self) {
        self.enter(Phase::Reading);
    }

    /// The request is complete; its response follows.
    pub(crate) fn answering(&self) {
        self.enter(Phase::Writing);
    }

    /// So many octets were read.
    pub(crate) fn read(&self, octets: usize) {
        if octets > 0 && matches!(self.phase.get(), Phase::Idle | Phase::New) {
            self.enter(Phase::Reading);
        }
    }

    pub(crate) fn nothing_to_read(&self) {
        // The response is out and the next request has not begun.
        if self.phase.get() == Phase::Writing && !self.blocked.get() {
            self.enter(Phase::Idle);
        }
    }

    /// The client took something.
    pub(crate) fn wrote(&self) {
        self.blocked.set(false);
        if self.phase.get() == Phase::Writing {
            self.since.set(self.around.tick.get());
        }
    }

    pub(crate) fn cannot_write(&self) {
        if !self.blocked.replace(true) {
            self.enter(Phase::Writing);
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(self.around.tick.get());
    }
}
