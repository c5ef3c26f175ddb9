//! Small sets over a large one.

use std::fmt;
use std::iter::Peekable;
use std::sync::Arc;

use pki::ocsp::response::CertStatus;
use pki::{Serial, Time};

use crate::index::Key;
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

    fn of(&mut self, status: CertStatus) -> &mut u64 {
        match status {
            CertStatus::Good => &mut self.good,
            CertStatus::Revoked { .. } => &mut self.revoked,
        }
    }
}

impl Layered {
    /// Lays `deltas`, newest first, over `base`. All must be of one issuer.
    pub fn new(base: Arc<AnswerSet>, deltas: Vec<Arc<AnswerSet>>) -> Result<Self, Damaged> {
        Self::bare(base).with_top(1, deltas, || {})
    }

    /// Like [`Layered::new`]; takes over what this one knows about the layers that both have at the bottom, and so
    /// takes time by the size of those that differ. `pace` is called every some microseconds, and may rest.
    pub fn changed_to(
        &self,
        base: Arc<AnswerSet>,
        deltas: Vec<Arc<AnswerSet>>,
        pace: impl FnMut(),
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
            return Self::bare(base).with_top(1, new, pace);
        }
        new.truncate(new.len() - same);
        self.with_top(same, new, pace)
    }

    fn bare(base: Arc<AnswerSet>) -> Self {
        Self {
            visible: vec![base.batch_sizes()],
            totals: Totals {
                good: base.good(),
                revoked: base.revoked(),
            },
            layers: vec![base],
        }
    }

    /// Other layers over so many of the lowest. What is below is asked about a certificate only when layers above begin
    /// or cease to decide about it: usually the new ones are the old ones folded, with few certificates more.
    fn with_top(
        &self,
        kept: usize,
        top: Vec<Arc<AnswerSet>>,
        mut pace: impl FnMut(),
    ) -> Result<Self, Damaged> {
        let replaced = self.layers.len() - kept;
        let (above, below) = self.layers.split_at(replaced);
        let mut changed = Self {
            layers: below.to_vec(),
            visible: self.visible[replaced..].to_vec(),
            totals: self.totals,
        };
        let mut visible: Vec<_> = top.iter().map(|set| vec![0; set.batches().len()]).collect();
        let (mut old, mut new) = (decided(above)?, decided(&top)?);
        for number in 0.. {
            let next = [next_serial(&mut old)?, next_serial(&mut new)?];
            let Some(serial) = next.into_iter().flatten().min() else {
                break;
            };
            let is_next = |found: &Decided<'_>| {
                let entry = found.as_ref().map(|(_, entry)| entry.serial());
                entry == Ok(serial)
            };
            let (was, is) = (old.next_if(is_next), new.next_if(is_next));
            match (was.is_some(), is.is_some()) {
                (true, false) => changed.recount(&serial, |count| *count += 1),
                (false, true) => changed.recount(&serial, |count| *count = count.saturating_sub(1)),
                _ => {}
            }
            if let Some(Ok((_, Entry::Answer(answer)))) = was {
                let count = changed.totals.of(answer.status());
                *count = count.saturating_sub(1);
            }
            if let Some(Ok((layer, Entry::Answer(answer)))) = is {
                *changed.totals.of(answer.status()) += 1;
                visible[layer][answer.batch()] += 1;
            }
            if number % WALKED_AT_ONCE == 0 {
                pace();
            }
        }
        drop(new);
        changed.layers.splice(0..0, top);
        changed.visible.splice(0..0, visible);
        Ok(changed)
    }

    /// The answer for a serial number, given as its big-endian magnitude without leading zeros.
    pub fn get(&self, serial: &[u8]) -> Result<Option<Answer<'_>>, Damaged> {
        let Some(key) = self.key(serial) else {
            return Ok(None);
        };
        for layer in &self.layers {
            if let Some(entry) = layer.entry_of(key)? {
                return Ok(entry.answer());
            }
        }
        Ok(None)
    }

    /// Reads the octets of the base's index from which [`Layered::get`] begins, and gives back something that depends on them.
    ///
    /// A large base is mostly not in the processor's caches. Whoever has several questions fetches for all of them before
    /// the first `get`, and uses the results after that: then the memory is waited for together.
    pub fn fetch_index(&self, serial: &[u8]) -> u8 {
        let key = self.key(serial);
        key.map_or(0, |key| self.base().fetch_bucket(key))
    }

    /// Like [`Layered::fetch_index`], for the record that the index names.
    pub fn fetch_record(&self, serial: &[u8]) -> u8 {
        let key = self.key(serial);
        key.map_or(0, |key| self.base().fetch_record(key))
    }

    /// The key under which all layers, which are of one issuer, have a serial number.
    fn key<'a>(&self, serial: &'a [u8]) -> Option<Key<'a>> {
        self.base().key(serial)
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
                change(self.totals.of(answer.status()));
            }
            return;
        }
    }
}

/// What some layers say about a certificate, and which of them; or that it cannot be read.
type Decided<'a> = Result<(usize, Entry<'a>), Damaged>;

/// Everything that these layers, newest first, decide about, by ascending serial number.
fn decided(
    layers: &[Arc<AnswerSet>],
) -> Result<Peekable<impl Iterator<Item = Decided<'_>>>, Damaged> {
    let merged = Merged::new(layers, None)?.map(|found| {
        let (layer, index) = found?;
        Ok((layer, layers[layer].entry_at(index)?))
    });
    Ok(merged.peekable())
}

fn next_serial<'a>(
    decided: &mut Peekable<impl Iterator<Item = Decided<'a>>>,
) -> Result<Option<Serial>, Damaged> {
    match decided.peek() {
        None => Ok(None),
        Some(Ok((_, entry))) => Ok(Some(entry.serial())),
        Some(Err(damaged)) => Err(*damaged),
    }
}

/// Each may have to wait for memory some times.
const WALKED_AT_ONCE: usize = 32;

impl fmt::Debug for Layered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered")
            .field("layers", &self.layers)
            .field("totals", &self.totals)
            .finish()
    }
}
