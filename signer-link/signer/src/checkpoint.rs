//! Signed checkpoints of the log.
//!
//! The chain of hashes shows that a log is whole, not whose it is: the host, which archives and relays it, could make up
//! another. So the signer has one of its CA keys sign where its log stands, before it hands the log out. A standby
//! believes only what such a signature follows, and `avouch audit verify` checks them all.

use journal::Position;
use minicbor::{Decode, Encode};
use pki::{BadSignature, PublicKey, SignatureAlgorithm};

use crate::ca::Ca;

/// What a message begins with. No certificate, CRL or OCSP response does: those are SEQUENCEs, and begin with 0x30.
const CONTEXT: &[u8] = b"Avouch signer log checkpoint 1\0";

/// What a checkpoint says.
#[derive(Clone, Debug, Decode, Encode, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log it is: what its serial numbers begin with.
    #[n(0)]
    pub signer_id: u8,
    /// Its promotion epoch.
    #[n(1)]
    pub epoch: u32,
    /// The signer's time, in seconds since 1970.
    #[n(2)]
    pub time: i64,
    /// The name of the CA's key.
    #[n(3)]
    pub issuer: String,
    /// The signature over [`Self::message`].
    #[cbor(n(4), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

impl Checkpoint {
    /// What is signed of a log that stands at `position`: the context, the signer's id (1 octet), its promotion epoch (4),
    /// the number of records (8), the head of the chain (32) and the time (8), all big-endian.
    pub fn message(&self, position: Position) -> Vec<u8> {
        [
            CONTEXT,
            &[self.signer_id],
            &self.epoch.to_be_bytes(),
            &position.sequence.to_be_bytes(),
            &position.head,
            &self.time.to_be_bytes(),
        ]
        .concat()
    }

    /// Verifies that this key has signed a log that stands at `position`.
    pub fn verify(&self, key: &PublicKey, position: Position) -> Result<(), BadSignature> {
        let algorithm = algorithm(key).ok_or(BadSignature::BadKey)?;
        key.verify(algorithm, &self.message(position), &self.signature)
    }
}

/// Whether these octets are one.
pub fn is_message(octets: &[u8]) -> bool {
    octets.starts_with(CONTEXT)
}

/// The CA whose key signs them, and how: the one that signed the last, so that a new key is with the standby before it
/// must verify with it; else the one whose signature is the shortest, so that the cable carries little.
pub(crate) fn signer<'a>(
    cas: &'a [Ca],
    last: Option<&str>,
) -> Option<(&'a Ca, SignatureAlgorithm)> {
    let same = cas.iter().find(|ca| Some(&*ca.name) == last);
    let ca = same.or_else(|| cas.iter().min_by_key(|ca| (octets(ca), &ca.name)))?;
    Some((ca, algorithm(ca.certificate.public_key())?))
}

/// Follows from the key: nobody chooses.
fn algorithm(key: &PublicKey) -> Option<SignatureAlgorithm> {
    let kind = key.kind().ok()?;
    SignatureAlgorithm::for_key(kind, kind.default_hash()).ok()
}

/// How long about its signatures are.
const fn octets(ca: &Ca) -> u32 {
    use pki::KeyKind::{Ed25519, MlDsa65, P256, P384, P521, Rsa};
    match ca.key_kind {
        Ed25519 | P256 => 72,
        P384 => 104,
        P521 => 139,
        Rsa(bits) => bits / 8,
        MlDsa65 => 3_309,
    }
}
