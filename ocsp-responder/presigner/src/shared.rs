//! What all workers of the daemon use together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ledger::Ledger;
use pki::Clock;
use pki::profile::RuleSet;
use serde_json::json;
use telemetry::{Health, StateFile};

use crate::backends::Backends;
use crate::certify::Certify;
use crate::live::Standings;
use crate::metrics::Metrics;
use crate::pool::SignPool;
use crate::publication_key::PublicationKey;

/// One for the whole daemon.
#[derive(Debug)]
pub struct Shared {
    /// The truth.
    pub ledger: Ledger,
    /// Signs.
    pub pool: SignPool,
    /// With what it signs.
    pub backends: Backends,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Certifies responder keys.
    pub certifier: Arc<dyn Certify>,
    /// Whose rules the CA keeps: by its own, responder certificates are issued ahead.
    pub rule_set: RuleSet,
    /// The directory of all responder keys.
    pub keys: PathBuf,
    /// The publication directory.
    pub publication: PathBuf,
    /// Signs manifests.
    pub publication_key: Arc<PublicationKey>,
    /// Counts.
    pub metrics: Metrics,
    /// Tells how each issuer is.
    pub health: Health,
    /// Tells how far it is.
    pub progress: Progress,
    /// What each issuer can say at this moment.
    pub standings: Arc<Standings>,
}

/// How far each issuer is, in the daemon's state file: `{"progress": {"member": {"done": 1, "total": 2}}}`.
#[derive(Debug, Default)]
pub struct Progress {
    state: Option<StateFile>,
    issuers: Mutex<BTreeMap<String, (u64, u64)>>,
}

impl Progress {
    /// Told in this file.
    pub fn in_file(state: StateFile) -> Self {
        Self {
            state: Some(state),
            issuers: Mutex::default(),
        }
    }

    /// Tells how far an issuer is.
    pub fn set(&self, issuer: &str, done: u64, total: u64) {
        // Unwrap safety: nothing panics while the lock is held.
        let mut issuers = self.issuers.lock().unwrap();
        if issuers.insert(issuer.to_owned(), (done, total)) == Some((done, total)) {
            return;
        }
        let Some(state) = &self.state else { return };
        let progress: serde_json::Map<_, _> = issuers
            .iter()
            .map(|(issuer, (done, total))| (issuer.clone(), json!({"done": done, "total": total})))
            .collect();
        if let Err(error) = state.set("progress", progress.into()) {
            tracing::warn!("the state file cannot be written: {error}");
        }
    }
}
