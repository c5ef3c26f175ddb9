//! Both directions of a connection, with buffers between, so that every wait for it may be broken off at any moment.

use std::future::pending;
use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};

/// Asked of the kernel at a time.
const READ: usize = 8 * 1024;

/// A stream and what is on its way through it.
#[derive(Debug)]
pub(crate) struct Pipe<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    /// What came and is not taken yet.
    pub(crate) received: BytesMut,
    unsent: BytesMut,
    flushed: bool,
}

/// What happened on a pipe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    /// More was received.
    Received,
    /// The other side sends nothing more.
    Ended,
}

impl<S: AsyncRead + AsyncWrite> Pipe<S> {
    pub(crate) fn new(stream: S) -> Self {
        let (reader, writer) = split(stream);
        Self {
            reader,
            writer,
            received: BytesMut::new(),
            unsent: BytesMut::new(),
            flushed: true,
        }
    }

    /// Where to append what is to be sent.
    pub(crate) fn outgoing(&mut self) -> &mut BytesMut {
        self.flushed = false;
        &mut self.unsent
    }

    /// How many octets wait to be sent.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Sends what there is to send and, if `reading`, receives. Dropped before its end, it has lost nothing.
    pub(crate) async fn event(&mut self, reading: bool) -> io::Result<Event> {
        loop {
            self.received.reserve(READ);
            tokio::select! {
                read = self.reader.read_buf(&mut self.received), if reading => {
                    return Ok(if read? == 0 { Event::Ended } else { Event::Received });
                }
                sent = send(&mut self.writer, &mut self.unsent), if !self.flushed => {
                    sent?;
                    self.flushed = true;
                }
                else => return pending().await,
            }
        }
    }
}

async fn send<S: AsyncWrite>(writer: &mut WriteHalf<S>, unsent: &mut BytesMut) -> io::Result<()> {
    while !unsent.is_empty() {
        if writer.write_buf(unsent).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    writer.flush().await
}
