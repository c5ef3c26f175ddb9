//! A connection that hyper serves, or that is about to end.

use std::cell::{OnceCell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::connection::Account;

/// A connection and the account of it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) account: Account,
    /// Wakes the connection's task.
    waker: OnceCell<Waker>,
    /// Never borrowed longer than one call.
    stream: RefCell<TcpStream>,
}

impl Line {
    pub(crate) fn new(stream: TcpStream, account: Account) -> Self {
        Self {
            account,
            waker: OnceCell::new(),
            stream: RefCell::new(stream),
        }
    }

    /// The connection without its task.
    pub(crate) fn into_parts(self) -> io::Result<(std::net::TcpStream, Account)> {
        Ok((self.stream.into_inner().into_std()?, self.account))
    }

    /// Tells a connection that waits for a request to end.
    pub(crate) fn end(&self) {
        self.account.end();
        if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Remembers whom [`Line::end`] wakes: the one task of the connection.
    pub(crate) fn belongs_to(&self, waker: &Waker) {
        self.waker.get_or_init(|| waker.clone());
    }

    /// Waits until something can be sent. tokio does not know that of a socket that is new to it, and hyper, when it
    /// refuses an upgrade, does not wait for it: the refusal would be lost.
    pub(crate) async fn writable(&self) {
        // An error shows again when something is sent.
        let _ = poll_fn(|cx| self.stream.borrow().poll_write_ready(cx)).await;
    }

    /// Ends our side, then drops what the client still sends until it ends its side.
    ///
    /// Closing with octets unread would make the kernel send a reset, and the client might lose the answer before it.
    pub(crate) async fn linger(&self) {
        self.account.answering();
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

    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buf);
        match result {
            Poll::Ready(_) => self.account.read(buf.filled().len() - before),
            Poll::Pending => self.account.nothing_to_read(),
        }
        result
    }

    fn note_write(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(_) => self.account.wrote(),
            Poll::Pending => self.account.cannot_write(),
        }
        result
    }
}

/// The connection's socket, as hyper uses it, with what was read of it before.
#[derive(Debug)]
pub(crate) struct Accounted {
    line: Rc<Line>,
    ahead: Vec<u8>,
    taken: usize,
}

impl Accounted {
    /// Reads `ahead` first, then what comes.
    pub(crate) fn new(line: Rc<Line>, ahead: Vec<u8>) -> Self {
        Self {
            line,
            ahead,
            taken: 0,
        }
    }

    /// What was read and not used, after `first`.
    pub(crate) fn rest_after(self, mut first: Vec<u8>) -> Vec<u8> {
        first.extend_from_slice(&self.ahead[self.taken..]);
        first
    }
}

impl AsyncRead for Accounted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return self.line.poll_read(cx, buf);
        }
        let rest = &self.ahead[self.taken..];
        let octets = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..octets]);
        self.taken += octets;
        if self.taken == self.ahead.len() {
            (self.ahead, self.taken) = (Vec::new(), 0);
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
        let result = Pin::new(&mut *self.line.stream.borrow_mut()).poll_write(cx, buf);
        self.line.note_write(result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let line = &self.line;
        let result = Pin::new(&mut *line.stream.borrow_mut()).poll_write_vectored(cx, bufs);
        line.note_write(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.line.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.line.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.line.stream.borrow_mut()).poll_shutdown(cx)
    }
}
