//! Reading a set.

use std::collections::HashSet;
use std::fmt;

use pki::ocsp::response::Template;
use pki::{Certificate, HashAlgorithm, Serial, Time};

use crate::answer::FINGERPRINT;
use crate::format::{HEADER_LENGTH, Layout};
use crate::record::Record;
use crate::signature::Packing;
use crate::{Answer, AnswerSetError, Batch, Entry, IssuerHashes, open};

/// An opened, checked answer set.
pub struct AnswerSet {
    pub(crate) octets: Vec<u8>,
    pub(crate) layout: Layout,
    pub(crate) len: usize,
    pub(crate) cert_ids: Vec<IssuerHashes>,
    pub(crate) batches: Vec<Batch>,
    /// How many answers each batch has.
    pub(crate) batch_sizes: Vec<u64>,
    /// Per batch, where its templates begin in `templates`; the slot of the hash is added.
    pub(crate) batch_templates: Vec<usize>,
    pub(crate) templates: Vec<SetTemplate>,
    pub(crate) good: u64,
    pub(crate) revoked: u64,
    pub(crate) removed: u64,
}

/// What all responses of one responder certificate and one CertID hash share.
pub(crate) struct SetTemplate {
    pub(crate) template: Template,
    pub(crate) signature: Packing,
    pub(crate) fingerprint: [u8; FINGERPRINT],
}

impl AnswerSet {
    /// Opens an object that claims to hold answers for the certificates of `ca`, and checks everything but the
    /// signatures of the answers.
    pub fn from_bytes(octets: Vec<u8>, ca: &Certificate) -> Result<Self, AnswerSetError> {
        open::open(octets, ca)
    }

    /// The issuer's names in CertIDs, one per hash that this set has answers for.
    pub fn cert_ids(&self) -> &[IssuerHashes] {
        &self.cert_ids
    }

    /// What it says about the certificate whose serial number has this big-endian magnitude without leading zeros.
    pub fn get(&self, serial: &[u8]) -> Option<Answer<'_>> {
        match self.entry(serial)? {
            Entry::Answer(answer) => Some(answer),
            Entry::Removed(_) => None,
        }
    }

    /// Like [`AnswerSet::get`], and tells a certificate that has left from one that was never here.
    pub fn entry(&self, serial: &[u8]) -> Option<Entry<'_>> {
        if serial.first().is_none_or(|&first| first == 0) {
            return None;
        }
        let key = self.padded(serial)?;
        let key = &key[..self.layout.serial_width];
        let index = self.partition(|padded| padded < key);
        (index < self.len && self.record(index).padded_serial() == key)
            .then(|| self.entry_at(index))
    }

    /// Every entry, by ascending serial number.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        (0..self.len).map(|index| self.entry_at(index))
    }

    /// How many entries it has, removals included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no entry at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many answers say "good".
    pub fn good(&self) -> u64 {
        self.good
    }

    /// How many answers say "revoked".
    pub fn revoked(&self) -> u64 {
        self.revoked
    }

    /// How many entries only say that a certificate has left.
    pub fn removed(&self) -> u64 {
        self.removed
    }

    /// The times and responders of the answers; each is used by at least one answer or came from an older set.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// The earliest nextUpdate of any answer.
    pub fn oldest_next_update(&self) -> Option<Time> {
        self.used_batches().map(|batch| batch.next_update).min()
    }

    /// The earliest planned renewal of any answer.
    pub fn earliest_refresh(&self) -> Option<Time> {
        self.used_batches().map(|batch| batch.refresh_at).min()
    }

    /// The responder certificates that answers of this set carry, each once.
    pub fn responders(&self) -> Vec<&Certificate> {
        let mut seen = HashSet::new();
        self.used_batches()
            .filter_map(|batch| batch.responder.as_ref())
            .filter(|certificate| seen.insert(certificate.der()))
            .collect()
    }

    /// The octets of the object.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets
    }

    pub(crate) fn entry_at(&self, index: usize) -> Entry<'_> {
        let record = self.record(index);
        match record.status() {
            Some(status) => Entry::Answer(Answer::new(self, record, status)),
            None => Entry::Removed(record.serial()),
        }
    }

    pub(crate) fn record(&self, index: usize) -> Record<'_> {
        let length = self.layout.record_length();
        let at = HEADER_LENGTH + index * length;
        Record::new(&self.octets[at..at + length], self.layout)
    }

    /// The first entry whose serial number is greater.
    pub(crate) fn first_after(&self, serial: Option<Serial>) -> usize {
        match serial.map(|serial| self.padded(serial.as_bytes())) {
            None => 0,
            // Wider than every serial number here.
            Some(None) => self.len,
            Some(Some(key)) => {
                let key = &key[..self.layout.serial_width];
                self.partition(|padded| padded <= key)
            }
        }
    }

    pub(crate) fn hash_slot(&self, hash: HashAlgorithm) -> Option<usize> {
        self.cert_ids
            .iter()
            .position(|cert_id| cert_id.hash == hash)
    }

    pub(crate) fn template(&self, batch: usize, slot: usize) -> &SetTemplate {
        &self.templates[self.batch_templates[batch] + slot]
    }

    fn used_batches(&self) -> impl Iterator<Item = &Batch> {
        let used = self.batches.iter().zip(&self.batch_sizes);
        used.filter(|(_, size)| **size > 0).map(|(batch, _)| batch)
    }

    /// The serial at the width of this set, `None` if it is wider.
    fn padded(&self, serial: &[u8]) -> Option<[u8; Serial::MAX_OCTETS]> {
        let start = self.layout.serial_width.checked_sub(serial.len())?;
        let mut padded = [0; Serial::MAX_OCTETS];
        padded[start..self.layout.serial_width].copy_from_slice(serial);
        Some(padded)
    }

    /// The number of leading records for whose serial numbers `before` holds.
    fn partition(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.record(middle).padded_serial()) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl fmt::Debug for AnswerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerSet")
            .field("good", &self.good)
            .field("revoked", &self.revoked)
            .field("removed", &self.removed)
            .field("batches", &self.batches.len())
            .finish_non_exhaustive()
    }
}
