//! As little HTTP as it takes to tell a whole answer from one that was cut off by a kill.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
const API_PATIENCE: Duration = Duration::from_secs(60);

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Asks by OCSP; `None` when nobody listens or the answer was cut off: that is how a killed server looks.
pub fn post_ocsp(address: &str, request: &[u8]) -> Option<Answer> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/ocsp-request\r\n\
         Content-Length: {}\r\n\r\n",
        request.len()
    );
    exchange(address, &[head.as_bytes(), request].concat())
}

/// Asks with GET; `None` as above.
pub fn get(address: &str, path: &str) -> Option<Answer> {
    exchange(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

/// Asks the issuer's API for something, with JSON or without; `None` as above. Waits longer than the issuer does for the
/// signer.
pub fn api(
    address: &str,
    token: &str,
    method: &str,
    path: &str,
    body: Option<&serde_json::Value>,
) -> Option<Answer> {
    let body = body.map(ToString::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange_within(address, request.as_bytes(), API_PATIENCE)
}

fn exchange(address: &str, request: &[u8]) -> Option<Answer> {
    exchange_within(address, request, PATIENCE)
}

fn exchange_within(address: &str, request: &[u8], patience: Duration) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.write_all(request).ok()?;
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets).ok()?;
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&octets[..end]).to_ascii_lowercase();
    let body = octets.split_off(end + 4);
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))?
        .trim()
        .parse::<usize>()
        .ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    (body.len() == length).then_some(Answer { status, body })
}
