//! Those on the host's machine who ask: issuer, CRL builder and support in one, with a ledger that loses nothing.
//!
//! It asks as they do: a revocation is told before the CRL that has it, a CRL that the signer puts together differently
//! makes it compare digests and tell what is missing, and whatever was asked is asked again under its id until there is an
//! answer.

mod compare;
mod crls;
mod wrong;

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;
use pki::certificate_builder::TbsCertificate;
use pki::crl::build::CrlEntry;
use pki::{RevocationReason, Serial, Time};
use wire::{
    IssueCertificate, Operation, Outcome, RefusalCode, Refused, Request, RequestId, Revocation,
    Revoke, SerialOctets, SignedResult,
};

use self::compare::Compare;
use self::crls::{Build, Crls};
use crate::authority::{ALGORITHM, Authority, ISSUER, PROFILE};
use crate::host::SIGNER_IDS;
use crate::violation::{Invariant, Violation, check, violated};

const DAY: i64 = 86_400;

pub(crate) struct Caller {
    authority: Arc<Authority>,
    random: Rng,
    asked: BTreeMap<RequestId, Asked>,
    /// Acts with their answers.
    done: Vec<(Request, Outcome)>,
    pub(crate) certificates: Vec<Certificate>,
    /// Every revocation that was decided, in order.
    ledger: Vec<Revocation>,
    crls: Crls,
    compare: Compare,
    /// The outbox may have lost answers, since its disk is an old one: then it asks the signer again.
    pub(crate) outbox_may_forget: bool,
    pub(crate) counts: Counts,
}

/// What came of it all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Certificates signed.
    pub certificates: u64,
    /// Revocations remembered.
    pub revocations: u64,
    /// CRLs signed.
    pub crls: u64,
    /// Requests refused, as they must be.
    pub refusals: u64,
    /// Divergences healed.
    pub compared: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    serial: Serial,
    not_after: Time,
    revoked: bool,
}

#[derive(Debug)]
struct Asked {
    request: Request,
    purpose: Purpose,
    /// When to ask (again); `None` while an answer is awaited.
    at: Option<u64>,
}

#[derive(Clone, Debug)]
enum Purpose {
    Certificate {
        certificate: Certificate,
        tbs: Vec<u8>,
        signer_id: u8,
    },
    Revocation,
    Crl(Box<Build>),
    Digest,
    Bucket(u8),
    /// The results of these, and whether each had its answer already.
    Results(Vec<(RequestId, bool)>),
    /// It was answered before, and gets the same answer.
    Again,
    /// It must be refused, for this reason.
    Wrong(&'static str),
}

impl Caller {
    pub(crate) fn new(authority: &Arc<Authority>, random: Rng) -> Self {
        Self {
            authority: Arc::clone(authority),
            random,
            asked: BTreeMap::new(),
            done: Vec::new(),
            certificates: Vec::new(),
            ledger: Vec::new(),
            crls: Crls::default(),
            compare: Compare::default(),
            outbox_may_forget: false,
            counts: Counts::default(),
        }
    }

    /// Somebody wants a certificate, of the signer that is active as far as anybody knows.
    pub(crate) fn issue(&mut self, signer: usize, now: u64) {
        let signer_id = SIGNER_IDS[signer];
        let (certificate, issue) = self.certificate(signer_id, now, 90);
        let purpose = Purpose::Certificate {
            certificate,
            tbs: issue.tbs.clone(),
            signer_id,
        };
        self.put(Operation::IssueCertificate(issue), purpose, now);
    }

    /// A certificate is to be revoked. Whether there was one.
    pub(crate) fn revoke(&mut self, now: u64) -> bool {
        let valid: Vec<usize> = (0..self.certificates.len())
            .filter(|index| !self.certificates[*index].revoked)
            .collect();
        if valid.is_empty() {
            return false;
        }
        let many = self.random.usize(1..=3.min(valid.len()));
        let mut revocations = Vec::new();
        for index in valid.into_iter().rev().take(many) {
            let certificate = &mut self.certificates[index];
            certificate.revoked = true;
            revocations.push(Revocation {
                serial: SerialOctets(certificate.serial.as_bytes().to_vec()),
                date: crate::clock::date(now),
                reason: [0, 1, 4, 5][self.random.usize(0..4)],
                not_after: Some(certificate.not_after),
                invalidity_date: None,
            });
        }
        self.ledger.extend(revocations.clone());
        self.tell(revocations, now);
        true
    }

    /// Something that was answered is asked again. Whether there was something.
    pub(crate) fn again(&mut self, now: u64) -> bool {
        if self.done.is_empty() {
            return false;
        }
        let (request, _) = &self.done[self.random.usize(0..self.done.len())];
        if self.asked.contains_key(&request.id) {
            return false;
        }
        let asked = Asked {
            request: request.clone(),
            purpose: Purpose::Again,
            at: Some(now),
        };
        self.asked.insert(request.id, asked);
        true
    }

    /// What became of some requests? Whether there was one.
    pub(crate) fn results(&mut self, now: u64) -> bool {
        let done = self.done.iter().map(|(request, _)| (request.id, true));
        let open = self.asked.keys().map(|id| (*id, false));
        let mut ids: Vec<(RequestId, bool)> = done.chain(open).collect();
        self.random.shuffle(&mut ids);
        ids.truncate(6);
        if ids.is_empty() {
            return false;
        }
        let operation = Operation::GetResult {
            ids: ids.iter().map(|(id, _)| *id).collect(),
        };
        self.put(operation, Purpose::Results(ids), now);
        true
    }

    /// What is to be asked now.
    pub(crate) fn due(&mut self, now: u64) -> Vec<Request> {
        let mut due = Vec::new();
        for asked in self.asked.values_mut() {
            if asked.at.is_some_and(|at| at <= now) {
                asked.at = None;
                due.push(asked.request.clone());
            }
        }
        due
    }

    /// When something is to be asked.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.asked.values().filter_map(|asked| asked.at).min()
    }

    /// The host is gone: nobody answers any more, and everybody asks again.
    pub(crate) fn host_gone(&mut self, now: u64) {
        for asked in self.asked.values_mut() {
            let wait = self.random.u64(10..1_000);
            asked.at.get_or_insert(now + wait);
        }
    }

    /// Whether nothing is open.
    pub(crate) fn is_idle(&self) -> bool {
        self.asked.is_empty() && !self.compare.is_going_on()
    }

    /// What is open, for people.
    pub(crate) fn open(&self) -> String {
        let open: Vec<_> = self
            .asked
            .values()
            .take(3)
            .map(|asked| {
                format!(
                    "{} {} ({})",
                    asked.request.operation.name(),
                    asked.request.id,
                    match asked.at {
                        Some(at) => format!("asked again at {at}"),
                        None => "waiting".to_owned(),
                    }
                )
            })
            .collect();
        format!("{}, of {}", open.join(", "), self.asked.len())
    }

    /// A reply. Gives the answer of an act, which counts for good.
    pub(crate) fn replied(
        &mut self,
        id: RequestId,
        outcome: Outcome,
        now: u64,
    ) -> Result<Option<Outcome>, Violation> {
        let Some(asked) = self.asked.get_mut(&id) else {
            return Ok(None);
        };
        if let Outcome::Busy { milliseconds } = outcome {
            asked.at = Some(now + u64::from(milliseconds));
            return Ok(None);
        }
        let Some(Asked {
            request, purpose, ..
        }) = self.asked.remove(&id)
        else {
            return Ok(None);
        };
        let is_act = request.operation.is_act();
        match purpose {
            Purpose::Certificate {
                certificate,
                tbs,
                signer_id,
            } => self.issued(certificate, &tbs, signer_id, &outcome, now)?,
            Purpose::Revocation => self.remembered(&outcome)?,
            Purpose::Crl(build) => self.crl_signed(*build, &outcome)?,
            Purpose::Digest => self.digest_came(&outcome, now)?,
            Purpose::Bucket(bucket) => self.bucket_came(bucket, &outcome, now)?,
            Purpose::Results(ids) => self.results_came(&ids, &outcome)?,
            // The checker compares it with the answer before.
            Purpose::Again => return Ok(Some(outcome)),
            Purpose::Wrong(why) => self.must_be_refused(why, &outcome)?,
        }
        if is_act {
            self.done.push((request, outcome.clone()));
            return Ok(Some(outcome));
        }
        Ok(None)
    }

    fn issued(
        &mut self,
        certificate: Certificate,
        tbs: &[u8],
        signer_id: u8,
        outcome: &Outcome,
        now: u64,
    ) -> Result<(), Violation> {
        match outcome {
            Outcome::Signed { signature } => {
                // Those of CRLs are all verified here; the key has verified this one.
                if self.random.u8(0..8) == 0 {
                    self.verify(tbs, signature)?;
                }
                self.certificates.push(certificate);
                self.counts.certificates += 1;
                Ok(())
            }
            // Another signer was promoted since: the certificate is made anew, with its id.
            Outcome::Refused(refused)
                if signer_id == SIGNER_IDS[0] && refused.field == "tbs.serialNumber" =>
            {
                self.issue(1, now);
                Ok(())
            }
            other => Err(not_served(other)),
        }
    }

    fn remembered(&mut self, outcome: &Outcome) -> Result<(), Violation> {
        match outcome {
            Outcome::Remembered { .. } => {
                self.counts.revocations += 1;
                Ok(())
            }
            other => Err(not_served(other)),
        }
    }

    fn results_came(&self, ids: &[(RequestId, bool)], outcome: &Outcome) -> Result<(), Violation> {
        let results = match outcome {
            Outcome::Results { results } if results.len() == ids.len() => results,
            other => return Err(not_served(other)),
        };
        for ((id, done), result) in ids.iter().zip(results) {
            if !done {
                continue;
            }
            let Some((_, known)) = self.done.iter().find(|(request, _)| request.id == *id) else {
                continue;
            };
            let same = match (known, result) {
                (Outcome::Signed { signature }, SignedResult::Signed { signature: now }) => {
                    signature == now
                }
                (Outcome::Refused(refused), SignedResult::Refused(now)) => refused == now,
                (Outcome::Remembered { .. }, SignedResult::Remembered) => true,
                // It is to be asked again, and gets the same answer.
                (_, SignedResult::Unknown) => self.outbox_may_forget,
                _ => false,
            };
            check(same, Invariant::NothingLost, || {
                format!("{id} was answered with {known:?}; asked later, it became {result:?}")
            })?;
        }
        Ok(())
    }

    fn must_be_refused(&mut self, why: &str, outcome: &Outcome) -> Result<(), Violation> {
        match outcome {
            Outcome::Refused(Refused { message, .. }) if !message.is_empty() => {
                self.counts.refusals += 1;
                Ok(())
            }
            other => Err(violated(
                Invariant::WrongIsRefused,
                format!("{why}: {other:?}"),
            )),
        }
    }

    fn certificate(
        &mut self,
        signer_id: u8,
        now: u64,
        days: i64,
    ) -> (Certificate, IssueCertificate) {
        let mut octets = [0; 16];
        self.random.fill(&mut octets);
        octets[0] = signer_id;
        let subscriber = self.random.usize(0..self.authority.subscribers.len());
        let not_before = crate::clock::date(now).plus_seconds(-300);
        let certificate = Certificate {
            // Unwrap safety: it begins with an octet that is not zero.
            serial: Serial::from_be_bytes(&octets).unwrap(),
            not_after: not_before.plus_seconds(days * DAY - 1),
            revoked: false,
        };
        let issue = self.issue_of(&certificate, not_before, subscriber);
        (certificate, issue)
    }

    fn issue_of(
        &self,
        certificate: &Certificate,
        not_before: Time,
        subscriber: usize,
    ) -> IssueCertificate {
        let subscriber = &self.authority.subscribers[subscriber];
        let tbs = TbsCertificate {
            serial: certificate.serial,
            signature_algorithm: ALGORITHM,
            issuer: self.authority.ca.certificate.subject(),
            not_before,
            not_after: certificate.not_after,
            subject: &subscriber.subject,
            public_key: &subscriber.key,
            extensions: &subscriber.extensions,
        }
        .to_der();
        IssueCertificate {
            issuer: ISSUER.to_owned(),
            profile: PROFILE.to_owned(),
            signature_algorithm: ALGORITHM,
            tbs,
            csr: Some(subscriber.csr.clone()),
            evidence: None,
        }
    }

    fn tell(&mut self, revocations: Vec<Revocation>, now: u64) {
        let operation = Operation::Revoke(Revoke {
            issuer: ISSUER.to_owned(),
            actor: "simulation".to_owned(),
            ground: "subscriber".to_owned(),
            case: None,
            revocations,
        });
        self.put(operation, Purpose::Revocation, now);
    }

    fn is_telling(&self) -> bool {
        let mut purposes = self.asked.values().map(|asked| &asked.purpose);
        purposes.any(|purpose| matches!(purpose, Purpose::Revocation))
    }

    fn put(&mut self, operation: Operation, purpose: Purpose, now: u64) {
        let mut id = [0; 16];
        self.random.fill(&mut id);
        let asked = Asked {
            request: Request {
                id: RequestId(id),
                operation,
            },
            purpose,
            at: Some(now),
        };
        self.asked.insert(RequestId(id), asked);
    }

    fn verify(&self, tbs: &[u8], signature: &[u8]) -> Result<(), Violation> {
        let key = self.authority.ca.certificate.public_key();
        key.verify(ALGORITHM, tbs, signature).map_err(|_| {
            violated(
                Invariant::HonestIsServed,
                "a signature that does not verify was given",
            )
        })
    }
}

/// A revocation as it stands in CRLs.
fn entry(revocation: &Revocation) -> Option<CrlEntry> {
    Some(CrlEntry {
        serial: Serial::from_be_bytes(&revocation.serial.0).ok()?,
        revocation_date: revocation.date,
        reason: RevocationReason::from_code(revocation.reason)
            .filter(|reason| *reason != RevocationReason::Unspecified),
        invalidity_date: revocation.invalidity_date,
    })
}

fn not_served(outcome: &Outcome) -> Violation {
    violated(
        Invariant::HonestIsServed,
        format!("a request that keeps the rules is answered with {outcome:?}"),
    )
}

fn is_refused(outcome: &Outcome, codes: &[RefusalCode]) -> bool {
    matches!(outcome, Outcome::Refused(refused) if codes.contains(&refused.code))
}
