//! What is told about CRLs of others.

use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

use super::List;

/// Labels are issuers and lists, never a certificate or a URL.
#[derive(Clone, Debug)]
pub(crate) struct SourceMetrics {
    fetches: IntCounterVec,
    refused: IntGaugeVec,
    seconds_left: IntGaugeVec,
    taken_in: IntCounterVec,
    vanished: IntGaugeVec,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FetchResult {
    /// Nothing came.
    Failed,
    /// A CRL came that is newer.
    New,
    /// 304.
    NotModified,
    /// What came is not usable.
    Refused,
    /// 200, with what is here already.
    Same,
}

impl FetchResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::New => "new",
            Self::NotModified => "not_modified",
            Self::Refused => "refused",
            Self::Same => "same",
        }
    }
}

impl SourceMetrics {
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        Ok(Self {
            fetches: counters(
                "avouch_crl_source_fetches_total",
                "Fetches of CRLs of others by how they ended: new, same, not_modified, failed, refused",
                &["issuer", "list", "result"],
            )?,
            refused: gauges(
                "avouch_crl_source_trouble",
                "1 while the last CRL of this list could not be had or used; the health says why",
                &["issuer", "list"],
            )?,
            seconds_left: gauges(
                "avouch_crl_source_seconds_left",
                "Seconds until the CRLs end that an issuer's statuses come from; negative when they are too old",
                &["issuer"],
            )?,
            taken_in: counters(
                "avouch_crl_source_changes_total",
                "Statuses taken from CRLs of others: revoked, changed, released, conflict",
                &["issuer", "change"],
            )?,
            vanished: gauges(
                "avouch_crl_source_vanished",
                "Unexpired certificates that the newest CRL revokes no longer, without a release; they stay revoked",
                &["issuer"],
            )?,
        })
    }

    pub(crate) fn fetched(&self, issuer: &str, list: List, result: FetchResult) {
        self.fetches
            .with_label_values(&[issuer, list.as_str(), result.as_str()])
            .inc();
    }

    pub(crate) fn trouble(&self, issuer: &str, list: List, is_there: bool) {
        self.refused
            .with_label_values(&[issuer, list.as_str()])
            .set(i64::from(is_there));
    }

    pub(crate) fn left(&self, issuer: &str, seconds: i64) {
        self.seconds_left.with_label_values(&[issuer]).set(seconds);
    }

    pub(crate) fn taken_in(&self, issuer: &str, change: &str, count: u64) {
        self.taken_in
            .with_label_values(&[issuer, change])
            .inc_by(count);
    }

    pub(crate) fn vanished(&self, issuer: &str, count: usize) {
        self.vanished
            .with_label_values(&[issuer])
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
