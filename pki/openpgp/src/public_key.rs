//! Key packets (RFC 9580 section 5.5.2), version 4.

use std::fmt;

use pki::der_encode::{bit_string, integer, sequence};
use pki::weak_keys::KeyFamily;
use pki::{HashAlgorithm, KeyKind, Time};

use crate::algorithm::{self, ECDSA, ED25519, ED25519_LEGACY, EDDSA_LEGACY, RSA};
use crate::{PgpError, mpi};

/// The longest body of a key packet that is read: RSA-16384.
const LONGEST: usize = 4 * 1024;

/// A public key that can certify, of version 4.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey {
    body: Vec<u8>,
    created: Time,
    algorithm: u8,
    key: pki::PublicKey,
}

impl PublicKey {
    /// Reads the body of a key packet. Whether the key is strong enough is not judged here.
    pub fn from_body(body: &[u8]) -> Result<Self, PgpError> {
        let [version, a, b, c, d, algorithm, material @ ..] = body else {
            return Err(PgpError::Malformed("a key packet is cut off"));
        };
        if *version != 4 {
            return Err(PgpError::Unsupported(format!(
                "it is a key of version {version}; keys of version 4 are certified here"
            )));
        }
        if body.len() > LONGEST {
            return Err(PgpError::Malformed("a key packet of more than 4 KiB"));
        }
        let created = Time::from_unix(i64::from(u32::from_be_bytes([*a, *b, *c, *d])));
        let key = match *algorithm {
            RSA => rsa(material)?,
            ECDSA => ecdsa(material)?,
            EDDSA_LEGACY => eddsa_legacy(material)?,
            ED25519 => spki(KeyFamily::Ed25519, exactly(material)?)?,
            other => {
                return Err(PgpError::Unsupported(format!(
                    "its algorithm is {}; RSA, ECDSA on P-256, P-384 or P-521, and Ed25519 are certified here",
                    algorithm::name(other)
                )));
            }
        };
        Ok(Self {
            body: body.to_vec(),
            created,
            algorithm: *algorithm,
            key,
        })
    }

    /// The key packet of a key of one's own that certifies.
    pub fn new(key: &pki::PublicKey, created: Time) -> Result<Self, PgpError> {
        let kind = key.kind().ok();
        if kind.and_then(algorithm::certification_algorithm).is_none() {
            return Err(PgpError::Unsupported(
                "a key that certifies OpenPGP keys is RSA of 3072 or 4096 bits, or ECDSA on P-256, P-384 or P-521"
                    .to_owned(),
            ));
        }
        let seconds = u32::try_from(created.unix())
            .map_err(|_| PgpError::Unsupported("OpenPGP has no such time".to_owned()))?;
        let mut body = vec![4];
        body.extend_from_slice(&seconds.to_be_bytes());
        let curve = match kind {
            Some(KeyKind::P256) => algorithm::P256,
            Some(KeyKind::P384) => algorithm::P384,
            Some(KeyKind::P521) => algorithm::P521,
            _ => &[],
        };
        if let Some((modulus, exponent)) = key.rsa_parts() {
            body.push(RSA);
            mpi::write(&mut body, modulus);
            mpi::write(&mut body, exponent);
        } else {
            body.push(ECDSA);
            // Lossless: eight octets at most.
            body.push(curve.len() as u8);
            body.extend_from_slice(curve);
            mpi::write(&mut body, key.key_bits());
        }
        Self::from_body(&body)
    }

    /// The body of its packet.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// When it was made, as its owner says.
    pub const fn created(&self) -> Time {
        self.created
    }

    /// The key itself.
    pub const fn key(&self) -> &pki::PublicKey {
        &self.key
    }

    /// SHA-1 over the packet: the name that the key has in the world (section 5.5.4.2).
    pub fn fingerprint(&self) -> [u8; 20] {
        let mut fingerprint = [0; 20];
        fingerprint.copy_from_slice(&HashAlgorithm::Sha1.digest(&self.signed_form()));
        fingerprint
    }

    /// The end of the fingerprint.
    pub fn key_id(&self) -> [u8; 8] {
        let mut id = [0; 8];
        id.copy_from_slice(&self.fingerprint()[12..]);
        id
    }

    pub(crate) const fn algorithm(&self) -> u8 {
        self.algorithm
    }

    /// As it is hashed (section 5.2.4).
    pub(crate) fn signed_form(&self) -> Vec<u8> {
        // Lossless: it was read, so it has 4 KiB at most.
        let length = self.body.len() as u16;
        [&[0x99][..], &length.to_be_bytes(), &self.body].concat()
    }
}

impl fmt::Display for PublicKey {
    /// The fingerprint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.fingerprint()))
    }
}

fn rsa(material: &[u8]) -> Result<pki::PublicKey, PgpError> {
    let (modulus, rest) = mpi::read(material)?;
    let (exponent, rest) = mpi::read(rest)?;
    end(rest)?;
    let parts = sequence(&[&integer(modulus), &integer(exponent)]);
    spki(KeyFamily::Rsa, &parts)
}

fn ecdsa(material: &[u8]) -> Result<pki::PublicKey, PgpError> {
    let (curve, point) = curve_and_point(material)?;
    let family = match curve {
        algorithm::P256 => KeyFamily::P256,
        algorithm::P384 => KeyFamily::P384,
        algorithm::P521 => KeyFamily::P521,
        _ => {
            return Err(PgpError::Unsupported(
                "its curve is none of P-256, P-384 and P-521".to_owned(),
            ));
        }
    };
    spki(family, point)
}

fn eddsa_legacy(material: &[u8]) -> Result<pki::PublicKey, PgpError> {
    let (curve, point) = curve_and_point(material)?;
    match (curve, point) {
        (ED25519_LEGACY, [0x40, point @ ..]) => spki(KeyFamily::Ed25519, exactly(point)?),
        _ => Err(PgpError::Unsupported("its curve is not Ed25519".to_owned())),
    }
}

fn curve_and_point(material: &[u8]) -> Result<(&[u8], &[u8]), PgpError> {
    const CUT: PgpError = PgpError::Malformed("a key packet is cut off");
    let (&length, rest) = material.split_first().ok_or(CUT)?;
    let (curve, rest) = rest.split_at_checked(usize::from(length)).ok_or(CUT)?;
    let (point, rest) = mpi::read(rest)?;
    end(rest)?;
    Ok((curve, point))
}

fn exactly(octets: &[u8]) -> Result<&[u8; 32], PgpError> {
    octets
        .try_into()
        .map_err(|_| PgpError::Malformed("an Ed25519 key that has not 32 octets"))
}

fn end(rest: &[u8]) -> Result<(), PgpError> {
    match rest {
        [] => Ok(()),
        _ => Err(PgpError::Malformed("a key packet with more than the key")),
    }
}

fn spki(family: KeyFamily, bits: &[u8]) -> Result<pki::PublicKey, PgpError> {
    let der = sequence(&[family.algorithm_identifier(), &bit_string(bits)]);
    pki::PublicKey::from_spki_der(&der)
        .map_err(|_| PgpError::Malformed("a key that is none of its algorithm"))
}
