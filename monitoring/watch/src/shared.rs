//! What all loops of all edges share.

use std::sync::{Arc, Mutex};

use ledger::Ledger;
use pki::{Clock, Time};
use telemetry::Health;

use crate::config::Config;
use crate::difference::{Difference, Product};
use crate::findings::{Findings, Key};
use crate::memory::Memory;
use crate::metrics::Metrics;

/// Everything that is not of one edge.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) findings: Findings,
    /// Absent when everything is looked at once.
    pub(crate) health: Option<Health>,
    pub(crate) ledger: Ledger,
    pub(crate) memory: Mutex<Memory>,
    pub(crate) metrics: Metrics,
    /// When this process began.
    pub(crate) started: Time,
}

impl Shared {
    /// Changes what is remembered of one edge.
    pub(crate) fn remember(&self, edge: &str, change: impl FnOnce(&mut crate::memory::EdgeMemory)) {
        // Unwrap safety: nothing panics while the lock is held.
        let mut memory = self.memory.lock().unwrap();
        change(memory.edges.entry(edge.to_owned()).or_default());
    }

    /// Notes that something differs, to be looked at again.
    pub(crate) fn suspect(&self, key: Key, row: Option<ledger::StatusRow>, difference: Difference) {
        self.findings
            .suspect(key, row, difference, self.clock.now());
    }

    /// Every serial number was compared.
    pub(crate) fn swept(&self, edge: &str, product: Product) {
        let now = self.clock.now();
        self.metrics.swept(edge, product, now);
        self.remember(edge, |memory| match product {
            Product::Crl => memory.crl_swept = Some(now),
            Product::Ocsp => memory.ocsp_swept = Some(now),
        });
    }
}
