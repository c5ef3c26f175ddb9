//! From the octets of an OCSP request to the answer (standards section 1).

use answers::Answer;
use hyper::body::Bytes;
use hyper::header::HeaderValue;
use pki::ocsp::request::OcspRequest;
use pki::ocsp::response::{CertStatus, ErrorStatus};
use pki::{HashAlgorithm, Time};

use crate::cells::{By, CoreCells, Hash, Outcome};
use crate::freshness::Freshness;
use crate::live::{Answers, Live};

/// What is said to a request, and how it is counted.
#[derive(Debug)]
pub(crate) enum Said {
    Answer(Signed),
    Error(ErrorStatus),
}

/// A signed answer, put together.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) bytes: Bytes,
    pub(crate) etag: HeaderValue,
    pub(crate) freshness: Freshness,
}

/// Where a request is counted: with its issuer, or with those that name none of ours.
pub(crate) struct Counted<'a> {
    pub(crate) issuer: Option<&'a Answers>,
    pub(crate) hash: Hash,
    pub(crate) outcome: Outcome,
}

impl Counted<'_> {
    pub(crate) fn count(&self, core: usize, cells: &CoreCells, method: By) {
        let cells = self
            .issuer
            .map_or(&cells.stray, |issuer| &issuer.cells[core]);
        cells.count(self.outcome, method, self.hash);
    }
}

/// Answers the octets of a request.
pub(crate) fn answer<'a>(live: &'a Live, der: &[u8], now: Time) -> (Said, Counted<'a>) {
    let Ok(request) = OcspRequest::parse(der) else {
        return error(ErrorStatus::MalformedRequest, None, Hash::Other);
    };
    let id = request.first();
    let Some(algorithm) = id.hash else {
        return error(ErrorStatus::Unauthorized, None, Hash::Other);
    };
    let hash = match algorithm {
        HashAlgorithm::Sha1 => Hash::Sha1,
        HashAlgorithm::Sha256 => Hash::Sha256,
        _ => Hash::Other,
    };
    // Issuers are found by their hashes, which are as long as the named algorithm makes them (OCSP-40).
    if id.name_hash.len() != hash_length(hash) || id.key_hash.len() != hash_length(hash) {
        return error(ErrorStatus::Unauthorized, None, hash);
    }
    // An answer signed ahead is about one certificate; part of an answer is none (OCSP-10).
    if request.count() != 1 {
        return error(ErrorStatus::Unauthorized, None, hash);
    }
    let issuers = live.issuers(&id);
    let Some(serial) = id.serial_number() else {
        return error(
            ErrorStatus::Unauthorized,
            issuers.first().map(AsRef::as_ref),
            hash,
        );
    };
    let mut stale = None;
    for issuer in issuers {
        let Some(answer) = issuer.layered.get(serial.as_bytes()) else {
            continue;
        };
        // Never an answer outside [thisUpdate, nextUpdate): neither stale nor ahead of this clock (V3).
        if !answer.is_current(now) {
            stale.get_or_insert(issuer);
            continue;
        }
        return signed(issuer, &answer, algorithm, hash);
    }
    match stale {
        Some(issuer) => error(ErrorStatus::TryLater, Some(issuer), hash),
        None => error(
            ErrorStatus::Unauthorized,
            issuers.first().map(AsRef::as_ref),
            hash,
        ),
    }
}

/// Octets of the hashes that answers are signed for; none for others (OCSP-18).
const fn hash_length(hash: Hash) -> usize {
    match hash {
        Hash::Sha1 => 20,
        Hash::Sha256 => 32,
        Hash::Other => 0,
    }
}

fn signed<'a>(
    issuer: &'a Answers,
    answer: &Answer<'_>,
    algorithm: HashAlgorithm,
    hash: Hash,
) -> (Said, Counted<'a>) {
    let parts = answer.response(algorithm).zip(answer.etag(algorithm));
    let header = parts
        .and_then(|(bytes, etag)| Some((bytes, HeaderValue::from_bytes(etag.as_bytes()).ok()?)));
    let Some((bytes, etag)) = header else {
        // The index promised answers for this hash.
        return error(ErrorStatus::InternalError, Some(issuer), hash);
    };
    let outcome = match answer.status() {
        CertStatus::Good => Outcome::Good,
        CertStatus::Revoked { .. } => Outcome::Revoked,
    };
    let freshness = Freshness {
        this_update: answer.this_update(),
        next_update: answer.next_update(),
        refresh_at: answer.refresh_at(),
    };
    let signed = Signed {
        bytes: bytes.into(),
        etag,
        freshness,
    };
    (
        Said::Answer(signed),
        Counted {
            issuer: Some(issuer),
            hash,
            outcome,
        },
    )
}

fn error(status: ErrorStatus, issuer: Option<&Answers>, hash: Hash) -> (Said, Counted<'_>) {
    let outcome = match status {
        ErrorStatus::InternalError => Outcome::InternalError,
        ErrorStatus::MalformedRequest => Outcome::Malformed,
        ErrorStatus::TryLater => Outcome::TryLater,
        ErrorStatus::SigRequired | ErrorStatus::Unauthorized => Outcome::Unauthorized,
    };
    (
        Said::Error(status),
        Counted {
            issuer,
            hash,
            outcome,
        },
    )
}
