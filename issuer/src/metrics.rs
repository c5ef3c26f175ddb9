//! What the issuer counts.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// Counters of the issuer; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    issued: IntCounterVec,
    refused: IntCounterVec,
    revoked: IntCounterVec,
    pending: IntGaugeVec,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> anyhow::Result<Self> {
        let counter = |name: &str, help: &str, label: &str| {
            let counter = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counter.clone()))?;
            anyhow::Ok(counter)
        };
        let pending = IntGaugeVec::new(
            Opts::new(
                "avouch_issuer_pending_requests",
                "Requests that wait for the signer to come back, by what they ask for",
            ),
            &["kind"],
        )?;
        registry.register(Box::new(pending.clone()))?;
        Ok(Self {
            issued: counter(
                "avouch_issuer_certificates_issued_total",
                "Certificates issued",
                "profile",
            )?,
            refused: counter(
                "avouch_issuer_requests_refused_total",
                "Requests refused, by the rule that refused",
                "rule",
            )?,
            revoked: counter(
                "avouch_issuer_revocations_total",
                "Revocations recorded, by their ground",
                "ground",
            )?,
            pending,
        })
    }

    pub(crate) fn issued(&self, profile: &str) {
        self.issued.with_label_values(&[profile]).inc();
    }

    pub(crate) fn refused(&self, rule: &str) {
        self.refused.with_label_values(&[rule]).inc();
    }

    pub(crate) fn revoked(&self, ground: &str) {
        self.revoked.with_label_values(&[ground]).inc();
    }

    pub(crate) fn pending(&self, kind: &str, count: u64) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.pending.with_label_values(&[kind]).set(count);
    }
}
