//! The layout of the object; `docs/answer-set.md` says the same in words.
//!
//! *Warning:* stored state. A change of anything here is a new version, and the golden file of each old version stays.

use pki::{HashAlgorithm, SignatureAlgorithm};

use crate::index::BUCKET_LENGTH;

/// The media type of the object in the manifest.
pub const CONTENT_TYPE: &str = "application/vnd.avouch.answer-set";

/// The role of the objects in the manifest of `ocsp/{issuer}`: the base first, each later one over those before it.
pub const ROLE: &str = "answers";

/// The role of a set that a later generation will have among its [`ROLE`]s: an edge fetches and verifies it ahead.
pub const ROLE_AHEAD: &str = "answers-ahead";

pub(crate) const MAGIC: &[u8; 8] = b"AVOUCHAS";
pub(crate) const VERSION: u16 = 2;
pub(crate) const HEADER_LENGTH: usize = 32;
pub(crate) const BATCH_LENGTH: usize = 36;
/// The length of the tail, at the very end.
pub(crate) const TRAILER_LENGTH: usize = 8;
pub(crate) const HASH_LENGTH: usize = 32;
/// Records in one chunk, that is, under one hash.
pub(crate) const CHUNK_RECORDS: usize = 256;
/// Buckets in one chunk.
pub(crate) const CHUNK_BUCKETS: usize = 256;
pub(crate) const MAX_SERIAL_WIDTH: usize = 20;
/// Record numbers have 4 octets.
pub(crate) const MAX_RECORDS: u64 = u32::MAX as u64;
/// RSA-8192, ML-DSA-65 and less; also keeps a garbled width from meaning gigabytes.
pub(crate) const MAX_SIGNATURE_WIDTH: usize = 4096;

/// The widths on which every offset depends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Layout {
    pub(crate) serial_width: usize,
    pub(crate) hashes: usize,
    pub(crate) signature_width: usize,
}

impl Layout {
    pub(crate) const fn status_at(&self) -> usize {
        self.serial_width
    }

    pub(crate) const fn time_at(&self) -> usize {
        self.serial_width + 1
    }

    pub(crate) const fn batch_at(&self) -> usize {
        self.serial_width + 6
    }

    pub(crate) const fn signatures_at(&self) -> usize {
        self.serial_width + 10
    }

    pub(crate) const fn record_length(&self) -> usize {
        self.signatures_at() + self.hashes * self.signature_width
    }

    /// Where the index begins: a bucket is one cache line.
    pub(crate) fn index_at(&self, records: usize) -> Option<usize> {
        records
            .checked_mul(self.record_length())?
            .checked_add(HEADER_LENGTH)?
            .checked_next_multiple_of(BUCKET_LENGTH)
    }

    /// What the tail says of one chunk of records: its first serial number and its hash.
    pub(crate) const fn chunk_head_length(&self) -> usize {
        self.serial_width + HASH_LENGTH
    }

    pub(crate) fn header(&self, hashes: &[HashAlgorithm]) -> [u8; HEADER_LENGTH] {
        let mut header = [0; HEADER_LENGTH];
        header[..8].copy_from_slice(MAGIC);
        header[8..10].copy_from_slice(&VERSION.to_be_bytes());
        // Lossless: both are limited above.
        header[10] = self.serial_width as u8;
        header[11] = self.hashes as u8;
        for (slot, hash) in hashes.iter().enumerate() {
            header[12 + slot] = hash_code(*hash).unwrap_or(0);
        }
        header[14..16].copy_from_slice(&(self.signature_width as u16).to_be_bytes());
        header
    }
}

pub(crate) fn hash_code(hash: HashAlgorithm) -> Option<u8> {
    match hash {
        HashAlgorithm::Sha1 => Some(1),
        HashAlgorithm::Sha256 => Some(2),
        _ => None,
    }
}

pub(crate) fn hash_from_code(code: u8) -> Option<HashAlgorithm> {
    match code {
        1 => Some(HashAlgorithm::Sha1),
        2 => Some(HashAlgorithm::Sha256),
        _ => None,
    }
}

/// One more than the highest code.
pub(crate) const ALGORITHM_CODES: usize = 9;

const ALGORITHMS: [(u8, SignatureAlgorithm); 8] = [
    (1, SignatureAlgorithm::RsaSha256),
    (2, SignatureAlgorithm::RsaSha384),
    (3, SignatureAlgorithm::RsaSha512),
    (4, SignatureAlgorithm::EcdsaSha256),
    (5, SignatureAlgorithm::EcdsaSha384),
    (6, SignatureAlgorithm::EcdsaSha512),
    (7, SignatureAlgorithm::Ed25519),
    (8, SignatureAlgorithm::MlDsa65),
];

pub(crate) fn algorithm_code(algorithm: SignatureAlgorithm) -> Option<u8> {
    ALGORITHMS
        .iter()
        .find(|(_, known)| *known == algorithm)
        .map(|(code, _)| *code)
}

pub(crate) fn algorithm_from_code(code: u8) -> Option<SignatureAlgorithm> {
    ALGORITHMS
        .iter()
        .find(|(known, _)| *known == code)
        .map(|(_, algorithm)| *algorithm)
}
