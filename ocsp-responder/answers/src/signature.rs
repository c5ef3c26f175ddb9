//! Signatures at a fixed width.
//!
//! A DER ECDSA-Sig-Value (RFC 3279 section 2.2.3) varies by some octets from one signature to the next; its two
//! numbers do not. They are stored bare, and the DER is made again when a response is put together.

use pki::der_encode::tag;
use pki::der_read::Reader;
use pki::{KeyKind, PublicKey, SignatureAlgorithm};

/// How the signatures of one key are stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Packing {
    /// Two numbers of that many octets each.
    Ecdsa(usize),
    /// That many octets as they are.
    Plain(usize),
}

impl Packing {
    /// `None` if that key makes no signatures of that algorithm.
    pub(crate) fn new(key: &PublicKey, algorithm: SignatureAlgorithm) -> Option<Self> {
        use SignatureAlgorithm::{
            EcdsaSha256, EcdsaSha384, EcdsaSha512, Ed25519, MlDsa65, RsaSha256, RsaSha384,
            RsaSha512,
        };
        match (key.kind().ok()?, algorithm) {
            (KeyKind::Rsa(bits), RsaSha256 | RsaSha384 | RsaSha512) => {
                // Lossless: at most some thousand bits.
                Some(Self::Plain((bits as usize).div_ceil(8)))
            }
            (KeyKind::P256, EcdsaSha256) => Some(Self::Ecdsa(32)),
            (KeyKind::P384, EcdsaSha384) => Some(Self::Ecdsa(48)),
            (KeyKind::P521, EcdsaSha512) => Some(Self::Ecdsa(66)),
            (KeyKind::Ed25519, Ed25519) => Some(Self::Plain(64)),
            // FIPS 204 table 2.
            (KeyKind::MlDsa65, MlDsa65) => Some(Self::Plain(3309)),
            _ => None,
        }
    }

    /// The octets that a signature takes.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Ecdsa(number) => 2 * number,
            Self::Plain(width) => width,
        }
    }

    /// The stored form; `None` if the signature has not the form that [`Packing::with_der`] would give back.
    pub(crate) fn pack(self, signature: &[u8]) -> Option<Vec<u8>> {
        let packed = match self {
            Self::Plain(_) => signature.to_vec(),
            Self::Ecdsa(number) => {
                let mut outer = Reader::new(signature);
                let mut inner = outer.sequence("ECDSA-Sig-Value").ok()?;
                outer.finish("ECDSA-Sig-Value").ok()?;
                let mut packed = vec![0; 2 * number];
                for half in packed.chunks_exact_mut(number) {
                    let magnitude = without_zeros(inner.integer("ECDSA-Sig-Value").ok()?);
                    let start = number.checked_sub(magnitude.len())?;
                    half[start..].copy_from_slice(magnitude);
                }
                inner.finish("ECDSA-Sig-Value").ok()?;
                packed
            }
        };
        (packed.len() == self.width() && self.with_der(&packed, |der| der == signature))
            .then_some(packed)
    }

    /// The signature without the filling of its field.
    pub(crate) fn trim(self, field: &[u8]) -> &[u8] {
        &field[..self.width()]
    }

    /// Octets of the signature as it stands in a response.
    pub(crate) fn der_len(self, field: &[u8]) -> usize {
        let stored = self.trim(field);
        match self {
            Self::Plain(width) => width,
            Self::Ecdsa(number) => {
                let (r, s) = stored.split_at(number);
                let content = Integer::of(r).whole() + Integer::of(s).whole();
                content + if content < 0x80 { 2 } else { 3 }
            }
        }
    }

    /// Gives the signature as it stands in a response to `use_it`, without allocating.
    pub(crate) fn with_der<T>(self, field: &[u8], use_it: impl FnOnce(&[u8]) -> T) -> T {
        let stored = self.trim(field);
        let number = match self {
            Self::Plain(_) => return use_it(stored),
            Self::Ecdsa(number) => number,
        };
        let (r, s) = stored.split_at(number);
        let (r, s) = (Integer::of(r), Integer::of(s));
        let mut der = [0; LONGEST_ECDSA];
        let start = 3;
        let middle = r.write(&mut der, start);
        let end = s.write(&mut der, middle);
        // Lossless: two numbers of at most 66 octets with their headers.
        let content = (end - start) as u8;
        let header = if content < 0x80 {
            der[1..3].copy_from_slice(&[tag::SEQUENCE, content]);
            1
        } else {
            der[..3].copy_from_slice(&[tag::SEQUENCE, 0x81, content]);
            0
        };
        use_it(&der[header..end])
    }
}

/// The longest ECDSA-Sig-Value: of P-521.
const LONGEST_ECDSA: usize = 3 + 2 * (2 + 1 + 66);

/// A number of a signature that is about to be written as INTEGER.
struct Integer<'a> {
    magnitude: &'a [u8],
    /// A zero octet keeps a high first bit from being a sign; zero itself has one digit.
    padding: usize,
}

impl<'a> Integer<'a> {
    fn of(number: &'a [u8]) -> Self {
        let magnitude = without_zeros(number);
        let padded = magnitude.first().is_none_or(|&first| first & 0x80 != 0);
        Self {
            magnitude,
            padding: usize::from(padded),
        }
    }

    fn whole(&self) -> usize {
        2 + self.padding + self.magnitude.len()
    }

    /// Writes at that place; gives the place after it. What `der` holds there must be zeros.
    fn write(&self, der: &mut [u8], at: usize) -> usize {
        let end = at + self.whole();
        der[at] = tag::INTEGER;
        // Lossless: at most 67.
        der[at + 1] = (end - at - 2) as u8;
        der[end - self.magnitude.len()..end].copy_from_slice(self.magnitude);
        end
    }
}

fn without_zeros(magnitude: &[u8]) -> &[u8] {
    let zeros = magnitude.iter().take_while(|&&octet| octet == 0).count();
    &magnitude[zeros..]
}

#[cfg(test)]
mod tests {
    use pki::der_encode::{integer, sequence};

    use super::*;

    #[test]
    fn every_length_of_number_comes_back() {
        for number in [32, 48, 66] {
            let packing = Packing::Ecdsa(number);
            for (r, s) in (0..=number).flat_map(|r| (0..=number).map(move |s| (r, s))) {
                for first in [0x01, 0x7f, 0x80, 0xff] {
                    let mut field = vec![0; 2 * number + 5];
                    let (low, high) = field.split_at_mut(number);
                    low[number - r..].fill(first);
                    high[number - s..number].fill(first);
                    let der = sequence(&[
                        &integer(&field[..number]),
                        &integer(&field[number..2 * number]),
                    ]);
                    packing.with_der(&field, |written| assert_eq!(written, der));
                    assert_eq!(packing.der_len(&field), der.len());
                    assert_eq!(packing.pack(&der).unwrap(), field[..2 * number]);
                }
            }
        }
    }

    #[test]
    fn a_signature_in_another_form_is_not_taken() {
        assert_eq!(Packing::Plain(64).pack(&[0; 63]), None);
        assert_eq!(Packing::Ecdsa(32).pack(&[0x30, 3, 2, 1, 1]), None);
        assert_eq!(
            Packing::Ecdsa(32).pack(&[0x30, 7, 2, 2, 0, 1, 2, 1, 1]),
            None
        );
    }
}
