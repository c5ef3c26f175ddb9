//! Counters with one writer each: every serving thread counts in cells of its own, and only a scrape adds them up.
//!
//! Names of issuers are the only free labels; nothing that a client sent becomes one (V13).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::fresh::Bucket;

/// A number that one thread changes and others read.
#[derive(Debug, Default)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    /// Adds; to be called by the owning thread only, hence without a locked instruction.
    pub(crate) fn add(&self, count: u64) {
        self.0
            .store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What became of an OCSP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer signed for this request, whatever it says.
    Fresh,
    Good,
    InternalError,
    Malformed,
    NotModified,
    Revoked,
    TryLater,
    Unauthorized,
}

/// How it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Get,
    Head,
    Post,
}

/// The hash of its CertID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Other,
    Sha1,
    Sha256,
}

pub(crate) const OUTCOMES: [(Outcome, &str); 8] = [
    (Outcome::Fresh, "fresh"),
    (Outcome::Good, "good"),
    (Outcome::InternalError, "internal_error"),
    (Outcome::Malformed, "malformed"),
    (Outcome::NotModified, "not_modified"),
    (Outcome::Revoked, "revoked"),
    (Outcome::TryLater, "try_later"),
    (Outcome::Unauthorized, "unauthorized"),
];
pub(crate) const METHODS: [(By, &str); 3] =
    [(By::Get, "get"), (By::Head, "head"), (By::Post, "post")];
pub(crate) const HASHES: [(Hash, &str); 3] = [
    (Hash::Other, "other"),
    (Hash::Sha1, "sha1"),
    (Hash::Sha256, "sha256"),
];
/// The HTTP statuses of objects served as they are.
pub(crate) const OBJECT_STATUSES: [u16; 5] = [200, 206, 304, 416, 503];
/// The HTTP statuses of requests that reach neither OCSP nor an object.
pub(crate) const REFUSAL_STATUSES: [u16; 3] = [400, 404, 405];
/// Upper bounds of the latency histogram are 2^k microseconds, k from 0.
pub(crate) const LATENCY_BUCKETS: usize = 24;

/// What became of a request that an answer signed ahead cannot satisfy: one with a nonce, or about several certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FreshOutcome {
    /// The presigner answered.
    Answered,
    /// The presigner cannot be reached, or says that it cannot now.
    Away,
    /// The issuer's policy is to ignore nonces, or no presigner is configured.
    Ignored,
    /// The presigner did not answer in time.
    Late,
    /// Too many in too short a time.
    OverBudget,
}

pub(crate) const FRESH_OUTCOMES: [(FreshOutcome, &str); 5] = [
    (FreshOutcome::Answered, "answered"),
    (FreshOutcome::Away, "away"),
    (FreshOutcome::Ignored, "ignored"),
    (FreshOutcome::Late, "late"),
    (FreshOutcome::OverBudget, "over_budget"),
];

/// The OCSP requests of one issuer, seen by one thread.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct OcspCells {
    answers: [[[Cell; 3]; 3]; 8],
    fresh: [Cell; 5],
}

impl OcspCells {
    pub(crate) fn count(&self, outcome: Outcome, method: By, hash: Hash) {
        self.cell(outcome, method, hash).add(1);
    }

    pub(crate) fn cell(&self, outcome: Outcome, method: By, hash: Hash) -> &Cell {
        &self.answers[outcome as usize][method as usize][hash as usize]
    }

    pub(crate) fn fresh(&self, outcome: FreshOutcome) -> &Cell {
        &self.fresh[outcome as usize]
    }
}

/// The requests for one role of object of one issuer, seen by one thread.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct ObjectCells(pub(crate) [Cell; 5]);

impl ObjectCells {
    pub(crate) fn count(&self, status: u16) {
        if let Some(index) = OBJECT_STATUSES.iter().position(|&known| known == status) {
            self.0[index].add(1);
        }
    }
}

/// What one thread sees besides.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CoreCells {
    /// OCSP requests that name no issuer of ours.
    pub(crate) stray: OcspCells,
    pub(crate) refusals: [Cell; 3],
    pub(crate) latency: [Cell; LATENCY_BUCKETS + 1],
    pub(crate) latency_nanoseconds: Cell,
    pub(crate) accepted: Cell,
    pub(crate) closed: Cell,
    pub(crate) cut_crowded: Cell,
    pub(crate) cut_idle: Cell,
    pub(crate) cut_slow_reader: Cell,
    pub(crate) cut_slow_request: Cell,
    /// Handed to hyper.
    pub(crate) long_way: Cell,
    pub(crate) accept_errors: Cell,
}

impl CoreCells {
    pub(crate) fn refuse(&self, status: u16) {
        if let Some(index) = REFUSAL_STATUSES.iter().position(|&known| known == status) {
            self.refusals[index].add(1);
        }
    }

    /// Counts requests that took so long together.
    pub(crate) fn took(&self, nanoseconds: u64, requests: u64) {
        let microseconds = (nanoseconds / requests.max(1)).div_ceil(1000);
        // The smallest k with microseconds <= 2^k.
        let bucket = microseconds.max(1).next_power_of_two().trailing_zeros() as usize;
        self.latency[bucket.min(LATENCY_BUCKETS)].add(requests);
        self.latency_nanoseconds.add(nanoseconds);
    }
}

/// One block of cells per thread.
pub(crate) type PerCore<T> = Arc<[T]>;

/// All cells of the edge.
#[derive(Debug)]
pub(crate) struct Cells {
    pub(crate) cores: PerCore<CoreCells>,
    issuers: Mutex<BTreeMap<String, PerCore<OcspCells>>>,
    objects: Mutex<BTreeMap<(String, String), PerCore<ObjectCells>>>,
    budgets: Mutex<BTreeMap<String, Arc<Bucket>>>,
    refusals: Mutex<BTreeMap<(String, &'static str), u64>>,
}

impl Cells {
    pub(crate) fn new(cores: usize) -> Self {
        Self {
            cores: per_core(cores),
            issuers: Mutex::default(),
            objects: Mutex::default(),
            budgets: Mutex::default(),
            refusals: Mutex::default(),
        }
    }

    /// The cells of an issuer; the same ones in every generation.
    pub(crate) fn issuer(&self, issuer: &str) -> PerCore<OcspCells> {
        Arc::clone(
            lock(&self.issuers)
                .entry(issuer.to_owned())
                .or_insert_with(|| per_core(self.cores.len())),
        )
    }

    /// What is used up of an issuer's budget for fresh answers; the same in every generation.
    pub(crate) fn budget(&self, issuer: &str) -> Arc<Bucket> {
        Arc::clone(lock(&self.budgets).entry(issuer.to_owned()).or_default())
    }

    /// The cells of an issuer's objects of one role; the same ones in every generation.
    pub(crate) fn objects(&self, issuer: &str, role: &str) -> PerCore<ObjectCells> {
        let key = (issuer.to_owned(), role.to_owned());
        Arc::clone(
            lock(&self.objects)
                .entry(key)
                .or_insert_with(|| per_core(self.cores.len())),
        )
    }

    /// Counts a generation that was refused.
    pub(crate) fn refused(&self, channel: &str, reason: &'static str) {
        *lock(&self.refusals)
            .entry((channel.to_owned(), reason))
            .or_default() += 1;
    }

    pub(crate) fn issuers(&self) -> BTreeMap<String, PerCore<OcspCells>> {
        lock(&self.issuers).clone()
    }

    pub(crate) fn all_objects(&self) -> BTreeMap<(String, String), PerCore<ObjectCells>> {
        lock(&self.objects).clone()
    }

    pub(crate) fn refusals(&self) -> BTreeMap<(String, &'static str), u64> {
        lock(&self.refusals).clone()
    }
}

fn per_core<T: Default>(cores: usize) -> PerCore<T> {
    (0..cores).map(|_| T::default()).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Unwrap safety: a panic while the lock is held aborts the process, so no lock is ever poisoned.
    mutex.lock().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_combination_has_its_own_cell() {
        let cells = OcspCells::default();
        for (outcome, _) in OUTCOMES {
            for (method, _) in METHODS {
                for (hash, _) in HASHES {
                    assert_eq!(cells.cell(outcome, method, hash).get(), 0);
                    cells.count(outcome, method, hash);
                }
            }
        }
    }

    #[test]
    fn latencies_fall_below_their_bounds() {
        let cells = CoreCells::default();
        for (nanoseconds, bucket) in [
            (0, 0),
            (1000, 0),
            (1001, 1),
            (2000, 1),
            (2001, 2),
            (u64::MAX / 2, LATENCY_BUCKETS),
        ] {
            let before = cells.latency[bucket].get();
            cells.took(nanoseconds, 1);
            assert_eq!(cells.latency[bucket].get(), before + 1, "{nanoseconds}");
        }
    }
}
