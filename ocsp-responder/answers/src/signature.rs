//! Signatures at a fixed width.
//!
//! A DER ECDSA-Sig-Value (RFC 3279 section 2.2.3) varies by some octets from one signature to the next; its two
//! numbers do not. They are stored bare, and the DER is made again when a response is put together.

use pki::der_encode::{integer, sequence};
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
            EcdsaSha256, EcdsaSha384, EcdsaSha512, Ed25519, RsaSha256, RsaSha384, RsaSha512,
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

    /// The stored form; `None` if the signature has not the form that [`Packing::unpack`] would give back.
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
        (packed.len() == self.width() && self.unpack(&packed) == signature).then_some(packed)
    }

    /// The signature without the filling of its field.
    pub(crate) fn trim(self, field: &[u8]) -> &[u8] {
        &field[..self.width()]
    }

    /// The signature as it stands in a response.
    pub(crate) fn unpack(self, field: &[u8]) -> Vec<u8> {
        let stored = self.trim(field);
        match self {
            Self::Plain(_) => stored.to_vec(),
            Self::Ecdsa(number) => {
                let (r, s) = stored.split_at(number);
                sequence(&[&integer(r), &integer(s)])
            }
        }
    }
}

fn without_zeros(magnitude: &[u8]) -> &[u8] {
    let zeros = magnitude.iter().take_while(|&&octet| octet == 0).count();
    &magnitude[zeros..]
}
