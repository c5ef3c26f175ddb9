//! ROCA (CVE-2017-15361): keys of an Infineon library, recognised by their modulus.
//!
//! Its primes had the form `k·M + (65537^a mod M)` with `M` the product of the first primes. So for
//! each prime of `M` the modulus lies in the multiplicative subgroup that 65537 generates. The
//! published test looks at the primes up to 167; a modulus of two random primes passes all of them
//! with a probability below 2^-27 (Nemec et al., "The Return of Coppersmith's Attack", CCS 2017).

use num_bigint::BigUint;
use num_traits::ToPrimitive;

use super::refuse;
use crate::refusal::Refusal;

const GENERATOR: u32 = 65_537;

/// The primes of the published fingerprint.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Refuses a modulus with the fingerprint.
pub(super) fn check(modulus: &BigUint) -> Result<(), Refusal> {
    if has_fingerprint(modulus) {
        return Err(refuse(
            "CERT-21",
            "the RSA key was made by a library with the ROCA flaw (CVE-2017-15361)",
        ));
    }
    Ok(())
}

fn has_fingerprint(modulus: &BigUint) -> bool {
    PRIMES.iter().all(|&prime| {
        let residue = (modulus % prime).to_u32().unwrap_or_default();
        in_subgroup(residue, prime)
    })
}

/// Whether `residue` is a power of 65537 modulo `prime`.
fn in_subgroup(residue: u32, prime: u32) -> bool {
    let mut element = 1;
    for _ in 1..prime {
        if element == residue {
            return true;
        }
        element = element * (GENERATOR % prime) % prime;
    }
    false
}
