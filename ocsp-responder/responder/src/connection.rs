//! What a thread knows about each connection, so that slow and idle clients can be cut.
//!
//! A timer per request would cost more than answering it; instead the connection keeps a coarse account of what it is
//! doing and since when, and a sweep looks at all of them a few times a second.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Time in sweeps; only differences count.
pub(crate) type Tick = u32;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
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
    clock: Rc<Cell<Tick>>,
    phase: Cell<Phase>,
    since: Cell<Tick>,
    /// The client does not take what we send.
    blocked: Cell<bool>,
    /// Never borrowed longer than one call.
    stream: RefCell<TcpStream>,
}

impl Account {
    /// A new connection owes its first request.
    pub(crate) fn new(stream: TcpStream, clock: Rc<Cell<Tick>>) -> Self {
        let since = Cell::new(clock.get());
        Self {
            clock,
            phase: Cell::new(Phase::Reading),
            since,
            blocked: Cell::new(false),
            stream: RefCell::new(stream),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Sweeps since the phase began (or, while writing, since the client last took something).
    pub(crate) fn age(&self) -> Tick {
        self.clock.get().wrapping_sub(self.since.get())
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
        self.since.set(self.clock.get());
    }

    fn read(&self, octets: usize) {
        if octets > 0 && self.phase.get() == Phase::Idle {
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
            self.since.set(self.clock.get());
        }
    }

    fn cannot_write(&self) {
        if !self.blocked.replace(true) {
            self.enter(Phase::Writing);
        }
    }
}

/// The connection's socket, as hyper uses it.
#[derive(Debug)]
pub(crate) struct Accounted(pub(crate) Rc<Account>);

impl Accounted {
    fn note_write(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(_) => self.0.wrote(),
            Poll::Pending => self.0.cannot_write(),
        }
        result
    }
}

impl AsyncRead for Accounted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut *self.0.stream.borrow_mut()).poll_read(cx, buf);
        match result {
            Poll::Ready(_) => self.0.read(buf.filled().len() - before),
            Poll::Pending => self.0.nothing_to_read(),
        }
        result
    }
}

impl AsyncWrite for Accounted {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut *self.0.stream.borrow_mut()).poll_write(cx, buf);
        self.note_write(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut *self.0.stream.borrow_mut()).poll_write_vectored(cx, bufs);
        self.note_write(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.stream.borrow_mut()).poll_shutdown(cx)
    }
}
