//! What is counted while it runs.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::Latency;

/// Ways in which a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    CannotConnect,
    Closed,
    HttpStatus(u16),
    NotHttp,
    NotOcsp,
    OcspStatus(u8),
    Reset,
    Timeout,
}

impl Failure {
    pub(crate) fn name(self) -> String {
        match self {
            Self::CannotConnect => "cannot connect".to_owned(),
            Self::Closed => "closed without a response".to_owned(),
            Self::HttpStatus(status) => format!("HTTP status {status}"),
            Self::NotHttp => "no HTTP/1.1 response".to_owned(),
            Self::NotOcsp => "no OCSP response".to_owned(),
            Self::OcspStatus(status) => format!(
                "OCSP {}",
                match status {
                    1 => "malformedRequest",
                    2 => "internalError",
                    3 => "tryLater",
                    5 => "sigRequired",
                    6 => "unauthorized",
                    _ => "unknown status",
                }
            ),
            Self::Reset => "connection reset".to_owned(),
            Self::Timeout => "timeout".to_owned(),
        }
    }
}

/// Counts of one run.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) answered: u64,
    pub(crate) octets: u64,
    pub(crate) connects: u64,
    pub(crate) resent: u64,
    pub(crate) nonces: u64,
    pub(crate) echoed: u64,
    plain: Histogram<u64>,
    with_nonce: Histogram<u64>,
    failures: BTreeMap<Failure, u64>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        // From 100 ns to a minute, to three digits: some 100 KiB, of which a run touches a few.
        // Unwrap safety: these are possible bounds.
        let histogram = || Histogram::new_with_bounds(100, 60_000_000_000, 3).unwrap();
        Self {
            answered: 0,
            octets: 0,
            connects: 0,
            resent: 0,
            nonces: 0,
            echoed: 0,
            plain: histogram(),
            with_nonce: histogram(),
            failures: BTreeMap::new(),
        }
    }

    /// Counts a good answer.
    pub(crate) fn answer(&mut self, nanoseconds: u64, nonce: bool) {
        self.answered += 1;
        let histogram = if nonce {
            self.nonces += 1;
            &mut self.with_nonce
        } else {
            &mut self.plain
        };
        histogram.saturating_record(nanoseconds);
    }

    pub(crate) fn failure(&mut self, failure: Failure) {
        *self.failures.entry(failure).or_default() += 1;
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    pub(crate) fn failures(&self) -> BTreeMap<String, u64> {
        self.failures
            .iter()
            .map(|(failure, count)| (failure.name(), *count))
            .collect()
    }

    pub(crate) fn latency(&self) -> Latency {
        latency(&self.plain)
    }

    pub(crate) fn latency_with_nonce(&self) -> Latency {
        latency(&self.with_nonce)
    }
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    // Lossy by less than the three digits that are kept.
    let micros = |nanoseconds: u64| nanoseconds as f64 / 1000.0;
    let at = |percentile| micros(histogram.value_at_quantile(percentile));
    Latency {
        count: histogram.len(),
        mean_us: histogram.mean() / 1000.0,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        p9999_us: at(0.9999),
        max_us: micros(histogram.max()),
    }
}
