//! Signed checkpoints of the log.
//!
//! The chain of hashes shows that a log is whole, not whose it is: the host, which archives and relays it, could make up
//! another. So the signer has one of its CA keys sign where its log stands, before it hands the log out. A standby
//! believes only what such a signature follows, and `avouch audit verify` checks them all.

use journal::Position;
use pki::{BadSignature, PublicKey, SignatureAlgorithm};

use crate::ca::Ca;

/// What a message begins with. No certificate, CRL or OCSP response does: those are SEQUENCEs, and begin with 0x30.
const CONTEXT: &[u8] = b"Avouch signer log checkpoint 1\0";

/// What is signed of a log that stands at `position`: the context, the number of records (8 octets, big-endian), the head of
/// the chain (32 octets), and the signer's time in seconds since 1970 (8 octets, big-endian).
pub fn message(position: Position, time: i64) -> Vec<u8> {
    let sequence = position.sequence.to_be_bytes();
    [CONTEXT, &sequence, &position.head, &time.to_be_bytes()].concat()
}

/// Whether these octets are one.
pub fn is_message(octets: &[u8]) -> bool {
    octets.starts_with(CONTEXT)
}

/// Verifies the signature of a checkpoint that stands behind `position` in its log.
pub fn verify(
    key: &PublicKey,
    position: Position,
    time: i64,
    signature: &[u8],
) -> Result<(), BadSignature> {
    let algorithm = algorithm(key).ok_or(BadSignature::BadKey)?;
    key.verify(algorithm, &message(position, time), signature)
}

/// The CA whose key signs them, and how: the one whose signature is the shortest, so that the cable carries little.
pub(crate) fn signer(cas: &[Ca]) -> Option<(&Ca, SignatureAlgorithm)> {
    let ca = cas.iter().min_by_key(|ca| (octets(ca), &ca.name))?;
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
