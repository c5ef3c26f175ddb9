//! The threads that sign.
//!
//! Work comes in jobs of at most [`JOB_ROWS`] certificates. An urgent job (a revocation, a new certificate) goes before
//! every other one, so it waits at most for the jobs that are being signed at that moment: some milliseconds.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use answers::Batch;
use aws_lc_rs::rand;
use keystore::{KeyError, Signatures};
use pki::ocsp::response::CertStatus;
use pki::{Clock, Serial};
use tokio::sync::oneshot;

use crate::responder::{HASHES, Responder};
use crate::schedule::Schedule;

/// Certificates that share a batch, and with it their times.
pub(crate) const JOB_ROWS: usize = 64;

/// Signs on all cores; dropping it waits for the jobs at work.
#[derive(Debug)]
pub struct SignPool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// After everything else.
    Background,
    /// Before everything else.
    Now,
}

/// A certificate and what is to be said about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its serial number.
    pub(crate) serial: Serial,
    /// Its status.
    pub(crate) status: CertStatus,
}

/// Signatures of one job.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    /// What they share.
    pub(crate) batch: Batch,
    /// The certificates, each with the number of its first signature.
    pub(crate) rows: Vec<(Row, usize)>,
    /// One per certificate and hash.
    signatures: Signatures,
}

impl Signed {
    /// The signatures of a certificate, one per hash, from the first one's number.
    pub(crate) fn signatures(&self, first: usize) -> [&[u8]; HASHES.len()] {
        // Empty never: a job has all its signatures, or none and is no success. An empty one would be refused by whoever
        // writes the set.
        std::array::from_fn(|slot| self.signatures.get(first + slot).unwrap_or_default())
    }

    /// Puts another signature in the place of this one.
    #[cfg(test)]
    pub(crate) fn spoil(&mut self, number: usize, other: &[u8]) {
        let old = std::mem::take(&mut self.signatures);
        for (index, signature) in (0..).map_while(|index| Some((index, old.get(index)?))) {
            let kept = index != number;
            self.signatures.push(if kept { signature } else { other });
        }
    }
}

/// Why a job was not signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    /// The responder certificate, or what is known about the issuer, has ended or is about to.
    #[error("the responder certificate, or the CRL that the statuses come from, has ended")]
    Ended,
    /// The key failed, or its signature did not verify.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The pool is being shut down.
    #[error("the presigner is stopping")]
    Stopping,
}

impl SignPool {
    /// Starts the threads; 0 is one per core.
    pub fn start(threads: usize, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let threads = match threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            clock,
        });
        let threads = (0..threads)
            .map(|number| {
                let shared = Arc::clone(&shared);
                let builder = thread::Builder::new().name(format!("sign-{number}"));
                builder.spawn(move || shared.work())
            })
            .collect::<std::io::Result<_>>()?;
        Ok(Self { shared, threads })
    }

    /// How many threads sign.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// How many certificates wait.
    pub(crate) fn queue_length(&self) -> usize {
        let queue = self.shared.lock();
        queue
            .urgent
            .iter()
            .chain(&queue.background)
            .map(|job| job.rows.len())
            .sum()
    }

    /// Has answers signed; the jobs' results come in the order of the rows. The future need not be polled for the work
    /// to go on.
    pub(crate) fn sign(
        &self,
        urgency: Urgency,
        responder: &Arc<Responder>,
        schedule: &Schedule,
        rows: &[Row],
    ) -> impl Future<Output = Vec<Result<Signed, SignError>>> + Send + 'static {
        let mut results = Vec::new();
        let mut queue = self.shared.lock();
        for rows in rows.chunks(JOB_ROWS) {
            let (done, result) = oneshot::channel();
            results.push(result);
            let job = Job {
                responder: Arc::clone(responder),
                schedule: schedule.clone(),
                rows: rows.to_vec(),
                done,
            };
            match urgency {
                Urgency::Now => queue.urgent.push_back(job),
                Urgency::Background => queue.background.push_back(job),
            }
        }
        drop(queue);
        self.shared.wake.notify_all();
        async move {
            let mut signed = Vec::with_capacity(results.len());
            for result in results {
                signed.push(result.await.unwrap_or(Err(SignError::Stopping)));
            }
            signed
        }
    }
}

impl Drop for SignPool {
    fn drop(&mut self) {
        {
            let mut queue = self.shared.lock();
            *queue = Queue {
                closed: true,
                ..Queue::default()
            };
        }
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A panic has aborted the daemon already; in a test it shows by itself.
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct Queue {
    urgent: VecDeque<Job>,
    background: VecDeque<Job>,
    closed: bool,
}

#[derive(Debug)]
struct Job {
    responder: Arc<Responder>,
    schedule: Schedule,
    rows: Vec<Row>,
    done: oneshot::Sender<Result<Signed, SignError>>,
}

impl Shared {
    fn work(&self) {
        while let Some(job) = self.next() {
            let result = self.sign(&job);
            // Nobody waits any more: the daemon is stopping.
            let _ = job.done.send(result);
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(job) = queue
                .urgent
                .pop_front()
                .or_else(|| queue.background.pop_front())
            {
                return Some(job);
            }
            // Unwrap safety: nothing panics while the lock is held.
            queue = self.wake.wait(queue).unwrap();
        }
    }

    fn sign(&self, job: &Job) -> Result<Signed, SignError> {
        let responder = &job.responder;
        let now = self.clock.now();
        let mut spread = [0; 2];
        rand::fill(&mut spread).map_err(|_| KeyError::Crypto("drawing a random number"))?;
        let ends = responder.certificate().not_after();
        let window = job
            .schedule
            .window(now, ends, u16::from_be_bytes(spread))
            .ok_or(SignError::Ended)?;
        let batch = Batch {
            this_update: now,
            next_update: window.next_update,
            refresh_at: window.refresh_at,
            responder: Some(responder.certificate().clone()),
            signature_algorithm: responder.algorithm(),
        };
        let mut data = Vec::with_capacity(HASHES.len() * job.rows.len());
        for row in &job.rows {
            for template in responder.templates() {
                let (serial, status) = (&row.serial, row.status);
                data.push(template.response_data(serial, status, now, window.next_update));
            }
        }
        let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
        let signatures = responder.sign_many(&data)?;
        let numbers = (0..).step_by(HASHES.len());
        Ok(Signed {
            batch,
            rows: job.rows.iter().copied().zip(numbers).collect(),
            signatures,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Unwrap safety: nothing panics while the lock is held.
        self.queue.lock().unwrap()
    }
}
