//! The listening sockets: one per core on one address, so that the kernel spreads the connections.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

const BACKLOG: i32 = 4096;
/// Files that are not connections: the publication, logs, the admin listener.
const OTHER_FILES: u64 = 128;

/// Binds `count` sockets to one address; port 0 becomes one free port for all. Those that a predecessor had there come
/// first, all of them: each may have connections waiting.
pub(crate) fn bind(
    address: SocketAddr,
    count: usize,
    inherited: Vec<TcpListener>,
) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::with_capacity(count);
    for listener in inherited {
        let bound = listener.local_addr()?;
        if bound == address || (address.port() == 0 && bound.ip() == address.ip()) {
            listeners.push(listener);
        }
    }
    if listeners.is_empty() {
        // Sockets that share a port do not notice a stranger who shares it too; this one does.
        new_socket(address)?.bind(&address.into())?;
        listeners.push(listener(address)?);
    }
    let bound = listeners[0].local_addr()?;
    while listeners.len() < count {
        listeners.push(listener(bound)?);
    }
    Ok(listeners)
}

fn new_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = new_socket(address)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // Connections inherit it: without it an answer may wait for an acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Raises the limit of open files as far as allowed; returns how many connections it leaves room for.
pub(crate) fn room_for_connections() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = rustix::process::Rlimit {
            current: limit.maximum,
            ..limit
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.current = limit.maximum,
            Err(error) => tracing::warn!("the limit of open files cannot be raised: {error}"),
        }
    }
    limit
        .current
        .map_or(u64::MAX, |files| files.saturating_sub(OTHER_FILES))
}
