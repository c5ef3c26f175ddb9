//! HTTP as it goes over the wire, so that a test sends exactly what it says.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A response, read to the end of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn max_age(&self) -> i64 {
        let control = self.header("cache-control");
        let digits = control
            .strip_prefix("max-age=")
            .unwrap_or_else(|| panic!("{control}"));
        digits.split(',').next().unwrap().parse().unwrap()
    }
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    pub(crate) fn request(&mut self, method: &str, target: &str, more: &str, body: &[u8]) -> Reply {
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: edge\r\n{length}{more}\r\n");
        self.send(&[head.as_bytes(), body].concat());
        self.reply(method == "HEAD").expect("a response")
    }

    /// Everything that still comes before the connection ends, in whatever way.
    pub(crate) fn rest(mut self) -> Vec<u8> {
        let _ = self.stream.read_to_end(&mut self.buffer);
        self.buffer
    }

    /// The next response; `None` if the connection ended cleanly before it.
    pub(crate) fn reply(&mut self, to_head: bool) -> Option<Reply> {
        let end = loop {
            if let Some(end) = self
                .buffer
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break end + 4;
            }
            if self.fill() == 0 {
                assert!(
                    self.buffer.is_empty(),
                    "cut off in a head: {:?}",
                    String::from_utf8_lossy(&self.buffer)
                );
                return None;
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap()[9..12].parse().unwrap();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length = match headers.get("content-length") {
            _ if to_head || status == 304 => 0,
            Some(length) => length.parse().unwrap(),
            None => panic!("no content-length: {head}"),
        };
        while self.buffer.len() < length {
            assert_ne!(self.fill(), 0, "cut off in a body");
        }
        let body = self.buffer.drain(..length).collect();
        Some(Reply {
            status,
            headers,
            body,
        })
    }

    /// Whether the server closes without saying anything more.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && self.fill() == 0
    }

    fn fill(&mut self) -> usize {
        let mut octets = [0; 65536];
        let read = match self.stream.read(&mut octets) {
            Ok(read) => read,
            // Closed while we were still sending.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error}"),
        };
        self.buffer.extend_from_slice(&octets[..read]);
        read
    }
}

/// Standard base64 with padding, nothing escaped.
pub(crate) fn base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}
