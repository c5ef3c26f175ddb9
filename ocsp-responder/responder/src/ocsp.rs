//! From the octets of an OCSP request to what is said to it (standards section 1).
//!
//! In two steps: [`read`] finds out whom the request is about, and [`Question::presigned`] looks up the answer that was
//! signed ahead for it. Neither allocates; the answer is put together where it is sent.

use std::sync::Arc;

use answers::{Answer, Etag, Layered};
use pki::ocsp::request::OcspRequest;
use pki::ocsp::response::{CertStatus, ErrorStatus};
use pki::{HashAlgorithm, Serial, Time};

use crate::cells::{By, CoreCells, Hash, Outcome};
use crate::freshness::Freshness;
use crate::live::{Answers, Live};

/// A well-formed request about certificates of one issuer, which may be ours.
pub(crate) struct Question<'a> {
    issuers: &'a [Arc<Answers>],
    serial: Serial,
    algorithm: HashAlgorithm,
    hash: Hash,
    wish: Wish,
}

/// What an answer signed ahead cannot satisfy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Nothing,
    /// A nonce that nobody echoes here (OCSP-16).
    IgnoredNonce,
    Nonce,
    SeveralCertificates,
}

/// A request that gets an OCSP error whatever was signed.
pub(crate) struct Refused<'a> {
    status: ErrorStatus,
    issuer: Option<&'a Answers>,
    hash: Hash,
}

/// What is said to a request, and where that is counted: with its issuer, or with those that name none of ours.
pub(crate) struct Verdict<'a> {
    pub(crate) said: Said<'a>,
    pub(crate) issuer: Option<&'a Answers>,
    pub(crate) hash: Hash,
}

/// What is said to a request.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for one request, on the stack"
)]
pub(crate) enum Said<'a> {
    Answer(Signed<'a>),
    Error(ErrorStatus),
}

/// An answer that was signed ahead.
pub(crate) struct Signed<'a> {
    pub(crate) answer: Answer<'a>,
    pub(crate) algorithm: HashAlgorithm,
    pub(crate) etag: Etag,
    pub(crate) freshness: Freshness,
}

/// Reads a request and finds its issuer; `fresh` if there is somebody who signs answers for single requests.
pub(crate) fn read<'a>(
    live: &'a Live,
    der: &[u8],
    fresh: bool,
) -> Result<Question<'a>, Refused<'a>> {
    let refused = |status, issuer, hash| Refused {
        status,
        issuer,
        hash,
    };
    let unauthorized = |issuer, hash| refused(ErrorStatus::Unauthorized, issuer, hash);
    let Ok(request) = OcspRequest::parse(der) else {
        return Err(refused(ErrorStatus::MalformedRequest, None, Hash::Other));
    };
    let id = request.first();
    let Some(algorithm) = id.hash else {
        return Err(unauthorized(None, Hash::Other));
    };
    let hash = match algorithm {
        HashAlgorithm::Sha1 => Hash::Sha1,
        HashAlgorithm::Sha256 => Hash::Sha256,
        _ => Hash::Other,
    };
    // Issuers are found by their hashes, which are as long as the named algorithm makes them (OCSP-40).
    if id.name_hash.len() != hash_length(hash) || id.key_hash.len() != hash_length(hash) {
        return Err(unauthorized(None, hash));
    }
    // An answer signed ahead is about one certificate; part of an answer is none (OCSP-10).
    if request.count() != 1 && !fresh {
        return Err(unauthorized(None, hash));
    }
    let issuers = live.issuers(&id);
    // Nobody signs for two issuers.
    if request.count() != 1 && !are_of_one_issuer(live, &request, issuers) {
        return Err(unauthorized(None, hash));
    }
    let Some(serial) = id.serial_number() else {
        return Err(unauthorized(issuers.first().map(AsRef::as_ref), hash));
    };
    Ok(Question {
        issuers,
        serial,
        algorithm,
        hash,
        wish: Wish::of(&request, issuers, fresh),
    })
}

/// Whether all its CertIDs, by whatever hash, mean these issuers and nobody else.
fn are_of_one_issuer(live: &Live, request: &OcspRequest<'_>, issuers: &[Arc<Answers>]) -> bool {
    let same = |id| {
        let others = live.issuers(&id);
        others.len() == issuers.len() && others.iter().zip(issuers).all(|(a, b)| Arc::ptr_eq(a, b))
    };
    !issuers.is_empty() && request.cert_ids().all(same)
}

impl Wish {
    fn of(request: &OcspRequest<'_>, issuers: &[Arc<Answers>], fresh: bool) -> Self {
        let has_nonce = request.nonce_value().is_some();
        match issuers.first() {
            Some(_) if request.count() != 1 => Self::SeveralCertificates,
            Some(issuer) if has_nonce && fresh && !issuer.ignores_nonces => Self::Nonce,
            Some(_) if has_nonce => Self::IgnoredNonce,
            _ => Self::Nothing,
        }
    }
}

impl<'a> Question<'a> {
    /// The hash of its first CertID.
    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }

    /// The issuer from which an answer signed for this request is wanted.
    pub(crate) fn wants_fresh(&self) -> Option<&'a Answers> {
        let wants = matches!(self.wish, Wish::Nonce | Wish::SeveralCertificates);
        self.issuers.first().filter(|_| wants).map(AsRef::as_ref)
    }

    /// The issuer whose request has a nonce that nobody echoes.
    pub(crate) fn ignores_nonce(&self) -> Option<&'a Answers> {
        let ignores = self.wish == Wish::IgnoredNonce;
        self.issuers.first().filter(|_| ignores).map(AsRef::as_ref)
    }

    /// Fetches the part of the index in which the answer is looked up; gives back something of it, to be waited for.
    pub(crate) fn fetch_index(&self) -> u8 {
        self.fetch(Layered::fetch_index)
    }

    /// Fetches the answer, once the index is there.
    pub(crate) fn fetch_record(&self) -> u8 {
        self.fetch(Layered::fetch_record)
    }

    fn fetch(&self, fetch: fn(&Layered, &[u8]) -> u8) -> u8 {
        let serial = self.serial.as_bytes();
        let fetched = self
            .issuers
            .iter()
            .map(|issuer| fetch(&issuer.layered, serial));
        fetched.fold(0, |all, one| all ^ one)
    }

    /// The answer that was signed ahead, if there is one that may leave now.
    pub(crate) fn presigned(&self, now: Time) -> Verdict<'a> {
        if self.wish == Wish::SeveralCertificates {
            // Soon there may be an answer for all of them again.
            let first = self.issuers.first().map(AsRef::as_ref);
            return Verdict::error(ErrorStatus::TryLater, first, self.hash);
        }
        let mut stale = None;
        for issuer in self.issuers {
            let answer = match issuer.layered.get(self.serial.as_bytes()) {
                Ok(Some(answer)) => answer,
                Ok(None) => continue,
                // What is damaged is not guessed at; readiness tells that a new set is needed.
                Err(_) => {
                    stale.get_or_insert(issuer);
                    continue;
                }
            };
            // Never an answer outside [thisUpdate, nextUpdate): neither stale nor ahead of this clock (V3).
            if !answer.is_current(now) {
                stale.get_or_insert(issuer);
                continue;
            }
            return self.signed(issuer, answer);
        }
        match stale {
            Some(issuer) => Verdict::error(ErrorStatus::TryLater, Some(issuer), self.hash),
            None => {
                let first = self.issuers.first().map(AsRef::as_ref);
                Verdict::error(ErrorStatus::Unauthorized, first, self.hash)
            }
        }
    }

    fn signed(&self, issuer: &'a Answers, answer: Answer<'a>) -> Verdict<'a> {
        let Some(etag) = answer.etag(self.algorithm) else {
            // The index promised answers for this hash.
            return Verdict::error(ErrorStatus::InternalError, Some(issuer), self.hash);
        };
        let freshness = Freshness {
            this_update: answer.this_update(),
            next_update: answer.next_update(),
            refresh_at: answer.refresh_at(),
        };
        Verdict {
            said: Said::Answer(Signed {
                answer,
                algorithm: self.algorithm,
                etag,
                freshness,
            }),
            issuer: Some(issuer),
            hash: self.hash,
        }
    }
}

impl<'a> Verdict<'a> {
    fn error(status: ErrorStatus, issuer: Option<&'a Answers>, hash: Hash) -> Self {
        Self {
            said: Said::Error(status),
            issuer,
            hash,
        }
    }

    /// The verdict about a request that [`read`] refuses.
    pub(crate) fn refused(refused: Refused<'a>) -> Self {
        Self::error(refused.status, refused.issuer, refused.hash)
    }

    /// The verdict about octets that are no OCSP request.
    pub(crate) fn malformed() -> Self {
        Self::error(ErrorStatus::MalformedRequest, None, Hash::Other)
    }

    /// The OCSP error, or the status of the certificate.
    pub(crate) fn outcome(&self) -> Outcome {
        match &self.said {
            Said::Answer(signed) => match signed.answer.status() {
                CertStatus::Good => Outcome::Good,
                CertStatus::Revoked { .. } => Outcome::Revoked,
            },
            Said::Error(status) => match status {
                ErrorStatus::InternalError => Outcome::InternalError,
                ErrorStatus::MalformedRequest => Outcome::Malformed,
                ErrorStatus::TryLater => Outcome::TryLater,
                ErrorStatus::SigRequired | ErrorStatus::Unauthorized => Outcome::Unauthorized,
            },
        }
    }

    pub(crate) fn count(&self, core: usize, cells: &CoreCells, outcome: Outcome, method: By) {
        let cells = self
            .issuer
            .map_or(&cells.stray, |issuer| &issuer.cells[core]);
        cells.count(outcome, method, self.hash);
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
