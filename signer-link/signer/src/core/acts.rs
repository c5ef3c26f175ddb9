//! Requests that came together: judged one after the other, written, synced once, signed, written, synced once, answered.

use std::collections::HashSet;

use journal::Storage;
use wire::{
    IssuerInfo, Mode, Operation, Outcome, PgpIssuerInfo, Receipt, RefusalCode, Refused, Reply,
    Request, RequestId, SignedResult,
};

use super::pending::Pending;
use super::{Core, CoreError, refused};
use crate::journal_record::{Hash, Record, hash};
use crate::keys::Keys;
use crate::memory::Earlier;
use crate::pgp::key::PgpKey;

/// When a host whose request cannot be done now should ask again.
const BUSY: u32 = 200;
const SUSPENDED: u32 = 1_000;
const NOT_FOR_NOW: u32 = 10_000;

/// What has become of a request before anything is signed.
pub(super) enum Begun {
    /// Its answer; what it says about the journal is durable after the next sync.
    Answered(Outcome, Option<Receipt>),
    /// The intent is written.
    Pending(Pending),
}

impl<S: Storage, K: Keys> Core<S, K> {
    /// Answers requests in their order.
    pub(super) fn answer_all(
        &mut self,
        requests: Vec<Request>,
        now: u64,
    ) -> Result<Vec<Reply>, CoreError> {
        let mut in_this_batch = HashSet::new();
        let mut begun = Vec::new();
        for request in requests {
            let id = request.id;
            let first = !request.operation.is_act() || in_this_batch.insert(id);
            let one = match first {
                true => self.begin(request, now)?,
                // It would be signed twice.
                false => Begun::busy(BUSY),
            };
            begun.push((id, one));
        }
        self.sync()?;
        let mut replies = Vec::new();
        for (id, one) in begun {
            let (outcome, receipt) = match one {
                Begun::Answered(outcome, receipt) => (outcome, receipt),
                Begun::Pending(pending) => self.sign(id, &pending)?,
            };
            replies.push(Reply {
                id,
                outcome,
                receipt,
            });
        }
        self.sync()?;
        Ok(replies)
    }

    /// After a disk has failed nothing is written any more, and questions are still answered.
    fn sync(&mut self) -> Result<(), CoreError> {
        match self.failed {
            Some(_) => Ok(()),
            None => {
                self.log.sync()?;
                self.durable = self.log.head();
                Ok(())
            }
        }
    }

    fn begin(&mut self, request: Request, now: u64) -> Result<Begun, CoreError> {
        let Request { id, operation } = request;
        let plain = |outcome| Ok(Begun::Answered(outcome, None));
        let greeted = self
            .session
            .as_ref()
            .is_some_and(|session| session.hello.is_some());
        if !greeted {
            self.breach("a request before the hello", now);
            return plain(Outcome::Busy {
                milliseconds: NOT_FOR_NOW,
            });
        }
        self.heard(now);
        match operation {
            Operation::Ping { time } => {
                self.ping(time, now);
                plain(Outcome::Pong(self.status(now)))
            }
            Operation::Info => {
                if self.unlocked.is_some() {
                    self.take_keys(now)?;
                }
                plain(self.info())
            }
            Operation::GetResult { ids } => plain(Outcome::Results {
                results: self.results(&ids)?,
            }),
            Operation::GetRevoked { issuer } => plain(self.revoked(&issuer)),
            Operation::GetBucket {
                issuer,
                bucket,
                after,
            } => plain(self.bucket(&issuer, bucket, after.as_deref())),
            Operation::GetLog { after } => plain(self.read_log(after, now)?),
            Operation::AckLog { archived } => {
                let done = self.archived(&archived);
                let refusal = "that is not where this log stood, or it goes back";
                plain(self.done_or(done, "archived", refusal, now)?)
            }
            Operation::Replicate { after, records } => plain(self.replicate(after, records, now)?),
            Operation::Maintenance { seconds } => {
                let done = self.maintain(seconds, now);
                let refusal = "silence can be announced once until the next unlock, and within the configured limit";
                plain(self.done_or(done, "seconds", refusal, now)?)
            }
            Operation::Lock { reason } => {
                self.lock(&format!("the host asked: {reason}"), now);
                plain(Outcome::Done)
            }
            act => self.begin_act(id, act, now),
        }
    }

    /// An act: what is known of it, or its judgement and intent.
    fn begin_act(
        &mut self,
        id: RequestId,
        operation: Operation,
        now: u64,
    ) -> Result<Begun, CoreError> {
        // What is asked, in its canonical encoding; the id plays no part in it.
        let request = Request {
            id: RequestId([0; 16]),
            operation,
        };
        let digest = hash(&request.encode()?);
        match self.memory.earlier(&id, &digest) {
            Earlier::Answered(sequence) if sequence <= self.head().sequence => {
                let (outcome, receipt) = self.recorded(sequence)?;
                return Ok(Begun::Answered(outcome, Some(receipt)));
            }
            Earlier::OtherContent => {
                self.breach(&format!("request {id} came again with other content"), now);
                let refusal = refused(
                    RefusalCode::IdReused,
                    "id",
                    "the id was used for a request of other content (V10)",
                );
                return Ok(Begun::Answered(Outcome::Refused(refusal), None));
            }
            Earlier::Nothing | Earlier::Intent(_) | Earlier::Answered(_) => {}
        }
        if let Err((mode, _)) = self.may_sign(now) {
            return Ok(Begun::busy(match mode {
                Mode::Suspended => SUSPENDED,
                _ => NOT_FOR_NOW,
            }));
        }
        if let Earlier::Intent(act) = self.memory.earlier(&id, &digest) {
            return match self.reopened(&act, &request.operation) {
                Ok(pending) => Ok(Begun::Pending(pending)),
                Err(refusal) => self.refuse(id, digest, refusal, now),
            };
        }
        let judged = match &request.operation {
            Operation::IssueCertificate(issue) => self.judge_certificate(issue, now),
            Operation::SignCrl(crl) => self.judge_crl(crl, now),
            Operation::SignPgpUid(sign) => self.judge_pgp_uid(sign, now),
            Operation::Revoke(revoke) => {
                return match self.judge_revocations(revoke, now) {
                    Ok(authority) => self.remember(id, digest, authority, revoke, now),
                    Err(refusal) => self.refuse(id, digest, refusal, now),
                };
            }
            // Everything else was answered by `begin`.
            _ => return Ok(Begun::busy(NOT_FOR_NOW)),
        };
        match judged {
            Err(refusal) => self.refuse(id, digest, refusal, now),
            Ok((act, pending)) => {
                self.conclude(Record::Intent {
                    time: self.clock.time(now).unix(),
                    id,
                    digest,
                    act,
                })?;
                Ok(Begun::Pending(pending))
            }
        }
    }

    /// The intent is on the disk: signs, and writes the signature down.
    fn sign(
        &mut self,
        id: RequestId,
        pending: &Pending,
    ) -> Result<(Outcome, Option<Receipt>), CoreError> {
        // Locked by a request that came after this one: the intent stays, and is done when it is asked for again.
        let Some(unlocked) = &mut self.unlocked else {
            let milliseconds = NOT_FOR_NOW;
            return Ok((Outcome::Busy { milliseconds }, None));
        };
        // So with the budget: those that came together have spent it.
        if unlocked.signatures >= self.limits.signatures {
            let milliseconds = SUSPENDED;
            return Ok((Outcome::Busy { milliseconds }, None));
        }
        unlocked.signatures += 1;
        let signature = self
            .keys
            .sign(&pending.ca, pending.algorithm, &pending.tbs)?;
        let signature = pending.in_its_packet(signature)?;
        let receipt = self.conclude(Record::Signed {
            id,
            signature: signature.clone(),
        })?;
        Ok((Outcome::Signed { signature }, Some(receipt)))
    }

    /// A well-formed request against the policy: it is told so, it is written down, and it counts.
    pub(super) fn refuse(
        &mut self,
        id: RequestId,
        digest: Hash,
        refusal: Refused,
        now: u64,
    ) -> Result<Begun, CoreError> {
        tracing::warn!("request {id} refused: {refusal}");
        let receipt = self.conclude(Record::Refused {
            time: self.clock.time(now).unix(),
            id,
            digest,
            refused: refusal.clone(),
        })?;
        // An honest host's serial numbers are random: it never uses one again.
        if matches!(refusal.code, RefusalCode::Policy | RefusalCode::SerialUsed)
            && let Some(unlocked) = &mut self.unlocked
        {
            unlocked.strikes += 1;
            if self.limits.strict || unlocked.strikes >= self.limits.strikes {
                let strikes = unlocked.strikes;
                self.breach(&format!("{strikes} requests were refused by policy"), now);
            }
        }
        Ok(Begun::Answered(Outcome::Refused(refusal), Some(receipt)))
    }

    fn done_or(
        &mut self,
        done: bool,
        field: &str,
        message: &str,
        now: u64,
    ) -> Result<Outcome, CoreError> {
        match done {
            true => Ok(Outcome::Done),
            false => self.not_allowed(field, message, now),
        }
    }

    fn info(&self) -> Outcome {
        let issuers = self.keys.cas().iter().map(|ca| IssuerInfo {
            name: ca.name.clone(),
            key_kind: ca.key_kind,
            certificate: ca.certificate.der().to_vec(),
        });
        Outcome::Info {
            protocol: wire::PROTOCOL_VERSION,
            signer_id: self.signer_id,
            issuers: issuers.collect(),
            profiles: self.policy.profile_hashes(),
            openpgp: self.keys.pgp_keys().iter().map(pgp_info).collect(),
        }
    }

    fn results(&self, ids: &[RequestId]) -> Result<Vec<SignedResult>, CoreError> {
        let result = |id: &RequestId| {
            let answer = self.memory.answer(id);
            let Some(sequence) = answer.filter(|sequence| *sequence <= self.head().sequence) else {
                return Ok(SignedResult::Unknown);
            };
            Ok(match self.recorded(sequence)?.0 {
                Outcome::Signed { signature } => SignedResult::Signed { signature },
                Outcome::Refused(refused) => SignedResult::Refused(refused),
                Outcome::Remembered { .. } => SignedResult::Remembered,
                _ => return Err(CoreError::NoAnswer(sequence)),
            })
        };
        ids.iter().map(result).collect()
    }

    /// The answer in a record of the journal.
    fn recorded(&self, sequence: u64) -> Result<(Outcome, Receipt), CoreError> {
        let (mut record, receipt) = self.log.read(sequence)?;
        while let Record::Replicated { record: octets, .. } = &record {
            record = Record::decode(octets).map_err(|_| CoreError::NoAnswer(sequence))?;
        }
        let outcome = match record {
            Record::Signed { signature, .. } => Outcome::Signed { signature },
            Record::Refused { refused, .. } => Outcome::Refused(refused),
            Record::Revoked { authority, .. } => self.remembered(&authority),
            _ => return Err(CoreError::NoAnswer(sequence)),
        };
        Ok((outcome, receipt))
    }
}

fn pgp_info(key: &PgpKey) -> PgpIssuerInfo {
    PgpIssuerInfo {
        name: key.name.clone(),
        key: key.transferable.clone(),
    }
}

impl Begun {
    pub(super) const fn busy(milliseconds: u32) -> Self {
        Self::Answered(Outcome::Busy { milliseconds }, None)
    }
}
