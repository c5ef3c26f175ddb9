//! What the daemon shows.

use prometheus::{GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use wire::link::Quality;
use wire::{Mode, Operation};

use crate::core::{AlarmKind, CableView, View};

const MODES: [Mode; 5] = [
    Mode::Sealed,
    Mode::Standby,
    Mode::Active,
    Mode::Suspended,
    Mode::Locked,
];

/// The metrics; clones count into the same.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    requests: IntCounterVec,
    queue: IntGaugeVec,
    oldest: IntGaugeVec,
    open_octets: IntGauge,
    outbox_octets: IntGauge,
    refused: IntCounterVec,
    alarms: IntGaugeVec,
    epoch: IntGauge,
    /// By signer.
    signer: Signers,
    /// By signer and what is counted.
    link: IntCounterVec,
}

#[derive(Clone, Debug)]
struct Signers {
    device: IntGaugeVec,
    up: IntGaugeVec,
    mode: IntGaugeVec,
    epoch: IntGaugeVec,
    clock_offset: IntGaugeVec,
    head: IntGaugeVec,
    archived: IntGaugeVec,
    replicated: IntGaugeVec,
    signatures_left: IntGaugeVec,
    strikes: IntGaugeVec,
    winding_down: IntGaugeVec,
    unanswered: IntGaugeVec,
    backlog: IntGaugeVec,
    round_trip: GaugeVec,
    ping: GaugeVec,
    usage: GaugeVec,
}

struct Family<'a>(&'a Registry);

impl Family<'_> {
    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        let gauges = IntGaugeVec::new(
            Opts::new(format!("avouch_signer_host_{name}"), help),
            labels,
        )?;
        self.0.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let gauge = IntGauge::new(format!("avouch_signer_host_{name}"), help)?;
        self.0.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn seconds(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        let gauges = GaugeVec::new(
            Opts::new(format!("avouch_signer_host_{name}"), help),
            labels,
        )?;
        self.0.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        let counters = IntCounterVec::new(
            Opts::new(format!("avouch_signer_host_{name}"), help),
            labels,
        )?;
        self.0.register(Box::new(counters.clone()))?;
        Ok(counters)
    }
}

impl Metrics {
    /// Makes and registers them.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let family = Family(registry);
        let of = &["signer"];
        let metrics = Self {
            requests: family.counters(
                "requests_total",
                "Requests of local processes by operation",
                &["operation"],
            )?,
            queue: family.gauges("open_acts", "Acts without an answer", &["class"])?,
            oldest: family.gauges(
                "oldest_act_seconds",
                "How long the oldest act has had no answer",
                &["class"],
            )?,
            open_octets: family.gauge(
                "open_bytes",
                "Bytes of the requests of acts without an answer",
            )?,
            outbox_octets: family.gauge(
                "outbox_bytes",
                "Size of the outbox; 0 while it cannot be written",
            )?,
            refused: family.counters(
                "quarantined_total",
                "Acts that the signer refused and that are not sent again",
                &["code"],
            )?,
            alarms: family.gauges("alarm", "1 while somebody must look at this", &["alarm"])?,
            epoch: family.gauge(
                "highest_epoch",
                "The highest promotion epoch that was ever met",
            )?,
            signer: Signers {
                device: family.gauges("device_open", "1 while the cable's device is open", of)?,
                up: family.gauges(
                    "link_up",
                    "1 while the session stands and both sides have said hello",
                    of,
                )?,
                mode: family.gauges(
                    "signer_mode",
                    "1 for the signer's mode",
                    &["signer", "mode"],
                )?,
                epoch: family.gauges("signer_epoch", "The signer's promotion epoch", of)?,
                clock_offset: family.gauges(
                    "clock_offset_seconds",
                    "The signer's clock less this host's",
                    of,
                )?,
                head: family.gauges(
                    "log_head",
                    "Last record of the signer's log that is known of",
                    of,
                )?,
                archived: family.gauges(
                    "log_archived",
                    "Last record of the signer's log that is archived",
                    of,
                )?,
                replicated: family.gauges(
                    "log_replicated",
                    "Last record of the active signer's log that this standby has",
                    of,
                )?,
                signatures_left: family.gauges(
                    "signatures_left",
                    "Signatures until the signer must be unlocked again",
                    of,
                )?,
                strikes: family.gauges("strikes", "Refusals since the signer was unlocked", of)?,
                winding_down: family.gauges(
                    "winding_down",
                    "1 while the signer issues nothing to subscribers any more",
                    of,
                )?,
                unanswered: family.gauges(
                    "unanswered_requests",
                    "Requests under way to the signer",
                    of,
                )?,
                backlog: family.gauges("backlog_bytes", "Bytes under way in the cable", of)?,
                round_trip: family.seconds(
                    "frame_round_trip_seconds",
                    "From a frame to its acknowledgement, smoothed",
                    of,
                )?,
                ping: family.seconds("ping_seconds", "From the last Ping to its answer", of)?,
                usage: family.seconds(
                    "line_usage_ratio",
                    "Part of the line's speed in use, the last second",
                    &["signer", "direction"],
                )?,
            },
            link: family.counters(
                "link_total",
                "Octets, frames and faults on the cable",
                &["signer", "what"],
            )?,
        };
        for kind in AlarmKind::ALL {
            metrics.alarms.with_label_values(&[kind.name()]).set(0);
        }
        Ok(metrics)
    }

    /// A local process asks.
    pub(crate) fn asked(&self, operation: &Operation) {
        self.requests.with_label_values(&[operation.name()]).inc();
    }

    /// A local process sent what is no request.
    pub(crate) fn malformed(&self) {
        self.requests.with_label_values(&["malformed"]).inc();
    }

    /// Shows how everything is.
    pub(crate) fn show(&self, view: &View) {
        for (class, queue) in &view.queues {
            self.queue
                .with_label_values(&[class.name()])
                .set(count(queue.count));
            self.oldest
                .with_label_values(&[class.name()])
                .set(queue.oldest_seconds);
        }
        self.open_octets.set(count(view.open_octets));
        self.outbox_octets.set(number(view.outbox_octets));
        self.epoch.set(i64::from(view.epoch));
        for (code, total) in &view.refused {
            rise_to(&self.refused.with_label_values(&[code]), *total);
        }
        for kind in AlarmKind::ALL {
            let on = view.alarms.iter().any(|alarm| alarm.kind == kind);
            self.alarms
                .with_label_values(&[kind.name()])
                .set(i64::from(on));
        }
        for cable in &view.cables {
            self.show_signer(cable);
        }
    }

    fn show_signer(&self, cable: &CableView) {
        let id = cable.signer_id.to_string();
        let of = [id.as_str()];
        let signer = &self.signer;
        signer.up.with_label_values(&of).set(i64::from(cable.up));
        signer.head.with_label_values(&of).set(number(cable.head));
        signer
            .archived
            .with_label_values(&of)
            .set(number(cable.archived));
        signer
            .unanswered
            .with_label_values(&of)
            .set(count(cable.unanswered));
        signer
            .backlog
            .with_label_values(&of)
            .set(count(cable.backlog));
        if let Some(replicated) = cable.replicated {
            signer
                .replicated
                .with_label_values(&of)
                .set(number(replicated));
        }
        let Some(status) = &cable.status else {
            return;
        };
        for mode in MODES {
            let on = cable.up && mode == status.mode;
            signer
                .mode
                .with_label_values(&[&id, &mode.to_string()])
                .set(i64::from(on));
        }
        signer
            .epoch
            .with_label_values(&of)
            .set(i64::from(status.epoch));
        signer
            .clock_offset
            .with_label_values(&of)
            .set(cable.clock_offset);
        signer
            .signatures_left
            .with_label_values(&of)
            .set(number(status.signatures_left));
        signer
            .strikes
            .with_label_values(&of)
            .set(i64::from(status.strikes));
        signer
            .winding_down
            .with_label_values(&of)
            .set(i64::from(status.winding_down));
        signer
            .ping
            .with_label_values(&of)
            .set(seconds(cable.round_trip));
    }

    /// Shows how good a line is, `elapsed` milliseconds after the last time.
    pub(crate) fn show_line(
        &self,
        signer_id: u8,
        baud: u32,
        open: bool,
        quality: &Quality,
        elapsed: u64,
    ) {
        let id = signer_id.to_string();
        self.signer
            .device
            .with_label_values(&[&id])
            .set(i64::from(open));
        if let Some(round_trip) = quality.round_trip {
            self.signer
                .round_trip
                .with_label_values(&[&id])
                .set(seconds(round_trip));
        }
        let counted = [
            ("octets-sent", quality.octets_sent),
            ("octets-received", quality.octets_received),
            ("frames-sent", quality.frames_sent),
            ("frames-received", quality.frames_received),
            ("noise", quality.noise),
            ("old-epoch", quality.old_epoch),
            ("echoes", quality.echoes),
            ("duplicates", quality.duplicates),
            ("retransmissions", quality.retransmissions),
            ("resets", quality.resets),
            ("sessions", quality.sessions),
        ];
        for (what, total) in counted {
            let counter = self.link.with_label_values(&[&id, what]);
            let more = total.saturating_sub(counter.get());
            rise_to(&counter, total);
            if let Some(direction) = what.strip_prefix("octets-") {
                // Ten bits an octet. Rounding does no harm here.
                let used = more as f64 * 10_000.0 / (f64::from(baud) * elapsed.max(1) as f64);
                self.signer
                    .usage
                    .with_label_values(&[&id, direction])
                    .set(used);
            }
        }
    }
}

fn rise_to(counter: &prometheus::IntCounter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Rounding does no harm here.
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}
