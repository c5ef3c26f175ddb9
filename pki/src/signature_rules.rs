//! What is asked of the signature on a certificate, a CRL or an OCSP response (CERT-31, CERT-32).

use crate::der_read::Reader;
use crate::violation::{Judgement, ensure};
use crate::{HashAlgorithm, PublicKey, SignatureAlgorithm};

/// The AlgorithmIdentifier is, byte for byte, one that goes with the key (CERT-31).
pub(crate) fn exact_bytes(identifier: &[u8], key: &PublicKey) -> Judgement {
    let kind = key.kind().map_err(|error| error.to_string())?;
    let algorithm = SignatureAlgorithm::from_algorithm_identifier(identifier)
        .map_err(|error| error.to_string())?;
    let goes_with_key = if algorithm == SignatureAlgorithm::RsaSha1 {
        // Weak, which is another rule.
        kind.is_rsa()
    } else {
        SignatureAlgorithm::for_key(kind, algorithm.hash()) == Ok(algorithm)
    };
    ensure(goes_with_key, || {
        format!("{algorithm} is not the algorithm of a {kind} key")
    })
}

/// Not SHA-1 (CERT-32).
pub(crate) fn not_weak(identifier: &[u8]) -> Judgement {
    let weak = by_oid(identifier).is_some_and(|algorithm| algorithm.hash() == HashAlgorithm::Sha1);
    ensure(!weak, || "it is signed with SHA-1".to_owned())
}

/// The signature verifies under `key`, whatever the parameters of the algorithm.
pub(crate) fn verifies(
    key: &PublicKey,
    identifier: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Judgement {
    let algorithm = by_oid(identifier).ok_or_else(|| {
        format!(
            "the signature algorithm {} is not supported",
            hex::encode(identifier)
        )
    })?;
    key.verify(algorithm, message, signature)
        .map_err(|error| error.to_string())
}

/// The algorithm by its object identifier alone: the exact bytes are a rule of their own, and a
/// signature can be verified all the same.
fn by_oid(identifier: &[u8]) -> Option<SignatureAlgorithm> {
    let oid = |der| {
        Some(
            Reader::new(der)
                .sequence("algorithm")
                .ok()?
                .next("algorithm")
                .ok()?
                .whole,
        )
    };
    let wanted = oid(identifier)?;
    SignatureAlgorithm::ALL
        .into_iter()
        .find(|algorithm| oid(algorithm.algorithm_identifier()) == Some(wanted))
}
