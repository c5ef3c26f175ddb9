//! A digest over the revocations of an issuer that both sides keep, to find where they differ.

use pki::HashAlgorithm;

use crate::Revocation;

/// Sums of hashes in 256 buckets: adding a revocation changes one, whatever the order in which they come. It finds
/// accidents (a lost message, a restored backup); what protects against attackers is that each CRL's hash is compared.
///
/// A revocation belongs to the bucket of the first octet of SHA-256 of its serial number, and adds the first eight octets
/// of SHA-256 of its encoding, as a number, modulo 2^64.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RevokedDigest {
    count: u64,
    buckets: Vec<u64>,
}

impl Default for RevokedDigest {
    fn default() -> Self {
        Self {
            count: 0,
            buckets: vec![0; 256],
        }
    }
}

impl RevokedDigest {
    /// Adds one revocation, which is not in it yet.
    pub fn add(&mut self, revocation: &Revocation) {
        // Cannot fail: it is written to memory.
        let encoded = minicbor::to_vec(revocation).unwrap_or_default();
        let hash = HashAlgorithm::Sha256.digest(&encoded);
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        let sum = &mut self.buckets[usize::from(Self::bucket_of(&revocation.serial.0))];
        *sum = sum.wrapping_add(u64::from_be_bytes(first));
        self.count += 1;
    }

    /// The bucket of a serial number (its magnitude).
    pub fn bucket_of(serial: &[u8]) -> u8 {
        HashAlgorithm::Sha256.digest(serial)[0]
    }

    /// How many revocations there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sums.
    pub fn buckets(&self) -> &[u64] {
        &self.buckets
    }

    /// One hash for all of it.
    pub fn summary(&self) -> [u8; 32] {
        let mut octets = self.count.to_be_bytes().to_vec();
        octets.extend(self.buckets.iter().flat_map(|sum| sum.to_be_bytes()));
        let mut summary = [0; 32];
        summary.copy_from_slice(&HashAlgorithm::Sha256.digest(&octets));
        summary
    }
}
