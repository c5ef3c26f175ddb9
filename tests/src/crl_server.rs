//! A web server of a test's own that does with each path what it is told, good or bad.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What a path gives.
#[derive(Clone, Debug)]
pub enum Gives {
    /// 200 with these octets, a strong ETag of them, and 304 to who has it.
    Octets(Vec<u8>),
    /// 200 and a web page.
    Html,
    /// 200 with fewer octets than announced.
    Truncated(Vec<u8>),
    /// 200 with a length beyond every bound.
    Enormous,
    /// 302 to itself.
    Loop,
    /// 302 to another path.
    Redirect(String),
    /// The head never ends.
    Silence,
    /// This status.
    Status(u16),
}

/// A running server; it ends with its last handle.
#[derive(Debug)]
pub struct CrlServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    paths: Mutex<BTreeMap<String, Gives>>,
    /// By path and status code.
    answered: Mutex<BTreeMap<(String, u16), u64>>,
    stopped: Mutex<bool>,
    /// Connections that are kept in silence.
    kept: Mutex<Vec<TcpStream>>,
}

impl CrlServer {
    /// Starts on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if *lock(&serving.stopped) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&serving)) else {
                    continue;
                };
                // A client that goes away in the middle is what some of these tests are about.
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        Self { address, shared }
    }

    /// The URL of a path, such as `/ca.crl`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on `path` gives this.
    pub fn set(&self, path: &str, gives: Gives) {
        lock(&self.shared.paths).insert(path.to_owned(), gives);
    }

    /// How often `path` was answered with a status.
    pub fn answered(&self, path: &str, status: u16) -> u64 {
        let answered = lock(&self.shared.answered);
        answered
            .get(&(path.to_owned(), status))
            .copied()
            .unwrap_or_default()
    }
}

impl Drop for CrlServer {
    fn drop(&mut self) {
        *lock(&self.shared.stopped) = true;
        lock(&self.shared.kept).clear();
        // Wakes the listener, which then ends and closes its port.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut request = String::new();
        reader.read_line(&mut request)?;
        let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
        let mut known = None;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("if-none-match")
            {
                known = Some(value.trim().to_owned());
            }
        }
        let gives = lock(&self.paths).get(&path).cloned();
        self.answer(stream, &path, gives.unwrap_or(Gives::Status(404)), known)
    }

    fn answer(
        &self,
        mut stream: TcpStream,
        path: &str,
        gives: Gives,
        known: Option<String>,
    ) -> std::io::Result<()> {
        let (status, head, body) = match gives {
            Gives::Octets(octets) => {
                let etag = format!("\"{}\"", hex_of(&octets));
                let head = format!("ETag: {etag}\r\n");
                if known.as_ref() == Some(&etag) {
                    (304, head, Vec::new())
                } else {
                    (
                        200,
                        format!("{head}Content-Length: {}\r\n", octets.len()),
                        octets,
                    )
                }
            }
            Gives::Html => {
                let page = b"<!doctype html><title>Parked</title>".to_vec();
                (200, format!("Content-Length: {}\r\n", page.len()), page)
            }
            Gives::Truncated(mut octets) => {
                let head = format!("Content-Length: {}\r\n", octets.len());
                octets.truncate(octets.len() / 2);
                (200, head, octets)
            }
            Gives::Enormous => (
                200,
                format!("Content-Length: {}\r\n", 1_u64 << 40),
                Vec::new(),
            ),
            Gives::Loop => (
                302,
                format!("Location: {path}\r\nContent-Length: 0\r\n"),
                Vec::new(),
            ),
            Gives::Redirect(to) => (
                302,
                format!("Location: {to}\r\nContent-Length: 0\r\n"),
                Vec::new(),
            ),
            Gives::Status(status) => (status, "Content-Length: 0\r\n".to_owned(), Vec::new()),
            Gives::Silence => {
                lock(&self.kept).push(stream);
                return Ok(());
            }
        };
        write!(
            stream,
            "HTTP/1.1 {status} \r\n{head}Connection: close\r\n\r\n"
        )?;
        stream.write_all(&body)?;
        *lock(&self.answered)
            .entry((path.to_owned(), status))
            .or_default() += 1;
        Ok(())
    }
}

/// Tells contents apart, as an ETag must.
fn hex_of(octets: &[u8]) -> String {
    pki::HashAlgorithm::Sha256
        .digest(octets)
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
