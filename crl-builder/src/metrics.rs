//! What the daemon tells about itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pki::{Clock, CrlNumber, Time};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use crate::source::SourceMetrics;

/// Everything this daemon exports. Labels are issuers and steps, never a certificate.
#[derive(Clone, Debug)]
pub struct Metrics {
    number: GaugeVec,
    entries: IntGaugeVec,
    octets: IntGaugeVec,
    build_seconds: HistogramVec,
    failures: IntCounterVec,
    times: Times,
    pub(crate) source: SourceMetrics,
}

/// A published CRL in figures.
#[derive(Clone, Debug)]
pub(crate) struct Figures<'a> {
    pub(crate) number: Option<&'a CrlNumber>,
    pub(crate) this_update: Time,
    pub(crate) next_update: Option<Time>,
    pub(crate) entries: usize,
    pub(crate) octets: usize,
}

impl Metrics {
    /// Registers them all; `clock` tells the ages.
    pub fn new(registry: &Registry, clock: Arc<dyn Clock>) -> prometheus::Result<Self> {
        let metrics = Self {
            number: GaugeVec::new(
                Opts::new("avouch_crl_number", "cRLNumber of the published CRL"),
                &["issuer"],
            )?,
            entries: IntGaugeVec::new(
                Opts::new("avouch_crl_entries", "Entries of the published CRL"),
                &["issuer"],
            )?,
            octets: IntGaugeVec::new(
                Opts::new("avouch_crl_octets", "Size of the published CRL"),
                &["issuer"],
            )?,
            build_seconds: HistogramVec::new(
                HistogramOpts::new(
                    "avouch_crl_build_seconds",
                    "From reading the ledger to the durable manifest",
                )
                .buckets(vec![
                    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
                ]),
                &["issuer"],
            )?,
            failures: IntCounterVec::new(
                Opts::new(
                    "avouch_crl_failures_total",
                    "What failed and will be tried again",
                ),
                &["issuer", "step"],
            )?,
            times: Times::new(clock)?,
            source: SourceMetrics::new(registry)?,
        };
        registry.register(Box::new(metrics.number.clone()))?;
        registry.register(Box::new(metrics.entries.clone()))?;
        registry.register(Box::new(metrics.octets.clone()))?;
        registry.register(Box::new(metrics.build_seconds.clone()))?;
        registry.register(Box::new(metrics.failures.clone()))?;
        registry.register(Box::new(metrics.times.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn published(&self, issuer: &str, figures: &Figures<'_>) {
        if let Some(number) = figures.number {
            self.number
                .with_label_values(&[issuer])
                .set(as_float(number));
        }
        self.entries
            .with_label_values(&[issuer])
            .set(saturating(figures.entries));
        self.octets
            .with_label_values(&[issuer])
            .set(saturating(figures.octets));
        self.times
            .put(issuer, figures.this_update, figures.next_update);
    }

    pub(crate) fn built(&self, issuer: &str, duration: Duration) {
        self.build_seconds
            .with_label_values(&[issuer])
            .observe(duration.as_secs_f64());
    }

    pub(crate) fn failed(&self, issuer: &str, step: &str) {
        self.failures.with_label_values(&[issuer, step]).inc();
    }
}

/// When a CRL begins and ends.
type Window = (Time, Option<Time>);

/// Ages, which change by themselves: worked out whenever somebody looks.
#[derive(Clone, Debug)]
struct Times {
    clock: Arc<dyn Clock>,
    /// thisUpdate and nextUpdate, by issuer.
    windows: Arc<Mutex<BTreeMap<String, Window>>>,
    age: IntGaugeVec,
    left: IntGaugeVec,
}

impl Times {
    fn new(clock: Arc<dyn Clock>) -> prometheus::Result<Self> {
        Ok(Self {
            clock,
            windows: Arc::default(),
            age: IntGaugeVec::new(
                Opts::new(
                    "avouch_crl_age_seconds",
                    "Seconds since thisUpdate of the published CRL",
                ),
                &["issuer"],
            )?,
            left: IntGaugeVec::new(
                Opts::new(
                    "avouch_crl_seconds_to_next_update",
                    "Seconds until nextUpdate of the published CRL; negative when it is past",
                ),
                &["issuer"],
            )?,
        })
    }

    fn put(&self, issuer: &str, this_update: Time, next_update: Option<Time>) {
        self.windows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(issuer.to_owned(), (this_update, next_update));
    }
}

impl Collector for Times {
    fn desc(&self) -> Vec<&Desc> {
        [self.age.desc(), self.left.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now = self.clock.now();
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        for (issuer, (this_update, next_update)) in windows.iter() {
            self.age
                .with_label_values(&[issuer])
                .set(this_update.seconds_until(now));
            if let Some(next_update) = next_update {
                self.left
                    .with_label_values(&[issuer])
                    .set(now.seconds_until(*next_update));
            }
        }
        [self.age.collect(), self.left.collect()].concat()
    }
}

/// As near as a gauge can show it.
fn as_float(number: &CrlNumber) -> f64 {
    number
        .to_be_bytes()
        .iter()
        .fold(0.0, |value, &octet| value * 256.0 + f64::from(octet))
}

fn saturating(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
