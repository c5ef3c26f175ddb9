//! One serving thread: its accept loop, its connections, its sweep over the slow ones, its graceful end.
//!
//! Connections begin on the short way. All of them are one task: the runtime waits for the poll in which they are, as it
//! waits for a socket. Those that leave the short way become a task each.

mod lines;
mod sweep;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hyper::server::conn::http1;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Poll, Token};
use telemetry::Stopper;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::LocalOptions;
use tokio::sync::Notify;

use crate::LimitsConfig;
use crate::cells::CoreCells;
use crate::connection::{Account, Surroundings, Tick};
use crate::fast::ShortWay;
use crate::handle::Handler;

use lines::{Tasked, builder};

const SWEEPS_PER_SECOND: u32 = 4;
/// After an error of accept (out of files or memory), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections on the short way have the other numbers.
const LISTENER: Token = Token(usize::MAX);
/// Events that are taken from the poll at once.
const EVENTS: usize = 1024;

/// Serves on one socket until the edge stops. Blocks its thread.
pub(crate) fn run(
    listener: std::net::TcpListener,
    handler: Handler,
    limits: Limits,
    stop: &Stopper,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let poll = Poll::new()?;
        let mut listener = TcpListener::from_std(listener);
        poll.registry()
            .register(&mut listener, LISTENER, mio::Interest::READABLE)?;
        let core = Rc::new(Core {
            around: Rc::default(),
            builder: builder(&limits),
            callers: Notify::new(),
            lines: RefCell::default(),
            numbers: Cell::default(),
            short_way: RefCell::new(ShortWay::new(
                poll.registry().try_clone()?,
                limits.header_octets,
            )),
            handler,
            limits,
            room: Notify::new(),
            stop: stop.clone(),
        });
        #[expect(
            deprecated,
            reason = "the others ask for unsafe; nobody else has this file descriptor or closes it"
        )]
        let poll = AsyncFd::with_interest(poll, Interest::READABLE)?;
        tokio::task::spawn_local(Rc::clone(&core).converse(poll));
        tokio::task::spawn_local(Rc::clone(&core).sweep());
        core.accept(&listener).await;
        core.around.ending.set(true);
        core.accept_the_rest(&listener);
        // From here on the kernel refuses new connections.
        drop(listener);
        core.drain().await;
        Ok(())
    })
}

/// The limits of one thread.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    connections: usize,
    drain: Duration,
    header_octets: usize,
    idle: Tick,
    request: Tick,
    write_stall: Tick,
}

impl Limits {
    /// An even share of the edge's limits.
    pub(crate) fn share(limits: &LimitsConfig, cores: usize, room: u64) -> Self {
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let ticks = |seconds: u64| {
            Tick::try_from(seconds)
                .unwrap_or(Tick::MAX)
                .saturating_mul(SWEEPS_PER_SECOND)
        };
        Self {
            connections: limits.connections.min(room).div_ceil(cores).max(1),
            drain: limits.drain(),
            header_octets: limits.header_octets,
            idle: ticks(limits.idle_seconds),
            request: ticks(limits.request_seconds),
            write_stall: ticks(limits.write_stall_seconds),
        }
    }
}

struct Core {
    around: Rc<Surroundings>,
    builder: http1::Builder,
    /// Told when somebody connects.
    callers: Notify,
    /// Connections that have left the short way.
    lines: RefCell<HashMap<u64, Tasked>>,
    numbers: Cell<u64>,
    short_way: RefCell<ShortWay>,
    handler: Handler,
    limits: Limits,
    /// Told when a connection ends.
    room: Notify,
    stop: Stopper,
}

impl Core {
    async fn accept(&self, listener: &TcpListener) {
        while !self.stop.is_stopped() {
            if self.connections() >= self.limits.connections {
                self.make_room();
                if self
                    .stop
                    .run_until_stopped(self.room.notified())
                    .await
                    .is_none()
                {
                    return;
                }
                continue;
            }
            match listener.accept() {
                Ok((stream, client)) => {
                    self.serve(stream, client);
                    tokio::task::coop::consume_budget().await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let waiting = self.stop.run_until_stopped(self.callers.notified());
                    if waiting.await.is_none() {
                        return;
                    }
                }
                Err(error) => {
                    self.cells().accept_errors.add(1);
                    tracing::debug!("a connection could not be accepted: {error}");
                    if !is_about_one_connection(&error) {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    /// Who was connected by the kernel before the stop is still answered.
    fn accept_the_rest(&self, listener: &TcpListener) {
        while let Ok((stream, client)) = listener.accept() {
            self.serve(stream, client);
        }
    }

    fn serve(&self, stream: TcpStream, client: SocketAddr) {
        self.cells().accepted.add(1);
        let account = Account::new(client, Rc::clone(&self.around));
        let added = self.short_way.borrow_mut().add(stream, account, Vec::new());
        if let Err(error) = added {
            tracing::debug!("a connection cannot be served: {error}");
            self.closed(1);
        }
    }

    /// Serves all connections on the short way, whenever something has happened on any of them.
    async fn converse(self: Rc<Self>, mut poll: AsyncFd<Poll>) {
        let mut events = Events::with_capacity(EVENTS);
        let mut more = false;
        loop {
            if more {
                // Others of this thread have their turn first.
                tokio::task::yield_now().await;
            } else {
                match poll.readable_mut().await {
                    // Before looking: what happens from here on wakes again.
                    Ok(mut guard) => guard.clear_ready(),
                    // The runtime ends.
                    Err(_) => return,
                }
            }
            // The only error that it can have is a signal that came meanwhile.
            let polled = poll.get_mut().poll(&mut events, Some(Duration::ZERO));
            more = polled.is_err();
            let mut seen = 0;
            for event in &events {
                match event.token() {
                    LISTENER => self.callers.notify_one(),
                    _ => self.short_way.borrow_mut().note(event),
                }
                seen += 1;
            }
            self.go_on();
            more |= seen == EVENTS || self.short_way.borrow().has_work();
        }
    }

    /// Serves whoever stands in line on the short way.
    fn go_on(self: &Rc<Self>) {
        let mut short_way = self.short_way.borrow_mut();
        let closed = short_way.serve(&self.handler, |leaving| self.leave(leaving));
        drop(short_way);
        if closed > 0 {
            self.closed(closed);
        }
    }

    /// Lets open connections finish, then cuts them.
    async fn drain(&self) {
        let all_ended = async {
            while self.connections() > 0 {
                self.room.notified().await;
            }
        };
        if tokio::time::timeout(self.limits.drain, all_ended)
            .await
            .is_err()
        {
            let left = self.connections();
            tracing::warn!("{left} connections did not finish in time and are cut");
        }
    }

    fn connections(&self) -> usize {
        self.short_way.borrow().len() + self.lines.borrow().len()
    }

    fn closed(&self, connections: u64) {
        self.cells().closed.add(connections);
        self.room.notify_one();
    }

    fn cells(&self) -> &CoreCells {
        &self.handler.cells.cores[self.handler.core]
    }
}

/// These concern the connection that was not accepted; the next one may be fine.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
