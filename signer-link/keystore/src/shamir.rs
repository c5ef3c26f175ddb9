//! Shamir's secret sharing over GF(2⁸): any `threshold` of the shares give the secret back, fewer tell nothing at all.
//!
//! Own code, though there are crates. Of those looked at in November 2026, `sharks` never drew a coefficient of zero,
//! which leaks (RUSTSEC-2024-0398), and `blahaj`, which mended that, multiplies through tables whose index is the
//! secret. `vsss-rs` 6 is right on both counts, and the tests compare with it; but it leaves polynomials and partial
//! secrets in memory that is not wiped, asks for a generator that cannot fail, and brings two arithmetic libraries
//! into the process that has the keys, all for the forty lines below.

use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::KeyError;

/// Octets of a secret, and of each share of it.
pub(crate) const LENGTH: usize = 32;

/// The value of the polynomials at one point.
pub(crate) type Share = Zeroizing<[u8; LENGTH]>;

/// The shares at the points 1, 2 … `count`.
pub(crate) fn split(
    secret: &[u8; LENGTH],
    threshold: u8,
    count: u8,
) -> Result<Vec<Share>, KeyError> {
    // Each coefficient is uniform over the whole field, the leading one too: that it may be zero is what makes
    // `threshold - 1` shares independent of the secret.
    let mut coefficients = Vec::with_capacity(usize::from(threshold));
    for _ in 1..threshold {
        let mut drawn = Zeroizing::new([0; LENGTH]);
        rand::fill(&mut *drawn).map_err(|_| KeyError::Crypto("drawing a random number"))?;
        coefficients.push(drawn);
    }
    Ok((1..=count)
        .map(|point| evaluate(secret, &coefficients, point))
        .collect())
}

/// The secret from shares, each with its point. The points must differ and not be 0; with fewer shares than the
/// threshold, or with a wrong one, something else comes out.
pub(crate) fn combine(shares: &[(u8, &[u8; LENGTH])]) -> Zeroizing<[u8; LENGTH]> {
    let mut secret = Zeroizing::new([0; LENGTH]);
    for &(point, share) in shares {
        // Lagrange's polynomial for this point, at 0.
        let factor = shares
            .iter()
            .filter(|(other, _)| *other != point)
            .fold(1, |product, (other, _)| {
                multiply(product, multiply(*other, invert(*other ^ point)))
            });
        for (octet, value) in secret.iter_mut().zip(share) {
            *octet ^= multiply(*value, factor);
        }
    }
    secret
}

/// Horner's rule; `secret` is the value at 0.
fn evaluate(secret: &[u8; LENGTH], coefficients: &[Share], point: u8) -> Share {
    let mut value = Zeroizing::new([0; LENGTH]);
    let terms = coefficients.iter().rev().map(|coefficient| &**coefficient);
    for term in terms.chain([secret]) {
        for (octet, addend) in value.iter_mut().zip(term) {
            *octet = multiply(*octet, point) ^ addend;
        }
    }
    value
}

/// Multiplication modulo x⁸ + x⁴ + x³ + x + 1, the field of AES (FIPS 197 section 4.2). No branch and no memory access
/// depends on either factor.
const fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    let mut bit = 0;
    while bit < 8 {
        product ^= a & (b & 1).wrapping_neg();
        let reduce = (a >> 7).wrapping_neg();
        a = (a << 1) ^ (reduce & 0x1b);
        b >>= 1;
        bit += 1;
    }
    product
}

/// The inverse, which is the 254th power; of 0 it is 0.
const fn invert(a: u8) -> u8 {
    let mut power = a;
    let mut step = 0;
    // 254 = 0b1111_1110: square and multiply six times, and square once more.
    while step < 6 {
        power = multiply(multiply(power, power), a);
        step += 1;
    }
    multiply(power, power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> [u8; LENGTH] {
        let mut octets = [0; LENGTH];
        rand::fill(&mut octets).unwrap();
        octets
    }

    /// Every subset of `0..count` with `size` members, as bit masks.
    fn subsets(count: u8, size: u32) -> impl Iterator<Item = u16> {
        (0..1_u16 << count).filter(move |mask| mask.count_ones() == size)
    }

    fn chosen(shares: &[Share], mask: u16) -> Vec<(u8, &[u8; LENGTH])> {
        (1..)
            .zip(shares)
            .filter(|(point, _)| mask & (1 << (point - 1)) != 0)
            .map(|(point, share)| (point, &**share))
            .collect()
    }

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197 section 4.2.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        assert_eq!(multiply(0x57, 0x13), 0xfe);
        for a in 0..=255 {
            assert_eq!(multiply(a, invert(a)), u8::from(a != 0), "{a}");
            assert_eq!(multiply(a, 1), a);
        }
    }

    #[test]
    fn any_threshold_of_shares_recover_the_secret_and_fewer_do_not() {
        for (threshold, count) in [(1, 1), (2, 2), (2, 3), (3, 5), (5, 5), (4, 9)] {
            let secret = random();
            let shares = split(&secret, threshold, count).unwrap();
            for size in 1..=u32::from(count) {
                for mask in subsets(count, size) {
                    let recovered = combine(&chosen(&shares, mask));
                    assert_eq!(*recovered == secret, size >= u32::from(threshold));
                }
            }
        }
    }

    #[test]
    fn another_implementation_recovers_the_secret() {
        let secret = random();
        let shares: Vec<Vec<u8>> = (1..)
            .zip(split(&secret, 3, 5).unwrap())
            .map(|(point, share)| [&[point], &share[..]].concat())
            .collect();
        for mask in subsets(5, 3) {
            let taken: Vec<Vec<u8>> = (0..5)
                .filter(|at| mask & (1 << at) != 0)
                .map(|at| shares[at].clone())
                .collect();
            assert_eq!(vsss_rs::Gf256::combine_bytes(taken).unwrap(), secret);
        }
    }

    /// χ² over 256 equally likely values: 255 on average, with standard deviation 22.6. 400 is over six of them.
    #[track_caller]
    fn assert_uniform(counts: &[u32; 256], what: &str) {
        let total: u32 = counts.iter().sum();
        let expected = f64::from(total) / 256.0;
        let chi: f64 = counts
            .iter()
            .map(|count| (f64::from(*count) - expected).powi(2) / expected)
            .sum();
        assert!(chi < 400.0, "{what}: χ² = {chi}, counts {counts:?}");
    }

    #[test]
    fn coefficients_are_uniform_and_zero_is_among_them() {
        // Of a secret of zeros, with a threshold of 2, the share at 1 is the coefficient itself.
        let mut counts = [0; 256];
        for _ in 0..8_192 {
            for octet in split(&[0; LENGTH], 2, 1).unwrap()[0].iter() {
                counts[usize::from(*octet)] += 1;
            }
        }
        assert!(counts[0] > 0);
        assert_uniform(&counts, "coefficients");
    }

    #[test]
    fn fewer_shares_than_the_threshold_tell_nothing() {
        // Two of the shares of a threshold of 3: whatever the secret, they are uniform, and so is any combination of
        // them, such as what "recovering" from too few gives.
        for secret in [[0; LENGTH], [0xff; LENGTH], [0x53; LENGTH]] {
            let mut first = [0; 256];
            let mut second = [0; 256];
            let mut recovered = [0; 256];
            for _ in 0..8_192 {
                let shares = split(&secret, 3, 3).unwrap();
                let wrong = combine(&chosen(&shares, 0b011));
                for at in 0..LENGTH {
                    first[usize::from(shares[0][at])] += 1;
                    second[usize::from(shares[1][at])] += 1;
                    recovered[usize::from(wrong[at])] += 1;
                }
            }
            assert_uniform(&first, "the first share");
            assert_uniform(&second, "the second share");
            assert_uniform(&recovered, "both combined");
        }
    }
}
