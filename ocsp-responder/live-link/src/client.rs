//! The edge's half: asks, waits no longer than its deadline, and learns when asking is no use.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::breaker::{Breaker, Experience};
use crate::connection::Connection;
use crate::frame::MAX_QUESTION;

/// Asks a presigner, over a connection that it makes when one is needed.
#[derive(Debug)]
pub struct Client {
    socket: Arc<PathBuf>,
    deadline: Duration,
    breaker: Mutex<Breaker>,
    connection: Mutex<Option<Connection>>,
}

/// What came of a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// An OCSPResponse; nothing about it has been checked.
    Answered(Bytes),
    /// The presigner cannot be reached, or says that it cannot now.
    Away,
    /// It said nothing in time.
    Late,
}

impl Client {
    /// For the presigner that listens on `socket`. Nobody waits for longer than `deadline`.
    pub fn new(socket: PathBuf, deadline: Duration) -> Self {
        Self {
            socket: Arc::new(socket),
            deadline,
            breaker: Mutex::default(),
            connection: Mutex::default(),
        }
    }

    /// Asks for an answer to the octets of an OCSPRequest.
    pub async fn ask(&self, request: &[u8]) -> Outcome {
        if request.is_empty() || request.len() > MAX_QUESTION {
            return Outcome::Away;
        }
        let Some(leave) = Leave::of(self) else {
            return Outcome::Away;
        };
        let Some(mut place) = self.put(request) else {
            return Outcome::Away;
        };
        match tokio::time::timeout(self.deadline, &mut place.answer).await {
            Ok(Ok(response)) => {
                leave.note(Experience::Answered);
                if response.is_empty() {
                    Outcome::Away
                } else {
                    Outcome::Answered(response)
                }
            }
            Ok(Err(_)) => {
                leave.note(Experience::Gone);
                Outcome::Away
            }
            Err(_) => {
                leave.note(Experience::Late);
                Outcome::Late
            }
        }
    }

    /// Whether the presigner is taken for away, so that it is hardly asked.
    pub fn is_away(&self) -> bool {
        lock(&self.breaker).is_open()
    }

    /// Whether a question would be sent now, and not given up at once.
    pub fn would_ask(&self) -> bool {
        lock(&self.breaker).would_let_through(Instant::now())
    }

    /// Sends a question; none when too many wait already.
    fn put(&self, request: &[u8]) -> Option<crate::waiting::Place> {
        let mut connection = lock(&self.connection);
        let connection = match &mut *connection {
            Some(connection) if !connection.has_ended() => connection,
            none => none.insert(Connection::open(Arc::clone(&self.socket))),
        };
        connection.ask(self.deadline, request)
    }
}

/// Leave to ask one question; given back unused if the question is given up.
struct Leave<'a> {
    client: &'a Client,
    noted: Cell<bool>,
}

impl<'a> Leave<'a> {
    fn of(client: &'a Client) -> Option<Self> {
        let given = lock(&client.breaker).lets_through(Instant::now());
        given.then(|| Self {
            client,
            noted: Cell::new(false),
        })
    }

    fn note(&self, experience: Experience) {
        self.noted.set(true);
        let mut breaker = lock(&self.client.breaker);
        breaker.note(experience, Instant::now());
        if breaker.is_open() {
            // The next one tries on a new connection: this one may be stuck.
            lock(&self.client.connection).take();
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if !self.noted.get() {
            lock(&self.client.breaker).forget();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds a lock, so what a poisoned one guards is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
