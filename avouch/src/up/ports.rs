//! Ports are chosen and held before anything starts, so that a busy one is told at once and by name.
//!
//! The held socket is bound and does not listen: the daemon binds the same port beside it (SO_REUSEADDR,
//! SO_REUSEPORT), and between a daemon's death and its next start nobody else can take the port.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use socket2::{Domain, Socket, Type};

use crate::outcome::Failure;

/// An address that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    address: SocketAddr,
    _socket: Socket,
}

impl Held {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://…/`, as a client on this machine reaches it.
    pub(crate) fn url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            let loopback: std::net::IpAddr = match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            address.set_ip(loopback);
        }
        format!("http://{address}/")
    }
}

/// Takes the address of an option; port 0 takes the preferred port if it is free, else any.
pub(crate) fn hold(option: &str, wanted: SocketAddr, preferred: Option<u16>) -> Result<Held> {
    if wanted.port() == 0
        && let Some(port) = preferred
        && let Ok(held) = take(SocketAddr::new(wanted.ip(), port))
    {
        return Ok(held);
    }
    let begun = Instant::now();
    loop {
        match take(wanted) {
            // A daemon of an `up` that was killed lets go of its port while it dies.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && begun.elapsed() < DYING => {
                thread::sleep(LOOK_AGAIN);
            }
            taken => return taken.map_err(|error| explain(option, wanted, &error).into()),
        }
    }
}

const DYING: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

fn take(wanted: SocketAddr) -> io::Result<Held> {
    // Fails when somebody listens there, which a socket with SO_REUSEPORT would not notice.
    let address = TcpListener::bind(wanted)?.local_addr()?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(Held {
        address,
        _socket: socket,
    })
}

fn explain(option: &str, wanted: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("{option} {wanted} cannot be used: {error}"));
    match error.kind() {
        io::ErrorKind::AddrInUse => failure.remedy(format!(
            "something else listens there (`ss -ltnp 'sport = :{}'` shows what); stop it, or choose another: {option} {}:0 picks a free port",
            wanted.port(),
            wanted.ip()
        )),
        io::ErrorKind::PermissionDenied => failure.remedy(format!(
            "ports below 1024 belong to root; allow it with `sysctl net.ipv4.ip_unprivileged_port_start={}`, or choose another",
            wanted.port()
        )),
        io::ErrorKind::AddrNotAvailable => {
            failure.remedy(format!("this machine has no address {}", wanted.ip()))
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn a_busy_port_names_the_option() {
        let busy = TcpListener::bind(ANY).unwrap();
        let address = busy.local_addr().unwrap();
        let error = hold("--listen", address, None).unwrap_err().to_string();
        assert!(
            error.contains("--listen") && error.contains(&address.port().to_string()),
            "{error}"
        );
    }

    #[test]
    fn a_daemon_can_listen_on_a_held_port_again_and_again() {
        let held = hold("--listen", ANY, None).unwrap();
        for _ in 0..2 {
            let daemon = TcpListener::bind(held.address()).unwrap();
            assert!(std::net::TcpStream::connect(held.address()).is_ok());
            drop(daemon);
        }
    }

    #[test]
    fn the_preferred_port_is_taken_when_free() {
        let port = hold("--listen", ANY, None).unwrap().address().port();
        assert_eq!(
            hold("--listen", ANY, Some(port)).unwrap().address().port(),
            port
        );
        let busy = TcpListener::bind(ANY).unwrap();
        let taken = busy.local_addr().unwrap().port();
        assert_ne!(
            hold("--listen", ANY, Some(taken)).unwrap().address().port(),
            taken
        );
    }

    #[test]
    fn everywhere_is_reached_by_loopback() {
        let held = hold("--listen", "0.0.0.0:0".parse().unwrap(), None).unwrap();
        assert_eq!(
            held.url(),
            format!("http://127.0.0.1:{}/", held.address().port())
        );
    }
}
