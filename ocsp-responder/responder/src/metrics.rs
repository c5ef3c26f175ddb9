//! The metrics of the edge, added up from the cells at each scrape.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pki::{Clock, Time};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts};

use crate::cells::{
    Cells, CoreCells, FRESH_OUTCOMES, HASHES, LATENCY_BUCKETS, METHODS, OBJECT_STATUSES, OUTCOMES,
    REFUSAL_STATUSES,
};
use crate::live::Live;

/// Reads cells and the live set when Prometheus asks.
pub(crate) struct EdgeCollector {
    pub(crate) cells: Arc<Cells>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) live: Arc<ArcSwap<Live>>,
}

impl Collector for EdgeCollector {
    fn desc(&self) -> Vec<&Desc> {
        // Its families are made anew at each scrape.
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // The names below are constant and right: no error is possible, and without a family the scrape shows the gap.
        [self.requests(), self.connections(), self.published()]
            .into_iter()
            .flatten()
            .flatten()
            .collect()
    }
}

impl EdgeCollector {
    fn requests(&self) -> prometheus::Result<Vec<MetricFamily>> {
        let ocsp = counter(
            "avouch_edge_ocsp_requests_total",
            "OCSP requests by issuer (none: no issuer of ours), method, CertID hash and outcome",
            &["issuer", "method", "hash", "outcome"],
        )?;
        for (outcome, outcome_name) in OUTCOMES {
            for (method, method_name) in METHODS {
                for (hash, hash_name) in HASHES {
                    let stray = self.sum(|core| core.stray.cell(outcome, method, hash).get());
                    add(&ocsp, &["", method_name, hash_name, outcome_name], stray);
                    for (issuer, cores) in self.cells.issuers() {
                        let count = cores
                            .iter()
                            .map(|core| core.cell(outcome, method, hash).get())
                            .sum();
                        add(
                            &ocsp,
                            &[&issuer, method_name, hash_name, outcome_name],
                            count,
                        );
                    }
                }
            }
        }
        let objects = counter(
            "avouch_edge_object_requests_total",
            "Requests for CRLs, certificates and other objects by HTTP status",
            &["issuer", "role", "status"],
        )?;
        for ((issuer, role), cores) in self.cells.all_objects() {
            for (index, status) in OBJECT_STATUSES.iter().enumerate() {
                let count = cores.iter().map(|core| core.0[index].get()).sum();
                add(&objects, &[&issuer, &role, &status.to_string()], count);
            }
        }
        let fresh = counter(
            "avouch_edge_fresh_answers_total",
            "Requests with a nonce or about several certificates, by what became of an answer signed for them",
            &["issuer", "outcome"],
        )?;
        for (issuer, cores) in self.cells.issuers() {
            for (outcome, name) in FRESH_OUTCOMES {
                let count = cores.iter().map(|core| core.fresh(outcome).get()).sum();
                add(&fresh, &[&issuer, name], count);
            }
        }
        let refused = counter(
            "avouch_edge_http_refusals_total",
            "Requests that reach nothing, by HTTP status",
            &["status"],
        )?;
        for (index, status) in REFUSAL_STATUSES.iter().enumerate() {
            refused
                .with_label_values(&[&status.to_string()])
                .inc_by(self.sum(|core| core.refusals[index].get()));
        }
        let mut families = collect(&[&ocsp, &fresh, &objects, &refused]);
        families.push(self.latency());
        Ok(families)
    }

    fn connections(&self) -> prometheus::Result<Vec<MetricFamily>> {
        let accepted = self.sum(|core| core.accepted.get());
        let total = counter(
            "avouch_edge_connections_total",
            "Connections by what became of them",
            &["event"],
        )?;
        for (event, count) in [
            ("accepted", accepted),
            ("accept_error", self.sum(|core| core.accept_errors.get())),
            ("cut_crowded", self.sum(|core| core.cut_crowded.get())),
            ("cut_idle", self.sum(|core| core.cut_idle.get())),
            (
                "cut_slow_reader",
                self.sum(|core| core.cut_slow_reader.get()),
            ),
            (
                "cut_slow_request",
                self.sum(|core| core.cut_slow_request.get()),
            ),
            ("long_way", self.sum(|core| core.long_way.get())),
        ] {
            total.with_label_values(&[event]).inc_by(count);
        }
        let open = gauge("avouch_edge_connections_open", "Connections open now", &[])?;
        open.with_label_values::<&str>(&[]).set(signed(
            accepted.saturating_sub(self.sum(|core| core.closed.get())),
        ));
        Ok(collect(&[&total, &open]))
    }

    fn published(&self) -> prometheus::Result<Vec<MetricFamily>> {
        let now = self.clock.now();
        let live = self.live.load_full();
        let generation = gauge(
            "avouch_edge_generation",
            "Generation taken last",
            &["channel"],
        )?;
        let as_of = gauge(
            "avouch_edge_as_of",
            "Ledger sequence number it reflects",
            &["channel"],
        )?;
        let age = gauge(
            "avouch_edge_age_seconds",
            "Since it was published",
            &["channel"],
        )?;
        let left = seconds(
            "avouch_edge_ocsp_next_update_seconds",
            "Until nextUpdate of the worst OCSP answer",
            &["issuer"],
        )?;
        let signed_ago = seconds(
            "avouch_edge_ocsp_this_update_age_seconds",
            "Since the oldest OCSP answer was signed",
            &["issuer"],
        )?;
        let answers = gauge(
            "avouch_edge_ocsp_answers",
            "Certificates answered for",
            &["issuer", "status"],
        )?;
        let damaged = gauge(
            "avouch_edge_ocsp_damaged",
            "1: a part of an answer set is damaged and not answered from",
            &["issuer"],
        )?;
        let crl_left = seconds(
            "avouch_edge_crl_next_update_seconds",
            "Until nextUpdate of a CRL",
            &["issuer", "crl"],
        )?;
        let refusals = counter(
            "avouch_edge_refusals_total",
            "Generations refused",
            &["channel", "reason"],
        )?;
        for (name, channel) in live.channels() {
            let manifest = &channel.manifest;
            let issuer = manifest.issuer.as_str();
            generation
                .with_label_values(&[name])
                .set(signed(manifest.generation));
            as_of.with_label_values(&[name]).set(signed(manifest.as_of));
            age.with_label_values(&[name])
                .set(manifest.issued_at.seconds_until(now));
            if let Some(served) = &channel.answers {
                let totals = served.layered.totals();
                answers
                    .with_label_values(&[issuer, "good"])
                    .set(signed(totals.good));
                answers
                    .with_label_values(&[issuer, "revoked"])
                    .set(signed(totals.revoked));
                damaged
                    .with_label_values(&[issuer])
                    .set(i64::from(channel.damage().is_some()));
                if let Some(end) = served.layered.oldest_next_update() {
                    left.with_label_values(&[issuer]).set(between(now, end));
                }
                if let Some(oldest) = served.layered.oldest_this_update() {
                    signed_ago
                        .with_label_values(&[issuer])
                        .set(between(oldest, now));
                }
            }
            for (_, object) in &channel.objects {
                if let Some(freshness) = object.freshness
                    && object.is_current()
                {
                    crl_left
                        .with_label_values(&[issuer, &object.name])
                        .set(between(now, freshness.next_update));
                }
            }
        }
        for ((channel, reason), count) in self.cells.refusals() {
            refusals
                .with_label_values(&[channel.as_str(), reason])
                .inc_by(count);
        }
        Ok(collect(&[
            &generation,
            &as_of,
            &age,
            &left,
            &signed_ago,
            &answers,
            &damaged,
            &crl_left,
            &refusals,
        ]))
    }

    fn latency(&self) -> MetricFamily {
        let mut histogram = Histogram::default();
        let mut below = 0;
        let mut buckets = Vec::with_capacity(LATENCY_BUCKETS);
        for index in 0..LATENCY_BUCKETS {
            below += self.sum(|core| core.latency[index].get());
            let mut bucket = Bucket::default();
            bucket.set_upper_bound((1_u64 << index) as f64 / 1e6);
            bucket.set_cumulative_count(below);
            buckets.push(bucket);
        }
        histogram.set_bucket(buckets);
        histogram.set_sample_count(below + self.sum(|core| core.latency[LATENCY_BUCKETS].get()));
        histogram.set_sample_sum(self.sum(|core| core.latency_nanoseconds.get()) as f64 / 1e9);
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        let mut family = MetricFamily::default();
        family.set_name("avouch_edge_request_seconds".to_owned());
        family.set_help("From a request in memory to its response in memory; requests that came together share their time, and a few wait for the presigner".to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(vec![metric]);
        family
    }

    fn sum(&self, cell: impl Fn(&CoreCells) -> u64) -> u64 {
        self.cells.cores.iter().map(cell).sum()
    }
}

fn counter(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn gauge(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}

fn seconds(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
    GaugeVec::new(Opts::new(name, help), labels)
}

/// Only what has happened is shown; the combinations are many.
fn add(counter: &IntCounterVec, labels: &[&str], count: u64) {
    if count > 0 {
        counter.with_label_values(labels).inc_by(count);
    }
}

fn collect(collectors: &[&dyn Collector]) -> Vec<MetricFamily> {
    collectors
        .iter()
        .flat_map(|collector| collector.collect())
        .filter(|family| !family.get_metric().is_empty())
        .collect()
}

fn between(from: Time, to: Time) -> f64 {
    from.seconds_until(to) as f64
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
