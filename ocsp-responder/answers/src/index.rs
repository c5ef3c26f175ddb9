//! The hash table from serial number to record number.
//!
//! A bucket is one cache line and has room for twelve records. It holds those whose home it is; when it is full, the next
//! ones stand in the bucket after it, and so on. So a search begins at the home bucket and ends at the first bucket that
//! is not full. Records stand in the order of their homes, then of their numbers: the same records always make the same
//! table, however it was made.

use std::io;

use pki::{Certificate, HashAlgorithm};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Octets of a bucket: 12 fingerprints, how many are used, 3 zeros, 12 record numbers.
pub(crate) const BUCKET_LENGTH: usize = 64;
const SLOTS: usize = 12;
const COUNT_AT: usize = SLOTS;
const RECORDS_AT: usize = 16;
/// Records per home bucket on average; two more fit, which keeps nearly all at home.
const LOAD: u64 = 10;
/// Home buckets that are filled in one pass over the records: bounds the memory of a writer to about 80 MiB.
const HOMES_AT_ONCE: u64 = 1 << 20;

/// Where serial numbers belong, for one issuer and one size of table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Homes {
    seed: u64,
    pub(crate) count: u64,
}

/// A serial number as the tables of its issuer know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    /// Without leading zeros.
    pub(crate) serial: &'a [u8],
    hash: u64,
}

/// A serial number's home bucket and fingerprint.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    pub(crate) bucket: u64,
    pub(crate) fingerprint: u8,
}

/// The seed of an issuer's tables: the beginning of the SHA-256 of its key.
pub(crate) fn seed(ca: &Certificate) -> u64 {
    let key = HashAlgorithm::Sha256.digest(ca.public_key().key_bits());
    key[..8]
        .iter()
        .fold(0, |seed, &octet| seed << 8 | u64::from(octet))
}

impl Homes {
    /// The homes of a table for that many records.
    pub(crate) fn for_records(seed: u64, records: u64) -> Self {
        Self {
            seed,
            count: records.div_ceil(LOAD),
        }
    }

    /// What makes hashes of this issuer differ from those of others.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The key of a serial number without leading zeros: the same for all tables of the issuer.
    pub(crate) fn key<'a>(&self, serial: &'a [u8]) -> Key<'a> {
        let hash = xxh3_64_with_seed(serial, self.seed);
        Key { serial, hash }
    }

    /// Where it belongs in a table of this size.
    pub(crate) fn of(&self, key: Key<'_>) -> Home {
        Home {
            // The upper bits choose the bucket, the lowest ones are the fingerprint. Lossless: below the count.
            bucket: ((u128::from(key.hash) * u128::from(self.count)) >> 64) as u64,
            fingerprint: key.hash as u8,
        }
    }
}

/// A bucket as it stands in the table.
#[derive(Clone, Copy)]
pub(crate) struct Bucket<'a>(&'a [u8]);

impl<'a> Bucket<'a> {
    /// Of exactly [`BUCKET_LENGTH`] octets.
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// The numbers of the records with that fingerprint.
    pub(crate) fn candidates(self, fingerprint: u8) -> impl Iterator<Item = u32> + use<'a> {
        let mut same = 0_u32;
        for (slot, &found) in self.0[..SLOTS].iter().enumerate() {
            same |= u32::from(found == fingerprint) << slot;
        }
        same &= (1 << self.len()) - 1;
        std::iter::from_fn(move || {
            if same == 0 {
                return None;
            }
            let slot = same.trailing_zeros() as usize;
            same &= same - 1;
            Some(self.record(slot))
        })
    }

    /// Whether a search goes on in the next bucket.
    pub(crate) fn is_full(self) -> bool {
        self.len() == SLOTS
    }

    /// What is wrong with it in a table over that many records.
    pub(crate) fn check(self, records: usize) -> Result<(), &'static str> {
        let len = usize::from(self.0[COUNT_AT]);
        if len > SLOTS {
            return Err("a bucket holds more than 12 records");
        }
        let unused = (len..SLOTS).all(|slot| self.0[slot] == 0 && self.record(slot) == 0);
        if self.0[COUNT_AT + 1..RECORDS_AT] != [0; 3] || !unused {
            return Err("the unused part of a bucket is not zero");
        }
        if (0..len).any(|slot| self.record(slot) as usize >= records) {
            return Err("a bucket names a record that is not there");
        }
        Ok(())
    }

    fn len(self) -> usize {
        usize::from(self.0[COUNT_AT]).min(SLOTS)
    }

    fn record(self, slot: usize) -> u32 {
        let at = RECORDS_AT + 4 * slot;
        u32::from_be_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
}

/// Makes the table of `records` records, bucket by bucket, and returns how many there are.
///
/// `serials` calls back with every serial number (without leading zeros), by ascending record number; it is called once
/// per some ten million records, so that the memory needed does not grow with their number.
pub(crate) fn build<S: ?Sized>(
    homes: Homes,
    source: &mut S,
    mut serials: impl FnMut(&mut S, &mut dyn FnMut(&[u8])) -> io::Result<()>,
    mut emit: impl FnMut(&mut S, &[u8; BUCKET_LENGTH]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut bucket = NewBucket::default();
    let mut number = 0;
    for first in (0..homes.count).step_by(HOMES_AT_ONCE as usize) {
        let range = first..(first + HOMES_AT_ONCE).min(homes.count);
        let mut entries: Vec<u64> = Vec::with_capacity((LOAD * (range.end - first)) as usize);
        let mut record = 0_u64;
        serials(source, &mut |serial| {
            let home = homes.of(homes.key(serial));
            if range.contains(&home.bucket) {
                entries
                    .push((home.bucket - first) << 40 | record << 8 | u64::from(home.fingerprint));
            }
            record += 1;
        })?;
        entries.sort_unstable();
        for entry in entries {
            let home = first + (entry >> 40);
            while number < home || bucket.is_full() {
                emit(source, &bucket.take())?;
                number += 1;
            }
            // Lossless: record numbers have 32 bits here.
            bucket.push(entry as u8, (entry >> 8) as u32);
        }
    }
    // The last bucket is never full, so every search ends inside the table.
    let mut ended = homes.count == 0;
    while number < homes.count || !ended {
        ended = !bucket.is_full();
        emit(source, &bucket.take())?;
        number += 1;
    }
    Ok(number)
}

struct NewBucket([u8; BUCKET_LENGTH]);

impl Default for NewBucket {
    fn default() -> Self {
        Self([0; BUCKET_LENGTH])
    }
}

impl NewBucket {
    fn push(&mut self, fingerprint: u8, record: u32) {
        let slot = usize::from(self.0[COUNT_AT]);
        self.0[slot] = fingerprint;
        let at = RECORDS_AT + 4 * slot;
        self.0[at..at + 4].copy_from_slice(&record.to_be_bytes());
        self.0[COUNT_AT] += 1;
    }

    fn is_full(&self) -> bool {
        usize::from(self.0[COUNT_AT]) == SLOTS
    }

    fn take(&mut self) -> [u8; BUCKET_LENGTH] {
        std::mem::take(self).0
    }
}
