//! What a run has found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The result of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Seconds that were measured.
    pub seconds: f64,
    /// Good answers in that time.
    pub answered: u64,
    /// Good answers a second.
    pub per_second: f64,
    /// Octets received.
    pub octets: u64,
    /// Connections made.
    pub connects: u64,
    /// Requests sent again because the server had announced that it would close: no failures.
    pub resent: u64,
    /// Requests that failed, all kinds together.
    pub failed: u64,
    /// The same by kind.
    pub failures: BTreeMap<String, u64>,
    /// Latency of requests without a nonce.
    pub latency: Latency,
    /// Requests with a nonce that were answered.
    pub nonces: u64,
    /// Of these, answers with the nonce in them.
    pub echoed: u64,
    /// Latency of requests with a nonce.
    pub latency_with_nonce: Latency,
    /// Answers that were verified in full.
    pub samples: Samples,
}

/// Latency in microseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Latency {
    /// How many answers it is made from.
    pub count: u64,
    /// The mean.
    pub mean_us: f64,
    /// The median.
    pub p50_us: f64,
    /// Nine in ten were faster.
    pub p90_us: f64,
    /// 99 in 100 were faster.
    pub p99_us: f64,
    /// 999 in 1,000 were faster.
    pub p999_us: f64,
    /// 9,999 in 10,000 were faster.
    pub p9999_us: f64,
    /// The slowest.
    pub max_us: f64,
}

/// Answers that were verified in full.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Samples {
    /// How many.
    pub verified: u64,
    /// Of these, said "good".
    pub good: u64,
    /// Of these, said "revoked".
    pub revoked: u64,
    /// Of these, broke a rule.
    pub bad: u64,
    /// Which rules.
    pub violations: Vec<String>,
}

impl Report {
    /// Whether every request was answered and every verified answer is good.
    pub fn is_clean(&self) -> bool {
        self.failed == 0 && self.samples.bad == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<22}{:.2} s", "measured", self.seconds)?;
        writeln!(
            f,
            "{:<22}{}   ({:.0} a second)",
            "answered", self.answered, self.per_second
        )?;
        writeln!(f, "{:<22}{}", "failed", self.failed)?;
        for (kind, count) in &self.failures {
            writeln!(f, "  {kind:<20}{count}")?;
        }
        if self.resent > 0 {
            writeln!(f, "{:<22}{}", "sent again", self.resent)?;
        }
        writeln!(f, "{:<22}{}", "connections made", self.connects)?;
        writeln!(
            f,
            "{:<22}{:.1} MB",
            "received",
            self.octets as f64 / 1_000_000.0
        )?;
        self.latency.write(f, "latency")?;
        if self.nonces > 0 {
            writeln!(
                f,
                "{:<22}{} of {}",
                "nonce in the answer", self.echoed, self.nonces
            )?;
            self.latency_with_nonce.write(f, "latency with nonce")?;
        }
        let samples = &self.samples;
        if samples.verified > 0 {
            writeln!(
                f,
                "{:<22}{}: {} good, {} revoked, {} bad",
                "verified in full", samples.verified, samples.good, samples.revoked, samples.bad
            )?;
            for violation in &samples.violations {
                writeln!(f, "  {violation}")?;
            }
        }
        Ok(())
    }
}

impl Latency {
    fn write(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        writeln!(
            f,
            "{name:<22}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "mean", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "max"
        )?;
        writeln!(
            f,
            "{:<22}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "",
            time(self.mean_us),
            time(self.p50_us),
            time(self.p90_us),
            time(self.p99_us),
            time(self.p999_us),
            time(self.p9999_us),
            time(self.max_us)
        )
    }
}

fn time(micros: f64) -> String {
    if micros < 1000.0 {
        format!("{micros:.0} µs")
    } else if micros < 1_000_000.0 {
        format!("{:.1} ms", micros / 1000.0)
    } else {
        format!("{:.2} s", micros / 1_000_000.0)
    }
}
