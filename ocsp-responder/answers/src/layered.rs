//! Small sets over a large one.

use std::fmt;
use std::sync::Arc;

use pki::{Serial, Time};

use crate::set::AnswerSet;
use crate::{Answer, Batch, Entry, IssuerHashes};

/// A base under deltas; about each certificate the newest layer that knows it decides.
#[derive(Clone)]
pub struct Layered {
    /// Newest first; the base is the last.
    layers: Vec<Arc<AnswerSet>>,
    /// Per layer, how many answers of each batch no newer layer hides.
    visible: Vec<Vec<u64>>,
    totals: Totals,
}

/// How many certificates have which status.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Answered "good".
    pub good: u64,
    /// Answered "revoked".
    pub revoked: u64,
}

/// What one layer contributes to the whole: the answers that no newer layer hides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Contribution {
    /// How many.
    pub answers: u64,
    /// The earliest of their thisUpdates.
    pub oldest_this_update: Option<Time>,
    /// The earliest of their nextUpdates.
    pub oldest_next_update: Option<Time>,
}

impl Totals {
    /// All that are answered.
    pub fn all(&self) -> u64 {
        self.good + self.revoked
    }
}

impl Layered {
    /// Lays `deltas`, newest first, over `base`. All must be of one issuer.
    pub fn new(base: Arc<AnswerSet>, deltas: Vec<Arc<AnswerSet>>) -> Self {
        let mut layers = deltas;
        layers.push(base);
        let mut layered = Self {
            layers: Vec::new(),
            visible: Vec::new(),
            totals: Totals::default(),
        };
        for layer in layers.into_iter().rev() {
            layered.push(layer);
        }
        layered
    }

    /// Lays one more delta over all others; takes time by the size of the delta, not of what lies below.
    pub fn push(&mut self, delta: Arc<AnswerSet>) {
        if !self.layers.is_empty() {
            for entry in delta.entries() {
                self.hide(&entry.serial());
            }
        }
        self.totals.good += delta.good();
        self.totals.revoked += delta.revoked();
        self.visible.insert(0, delta.batch_sizes.clone());
        self.layers.insert(0, delta);
    }

    /// The answer for a serial number, given as its big-endian magnitude without leading zeros.
    pub fn get(&self, serial: &[u8]) -> Option<Answer<'_>> {
        match self.layers.iter().find_map(|layer| layer.entry(serial))? {
            Entry::Answer(answer) => Some(answer),
            Entry::Removed(_) => None,
        }
    }

    /// Every certificate's answer, by ascending serial number, from above `after` on.
    pub fn answers_after(&self, after: Option<Serial>) -> impl Iterator<Item = Answer<'_>> {
        Merged::new(&self.layers, after).filter_map(|(layer, index)| {
            match self.layers[layer].entry_at(index) {
                Entry::Answer(answer) => Some(answer),
                Entry::Removed(_) => None,
            }
        })
    }

    /// The issuer's names in CertIDs that every layer has answers for.
    pub fn cert_ids(&self) -> Vec<&IssuerHashes> {
        let base = self.base().cert_ids().iter();
        base.filter(|cert_id| {
            self.layers
                .iter()
                .all(|layer| layer.cert_ids().contains(cert_id))
        })
        .collect()
    }

    /// The layers, newest first; the last one is the base.
    pub fn layers(&self) -> &[Arc<AnswerSet>] {
        &self.layers
    }

    /// The layer below all others.
    pub fn base(&self) -> &Arc<AnswerSet> {
        // Unwrap safety: there is always a base.
        self.layers.last().unwrap()
    }

    /// How many certificates have which status.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// What each layer contributes, newest first.
    pub fn contributions(&self) -> Vec<Contribution> {
        (0..self.layers.len())
            .map(|index| Contribution {
                answers: self.visible[index].iter().sum(),
                oldest_this_update: self.used(index).map(|batch| batch.this_update).min(),
                oldest_next_update: self.used(index).map(|batch| batch.next_update).min(),
            })
            .collect()
    }

    /// The earliest nextUpdate of any answer that can be given.
    pub fn oldest_next_update(&self) -> Option<Time> {
        self.all_used().map(|batch| batch.next_update).min()
    }

    /// The earliest planned renewal of any answer that can be given.
    pub fn earliest_refresh(&self) -> Option<Time> {
        self.all_used().map(|batch| batch.refresh_at).min()
    }

    /// The earliest signing time of any answer that can be given.
    pub fn oldest_this_update(&self) -> Option<Time> {
        self.all_used().map(|batch| batch.this_update).min()
    }

    fn all_used(&self) -> impl Iterator<Item = &Batch> {
        (0..self.layers.len()).flat_map(|index| self.used(index))
    }

    /// The batches of a layer of which an answer can be given.
    fn used(&self, layer: usize) -> impl Iterator<Item = &Batch> {
        let batches = self.layers[layer]
            .batches()
            .iter()
            .zip(&self.visible[layer]);
        batches
            .filter(|(_, visible)| **visible > 0)
            .map(|(batch, _)| batch)
    }

    /// A new delta is about to decide about this certificate.
    fn hide(&mut self, serial: &Serial) {
        for (layer, visible) in self.layers.iter().zip(&mut self.visible) {
            match layer.entry(serial.as_bytes()) {
                None => continue,
                Some(Entry::Removed(_)) => {}
                Some(Entry::Answer(answer)) => {
                    visible[answer.batch()] -= 1;
                    match answer.status() {
                        pki::ocsp::response::CertStatus::Good => self.totals.good -= 1,
                        pki::ocsp::response::CertStatus::Revoked { .. } => self.totals.revoked -= 1,
                    }
                }
            }
            return;
        }
    }
}

impl fmt::Debug for Layered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered")
            .field("layers", &self.layers)
            .field("totals", &self.totals)
            .finish()
    }
}

/// Walks layers (newest first) by serial number; yields (layer, index) of the entry that decides.
pub(crate) struct Merged<'a> {
    layers: &'a [Arc<AnswerSet>],
    next: Vec<usize>,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(layers: &'a [Arc<AnswerSet>], after: Option<Serial>) -> Self {
        let next = layers
            .iter()
            .map(|layer| layer.first_after(after))
            .collect();
        Self { layers, next }
    }
}

impl Iterator for Merged<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let mut lowest: Option<(Serial, usize)> = None;
        for (number, layer) in self.layers.iter().enumerate() {
            if self.next[number] < layer.len() {
                let serial = layer.record(self.next[number]).serial();
                // Of equals the first, that is the newest.
                if lowest.is_none_or(|(known, _)| serial < known) {
                    lowest = Some((serial, number));
                }
            }
        }
        let (serial, decides) = lowest?;
        let index = self.next[decides];
        for (number, layer) in self.layers.iter().enumerate() {
            let at = self.next[number];
            if at < layer.len() && layer.record(at).serial() == serial {
                self.next[number] += 1;
            }
        }
        Some((decides, index))
    }
}
