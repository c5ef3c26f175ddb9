//! Small sets over a large one.

use std::fmt;
use std::sync::Arc;

use pki::ocsp::response::CertStatus;
use pki::{Serial, Time};

use crate::merged::Merged;
use crate::set::AnswerSet;
use crate::{Answer, Damaged, Entry, IssuerHashes, Window};

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
    pub fn new(base: Arc<AnswerSet>, deltas: Vec<Arc<AnswerSet>>) -> Result<Self, Damaged> {
        let nothing = Self {
            layers: Vec::new(),
            visible: Vec::new(),
            totals: Totals::default(),
        };
        deltas
            .into_iter()
            .rev()
            .try_fold(nothing.push(base)?, Self::push)
    }

    /// Like [`Layered::new`]; takes over what this one knows about the layers that both have at the bottom, and so
    /// takes time by the size of those that differ.
    pub fn changed_to(
        &self,
        base: Arc<AnswerSet>,
        deltas: Vec<Arc<AnswerSet>>,
    ) -> Result<Self, Damaged> {
        let mut new = deltas;
        new.push(base);
        let same = self
            .layers
            .iter()
            .rev()
            .zip(new.iter().rev())
            .take_while(|(old, new)| Arc::ptr_eq(old, new))
            .count();
        if same == 0 {
            let base = new.remove(new.len() - 1);
            return Self::new(base, new);
        }
        let mut layered = self.clone();
        while layered.layers.len() > same {
            layered = layered.pop()?;
        }
        new.truncate(new.len() - same);
        new.into_iter().rev().try_fold(layered, Self::push)
    }

    /// Lays one more delta over all others. It is read, the others are only asked: it takes time by the size of the delta, not of what lies below.
    pub fn push(mut self, delta: Arc<AnswerSet>) -> Result<Self, Damaged> {
        if !self.layers.is_empty() {
            for entry in delta.entries() {
                self.recount(&entry?.serial(), |count| *count = count.saturating_sub(1));
            }
        }
        self.totals.good += delta.good();
        self.totals.revoked += delta.revoked();
        self.visible.insert(0, delta.batch_sizes());
        self.layers.insert(0, delta);
        Ok(self)
    }

    /// The answer for a serial number, given as its big-endian magnitude without leading zeros.
    pub fn get(&self, serial: &[u8]) -> Result<Option<Answer<'_>>, Damaged> {
        for layer in &self.layers {
            if let Some(entry) = layer.entry(serial)? {
                return Ok(entry.answer());
            }
        }
        Ok(None)
    }

    /// Every certificate's answer, by ascending serial number, from above `after` on.
    pub fn answers_after(
        &self,
        after: Option<Serial>,
    ) -> Result<impl Iterator<Item = Result<Answer<'_>, Damaged>>, Damaged> {
        let merged = Merged::new(&self.layers, after)?;
        Ok(merged.filter_map(|found| {
            let entry = found.and_then(|(layer, index)| self.layers[layer].entry_at(index));
            entry.map(Entry::answer).transpose()
        }))
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
                oldest_this_update: self.used(index).map(|window| window.this_update).min(),
                oldest_next_update: self.used(index).map(|window| window.next_update).min(),
            })
            .collect()
    }

    /// The earliest nextUpdate of any answer that can be given.
    pub fn oldest_next_update(&self) -> Option<Time> {
        self.all_used().map(|window| window.next_update).min()
    }

    /// The earliest planned renewal of any answer that can be given.
    pub fn earliest_refresh(&self) -> Option<Time> {
        self.all_used().map(|window| window.refresh_at).min()
    }

    /// The earliest signing time of any answer that can be given.
    pub fn oldest_this_update(&self) -> Option<Time> {
        self.all_used().map(|window| window.this_update).min()
    }

    fn all_used(&self) -> impl Iterator<Item = Window> {
        (0..self.layers.len()).flat_map(|index| self.used(index))
    }

    /// The times of the batches of a layer of which an answer can be given.
    fn used(&self, layer: usize) -> impl Iterator<Item = Window> {
        let batches = self.layers[layer].windows().zip(&self.visible[layer]);
        batches
            .filter(|(_, visible)| **visible > 0)
            .map(|(window, _)| window)
    }

    /// Takes the newest layer off again.
    fn pop(mut self) -> Result<Self, Damaged> {
        let delta = self.layers.remove(0);
        self.visible.remove(0);
        self.totals.good = self.totals.good.saturating_sub(delta.good());
        self.totals.revoked = self.totals.revoked.saturating_sub(delta.revoked());
        if !self.layers.is_empty() {
            for entry in delta.entries() {
                self.recount(&entry?.serial(), |count| *count += 1);
            }
        }
        Ok(self)
    }

    /// A layer above begins or ceases to decide about this certificate.
    ///
    /// What is damaged below must not keep a revocation out: its answers are not given, and stay counted.
    fn recount(&mut self, serial: &Serial, change: impl Fn(&mut u64)) {
        for (layer, visible) in self.layers.iter().zip(&mut self.visible) {
            let Ok(found) = layer.entry(serial.as_bytes()) else {
                return;
            };
            let Some(entry) = found else { continue };
            if let Entry::Answer(answer) = entry {
                change(&mut visible[answer.batch()]);
                match answer.status() {
                    CertStatus::Good => change(&mut self.totals.good),
                    CertStatus::Revoked { .. } => change(&mut self.totals.revoked),
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
