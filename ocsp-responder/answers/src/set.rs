//! Reading a set.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use pki::{Certificate, HashAlgorithm, Serial, Time};

use crate::format::{CHUNK_BUCKETS, CHUNK_RECORDS, HEADER_LENGTH};
use crate::index::{BUCKET_LENGTH, Bucket, Key};
use crate::map::Map;
use crate::octets::Octets;
use crate::record::Record;
use crate::tables::{StoredBatch, Tables};
use crate::verified::Verified;
use crate::{Answer, AnswerSetError, Damaged, Entry, IssuerHashes, Window, open};

/// An opened answer set.
///
/// Its tables are checked when it is opened, each chunk of records and index before its first use.
pub struct AnswerSet {
    pub(crate) octets: Arc<Octets>,
    pub(crate) tables: Tables,
    pub(crate) records: Verified,
    pub(crate) index: Verified,
    /// What was found first.
    pub(crate) damage: OnceLock<Damaged>,
}

impl AnswerSet {
    /// Opens an object in memory that claims to hold answers for the certificates of `ca`, and checks everything but the
    /// signatures of the answers.
    pub fn from_bytes(octets: Vec<u8>, ca: &Certificate) -> Result<Self, AnswerSetError> {
        Self::from_bytes_at_a_pace(octets, ca, |_| {})
    }

    /// Like [`AnswerSet::from_bytes`], with a `pace` as for [`AnswerSet::verify_all`].
    pub fn from_bytes_at_a_pace(
        octets: Vec<u8>,
        ca: &Certificate,
        pace: impl FnMut(Duration),
    ) -> Result<Self, AnswerSetError> {
        let set = open::open(Arc::new(Octets::Memory(octets)), ca)?;
        set.verify_all(pace)?;
        Ok(set)
    }

    /// Opens a file by mapping it, and checks its tables, whose size does not depend on the number of answers but for
    /// some octets per 256 records. The rest is checked before its first use, or by [`AnswerSet::verify_all`].
    ///
    /// Nobody may ever change the file. It may be unlinked.
    pub fn map(file: &File, ca: &Certificate) -> Result<Self, AnswerSetError> {
        let map = Map::of(file).map_err(|error| AnswerSetError::Unreadable(error.to_string()))?;
        open::open(Arc::new(Octets::Map(map)), ca)
    }

    /// Opens the same octets once more, for another certificate of the issuer. Nothing counts as verified yet.
    pub fn reopen(&self, ca: &Certificate) -> Result<Self, AnswerSetError> {
        open::open(Arc::clone(&self.octets), ca)
    }

    /// Verifies every chunk that nobody has used yet. After each, `pace` is told how long it took, and may rest.
    pub fn verify_all(&self, mut pace: impl FnMut(Duration)) -> Result<(), Damaged> {
        for chunk in 0..self.tables.record_chunks() {
            if !self.records.contains(chunk) {
                let begun = Instant::now();
                self.verify_records(chunk)?;
                pace(begun.elapsed());
            }
        }
        for chunk in 0..self.tables.index_chunks() {
            if !self.index.contains(chunk) {
                let begun = Instant::now();
                self.verify_index(chunk)?;
                pace(begun.elapsed());
            }
        }
        Ok(())
    }

    /// Whether every chunk has been verified.
    pub fn is_verified(&self) -> bool {
        self.records.is_complete() && self.index.is_complete()
    }

    /// The damage that was met first, if any; only a new set helps.
    pub fn damage(&self) -> Option<Damaged> {
        self.damage.get().copied()
    }

    /// Gives the memory of a map back in small pieces, to be called by the last user before it lets go: all at once
    /// would make everybody else in the process wait. After each piece `pace` is told how long it took.
    pub fn release(&self, pace: impl FnMut(Duration)) {
        self.octets.release(pace);
    }

    /// The issuer's names in CertIDs, one per hash that this set has answers for.
    pub fn cert_ids(&self) -> &[IssuerHashes] {
        &self.tables.cert_ids
    }

    /// What it says about the certificate whose serial number has this big-endian magnitude without leading zeros.
    pub fn get(&self, serial: &[u8]) -> Result<Option<Answer<'_>>, Damaged> {
        Ok(self.entry(serial)?.and_then(Entry::answer))
    }

    /// Like [`AnswerSet::get`], and tells a certificate that has left from one that was never here.
    pub fn entry(&self, serial: &[u8]) -> Result<Option<Entry<'_>>, Damaged> {
        match self.key(serial) {
            Some(key) => self.entry_of(key),
            None => Ok(None),
        }
    }

    /// Every entry, by ascending serial number.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Result<Entry<'_>, Damaged>> {
        (0..self.len()).map(|index| self.entry_at(index))
    }

    /// How many entries it has, removals included.
    pub fn len(&self) -> usize {
        self.tables.len
    }

    /// Whether it has no entry at all.
    pub fn is_empty(&self) -> bool {
        self.tables.len == 0
    }

    /// How many answers say "good".
    pub fn good(&self) -> u64 {
        self.tables.good
    }

    /// How many answers say "revoked".
    pub fn revoked(&self) -> u64 {
        self.tables.revoked
    }

    /// How many entries only say that a certificate has left.
    pub fn removed(&self) -> u64 {
        self.tables.removed
    }

    /// The times of its batches, by their number; each has at least one answer.
    pub fn windows(&self) -> impl ExactSizeIterator<Item = Window> {
        self.batches().map(|batch| batch.window)
    }

    /// The earliest nextUpdate of any answer.
    pub fn oldest_next_update(&self) -> Option<Time> {
        self.windows().map(|window| window.next_update).min()
    }

    /// The earliest planned renewal of any answer.
    pub fn earliest_refresh(&self) -> Option<Time> {
        self.windows().map(|window| window.refresh_at).min()
    }

    /// The responder certificates that answers of this set carry, each once.
    pub fn responders(&self) -> Vec<&Certificate> {
        let mut seen = HashSet::new();
        self.tables
            .responders
            .iter()
            .flatten()
            .filter(|certificate| seen.insert(certificate.der()))
            .collect()
    }

    /// The octets of the object.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets
    }

    /// How many octets at the end are its tail, by whose hash a publication names it.
    pub fn tail_length(&self) -> u64 {
        (self.octets.len() - self.tables.tail_at) as u64
    }

    /// The key of a serial number in all sets of this issuer; `None` for what is none.
    pub(crate) fn key<'a>(&self, serial: &'a [u8]) -> Option<Key<'a>> {
        let is_one = serial.first().is_some_and(|&first| first != 0);
        is_one.then(|| self.tables.homes.key(serial))
    }

    pub(crate) fn entry_of(&self, key: Key<'_>) -> Result<Option<Entry<'_>>, Damaged> {
        match self.find(key)? {
            Some(record) => self.entry_at(record).map(Some),
            None => Ok(None),
        }
    }

    /// An octet of the bucket in which a search begins.
    pub(crate) fn fetch_bucket(&self, key: Key<'_>) -> u8 {
        if self.is_empty() {
            return 0;
        }
        // Lossless: below the number of buckets.
        self.octets[self.bucket_offset(self.tables.homes.of(key).bucket as usize)]
    }

    /// An octet of each cache line of the first record with that fingerprint.
    pub(crate) fn fetch_record(&self, key: Key<'_>) -> u8 {
        if self.is_empty() {
            return 0;
        }
        let home = self.tables.homes.of(key);
        // Lossless: below the number of buckets.
        let mut found = self
            .unverified_bucket(home.bucket as usize)
            .candidates(home.fingerprint);
        // Lossless: 32 bits.
        let record = found.next().map(|index| index as usize);
        let Some(index) = record.filter(|&index| index < self.len()) else {
            return 0;
        };
        let octets = self.unverified_record(index).octets();
        let lines = octets.iter().step_by(CACHE_LINE);
        lines.chain(octets.last()).fold(0, |all, octet| all ^ octet)
    }

    pub(crate) fn entry_at(&self, index: usize) -> Result<Entry<'_>, Damaged> {
        let record = self.record(index)?;
        let damaged = |what| self.damaged(self.record_offset(index), what);
        let serial = record.serial().ok_or_else(|| damaged(ZERO))?;
        let Some(status) = record.status() else {
            return Ok(Entry::Removed(serial));
        };
        // Lossless: 32 bits.
        let batch = record.batch() as usize;
        let resolved = self.tables.resolve(&self.octets, batch);
        let (window, signer) = resolved.map_err(|error| damaged(error.what))?;
        Ok(Entry::Answer(Answer {
            set: self,
            record,
            signer,
            serial,
            status,
            batch,
            window,
        }))
    }

    /// The serial number of an entry, `None` after the last one.
    pub(crate) fn serial_at(&self, index: usize) -> Result<Option<Serial>, Damaged> {
        if index >= self.len() {
            return Ok(None);
        }
        let serial = self.record(index)?.serial();
        serial
            .map(Some)
            .ok_or_else(|| self.damaged(self.record_offset(index), ZERO))
    }

    /// A record of a verified chunk.
    pub(crate) fn record(&self, index: usize) -> Result<Record<'_>, Damaged> {
        let chunk = index / CHUNK_RECORDS;
        if !self.records.contains(chunk) {
            self.verify_records(chunk)?;
        }
        Ok(self.unverified_record(index))
    }

    pub(crate) fn unverified_record(&self, index: usize) -> Record<'_> {
        let at = self.record_offset(index);
        let octets = &self.octets[at..at + self.tables.layout.record_length()];
        Record::new(octets, self.tables.layout)
    }

    pub(crate) fn record_offset(&self, index: usize) -> usize {
        HEADER_LENGTH + index * self.tables.layout.record_length()
    }

    /// The first entry whose serial number is greater.
    pub(crate) fn first_after(&self, serial: Option<Serial>) -> Result<usize, Damaged> {
        let Some(serial) = serial else { return Ok(0) };
        let Some(key) = self.padded(serial.as_bytes()) else {
            // Wider than every serial number here.
            return Ok(self.len());
        };
        let key = &key[..self.tables.layout.serial_width];
        // The chunk in which it would stand is the last one that does not begin after it.
        let chunks = partition(0..self.tables.record_chunks(), |chunk| {
            Ok(self.tables.chunk_head(&self.octets, chunk).0 <= key)
        })?;
        let Some(chunk) = chunks.checked_sub(1) else {
            return Ok(0);
        };
        let first = chunk * CHUNK_RECORDS;
        partition(first..(first + CHUNK_RECORDS).min(self.len()), |index| {
            Ok(self.record(index)?.padded_serial() <= key)
        })
    }

    pub(crate) fn hash_slot(&self, hash: HashAlgorithm) -> Option<usize> {
        self.tables.hash_slot(hash)
    }

    pub(crate) fn responder(&self, number: usize) -> Option<&Certificate> {
        self.tables.responders[number].as_ref()
    }

    pub(crate) fn batches(&self) -> impl ExactSizeIterator<Item = StoredBatch> {
        self.tables.all_batches(&self.octets)
    }

    pub(crate) fn batch_sizes(&self) -> Vec<u64> {
        self.batches().map(|batch| batch.size).collect()
    }

    /// Remembers damage.
    pub(crate) fn damaged(&self, offset: usize, what: &'static str) -> Damaged {
        let damaged = Damaged { offset, what };
        // Only the first is kept: one is enough to be unfit.
        self.damage.get_or_init(|| damaged);
        damaged
    }

    /// The number of the record with that serial number.
    fn find(&self, key: Key<'_>) -> Result<Option<usize>, Damaged> {
        let (serial, width) = (key.serial, self.tables.layout.serial_width);
        if serial.len() > width || self.is_empty() {
            return Ok(None);
        }
        let home = self.tables.homes.of(key);
        // A record with the same fingerprint in a damaged chunk may or may not be the one: that matters only if no other is.
        let mut unread = None;
        // Lossless: below the number of buckets.
        for number in home.bucket as usize..self.tables.buckets {
            let bucket = self.bucket(number)?;
            for index in bucket.candidates(home.fingerprint) {
                // Lossless: 32 bits.
                let index = index as usize;
                if index >= self.len() {
                    return Err(self.damaged(
                        self.bucket_offset(number),
                        "a bucket names a record that is not there",
                    ));
                }
                let record = match self.record(index) {
                    Ok(record) => record,
                    Err(damaged) => {
                        unread = Some(damaged);
                        continue;
                    }
                };
                let (zeros, found) = record.padded_serial().split_at(width - serial.len());
                if found == serial && zeros.iter().all(|&octet| octet == 0) {
                    return Ok(Some(index));
                }
            }
            if !bucket.is_full() {
                break;
            }
        }
        unread.map_or(Ok(None), Err)
    }

    /// A bucket of a verified chunk.
    fn bucket(&self, number: usize) -> Result<Bucket<'_>, Damaged> {
        let chunk = number / CHUNK_BUCKETS;
        if !self.index.contains(chunk) {
            self.verify_index(chunk)?;
        }
        Ok(self.unverified_bucket(number))
    }

    pub(crate) fn unverified_bucket(&self, number: usize) -> Bucket<'_> {
        let at = self.bucket_offset(number);
        Bucket::new(&self.octets[at..at + BUCKET_LENGTH])
    }

    pub(crate) fn bucket_offset(&self, number: usize) -> usize {
        self.tables.index_at + number * BUCKET_LENGTH
    }

    /// The serial at the width of this set, `None` if it is wider.
    fn padded(&self, serial: &[u8]) -> Option<[u8; Serial::MAX_OCTETS]> {
        let width = self.tables.layout.serial_width;
        let start = width.checked_sub(serial.len())?;
        let mut padded = [0; Serial::MAX_OCTETS];
        padded[start..width].copy_from_slice(serial);
        Some(padded)
    }
}

/// The first number of a range for which `before` does not hold.
fn partition(
    range: std::ops::Range<usize>,
    before: impl Fn(usize) -> Result<bool, Damaged>,
) -> Result<usize, Damaged> {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

const CACHE_LINE: usize = 64;

const ZERO: &str = "the serial number is zero";

impl fmt::Debug for AnswerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerSet")
            .field("good", &self.good())
            .field("revoked", &self.revoked())
            .field("removed", &self.removed())
            .field("batches", &self.tables.batches)
            .finish_non_exhaustive()
    }
}
