//! One answer at a time, for preparations.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::Context as _;

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self(BufReader::new(TcpStream::connect(address)?)))
    }

    /// The body of the response to an OCSP request.
    pub(crate) fn fetch(&mut self, question: &[u8]) -> anyhow::Result<Vec<u8>> {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: bench\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
            question.len()
        );
        self.0
            .get_mut()
            .write_all(&[head.as_bytes(), question].concat())?;
        let mut length = None;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = Some(value.trim().parse()?);
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length.context("the edge closed, or sent no length")?];
        self.0.read_exact(&mut body)?;
        Ok(body)
    }
}

/// The body of the response to one OCSP request.
pub(crate) fn fetch(address: SocketAddr, question: &[u8]) -> anyhow::Result<Vec<u8>> {
    Connection::open(address)?.fetch(question)
}
