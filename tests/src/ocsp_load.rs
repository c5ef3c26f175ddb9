//! Asking an edge about very many serial numbers over one connection, as a load generator would.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use pki::ocsp::{IssuerHashes, request};
use pki::{Certificate, HashAlgorithm, Serial};

/// One connection to the status listener, kept alive.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    hashes: IssuerHashes,
}

impl Connection {
    /// Connects to `url` to ask about certificates of `ca`.
    pub fn open(url: &str, ca: &Certificate, hash: HashAlgorithm) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/');
        let stream = TcpStream::connect(address).expect("the edge listens");
        Self {
            stream: BufReader::new(stream),
            hashes: IssuerHashes::of(hash, ca),
        }
    }

    /// The OCSP response for one serial number.
    pub fn ask(&mut self, serial: &Serial) -> Vec<u8> {
        let body = request::build(&self.hashes, std::slice::from_ref(serial), None);
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.stream
            .get_mut()
            .write_all(&[head.as_bytes(), &body].concat())
            .expect("the edge reads");
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("the edge answers");
            let line = line.trim_end().to_ascii_lowercase();
            assert!(
                !line.starts_with("http/1.1 ") || line.starts_with("http/1.1 200"),
                "{line}"
            );
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line.is_empty() {
                break;
            }
        }
        let mut response = vec![0; length];
        self.stream
            .read_exact(&mut response)
            .expect("the whole body");
        response
    }
}
