//! Signatures that are to be made (RFC 9580 sections 5.2.3 and 5.2.4), version 4.

use pki::der_read::{DerError, single};
use pki::{SignatureAlgorithm, Time};

use crate::algorithm::{certification_algorithm, hash_number};
use crate::signature::{signed_octets, user_id_form};
use crate::subpacket::{
    CREATED, CRITICAL, EXPIRES, ISSUER, ISSUER_FINGERPRINT, KEY_EXPIRES, KEY_FLAG_CERTIFY,
    KEY_FLAGS, POLICY, PRIMARY, write,
};
use crate::{PgpError, PublicKey, mpi};

/// No particular assertion as to how well it was checked whose key it is (section 5.2.1).
const GENERIC: u8 = 0x10;
/// Substantial verification.
const POSITIVE: u8 = 0x13;

/// A signature without its value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsigned {
    hashed: Vec<u8>,
    unhashed: Vec<u8>,
    octets: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

/// The certification by `by` that `user_id` belongs to `key`, from `created` to `expires`.
///
/// With `name_was_verified` it is a positive certification (0x13): people have met the owner and seen papers, which is
/// the substantial verification of section 5.2.1. Without, all that is known is that somebody reads mail at an address:
/// then it is a generic one (0x10), which asserts nothing in particular. Both can be exported, which is the default.
pub fn certification(
    key: &PublicKey,
    user_id: &str,
    by: &PublicKey,
    (created, expires): (Time, Time),
    name_was_verified: bool,
    policy: Option<&str>,
) -> Result<Unsigned, PgpError> {
    let lasts = u32::try_from(created.seconds_until(expires)).ok();
    let lasts = lasts
        .filter(|seconds| *seconds > 0)
        .ok_or(PgpError::Malformed(
            "a certification that ends before it begins",
        ))?;
    let mut subpackets = Vec::new();
    write(&mut subpackets, CRITICAL | CREATED, &time(created)?);
    write(&mut subpackets, CRITICAL | EXPIRES, &lasts.to_be_bytes());
    if let Some(policy) = policy {
        write(&mut subpackets, POLICY, policy.as_bytes());
    }
    let kind = if name_was_verified { POSITIVE } else { GENERIC };
    Unsigned::new(kind, &user_id_form(key, user_id.as_bytes()), subpackets, by)
}

/// The signature by `key` that this is its one user id, and that it certifies, and when it ends.
pub fn own_user_id(
    key: &PublicKey,
    user_id: &str,
    created: Time,
    expires: Time,
) -> Result<Unsigned, PgpError> {
    let lasts = u32::try_from(key.created().seconds_until(expires))
        .map_err(|_| PgpError::Malformed("a key that ends before it begins"))?;
    let mut subpackets = Vec::new();
    write(&mut subpackets, CRITICAL | CREATED, &time(created)?);
    write(&mut subpackets, CRITICAL | KEY_FLAGS, &[KEY_FLAG_CERTIFY]);
    write(
        &mut subpackets,
        CRITICAL | KEY_EXPIRES,
        &lasts.to_be_bytes(),
    );
    write(&mut subpackets, PRIMARY, &[1]);
    Unsigned::new(
        POSITIVE,
        &user_id_form(key, user_id.as_bytes()),
        subpackets,
        key,
    )
}

impl Unsigned {
    /// What is hashed and signed.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// With which algorithm.
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The body of the signature packet, with the value that X.509 would have in its BIT STRING.
    pub fn body(&self, value: &[u8]) -> Result<Vec<u8>, PgpError> {
        let mut body = self.hashed.clone();
        // Lossless: an issuer's key id.
        body.extend_from_slice(&(self.unhashed.len() as u16).to_be_bytes());
        body.extend_from_slice(&self.unhashed);
        let digest = self.algorithm.hash().digest(&self.octets);
        body.extend_from_slice(&digest[..2]);
        match self.algorithm {
            SignatureAlgorithm::RsaSha512 => mpi::write(&mut body, value),
            _ => {
                let (r, s) = ecdsa_parts(value)
                    .map_err(|_| PgpError::Malformed("an ECDSA signature that is none"))?;
                mpi::write(&mut body, r);
                mpi::write(&mut body, s);
            }
        }
        Ok(body)
    }

    fn new(
        kind: u8,
        about: &[u8],
        mut subpackets: Vec<u8>,
        by: &PublicKey,
    ) -> Result<Self, PgpError> {
        let kind_of_key = by.key().kind().ok();
        let algorithm = kind_of_key
            .and_then(certification_algorithm)
            .ok_or_else(|| {
                PgpError::Unsupported("a key of this kind does not certify here".to_owned())
            })?;
        let fingerprint = [&[4][..], &by.fingerprint()].concat();
        write(&mut subpackets, ISSUER_FINGERPRINT, &fingerprint);
        let length = u16::try_from(subpackets.len())
            .map_err(|_| PgpError::Malformed("a signature that says too much"))?;
        let mut hashed = vec![4, kind, by.algorithm(), hash_number(algorithm.hash())];
        hashed.extend_from_slice(&length.to_be_bytes());
        hashed.extend_from_slice(&subpackets);
        // For programs that do not know fingerprints.
        let mut unhashed = Vec::new();
        write(&mut unhashed, ISSUER, &by.key_id());
        Ok(Self {
            octets: signed_octets(about, &hashed),
            hashed,
            unhashed,
            algorithm,
        })
    }
}

fn time(time: Time) -> Result<[u8; 4], PgpError> {
    u32::try_from(time.unix())
        .map(u32::to_be_bytes)
        .map_err(|_| PgpError::Unsupported("OpenPGP has no such time".to_owned()))
}

/// Ecdsa-Sig-Value (RFC 3279 section 2.2.3).
fn ecdsa_parts(value: &[u8]) -> Result<(&[u8], &[u8]), DerError> {
    const WHAT: &str = "Ecdsa-Sig-Value";
    let mut fields = single(value, WHAT)?
        .expect(pki::der_encode::tag::SEQUENCE, WHAT)?
        .reader();
    let parts = (fields.integer("r")?, fields.integer("s")?);
    fields.finish(WHAT)?;
    Ok(parts)
}
