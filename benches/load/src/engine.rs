//! The event loop.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Token};
use pki::Serial;
use synthetic::{in_share, mix};

use crate::ask::{self, Ask};
use crate::connection::{Arrived, Connection, Pending};
use crate::pace::Pacer;
use crate::reply::{self, Reply};
use crate::sample::Reservoir;
use crate::tally::{Failure, Tally};
use crate::{Length, Methods, Nonces, Pace, Plan, Report};

/// What a run tells while it goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phase {
    /// From now on everything counts.
    Begins,
    /// A moment in between, some times a second.
    Goes {
        /// How much of the run is done, 0 to 1.
        done: f64,
        /// Good answers so far.
        answered: u64,
        /// Failures so far.
        failed: u64,
    },
    /// From now on nothing counts but failures of requests that are still out.
    Ends,
}

/// Is told about a run, and may break it off: what has been counted until then counts.
pub type Tell<'a> = dyn FnMut(Phase) -> ControlFlow<()> + 'a;

/// Runs a plan. `tell` is called at the beginning and the end of what counts, and some times a second in between.
pub fn run(plan: &Plan, tell: &mut Tell<'_>) -> io::Result<Report> {
    let mut engine = Engine::new(plan)?;
    engine.go(tell)?;
    Ok(engine.report())
}

const TICK: u64 = 50_000_000;
/// After a failed try to connect.
const REST: u64 = 100_000_000;
const READ_AT_ONCE: usize = 64 * 1024;

struct Engine<'a> {
    plan: &'a Plan,
    poll: Poll,
    start: Instant,
    stage: Stage,
    broken_off: bool,
    connections: Vec<Connection>,
    /// Where the search for a free connection goes on.
    turn: usize,
    ask: Ask,
    pacer: Pacer,
    /// How many requests there were.
    asked: u64,
    /// Requests whose connection was closed with notice.
    again: VecDeque<Pending>,
    tally: Tally,
    reservoir: Reservoir,
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    WarmingUp,
    Measuring { since: u64 },
    Draining { since: u64, until: u64 },
}

impl<'a> Engine<'a> {
    fn new(plan: &'a Plan) -> io::Result<Self> {
        let connections = (0..plan.connections.max(1))
            .map(|_| Connection::default())
            .collect();
        Ok(Self {
            plan,
            poll: Poll::new()?,
            start: Instant::now(),
            stage: Stage::WarmingUp,
            broken_off: false,
            connections,
            turn: 0,
            ask: Ask::new(&plan.host, &plan.path, &plan.ca, plan.hash, plan.keep_alive),
            pacer: Pacer::new(plan.pace),
            asked: 0,
            again: VecDeque::new(),
            tally: Tally::new(),
            reservoir: Reservoir::new(plan.samples),
            buffer: vec![0; READ_AT_ONCE],
        })
    }

    fn go(&mut self, tell: &mut Tell<'_>) -> io::Result<()> {
        let mut events = Events::with_capacity(self.connections.len().clamp(64, 4096));
        let mut next_tick = 0;
        loop {
            let now = self.now();
            if self.advance(now, tell) {
                return Ok(());
            }
            if now >= next_tick {
                next_tick = now + TICK;
                self.tick(now, tell);
            }
            if matches!(self.plan.pace, Pace::Open(_)) {
                self.ask_what_is_due(now);
            }
            match self.poll.poll(&mut events, Some(self.pacer.sleep(now))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                self.handle(event);
            }
        }
    }

    /// Goes to the next stage when it is time; whether all is over.
    fn advance(&mut self, now: u64, tell: &mut Tell<'_>) -> bool {
        match self.stage {
            Stage::WarmingUp if now >= nanoseconds(self.plan.warm_up) => {
                self.tally = Tally::new();
                self.reservoir = Reservoir::new(self.plan.samples);
                self.broken_off = tell(Phase::Begins).is_break();
                self.stage = Stage::Measuring { since: self.now() };
            }
            Stage::Measuring { since } if self.is_finished(now, since) => {
                // It has ended, whatever the answer.
                let _ = tell(Phase::Ends);
                self.stage = Stage::Draining { since, until: now };
            }
            Stage::Draining { until, .. } => {
                let idle = self
                    .connections
                    .iter()
                    .all(|connection| connection.pending.is_empty());
                return idle || now > until + nanoseconds(self.plan.timeout);
            }
            _ => {}
        }
        false
    }

    fn is_finished(&self, now: u64, since: u64) -> bool {
        if self.broken_off {
            return true;
        }
        match self.plan.length {
            Length::Time(length) => now >= since + nanoseconds(length),
            Length::Requests(count) => self.tally.answered + self.tally.failed() >= count,
        }
    }

    /// What needs no precision: time-outs, connections that rest, the progress bar.
    fn tick(&mut self, now: u64, tell: &mut Tell<'_>) {
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            let oldest = connection.pending.front();
            if oldest.is_some_and(|oldest| now > oldest.sent + nanoseconds(self.plan.timeout)) {
                self.lose(index, Failure::Timeout);
            }
            if self.plan.pace == Pace::Closed {
                self.feed(index, now);
            } else if self.plan.keep_alive && !self.is_draining() {
                self.ensure_open(index, now);
            }
        }
        if let Stage::Measuring { since } = self.stage {
            let answered = self.tally.answered;
            // Lossy: for a progress bar.
            let done = match self.plan.length {
                Length::Time(length) => (now - since) as f64 / nanoseconds(length) as f64,
                Length::Requests(count) => answered as f64 / count as f64,
            };
            let goes = Phase::Goes {
                done,
                answered,
                failed: self.tally.failed(),
            };
            self.broken_off |= tell(goes).is_break();
        }
    }

    fn ask_what_is_due(&mut self, now: u64) {
        let count = self.connections.len();
        let mut busy = 0;
        while busy < count {
            self.turn = (self.turn + 1) % count;
            if self.connections[self.turn].pending.len() >= self.depth() {
                busy += 1;
                continue;
            }
            match self.next_request(now) {
                None => return,
                Some(pending) => self.send(self.turn, pending, now),
            }
            busy = 0;
        }
    }

    /// Sends as many requests as the connection may have out.
    fn feed(&mut self, index: usize, now: u64) {
        while self.connections[index].pending.len() < self.depth()
            && now >= self.connections[index].rests_until
        {
            match self.next_request(now) {
                None => return,
                Some(pending) => self.send(index, pending, now),
            }
        }
    }

    fn next_request(&mut self, now: u64) -> Option<Pending> {
        if let Some(again) = self.again.pop_front() {
            return Some(Pending { sent: now, ..again });
        }
        let quota = match self.plan.length {
            Length::Requests(count) => count,
            Length::Time(_) => u64::MAX,
        };
        if self.is_draining() || self.asked >= quota {
            return None;
        }
        let due = self.pacer.take(now)?;
        self.asked += 1;
        Some(Pending {
            number: self.asked,
            due,
            sent: now,
        })
    }

    fn send(&mut self, index: usize, pending: Pending, now: u64) {
        self.connections[index].pending.push_back(pending);
        if !self.ensure_open(index, now) {
            return;
        }
        let serial = self.serial(pending.number);
        let nonce = self
            .has_nonce(pending.number)
            .then(|| ask::nonce(self.plan.seed, pending.number));
        let by_get = match self.plan.methods {
            Methods::Get => true,
            Methods::Post => false,
            Methods::Mix(share) => in_share(self.plan.seed ^ 1, pending.number, share),
        };
        let connection = &mut self.connections[index];
        if by_get {
            self.ask.get(connection.output(), &serial, nonce.as_ref());
        } else {
            self.ask.post(connection.output(), &serial, nonce.as_ref());
        }
        if connection.flush().is_err() {
            self.lose(index, Failure::Reset);
        }
    }

    /// Whether the connection is there, or on its way; if it cannot be made, its requests have failed.
    fn ensure_open(&mut self, index: usize, now: u64) -> bool {
        let connection = &mut self.connections[index];
        if connection.is_open() {
            return true;
        }
        if now < connection.rests_until {
            self.lose(index, Failure::CannotConnect);
            return false;
        }
        self.tally.connects += 1;
        match connection.open(self.plan.address, self.poll.registry(), Token(index)) {
            Ok(()) => true,
            Err(_) => {
                self.lose(index, Failure::CannotConnect);
                false
            }
        }
    }

    fn handle(&mut self, event: &Event) {
        let index = event.token().0;
        let connection = &mut self.connections[index];
        if event.is_writable() {
            let wrote = connection
                .becomes_writable()
                .and_then(|()| connection.flush());
            if wrote.is_err() {
                let failure = if connection.was_connected() {
                    Failure::Reset
                } else {
                    Failure::CannotConnect
                };
                return self.lose(index, failure);
            }
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(index, event.is_read_closed());
        }
    }

    /// Reads until there is nothing more. A read that does not fill the buffer has emptied the socket, so no second one
    /// is needed to learn that, unless the other side has closed.
    fn read(&mut self, index: usize, closed: bool) {
        loop {
            let mut buffer = std::mem::take(&mut self.buffer);
            let arrived = self.connections[index].read(&mut buffer);
            let now = self.now();
            let more = match arrived {
                Ok(Arrived::Data(length)) => {
                    self.take(index, &buffer[..length], now);
                    length == buffer.len() || closed
                }
                Ok(Arrived::Nothing) => false,
                Ok(Arrived::End) => {
                    self.lose(index, Failure::Closed);
                    false
                }
                Err(_) => {
                    let failure = if self.connections[index].was_connected() {
                        Failure::Reset
                    } else {
                        Failure::CannotConnect
                    };
                    self.lose(index, failure);
                    false
                }
            };
            self.buffer = buffer;
            if self.plan.pace == Pace::Closed {
                self.feed(index, now);
            }
            if !more {
                return;
            }
        }
    }

    /// Takes what has arrived: whole responses at once, the beginning of one is put by.
    fn take(&mut self, index: usize, arrived: &[u8], now: u64) {
        self.tally.octets += arrived.len() as u64;
        let mut kept = std::mem::take(&mut self.connections[index].input);
        let whole = if kept.is_empty() {
            arrived
        } else {
            kept.extend_from_slice(arrived);
            &kept
        };
        let mut at = 0;
        loop {
            match reply::find(&whole[at..]) {
                Ok(None) => break,
                Err(reply::NotHttp) => return self.lose(index, Failure::NotHttp),
                Ok(Some(reply)) => {
                    let body = &whole[at + reply.body..at + reply.end];
                    at += reply.end;
                    if !self.answered(index, &reply, body, now) {
                        return;
                    }
                }
            }
        }
        let rest = &whole[at..];
        if !rest.is_empty() {
            let rest = rest.to_vec();
            self.connections[index].input = rest;
        }
    }

    /// Counts a response; whether the connection goes on.
    fn answered(&mut self, index: usize, reply: &Reply, body: &[u8], now: u64) -> bool {
        let Some(pending) = self.connections[index].pending.pop_front() else {
            // Nobody has asked.
            self.lose(index, Failure::NotHttp);
            self.tally.failure(Failure::NotHttp);
            return false;
        };
        match self.judge(reply, body) {
            Err(failure) => self.tally.failure(failure),
            Ok(()) if self.is_draining() => {}
            Ok(()) => {
                let nonce = self.has_nonce(pending.number);
                self.tally.answer(now.saturating_sub(pending.due), nonce);
                if nonce {
                    let asked = ask::nonce(self.plan.seed, pending.number);
                    let echoed = memchr::memmem::find(body, &asked).is_some();
                    self.tally.echoed += u64::from(echoed);
                } else {
                    let (plan, number) = (self.plan, pending.number);
                    self.reservoir
                        .offer(body, || plan.subjects.choose(plan.seed ^ mix(number)));
                }
            }
        }
        if reply.close || !self.plan.keep_alive {
            self.close_politely(index);
            return false;
        }
        true
    }

    fn judge(&self, reply: &Reply, body: &[u8]) -> Result<(), Failure> {
        if reply.status != 200 {
            return Err(Failure::HttpStatus(reply.status));
        }
        if !self.plan.ocsp {
            return Ok(());
        }
        match reply::ocsp_status(body) {
            Some(0) => Ok(()),
            Some(status) => Err(Failure::OcspStatus(status)),
            None => Err(Failure::NotOcsp),
        }
    }

    /// The server has said that it answers nothing more here: what it has not answered is asked again elsewhere.
    fn close_politely(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        connection.close();
        self.tally.resent += connection.pending.len() as u64;
        self.again.extend(connection.pending.drain(..));
    }

    /// The connection has ended without notice: what was not answered has failed.
    fn lose(&mut self, index: usize, failure: Failure) {
        let now = self.now();
        let connection = &mut self.connections[index];
        connection.close();
        for _ in connection.pending.drain(..) {
            self.tally.failure(failure);
        }
        if failure == Failure::CannotConnect {
            connection.rests_until = now + REST;
        }
    }

    fn serial(&self, number: u64) -> Serial {
        self.plan.subjects.choose(self.plan.seed ^ mix(number))
    }

    fn has_nonce(&self, number: u64) -> bool {
        match self.plan.nonces {
            Nonces::Never => false,
            Nonces::Share(share) => in_share(self.plan.seed ^ 2, number, share),
        }
    }

    /// Requests that a connection may have out.
    fn depth(&self) -> usize {
        if self.plan.keep_alive {
            self.plan.pipelining.max(1)
        } else {
            1
        }
    }

    fn is_draining(&self) -> bool {
        matches!(self.stage, Stage::Draining { .. })
    }

    fn now(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }

    fn report(&self) -> Report {
        let (since, until) = match self.stage {
            Stage::Draining { since, until } => (since, until),
            _ => (0, 0),
        };
        // Lossy by nothing that anybody can measure.
        let seconds = (until - since) as f64 / 1e9;
        Report {
            seconds,
            answered: self.tally.answered,
            per_second: self.tally.answered as f64 / seconds.max(1e-9),
            octets: self.tally.octets,
            connects: self.tally.connects,
            resent: self.tally.resent,
            failed: self.tally.failed(),
            failures: self.tally.failures(),
            latency: self.tally.latency(),
            nonces: self.tally.nonces,
            echoed: self.tally.echoed,
            latency_with_nonce: self.tally.latency_with_nonce(),
            samples: self.reservoir.judge(&self.plan.ca, self.plan.hash),
        }
    }
}

/// Nanoseconds; five hundred years fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
