//! Certifying user ids of OpenPGP keys (I13): the same path as a certificate's, without a serial number.
//!
//! 1. What is asked is **reserved** in the ledger, durably, under a fresh request id, one for each user id.
//! 2. The **signer** is asked under that id. It judges for itself, and puts together what it signs.
//! 3. What it gives is **verified** under its key, and **recorded**.
//!
//! A crash or an absent signer in between leaves a reservation, which [`PgpIssuance::recover`] finishes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger::{Ledger, LedgerError, PgpRequest, PgpResult};
use openpgp::{PublicKey, Signature, SignatureKind, TransferableKey};
use pki::refusal::Refusal;
use pki::{Clock, HashAlgorithm, Time};
use signer_client::{Level, PgpIssuerInfo, SignPgpUid, SignerClient, SignerError};

use crate::in_flight::InFlight;

const DAY: i64 = 86_400;
/// How long the signer may take to name its keys where they are known from before.
const KEYS_DEADLINE: Duration = Duration::from_secs(1);

/// Certifies user ids; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct PgpIssuance {
    ledger: Ledger,
    signer: SignerClient,
    clock: Arc<dyn Clock>,
    in_flight: InFlight,
    /// The signer's keys as it told them last: a request can be kept for it while it is away.
    known: Arc<Mutex<Option<Vec<PgpIssuer>>>>,
}

/// A key of the signer that certifies.
#[derive(Clone, Debug)]
pub struct PgpIssuer {
    /// The name to ask with.
    pub name: String,
    /// Its public half, with its user id.
    pub key: TransferableKey,
    /// When it ends, if it does.
    pub expires: Option<Time>,
}

/// User ids that somebody is entitled to have certified. They have been checked; the signer checks them again.
#[derive(Clone, Debug)]
pub struct PgpOrder {
    /// The name of the certifying key; may be left out where there is one only.
    pub issuer: Option<String>,
    /// The member's key.
    pub key: TransferableKey,
    /// Which of its user ids, by their places on it.
    pub places: Vec<usize>,
    /// How well the member is known.
    pub level: Level,
    /// The name that was verified.
    pub name: Option<String>,
    /// The addresses that were verified.
    pub addresses: Vec<String>,
    /// How many days the certifications last: exactly so many or a refusal. Without it as many as the level and the
    /// signer's own key allow.
    pub days: Option<u32>,
    /// SHA-256 of what there is as evidence.
    pub evidence_sha256: Option<[u8; 32]>,
    /// Who asked.
    pub actor: String,
}

/// What came of one user id.
#[derive(Clone, Debug)]
pub struct PgpCertified {
    /// Its place on the key.
    pub place: usize,
    /// When the certification ends.
    pub expires: Time,
    /// The body of the signature packet, or why the signer refused.
    pub result: Result<Vec<u8>, Refusal>,
}

/// Why nothing is certified, or not yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PgpError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The order breaks a rule.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The signer gave no answer before anything was asked.
    #[error("{0}; nothing was asked of it")]
    SignerUnseen(String),
    /// The signer gave no answer; what was asked is kept, and finished by itself.
    #[error("{0}; the request is kept and the user ids are certified when the signer is back")]
    SignerAway(String),
    /// What the signer gave is no certification by its key.
    #[error(
        "what the signer gave for {user_id:?} is no certification by its key {by}: {why}; see its log"
    )]
    Wrong {
        /// The user id.
        user_id: String,
        /// The fingerprint of the key.
        by: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something in the ledger or from the signer cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(&'static str, String),
}

/// How many requests wait for the signer, and what became of others.
#[derive(Debug, Default)]
pub struct PgpWaiting {
    /// Those that still wait.
    pub waiting: usize,
    /// Those that were finished now, by the fingerprints of their keys.
    pub finished: Vec<String>,
    /// Those that could not be finished, and why.
    pub failed: Vec<(String, PgpError)>,
}

impl PgpIssuance {
    /// Certifies over this ledger and signer.
    pub fn new(ledger: Ledger, signer: SignerClient, clock: Arc<dyn Clock>) -> Self {
        Self {
            ledger,
            signer,
            clock,
            in_flight: InFlight::default(),
            known: Arc::default(),
        }
    }

    /// What time it is.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The keys with which the signer certifies; those that it had last while it is away.
    pub async fn issuers(&self) -> Result<Vec<PgpIssuer>, PgpError> {
        let known = self.known().clone();
        let signer = match known {
            Some(_) => self.signer.clone().with_deadline(KEYS_DEADLINE),
            None => self.signer.clone(),
        };
        match (signer.openpgp_keys().await, known) {
            (Ok(keys), _) => {
                let issuers = read_issuers(keys)?;
                *self.known() = Some(issuers.clone());
                Ok(issuers)
            }
            (Err(_), Some(known)) => Ok(known),
            (Err(error), None) => Err(PgpError::SignerUnseen(error.to_string())),
        }
    }

    /// Has the user ids certified: one result for each place, in their order, and the key that did it.
    pub async fn certify(
        &self,
        order: &PgpOrder,
    ) -> Result<(PgpIssuer, Vec<PgpCertified>), PgpError> {
        let issuer = choose(self.issuers().await?, order.issuer.as_deref())?;
        let created = self.clock.now();
        let expires = expires(order, &issuer, created)?;
        let mut asked = Vec::new();
        // All of them first: none is forgotten when the signer goes away after one.
        for place in &order.places {
            let (request, question) = ask_for(order, *place, &issuer, (created, expires))?;
            let in_flight = self.in_flight.enter(request.request_id);
            self.ledger.reserve_pgp(&request).await?;
            asked.push((*place, request, question, in_flight));
        }
        let mut results = Vec::new();
        for (place, request, question, _in_flight) in asked {
            let result = self.complete(&request, question, issuer.key.key()).await?;
            results.push(PgpCertified {
                place,
                expires,
                result,
            });
        }
        Ok((issuer, results))
    }

    /// Asks the signer again for everything that has no answer. One bad request never stops the next (V12).
    pub async fn recover(&self) -> Result<PgpWaiting, PgpError> {
        let pending = self.ledger.pending_pgp().await?;
        let mut found = PgpWaiting::default();
        if pending.is_empty() {
            return Ok(found);
        }
        let Ok(issuers) = self.issuers().await else {
            found.waiting = pending.len();
            return Ok(found);
        };
        for record in pending {
            let request = record.request;
            if self.in_flight.contains(&request.request_id) {
                continue;
            }
            let by = issuers
                .iter()
                .map(|issuer| issuer.key.key())
                .find(|key| key.fingerprint() == request.by);
            let question = SignPgpUid::decode(&request.request);
            let result = match (by, question) {
                (Some(by), Ok(question)) => self.complete(&request, question, by).await.map(drop),
                (None, _) => Err(PgpError::Unreadable(
                    "the signer's OpenPGP key",
                    format!("it has none with the fingerprint {}", hex(&request.by)),
                )),
                (_, Err(error)) => Err(PgpError::Unreadable("a request", error.to_string())),
            };
            match result {
                Ok(()) => found.finished.push(hex(&request.key)),
                Err(PgpError::SignerAway(_)) => found.waiting += 1,
                Err(error) => found.failed.push((hex(&request.key), error)),
            }
        }
        Ok(found)
    }

    async fn complete(
        &self,
        request: &PgpRequest,
        question: SignPgpUid,
        by: &PublicKey,
    ) -> Result<Result<Vec<u8>, Refusal>, PgpError> {
        let key = PublicKey::from_body(&question.key)
            .map_err(|error| PgpError::Unreadable("a request", error.to_string()))?;
        let id = request.request_id;
        let body = match self.signer.sign_pgp_uid(id, question).await {
            Ok(body) => body,
            Err(SignerError::Refused {
                code,
                field,
                message,
                ..
            }) => {
                let why = format!("{field} ({code}): {message}");
                self.finish(request, &PgpResult::Refused(why)).await?;
                let remedy =
                    "Correct what the signer names, and ask again. It judges by its own policy.";
                return Ok(Err(Refusal::new("G6", field, message, remedy)));
            }
            Err(error) => return Err(PgpError::SignerAway(error.to_string())),
        };
        let tbs = match verify(&body, request, &key, by) {
            Ok(tbs) => tbs,
            Err(why) => {
                let wrong = PgpError::Wrong {
                    user_id: request.user_id.clone(),
                    by: by.to_string(),
                    why,
                };
                tracing::error!("{wrong}");
                let refused = PgpResult::Refused(wrong.to_string());
                self.finish(request, &refused).await?;
                return Err(wrong);
            }
        };
        let mut tbs_sha256 = [0; 32];
        tbs_sha256.copy_from_slice(&HashAlgorithm::Sha256.digest(&tbs));
        let certified = PgpResult::Certified {
            certification: body.clone(),
            tbs_sha256,
        };
        self.finish(request, &certified).await?;
        tracing::info!(issuer = request.issuer, %key, actor = request.actor, "user id certified");
        Ok(Ok(body))
    }

    fn known(&self) -> MutexGuard<'_, Option<Vec<PgpIssuer>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn finish(&self, request: &PgpRequest, result: &PgpResult) -> Result<(), PgpError> {
        Ok(self.ledger.finish_pgp(&request.request_id, result).await?)
    }
}

fn read_issuers(keys: Vec<PgpIssuerInfo>) -> Result<Vec<PgpIssuer>, PgpError> {
    let read = |info: PgpIssuerInfo| {
        let key = TransferableKey::from_octets(&info.key)?;
        let signature = key.self_signature(0).and_then(Signature::from_body)?;
        Ok(PgpIssuer {
            expires: signature.key_expires(key.key()),
            name: info.name,
            key,
        })
    };
    keys.into_iter()
        .map(read)
        .collect::<Result<_, openpgp::PgpError>>()
        .map_err(|error| PgpError::Unreadable("the signer's OpenPGP key", error.to_string()))
}

fn choose(mut issuers: Vec<PgpIssuer>, name: Option<&str>) -> Result<PgpIssuer, Refusal> {
    if let Some(name) = name {
        issuers.retain(|issuer| issuer.name == name);
    }
    let several = issuers.len() > 1;
    match issuers.pop() {
        Some(issuer) if !several => Ok(issuer),
        Some(_) => Err(Refusal::new(
            "API",
            "issuer",
            "the signer has several OpenPGP keys",
            "Name the one that is to certify.",
        )),
        None => Err(Refusal::new(
            "API",
            "issuer",
            "the signer has no such OpenPGP key",
            "Describe [openpgp] in the ceremony's file, and hold a ceremony.",
        )),
    }
}

fn expires(order: &PgpOrder, issuer: &PgpIssuer, created: Time) -> Result<Time, Refusal> {
    let most = order.level.days();
    let end = |days: u32| created.plus_seconds(i64::from(days) * DAY);
    let Some(days) = order.days else {
        let longest = end(most);
        return Ok(issuer.expires.map_or(longest, |own| own.min(longest)));
    };
    if days == 0 || days > most {
        return Err(Refusal::new(
            "I7",
            "days",
            format!(
                "{days} days; a certification of the level {} lasts 1 to {most}",
                order.level
            ),
            "Ask for fewer days, or leave them out.",
        ));
    }
    Ok(end(days))
}

fn ask_for(
    order: &PgpOrder,
    place: usize,
    issuer: &PgpIssuer,
    (created, expires): (Time, Time),
) -> Result<(PgpRequest, SignPgpUid), PgpError> {
    let unreadable = |error: String| PgpError::Unreadable("a user id", error);
    let user_id = order.key.identities().get(place);
    let user_id = user_id
        .and_then(|identity| identity.text())
        .ok_or_else(|| unreadable("it is not text".to_owned()))?
        .to_owned();
    let self_signature = order.key.self_signature(place);
    let question = SignPgpUid {
        issuer: issuer.name.clone(),
        key: order.key.key().body().to_vec(),
        user_id: user_id.clone(),
        self_signature: self_signature
            .map_err(|error| unreadable(error.to_string()))?
            .to_vec(),
        level: order.level,
        name: order.name.clone(),
        addresses: order.addresses.clone(),
        created,
        expires,
        evidence: order.evidence_sha256,
    };
    let request = PgpRequest {
        request_id: signer_client::fresh_id()
            .map_err(|error| PgpError::SignerUnseen(error.to_string()))?
            .0,
        issuer: issuer.name.clone(),
        by: issuer.key.key().fingerprint(),
        key: order.key.key().fingerprint(),
        user_id,
        level: order.level.to_string(),
        created,
        expires,
        evidence_sha256: order.evidence_sha256,
        request: question
            .encode()
            .map_err(|error| unreadable(error.to_string()))?,
        actor: order.actor.clone(),
    };
    Ok((request, question))
}

/// What the certification signs, if it is the one that was asked for, by that key.
fn verify(
    body: &[u8],
    request: &PgpRequest,
    key: &PublicKey,
    by: &PublicKey,
) -> Result<Vec<u8>, String> {
    let signature = Signature::from_body(body).map_err(|error| error.to_string())?;
    let user_id = request.user_id.as_bytes();
    let times = (signature.created(), signature.expires());
    if signature.kind() != SignatureKind::Certification
        || times != (Some(request.created), Some(request.expires))
    {
        return Err("it says something else than was asked for".to_owned());
    }
    signature
        .verify_user_id(key, user_id, by)
        .map_err(|error| error.to_string())?;
    Ok(signature.octets(key, user_id))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}
