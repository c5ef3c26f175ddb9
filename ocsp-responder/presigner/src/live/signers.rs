//! The threads that sign for those who wait.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use live_link::Question;
use pki::Clock;
use pki::ocsp::response::ErrorStatus;

use super::answer::{NoAnswer, answer};
use super::endpoint::LiveMetrics;
use super::standing::Standings;

/// Questions that may wait for each thread. More would be late before they were looked at.
const WAITING: usize = 64;

/// Takes questions; clones share the threads, which end with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct Signers {
    queue: SyncSender<Question>,
    metrics: LiveMetrics,
}

/// What every thread works with.
#[derive(Debug)]
struct Desk {
    standings: Arc<Standings>,
    clock: Arc<dyn Clock>,
    metrics: LiveMetrics,
}

impl Signers {
    /// Starts the threads; 0 is one for every four cores.
    pub(crate) fn start(
        threads: usize,
        standings: Arc<Standings>,
        clock: Arc<dyn Clock>,
        metrics: LiveMetrics,
    ) -> std::io::Result<Self> {
        let threads = match threads {
            0 => thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(4)),
            threads => threads,
        };
        let (queue, questions) = sync_channel(WAITING * threads);
        let questions = Arc::new(Mutex::new(questions));
        for number in 0..threads {
            let questions = Arc::clone(&questions);
            let desk = Desk {
                standings: Arc::clone(&standings),
                clock: Arc::clone(&clock),
                metrics: metrics.clone(),
            };
            thread::Builder::new()
                .name(format!("live-{number}"))
                .spawn(move || desk.work(&questions))?;
        }
        Ok(Self { queue, metrics })
    }

    /// Has a question answered, or turned away at once when too many wait.
    pub(crate) fn put(&self, question: Question) {
        if self.queue.try_send(question).is_err() {
            self.metrics.count("busy");
        }
    }
}

impl Desk {
    fn work(&self, questions: &Mutex<Receiver<Question>>) {
        loop {
            let next = questions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            match next {
                Ok(question) => self.answer(question),
                Err(_) => return,
            }
        }
    }

    fn answer(&self, question: Question) {
        if question.until <= Instant::now() {
            return self.metrics.count("late");
        }
        let result = answer(&self.standings, &question.request, self.clock.now());
        self.metrics.count(match &result {
            Ok(_) => "answered",
            Err(NoAnswer::NotNow) => "not_now",
            Err(NoAnswer::Error(ErrorStatus::MalformedRequest)) => "malformed",
            Err(NoAnswer::Error(ErrorStatus::TryLater)) => "try_later",
            Err(NoAnswer::Error(_)) => "unauthorized",
        });
        match result {
            Ok(response) => question.reply.send(response),
            Err(NoAnswer::Error(status)) => question.reply.send(status.der().to_vec()),
            Err(NoAnswer::NotNow) => drop(question),
        }
    }
}
