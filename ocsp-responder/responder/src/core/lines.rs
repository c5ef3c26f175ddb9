//! Connections that have left the short way: a task each, for what hyper answers and for the end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mio::net::TcpStream;
use tokio::task::AbortHandle;

use super::{Core, Limits};
use crate::connection::Phase;
use crate::fast::Leaving;
use crate::line::{Accounted, Line};
use crate::response::closing;

/// How long a client may go on sending after our last answer.
const LINGER: Duration = Duration::from_secs(1);

/// A connection and its task.
pub(super) struct Tasked {
    pub(super) abort: AbortHandle,
    pub(super) line: Rc<Line>,
}

impl Core {
    /// A connection leaves the short way.
    pub(super) fn leave(self: &Rc<Self>, leaving: Leaving) {
        let Ok(stream) = tokio::net::TcpStream::from_std(leaving.stream) else {
            return self.closed(1);
        };
        let number = self.numbers.replace(self.numbers.get() + 1);
        let ended = Ended {
            core: Rc::clone(self),
            number,
            is_closed: true,
        };
        let line = Rc::new(Line::new(stream, leaving.account));
        let served = Rc::clone(self).end(Rc::clone(&line), leaving.octets, ended);
        let abort = tokio::task::spawn_local(served).abort_handle();
        let tasked = Tasked { abort, line };
        self.lines.borrow_mut().insert(number, tasked);
    }

    /// A connection from where it leaves the short way to its end, or to where it comes back.
    async fn end(self: Rc<Self>, line: Rc<Line>, octets: Option<Vec<u8>>, ended: Ended) {
        if let Some(octets) = octets {
            self.cells().long_way.add(1);
            line.writable().await;
            // Apart, so that a connection that only ends has no room for it.
            if let Some(rest) = Box::pin(self.converse_by_hyper(&line, octets)).await {
                return self.come_back(line, rest, ended);
            }
        }
        // A client that goes on sending for longer may lose our last answer.
        let _ = tokio::time::timeout(LINGER, line.linger()).await;
    }

    /// Answers what comes on a connection, until it ends or waits for its next request: then gives back the octets that
    /// were read of it. `octets` are what was read already.
    async fn converse_by_hyper(&self, line: &Rc<Line>, octets: Vec<u8>) -> Option<Vec<u8>> {
        let account = &line.account;
        let service = service_fn(|request: Request<Incoming>| {
            Box::pin(async move {
                let reply = self.handler.handle(request, account).await;
                account.answering();
                let is_last = account.is_last();
                Ok::<_, Infallible>(if is_last { closing(reply) } else { reply })
            })
        });
        let io = TokioIo::new(Accounted::new(Rc::clone(line), octets));
        let mut connection = self.builder.serve_connection(io, service);
        let mut ending = false;
        let mut waits = false;
        let ended = poll_fn(|cx| {
            line.belongs_to(cx.waker());
            if account.is_told_to_end() && !ending {
                ending = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            let polled = connection.poll_without_shutdown(cx);
            if polled.is_ready() || ending || account.phase() != Phase::Idle {
                return polled;
            }
            // Everything is said, so hyper lets go at once.
            Pin::new(&mut connection).graceful_shutdown();
            let polled = connection.poll_without_shutdown(cx);
            waits = polled.is_ready();
            polled
        });
        match ended.await {
            Ok(()) if waits => {
                let parts = connection.into_parts();
                Some(parts.io.into_inner().rest_after(parts.read_buf.into()))
            }
            Ok(()) => None,
            Err(error) => {
                // The error may quote nothing of the request: only its kind is told (V13).
                tracing::debug!("connection ended: {}", kind(&error));
                None
            }
        }
    }

    /// A connection comes back to the short way, with what was read of its next request.
    fn come_back(&self, line: Rc<Line>, octets: Vec<u8>, ended: Ended) {
        self.lines.borrow_mut().remove(&ended.number);
        // Nobody else has it now. If the kernel does not let go of it, it is closed.
        let Some(Ok((stream, account))) = Rc::into_inner(line).map(Line::into_parts) else {
            return;
        };
        let back = self
            .short_way
            .borrow_mut()
            .add(TcpStream::from_std(stream), account, octets);
        if back.is_ok() {
            ended.lives_on();
        }
    }
}

/// Takes a connection off the list when its task ends, in whatever way.
struct Ended {
    core: Rc<Core>,
    number: u64,
    is_closed: bool,
}

impl Ended {
    /// The task ends without the connection.
    fn lives_on(mut self) {
        self.is_closed = false;
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.core.lines.borrow_mut().remove(&self.number);
        if self.is_closed {
            self.core.closed(1);
        }
    }
}

/// Without `pipeline_flush`: with it hyper keeps its answer to a malformed head back for ever.
pub(super) fn builder(limits: &Limits) -> http1::Builder {
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

fn kind(error: &hyper::Error) -> &'static str {
    if error.is_parse() {
        "not HTTP"
    } else if error.is_incomplete_message() {
        "cut off by the client"
    } else {
        "broken"
    }
}
