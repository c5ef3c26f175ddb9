//! RSA: size, exponent, and moduli that fall to trivial factoring (CERT-20, CERT-21).

use num_bigint::BigUint;
use num_integer::Integer;
use num_traits::{One, ToPrimitive, Zero};

use super::{KeyRules, refuse};
use crate::refusal::Refusal;

/// BR section 6.1.6 (after NIST SP 800-89 section 5.3.3): no factor smaller than this.
const SMALLEST_FACTOR: u32 = 752;

/// BR section 6.1.1.3: how far to look for two primes close to each other.
const FERMAT_ROUNDS: usize = 100;

/// Longer exponents are refused by the verifiers in use, ours among them.
const MAX_EXPONENT_BITS: u64 = 33;

/// Everything about an RSA key that needs no list.
pub(super) fn check(
    modulus: &BigUint,
    exponent: &BigUint,
    rules: &KeyRules,
) -> Result<(), Refusal> {
    check_size(modulus, rules)?;
    check_exponent(exponent, rules)?;
    if let Some(factor) = small_factor(modulus) {
        return Err(refuse(
            "CERT-20",
            format!("the RSA modulus is divisible by {factor}"),
        ));
    }
    if let Some(power) = power(modulus) {
        return Err(refuse(
            "CERT-20",
            format!("the RSA modulus is a perfect power (exponent {power})"),
        ));
    }
    if let Some(round) = fermat(modulus) {
        return Err(refuse(
            "CERT-21",
            format!(
                "the two primes of the RSA key are so close that Fermat's method finds them (round {round})"
            ),
        ));
    }
    if is_probably_prime(modulus) {
        return Err(refuse("CERT-20", "the RSA modulus is itself a prime"));
    }
    Ok(())
}

fn check_size(modulus: &BigUint, rules: &KeyRules) -> Result<(), Refusal> {
    let bits = modulus.bits();
    let min = u64::from(rules.rsa_min_bits.max(2048));
    let max = u64::from(rules.rsa_max_bits);
    if bits < min || bits > max {
        return Err(Refusal {
            remedy: format!(
                "Make an RSA key of {min} to {max} bits (openssl genrsa -out key.pem {}).",
                min.max(3072).min(max)
            ),
            ..refuse("I5", format!("the RSA key has {bits} bits"))
        });
    }
    if !bits.is_multiple_of(8) {
        return Err(refuse(
            "CERT-20",
            format!("the RSA key has {bits} bits, which is not a multiple of 8"),
        ));
    }
    Ok(())
}

fn check_exponent(exponent: &BigUint, rules: &KeyRules) -> Result<(), Refusal> {
    let min = BigUint::from(rules.rsa_min_exponent.max(3));
    if exponent.is_even() {
        return Err(refuse("CERT-20", "the RSA exponent is even"));
    }
    if *exponent < min {
        return Err(refuse(
            "CERT-20",
            format!("the RSA exponent is {exponent}; the smallest allowed is {min}"),
        ));
    }
    if exponent.bits() > MAX_EXPONENT_BITS {
        return Err(refuse(
            "CERT-20",
            format!(
                "the RSA exponent has {} bits; verifiers accept at most {MAX_EXPONENT_BITS}",
                exponent.bits()
            ),
        ));
    }
    Ok(())
}

/// The smallest factor below 752, if there is one.
fn small_factor(modulus: &BigUint) -> Option<u32> {
    (2..SMALLEST_FACTOR).find(|factor| (modulus % *factor).is_zero())
}

/// The least `k` above 1 for which `modulus` is a `k`-th power. Prime exponents suffice, and none
/// above bits / log2(752) is possible once small factors are excluded.
fn power(modulus: &BigUint) -> Option<u32> {
    let limit = (modulus.bits() / 9).to_u32().unwrap_or(u32::MAX);
    (2..=limit)
        .filter(|&k| is_small_prime(k) && may_be_power(modulus, k))
        .find(|&k| modulus.nth_root(k).pow(k) == *modulus)
}

/// Looks modulo a few primes `q = 1 + k·j`, where `k`-th powers are rare, so that the costly root is
/// hardly ever drawn in vain.
fn may_be_power(modulus: &BigUint, k: u32) -> bool {
    const WITNESSES: usize = 4;
    (1..)
        .map(|j| k * j + 1)
        .filter(|&q| q > SMALLEST_FACTOR && is_small_prime(q))
        .take(WITNESSES)
        .all(|q| {
            let residue = BigUint::from((modulus % q).to_u32().unwrap_or_default());
            let power = residue.modpow(&BigUint::from((q - 1) / k), &BigUint::from(q));
            power.is_zero() || power.is_one()
        })
}

/// Fermat's method: looks for `a` with `a² - n` a square, from `⌈√n⌉` on. Gives the round that found one.
fn fermat(modulus: &BigUint) -> Option<usize> {
    let mut a = modulus.sqrt();
    if &a * &a < *modulus {
        a += 1_u32;
    }
    for round in 1..=FERMAT_ROUNDS {
        let difference = &a * &a - modulus;
        let root = difference.sqrt();
        if &root * &root == difference {
            return Some(round);
        }
        a += 1_u32;
    }
    None
}

/// Fermat's little theorem with base 2: enough to see that somebody sent a prime as a modulus.
fn is_probably_prime(modulus: &BigUint) -> bool {
    let two = BigUint::from(2_u32);
    two.modpow(&(modulus - 1_u32), modulus).is_one()
}

fn is_small_prime(number: u32) -> bool {
    number >= 2
        && (2..)
            .take_while(|divisor| divisor * divisor <= number)
            .all(|divisor| !number.is_multiple_of(divisor))
}
