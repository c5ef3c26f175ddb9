//! Signatures that somebody made (RFC 9580 section 5.2.3), version 4.

use pki::der_encode::{integer, sequence};
use pki::{KeyKind, SignatureAlgorithm, Time};

use crate::algorithm::{self, ED25519};
use crate::subpacket::Said;
use crate::{PgpError, PublicKey, mpi};

/// The longest body of a signature packet that is read: with a notation or a picture of a policy in it.
const LONGEST: usize = 16 * 1024;

/// What a signature is about (section 5.2.1), as far as it matters here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignatureKind {
    /// A user id belongs to a key (0x10 to 0x13).
    Certification,
    /// It does not any more (0x30).
    CertificationRevocation,
    /// The key is not to be used any more (0x20).
    KeyRevocation,
    /// Anything else.
    Other,
}

/// A signature.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signature {
    kind: u8,
    key_algorithm: u8,
    hash: u8,
    /// From the version to the end of the hashed subpackets.
    hashed: Vec<u8>,
    said: Said,
    values: Vec<u8>,
}

impl Signature {
    /// Reads the body of a signature packet.
    pub fn from_body(body: &[u8]) -> Result<Self, PgpError> {
        const CUT: PgpError = PgpError::Malformed("a signature packet is cut off");
        let &[version, kind, key_algorithm, hash, a, b, ref rest @ ..] = body else {
            return Err(CUT);
        };
        if version != 4 {
            return Err(PgpError::Unsupported(format!(
                "it is a signature of version {version}; those of version 4 count here"
            )));
        }
        if body.len() > LONGEST {
            return Err(PgpError::Malformed(
                "a signature packet of more than 16 KiB",
            ));
        }
        let length = usize::from(u16::from_be_bytes([a, b]));
        let (subpackets, rest) = rest.split_at_checked(length).ok_or(CUT)?;
        let (unhashed, rest) = rest.split_first_chunk().ok_or(CUT)?;
        let unhashed = usize::from(u16::from_be_bytes(*unhashed));
        // Nobody has signed what is unhashed, and the beginning of the hash tells nothing.
        let (_, rest) = rest.split_at_checked(unhashed).ok_or(CUT)?;
        let (_, values) = rest.split_at_checked(2).ok_or(CUT)?;
        Ok(Self {
            kind,
            key_algorithm,
            hash,
            hashed: body[..6 + length].to_vec(),
            said: Said::read(subpackets)?,
            values: values.to_vec(),
        })
    }

    /// What it is about.
    pub const fn kind(&self) -> SignatureKind {
        match self.kind {
            0x10..=0x13 => SignatureKind::Certification,
            0x20 => SignatureKind::KeyRevocation,
            0x30 => SignatureKind::CertificationRevocation,
            _ => SignatureKind::Other,
        }
    }

    /// When it was made, as it says.
    pub const fn created(&self) -> Option<Time> {
        self.said.created
    }

    /// When it ends, if it does.
    pub fn expires(&self) -> Option<Time> {
        after(self.said.created?, self.said.expires_after)
    }

    /// When the key ends that it says so of, if it does.
    pub fn key_expires(&self, key: &PublicKey) -> Option<Time> {
        after(key.created(), self.said.key_expires_after)
    }

    /// What the key is for, if it says so.
    pub const fn key_flags(&self) -> Option<u8> {
        self.said.key_flags
    }

    /// Whether `by` made it to say that `user_id` belongs to `key`, or does not any more.
    pub fn verify_user_id(
        &self,
        key: &PublicKey,
        user_id: &[u8],
        by: &PublicKey,
    ) -> Result<(), PgpError> {
        self.verify(&user_id_form(key, user_id), by)
    }

    /// What it signs when it is about a user id on a key.
    pub fn octets(&self, key: &PublicKey, user_id: &[u8]) -> Vec<u8> {
        signed_octets(&user_id_form(key, user_id), &self.hashed)
    }

    /// Whether the key made it to say something of itself.
    pub fn verify_key(&self, key: &PublicKey) -> Result<(), PgpError> {
        self.verify(&key.signed_form(), key)
    }

    fn verify(&self, about: &[u8], by: &PublicKey) -> Result<(), PgpError> {
        let bad = |what: &str| PgpError::BadSignature(what.to_owned());
        let hash = algorithm::hash(self.hash)?;
        if self.key_algorithm != by.algorithm() {
            return Err(bad("its algorithm is not the key's"));
        }
        let kind = by.key().kind().map_err(|error| bad(&error.to_string()))?;
        let message = signed_octets(about, &self.hashed);
        let (algorithm, message, signature) = match kind {
            // OpenPGP has Ed25519 sign the hash (section 5.2.4).
            KeyKind::Ed25519 => {
                let signature = self.ed25519()?;
                (
                    SignatureAlgorithm::Ed25519,
                    hash.digest(&message),
                    signature,
                )
            }
            _ => {
                let algorithm = SignatureAlgorithm::for_key(kind, hash)
                    .or_else(|error| ecdsa_with(kind, hash).ok_or(error))
                    .map_err(|error| bad(&error.to_string()))?;
                (algorithm, message, self.value_of(kind)?)
            }
        };
        by.key()
            .verify(algorithm, &message, &signature)
            .map_err(|error| bad(&error.to_string()))
    }

    fn value_of(&self, kind: KeyKind) -> Result<Vec<u8>, PgpError> {
        let (first, rest) = mpi::read(&self.values)?;
        let KeyKind::Rsa(bits) = kind else {
            let (second, rest) = mpi::read(rest)?;
            end(rest)?;
            return Ok(sequence(&[&integer(first), &integer(second)]));
        };
        end(rest)?;
        mpi::padded(first, (bits as usize).div_ceil(8))
    }

    fn ed25519(&self) -> Result<Vec<u8>, PgpError> {
        if self.key_algorithm == ED25519 {
            return Ok(self.values.clone());
        }
        let (first, rest) = mpi::read(&self.values)?;
        let (second, rest) = mpi::read(rest)?;
        end(rest)?;
        Ok([mpi::padded(first, 32)?, mpi::padded(second, 32)?].concat())
    }
}

/// A user id on a key, as it is hashed (section 5.2.4).
pub(crate) fn user_id_form(key: &PublicKey, user_id: &[u8]) -> Vec<u8> {
    let mut form = key.signed_form();
    form.push(0xb4);
    // A user id that long is in no packet that was read.
    let length = u32::try_from(user_id.len()).unwrap_or(u32::MAX);
    form.extend_from_slice(&length.to_be_bytes());
    form.extend_from_slice(user_id);
    form
}

/// All that a signature is over: what it is about, what it says of itself, and the length of that.
pub(crate) fn signed_octets(about: &[u8], hashed: &[u8]) -> Vec<u8> {
    // Lossless: a body of 16 KiB at most.
    let length = (hashed.len() as u32).to_be_bytes();
    [about, hashed, &[4, 0xff], &length].concat()
}

/// A time so many seconds later; none after zero of them.
fn after(time: Time, seconds: Option<u32>) -> Option<Time> {
    let seconds = seconds.filter(|seconds| *seconds > 0)?;
    Some(time.plus_seconds(i64::from(seconds)))
}

/// OpenPGP leaves the hash free; certificates here do not.
const fn ecdsa_with(kind: KeyKind, hash: pki::HashAlgorithm) -> Option<SignatureAlgorithm> {
    match (kind, hash) {
        (KeyKind::Rsa(_) | KeyKind::Ed25519 | KeyKind::MlDsa65, _) => None,
        (_, pki::HashAlgorithm::Sha256) => Some(SignatureAlgorithm::EcdsaSha256),
        (_, pki::HashAlgorithm::Sha384) => Some(SignatureAlgorithm::EcdsaSha384),
        (_, pki::HashAlgorithm::Sha512) => Some(SignatureAlgorithm::EcdsaSha512),
        _ => None,
    }
}

fn end(rest: &[u8]) -> Result<(), PgpError> {
    match rest {
        [] => Ok(()),
        _ => Err(PgpError::Malformed(
            "a signature with more than its numbers",
        )),
    }
}
