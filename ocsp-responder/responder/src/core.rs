//! One serving thread: its accept loop, its sweep over slow connections, its graceful end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use telemetry::Stopper;
use tokio::net::TcpStream;
use tokio::runtime::LocalOptions;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::LimitsConfig;
use crate::cells::{Cell as Counter, CoreCells};
use crate::connection::{Account, Accounted, Phase, Surroundings, Tick};
use crate::fast::{Conversation, End, Scratch};
use crate::handle::Handler;
use crate::response::closing;

const SWEEPS_PER_SECOND: u32 = 4;
const SWEEP: Duration = Duration::from_millis(1000 / SWEEPS_PER_SECOND as u64);
/// After an error of accept (out of files or memory), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a client may go on sending after our last answer.
const LINGER: Duration = Duration::from_secs(1);
/// While a thread ends, a connection without a request for so long (2 s) is ended. One that is busy gets its next answer with
/// `Connection: close` instead: if we closed it between two requests, the second could be on its way already.
const LAST_CHANCE: Tick = 2 * SWEEPS_PER_SECOND;
/// When all places are taken, one in so many is cleared at once.
const CLEARED: usize = 64;

/// Serves on one socket until the edge stops. Blocks its thread.
pub(crate) fn run(
    listener: TcpListener,
    handler: Handler,
    limits: Limits,
    stop: &Stopper,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let core = Rc::new(Core {
            around: Rc::default(),
            builder: builder(&limits),
            connections: RefCell::default(),
            handler,
            limits,
            room: Notify::new(),
            scratch: RefCell::new(Scratch::new()),
            stop: stop.clone(),
        });
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
    connections: RefCell<HashMap<u64, Connection>>,
    handler: Handler,
    limits: Limits,
    /// Told when a connection ends.
    room: Notify,
    scratch: RefCell<Scratch>,
    stop: Stopper,
}

struct Connection {
    abort: AbortHandle,
    account: Rc<Account>,
}

impl Core {
    async fn accept(self: &Rc<Self>, listener: &tokio::net::TcpListener) {
        let mut number = 0;
        loop {
            if self.connections.borrow().len() >= self.limits.connections {
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
            match self.stop.run_until_stopped(listener.accept()).await {
                None => return,
                Some(Ok((stream, _))) => {
                    number += 1;
                    self.serve(number, stream);
                }
                Some(Err(error)) => {
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
    fn accept_the_rest(self: &Rc<Self>, listener: &tokio::net::TcpListener) {
        let mut number = u64::MAX;
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        while let std::task::Poll::Ready(Ok((stream, _))) = listener.poll_accept(&mut context) {
            number -= 1;
            self.serve(number, stream);
        }
    }

    fn serve(self: &Rc<Self>, number: u64, stream: TcpStream) {
        self.cells().accepted.add(1);
        let account = Rc::new(Account::new(stream, Rc::clone(&self.around)));
        let guard = Ended {
            core: Rc::clone(self),
            number,
        };
        let served = Rc::clone(self).converse(Rc::clone(&account), guard);
        let abort = tokio::task::spawn_local(served).abort_handle();
        self.connections
            .borrow_mut()
            .insert(number, Connection { abort, account });
    }

    async fn converse(self: Rc<Self>, account: Rc<Account>, _guard: Ended) {
        let mut conversation = Conversation::new(
            &account,
            &self.handler,
            self.limits.header_octets,
            &self.scratch,
        );
        let end = poll_fn(|cx| {
            account.belongs_to(cx.waker());
            conversation.poll(cx)
        });
        match end.await {
            End::Gone => return,
            End::Finished => {}
            // Apart, so that a connection on the short way has no room for it.
            End::Other(octets) => {
                self.cells().long_way.add(1);
                Box::pin(self.converse_by_hyper(&account, octets)).await;
            }
        }
        // A client that goes on sending for longer may lose our last answer.
        let _ = tokio::time::timeout(LINGER, account.linger()).await;
    }

    /// Answers whatever comes on a connection; `octets` are what was read of it already.
    async fn converse_by_hyper(&self, account: &Rc<Account>, octets: Vec<u8>) {
        let service = service_fn(|request: Request<Incoming>| async move {
            let reply = self.handler.handle(request, account).await;
            account.answering();
            let is_last = account.is_last();
            Ok::<_, Infallible>(if is_last { closing(reply) } else { reply })
        });
        let io = TokioIo::new(Accounted::new(Rc::clone(account), octets));
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let mut ending = false;
        let ended = poll_fn(|cx| {
            if account.is_told_to_end() && !ending {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
            connection.as_mut().poll(cx)
        });
        if let Err(error) = ended.await {
            // The error may quote nothing of the request: only its kind is told (V13).
            tracing::debug!("connection ended: {}", kind(&error));
        }
    }

    /// Cuts whoever is too slow, and at the end tells those who have nothing to say.
    async fn sweep(self: Rc<Self>) {
        let mut interval = tokio::time::interval(SWEEP);
        loop {
            interval.tick().await;
            self.around.tick.set(self.around.tick.get().wrapping_add(1));
            for Connection { abort, account } in self.connections.borrow().values() {
                if let Some(counter) = self.overdue(account) {
                    counter.add(1);
                    abort.abort();
                } else if self.around.ending.get()
                    && matches!(account.phase(), Phase::Idle | Phase::New)
                    && account.age() >= LAST_CHANCE
                {
                    account.end();
                }
            }
            // Who waits for room may make some now.
            self.room.notify_one();
        }
    }

    fn overdue(&self, account: &Account) -> Option<&Counter> {
        let cells = self.cells();
        let (limit, counter) = match account.phase() {
            Phase::Idle => (self.limits.idle, &cells.cut_idle),
            Phase::New | Phase::Reading => (self.limits.request, &cells.cut_slow_request),
            Phase::Writing => (self.limits.write_stall, &cells.cut_slow_reader),
        };
        (account.age() > limit).then_some(counter)
    }

    /// All places are taken: connections that have waited longest for their clients give way, be it for a request or
    /// for a response to be taken.
    fn make_room(&self) {
        let connections = self.connections.borrow();
        let waiting = || {
            connections.values().filter(|Connection { account, .. }| {
                account.phase() != Phase::Writing || account.is_blocked()
            })
        };
        let Some(longest) = waiting().map(|waiting| waiting.account.age()).max() else {
            return;
        };
        if longest == 0 {
            return;
        }
        let places = self.limits.connections.div_ceil(CLEARED);
        let oldest = waiting().filter(|waiting| waiting.account.age() == longest);
        for connection in oldest.take(places) {
            self.cells().cut_crowded.add(1);
            connection.abort.abort();
        }
    }

    /// Lets open connections finish, then cuts them.
    async fn drain(&self) {
        let all_ended = async {
            while !self.connections.borrow().is_empty() {
                self.room.notified().await;
            }
        };
        if tokio::time::timeout(self.limits.drain, all_ended)
            .await
            .is_err()
        {
            let left = self.connections.borrow().len();
            tracing::warn!("{left} connections did not finish in time and are cut");
        }
    }

    fn cells(&self) -> &CoreCells {
        &self.handler.cells.cores[self.handler.core]
    }
}

/// Takes a connection off the list when its task ends, in whatever way.
struct Ended {
    core: Rc<Core>,
    number: u64,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.core.connections.borrow_mut().remove(&self.number);
        self.core.cells().closed.add(1);
        self.core.room.notify_one();
    }
}

/// Without `pipeline_flush`: with it hyper keeps its answer to a malformed head back for ever.
fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // Ours, from the one clock.
        .auto_date_header(false)
        // A client may close its sending side after its request and still wait for the answer.
        .half_close(true)
        .max_buf_size(limits.header_octets.max(8192))
        .max_header_size(limits.header_octets);
    builder
}

/// These concern the connection that was not accepted; the next one may be fine.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

fn kind(error: &hyper::Error) -> &'static str {
    if error.is_parse() {
        "not HTTP"
    } else if error.is_incomplete_message() {
        "cut off by the client"
    } else {
        "broken"
    }
}
