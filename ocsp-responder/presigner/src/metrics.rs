//! What the daemon tells about itself.

use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Everything this daemon exports.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Published answers, by issuer and status.
    pub answers: IntGaugeVec,
    /// Seconds until the first published answer of an issuer ends.
    pub worst_seconds_left: IntGaugeVec,
    /// Seconds until an issuer's responder certificate ends.
    pub responder_seconds_left: IntGaugeVec,
    /// Seconds until the last responder certificate in stock ends: so long there are new answers without a signer.
    pub responder_stock_seconds_left: IntGaugeVec,
    /// For how many seconds ahead the policy of an issuer wants responder certificates in stock.
    pub responder_stock_wanted_seconds: IntGaugeVec,
    /// Seconds until the CRLs end that the statuses of an issuer come from.
    pub source_seconds_left: IntGaugeVec,
    /// Signatures made, by issuer.
    pub signatures: IntCounterVec,
    /// Certificates that wait to be signed.
    pub queue: IntGauge,
    /// Events of the ledger not read yet.
    pub feed_lag: IntGauge,
    /// From the start of signing to the durable manifest.
    pub publish_seconds: Histogram,
    /// What failed, by issuer and step.
    pub failures: IntCounterVec,
    /// Certificates looked at in the current sweep, by issuer.
    pub sweep_done: IntGaugeVec,
    /// Certificates there are to look at, by issuer.
    pub sweep_total: IntGaugeVec,
    /// Layers of the published set, by issuer.
    pub layers: IntGaugeVec,
}

impl Metrics {
    /// Registers them all.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let publish_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "avouch_presigner_publish_seconds",
                "From the start of signing new answers to the durable manifest that names them",
            )
            .buckets(vec![
                0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
            ]),
        )?;
        registry.register(Box::new(publish_seconds.clone()))?;
        Ok(Self {
            answers: gauges(
                "avouch_presigner_answers",
                "Published answers",
                &["issuer", "status"],
            )?,
            worst_seconds_left: gauges(
                "avouch_presigner_worst_seconds_to_next_update",
                "Seconds until the first published answer ends",
                &["issuer"],
            )?,
            responder_seconds_left: gauges(
                "avouch_presigner_responder_certificate_seconds_left",
                "Seconds until the responder certificate in use ends; 0 without one",
                &["issuer"],
            )?,
            responder_stock_seconds_left: gauges(
                "avouch_presigner_responder_stock_seconds_left",
                "Seconds until the last responder certificate in stock ends, so long OCSP goes on without a signer; 0 without one",
                &["issuer"],
            )?,
            responder_stock_wanted_seconds: gauges(
                "avouch_presigner_responder_stock_wanted_seconds",
                "For how many seconds ahead the policy wants responder certificates in stock; 0 for none",
                &["issuer"],
            )?,
            source_seconds_left: gauges(
                "avouch_presigner_source_seconds_left",
                "Seconds until the CRLs of others end that an issuer's statuses come from; negative when they are too old",
                &["issuer"],
            )?,
            signatures: counters(
                "avouch_presigner_signatures_total",
                "Signatures made",
                &["issuer"],
            )?,
            queue: gauge(
                "avouch_presigner_queue",
                "Certificates that wait to be signed",
            )?,
            feed_lag: gauge(
                "avouch_presigner_feed_lag_events",
                "Events of the ledger not read yet",
            )?,
            publish_seconds,
            failures: counters(
                "avouch_presigner_failures_total",
                "What failed and will be tried again",
                &["issuer", "step"],
            )?,
            sweep_done: gauges(
                "avouch_presigner_sweep_done",
                "Certificates held against the ledger in the current or last sweep",
                &["issuer"],
            )?,
            sweep_total: gauges(
                "avouch_presigner_sweep_certificates",
                "Certificates there were when that sweep began",
                &["issuer"],
            )?,
            layers: gauges(
                "avouch_presigner_layers",
                "Layers of the published answer set",
                &["issuer"],
            )?,
        })
    }
}
