//! An epoll loop that answers every request with the same octets: what the kernel alone costs.
//!
//! It looks for the end of a request and nothing else, and writes a response that was put together at the start. No
//! server can be faster with one read and one write a request.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: constant-epoll PORT FILE";
    let port: u16 = arguments.next().context(usage)?.parse()?;
    let body = std::fs::read(arguments.next().context(usage)?)?;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    serve(port, &[head.as_bytes(), &body].concat())
}

fn serve(port: u16, response: &[u8]) -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut connections: HashMap<Token, TcpStream> = HashMap::new();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 64 * 1024];
    let mut output = Vec::new();
    let mut next = 1;
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut connections, &mut next)?;
                continue;
            }
            let Some(stream) = connections.get_mut(&event.token()) else {
                continue;
            };
            if answer(
                stream,
                &mut buffer,
                &mut output,
                response,
                event.is_read_closed(),
            )
            .is_err()
            {
                connections.remove(&event.token());
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    connections: &mut HashMap<Token, TcpStream>,
    next: &mut usize,
) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nodelay(true)?;
                let token = Token(*next);
                *next += 1;
                poll.registry()
                    .register(&mut stream, token, Interest::READABLE)?;
                connections.insert(token, stream);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Answers everything that one read brings. Requests of a bench arrive whole, and answers fit the socket's buffer.
fn answer(
    stream: &mut TcpStream,
    buffer: &mut [u8],
    output: &mut Vec<u8>,
    response: &[u8],
    closed: bool,
) -> io::Result<()> {
    let read = match stream.read(buffer) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        read => read?,
    };
    let mut rest = &buffer[..read];
    output.clear();
    while let Some(head) = memmem::find(rest, b"\r\n\r\n") {
        output.extend_from_slice(response);
        let body = body_length(&rest[..head]);
        rest = rest.get(head + 4 + body..).unwrap_or_default();
    }
    stream.write_all(output)?;
    if closed {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// The client's spelling of Content-Length is known here.
fn body_length(head: &[u8]) -> usize {
    let name = b"Content-Length: ";
    let Some(at) = memmem::find(head, name) else {
        return 0;
    };
    head[at + name.len()..]
        .iter()
        .take_while(|digit| digit.is_ascii_digit())
        .fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}
