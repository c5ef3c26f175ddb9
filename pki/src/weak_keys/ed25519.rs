//! Ed25519 public keys (RFC 8032 section 5.1): the point must exist and must not be of small order, since
//! under such a key one signature fits every message.

use num_bigint::BigUint;
use num_traits::{One, Zero};

use super::refuse;
use crate::refusal::Refusal;

/// Checks an encoded point.
pub(super) fn check(encoded: &[u8]) -> Result<(), Refusal> {
    let Some(point) = decode(encoded) else {
        return Err(refuse(
            "CERT-22",
            "the Ed25519 key is not the encoding of a point",
        ));
    };
    // The cofactor is 8: eight times a point of small order is the neutral element.
    let eight_times = double(&double(&double(&point)));
    if eight_times.x.is_zero() && eight_times.y.is_one() {
        return Err(refuse(
            "CERT-22",
            "the Ed25519 key is a point of small order",
        ));
    }
    Ok(())
}

struct Point {
    x: BigUint,
    y: BigUint,
}

/// RFC 8032 section 5.1.3.
fn decode(encoded: &[u8]) -> Option<Point> {
    let mut octets: [u8; 32] = encoded.try_into().ok()?;
    let sign = octets[31] >> 7;
    octets[31] &= 0x7F;

    let p = prime();
    let y = BigUint::from_bytes_le(&octets);
    if y >= p {
        return None;
    }
    let y_squared = &y * &y % &p;
    let numerator = (&y_squared + &p - 1_u32) % &p;
    let denominator = (edwards_d() * &y_squared + 1_u32) % &p;
    let x_squared = numerator * inverse(&denominator) % &p;

    let x = square_root(&x_squared)?;
    if x.is_zero() && sign == 1 {
        return None;
    }
    let x = if x.bit(0) == (sign == 1) { x } else { p - x };
    Some(Point { x, y })
}

/// The addition law of RFC 8032 section 5.1.4 for twice the same point, in affine coordinates.
fn double(point: &Point) -> Point {
    let p = prime();
    let Point { x, y } = point;
    let product = edwards_d() * x * x % &p * y % &p * y % &p;
    let x_numerator = x * y * 2_u32 % &p;
    let y_numerator = (y * y + x * x) % &p;
    Point {
        x: x_numerator * inverse(&((&product + 1_u32) % &p)) % &p,
        y: y_numerator * inverse(&((&p + 1_u32 - &product) % &p)) % &p,
    }
}

/// A square root modulo p, for p of the form 8k + 5.
fn square_root(square: &BigUint) -> Option<BigUint> {
    let p = prime();
    let root = square.modpow(&((&p + 3_u32) >> 3), &p);
    if &root * &root % &p == *square {
        return Some(root);
    }
    let minus_one_root = BigUint::from(2_u32).modpow(&((&p - 1_u32) >> 2), &p);
    let root = root * minus_one_root % &p;
    (&root * &root % &p == *square).then_some(root)
}

fn inverse(value: &BigUint) -> BigUint {
    let p = prime();
    value.modpow(&(&p - 2_u32), &p)
}

/// d = -121665/121666.
fn edwards_d() -> BigUint {
    let p = prime();
    (&p - 121_665_u32) * inverse(&BigUint::from(121_666_u32)) % p
}

fn prime() -> BigUint {
    (BigUint::one() << 255) - 19_u32
}
