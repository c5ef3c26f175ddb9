//! What a thread knows about each connection, so that slow and idle clients can be cut.
//!
//! A timer per request would cost more than answering it; instead the connection keeps a coarse account of what it is
//! doing and since when, and a sweep looks at all of them a few times a second.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

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

/// One connection and the account of it.
#[derive(Debug)]
pub(crate) struct Account {
    around: Rc<Surroundings>,
    phase: Cell<Phase>,
    since: Cell<Tick>,
    /// The client does not take what we send.
    blocked: Cell<bool>,
    told_to_end: Cell<bool>,
    /// Wakes the connection's task.
    waker: OnceCell<Waker>,
    /// Never borrowed longer than one call.
    stream: RefCell<TcpStream>,
}

impl Account {
    pub(crate) fn new(stream: TcpStream, around: Rc<Surroundings>) -> Self {
        let since = Cell::new(around.tick.get());
        Self {
            around,
            phase: Cell::new(Phase::New),
            since,
            blocked: Cell::new(false),
            told_to_end: Cell::new(false),
            waker: OnceCell::new(),
            stream: RefCell::new(stream),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether it waits for the client to take what is sent.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// The client's network; all clients whose address is not known are in one.
    pub(crate) fn network(&self) -> Network {
        let peer = self.stream.borrow().peer_addr();
        peer.map_or(Network::UNKNOWN, |peer| Network::of(peer.ip()))
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
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn is_told_to_end(&self) -> bool {
        self.told_to_end.get()
    }

    /// Remembers whom [`Account::end`] wakes: the one task of the connection.
    pub(crate) fn belongs_to(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    /// The beginning of a request is there.
    pub(crate) fn reading(&self) {
        self.enter(Phase::Reading);
    }

    /// The request is complete; its response follows.
    pub(crate) fn answering(&self) {
        self.enter(Phase::Writing);
    }

    /// Ends our side, then drops what the client still sends until it ends its side.
    ///
    /// Closing with octets unread would make the kernel send a reset, and the client might lose the answer before it.
    pub(crate) async fn linger(&self) {
        self.answering();
        let ended = poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx)).await;
        let mut dropped = [0; 4096];
        let mut open = ended.is_ok();
        while open {
            let mut buf = ReadBuf::new(&mut dropped);
            let read =
                poll_fn(|cx| Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, &mut buf))
                    .await;
            open = read.is_ok() && !buf.filled().is_empty();
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(self.around.tick.get());
    }

    fn read(&self, octets: usize) {
        if octets > 0 && matches!(self.phase.get(), Phase::Idle | Phase::New) {
            self.enter(Phase::Reading);
        }
    }

    fn nothing_to_read(&self) {
        // The response is out and the next request has not begun.
        if self.phase.get() == Phase::Writing && !self.blocked.get() {
            self.enter(Phase::Idle);
        }
    }

    fn wrote(&self) {
        self.blocked.set(false);
        if self.phase.get() == Phase::Writing {
            self.since.set(self.around.tick.get());
        }
    }

    fn cannot_write(&self) {
        if !self.blocked.replace(true) {
            self.enter(Phase::Writing);
        }
    }

    fn note_write(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(_) => self.wrote(),
            Poll::Pending => self.cannot_write(),
        }
        result
    }

    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buf);
        match result {
            Poll::Ready(_) => self.read(buf.filled().len() - before),
            Poll::Pending => self.nothing_to_read(),
        }
        result
    }

    pub(crate) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, octets);
        self.note_write(result)
    }
}

/// The connection's socket, as hyper uses it, with what was read of it before.
#[derive(Debug)]
pub(crate) struct Accounted {
    account: Rc<Account>,
    ahead: Vec<u8>,
    taken: usize,
}

impl Accounted {
    /// Reads `ahead` first, then what comes.
    pub(crate) fn new(account: Rc<Account>, ahead: Vec<u8>) -> Self {
        Self {
            account,
            ahead,
            taken: 0,
        }
    }
}

impl AsyncRead for Accounted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return self.account.poll_read(cx, buf);
        }
        let rest = &self.ahead[self.taken..];
        let octets = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..octets]);
        self.taken += octets;
        if self.taken == self.ahead.len() {
            self.ahead = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Accounted {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.account.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let account = &self.account;
        let result = Pin::new(&mut *account.stream.borrow_mut()).poll_write_vectored(cx, bufs);
        account.note_write(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.account.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.account.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.account.stream.borrow_mut()).poll_shutdown(cx)
    }
}
