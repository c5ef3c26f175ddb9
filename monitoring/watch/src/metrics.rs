//! What the daemon tells about itself. Labels are edges, issuers, products and kinds, never a certificate.

use std::time::Duration;

use pki::Time;
use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::difference::{Difference, Kind, Product};

/// Everything this daemon exports.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    checked: IntCounterVec,
    crl_next_update: IntGaugeVec,
    crl_this_update: IntGaugeVec,
    differences: IntGaugeVec,
    found: IntCounterVec,
    last_sweep: IntGaugeVec,
    shown_after: HistogramVec,
    suspects: IntGaugeVec,
    sweep_age: IntGaugeVec,
    sweep_done: IntGaugeVec,
    sweep_total: IntGaugeVec,
    up: IntGaugeVec,
}

impl Metrics {
    /// Registers them all.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let differing = ["edge", "issuer", "product", "kind"];
        Ok(Self {
            checked: register(
                registry,
                IntCounterVec::new(
                    Opts::new(
                        "avouch_watch_checked_total",
                        "Comparisons of one serial number with the ledger",
                    ),
                    &["edge", "issuer", "product"],
                )?,
            )?,
            crl_next_update: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "avouch_watch_crl_next_update_timestamp_seconds",
                        "nextUpdate of the CRL as served",
                    ),
                    &["edge", "issuer"],
                )?,
            )?,
            crl_this_update: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "avouch_watch_crl_this_update_timestamp_seconds",
                        "thisUpdate of the CRL as served",
                    ),
                    &["edge", "issuer"],
                )?,
            )?,
            differences: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "avouch_watch_differences",
                        "Serial numbers about which ledger and edge differ now; the log names them",
                    ),
                    &differing,
                )?,
            )?,
            found: register(
                registry,
                IntCounterVec::new(
                    Opts::new("avouch_watch_differences_found_total", "Differences found"),
                    &differing,
                )?,
            )?,
            last_sweep: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "avouch_watch_last_sweep_timestamp_seconds",
                        "When every serial number had last been compared",
                    ),
                    &["edge", "product"],
                )?,
            )?,
            shown_after: register(
                registry,
                HistogramVec::new(
                    HistogramOpts::new(
                        "avouch_watch_shown_after_seconds",
                        "From seeing a change in the ledger to seeing it at the edge",
                    )
                    .buckets(vec![
                        0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0,
                    ]),
                    &["edge", "product"],
                )?,
            )?,
            suspects: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "avouch_watch_suspects",
                        "Serial numbers that differ, for no longer than is promised",
                    ),
                    &["edge"],
                )?,
            )?,
            sweep_age: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "avouch_watch_sweep_age_seconds",
                        "Since every serial number had last been compared, or since the start",
                    ),
                    &["edge", "product"],
                )?,
            )?,
            sweep_done: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "avouch_watch_sweep_done",
                        "Certificates the current OCSP sweep has asked about",
                    ),
                    &["edge"],
                )?,
            )?,
            sweep_total: register(
                registry,
                IntGaugeVec::new(
                    Opts::new(
                        "avouch_watch_sweep_certificates",
                        "Certificates in the ledger when the current OCSP sweep began",
                    ),
                    &["edge"],
                )?,
            )?,
            up: register(
                registry,
                IntGaugeVec::new(
                    Opts::new("avouch_watch_edge_up", "Whether the edge answered last"),
                    &["edge"],
                )?,
            )?,
        })
    }

    pub(crate) fn up(&self, edge: &str, is_up: bool) {
        self.up.with_label_values(&[edge]).set(is_up.into());
    }

    pub(crate) fn checked(&self, edge: &str, issuer: &str, product: Product, number: u64) {
        self.checked
            .with_label_values(&[edge, issuer, product.as_str()])
            .inc_by(number);
    }

    pub(crate) fn crl(
        &self,
        edge: &str,
        issuer: &str,
        this_update: Time,
        next_update: Option<Time>,
    ) {
        let labels = [edge, issuer];
        self.crl_this_update
            .with_label_values(&labels)
            .set(this_update.unix());
        if let Some(next_update) = next_update {
            self.crl_next_update
                .with_label_values(&labels)
                .set(next_update.unix());
        }
    }

    pub(crate) fn progress(&self, edge: &str, done: u64, total: u64) {
        let set = |gauge: &IntGaugeVec, value: u64| {
            gauge
                .with_label_values(&[edge])
                .set(i64::try_from(value).unwrap_or(i64::MAX));
        };
        set(&self.sweep_done, done);
        set(&self.sweep_total, total);
    }

    pub(crate) fn swept(&self, edge: &str, product: Product, at: Time) {
        self.last_sweep
            .with_label_values(&[edge, product.as_str()])
            .set(at.unix());
    }

    pub(crate) fn sweep_age(&self, edge: &str, product: Product, seconds: i64) {
        self.sweep_age
            .with_label_values(&[edge, product.as_str()])
            .set(seconds);
    }

    pub(crate) fn suspects(&self, edge: &str, number: usize) {
        self.suspects
            .with_label_values(&[edge])
            .set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    pub(crate) fn shown(&self, edge: &str, product: Product, after: Duration) {
        self.shown_after
            .with_label_values(&[edge, product.as_str()])
            .observe(after.as_secs_f64());
    }

    pub(crate) fn found(
        &self,
        edge: &str,
        issuer: &str,
        product: Product,
        difference: &Difference,
    ) {
        self.found
            .with_label_values(&[edge, issuer, product.as_str(), difference.kind.as_str()])
            .inc();
    }

    pub(crate) fn open(&self, edge: &str, issuer: &str, product: Product, kind: Kind, number: i64) {
        self.differences
            .with_label_values(&[edge, issuer, product.as_str(), kind.as_str()])
            .set(number);
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}
