//! What the daemon counts.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramTimer, HistogramVec, IntCounterVec, Opts, Registry};
use wire::{Operation, Outcome};

/// The metrics; clones count into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
}

/// Counts one request when it ends.
#[derive(Debug)]
pub struct Running {
    metrics: Metrics,
    operation: &'static str,
    timer: HistogramTimer,
}

impl Metrics {
    /// Makes and registers them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new(
                "avouch_signer_requests_total",
                "Requests to the signer by operation and outcome",
            ),
            &["operation", "outcome"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "avouch_signer_request_seconds",
                "Time from request to reply",
            )
            .buckets(prometheus::exponential_buckets(
                Duration::from_micros(100).as_secs_f64(),
                2.0,
                18,
            )?),
            &["operation"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self { requests, seconds })
    }

    /// A request begins.
    pub fn begin(&self, operation: &Operation) -> Running {
        let operation = match operation {
            Operation::Ping => "ping",
            Operation::Info => "info",
            Operation::IssueCertificate(_) => "issue-certificate",
            Operation::SignCrl(_) => "sign-crl",
            Operation::GetResult { .. } => "get-result",
            _ => "other",
        };
        Running {
            metrics: self.clone(),
            operation,
            timer: self.seconds.with_label_values(&[operation]).start_timer(),
        }
    }

    /// A message that was no request.
    pub fn malformed(&self) {
        self.requests
            .with_label_values(&["none", "malformed"])
            .inc();
    }
}

impl Running {
    /// It has ended so.
    pub fn end(self, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Refused(_) => "refused",
            Outcome::Busy { .. } => "busy",
            _ => "done",
        };
        self.metrics
            .requests
            .with_label_values(&[self.operation, outcome])
            .inc();
        self.timer.observe_duration();
    }
}
