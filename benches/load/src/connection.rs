//! One connection: what was sent on it and not answered yet, what is still to be written, what has arrived in part.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// A request that was sent and waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    /// Its number; everything about it follows from that.
    pub(crate) number: u64,
    /// When it was due, in nanoseconds since the start: latency counts from there.
    pub(crate) due: u64,
    /// When it was sent.
    pub(crate) sent: u64,
}

/// A connection, open or not.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(crate) pending: VecDeque<Pending>,
    /// Not to be opened before then: the last try failed.
    pub(crate) rests_until: u64,
    pub(crate) input: Vec<u8>,
    output: Vec<u8>,
    stream: Option<TcpStream>,
    writable: bool,
}

/// What a read has brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// So many octets, and perhaps more.
    Data(usize),
    /// Nothing for now.
    Nothing,
    /// The server has closed.
    End,
}

impl Connection {
    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Begins to connect. Requests may be queued at once.
    pub(crate) fn open(
        &mut self,
        address: SocketAddr,
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        // Small requests must not wait for one another's acknowledgement.
        stream.set_nodelay(true)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.stream = Some(stream);
        self.writable = false;
        Ok(())
    }

    /// Takes note that it can be written to; the error if it could not be connected. Only the first time costs
    /// anything: afterwards the kernel says it again with every answer that comes.
    pub(crate) fn becomes_writable(&mut self) -> io::Result<()> {
        if self.writable {
            return Ok(());
        }
        if let Some(stream) = &self.stream {
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
            stream.peer_addr()?;
            self.writable = true;
        }
        Ok(())
    }

    /// Whether it was ever writable: before that an error means that there was no connection.
    pub(crate) fn was_connected(&self) -> bool {
        self.writable || self.stream.is_none()
    }

    /// Where the next request is to be written, before [`Connection::flush`].
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Writes as much as the kernel takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = self.stream.as_mut().filter(|_| self.writable) else {
            return Ok(());
        };
        while !self.output.is_empty() {
            match stream.write(&self.output) {
                Ok(written) if written == self.output.len() => self.output.clear(),
                Ok(written) => {
                    self.output.drain(..written);
                }
                // The next event says when there is room again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Arrived> {
        let Some(stream) = &mut self.stream else {
            return Ok(Arrived::Nothing);
        };
        match stream.read(buffer) {
            Ok(0) => Ok(Arrived::End),
            Ok(read) => Ok(Arrived::Data(read)),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(Arrived::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    /// Closes, and forgets what was half sent or half arrived.
    pub(crate) fn close(&mut self) {
        self.stream = None;
        self.writable = false;
        self.input.clear();
        self.output.clear();
    }
}
