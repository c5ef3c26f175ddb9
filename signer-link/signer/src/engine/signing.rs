//! The acts that sign: each is done once.

use std::sync::Arc;

use wire::{IssueCertificate, Outcome, Receipt, RefusalCode, Refused, Reply, RequestId, SignCrl};

use super::{Engine, EngineError};
use crate::issuer::Issuer;
use crate::journal::{Entry, JournalError};
use crate::journal_record::{Act, CrlScope, Hash, Record, hash};
use crate::judge::{judge_certificate, judge_crl};
use crate::state::Known;

/// When a caller whose request is being done, or came at a bad time, should ask again.
const BUSY_MILLISECONDS: u32 = 20;
const SUSPENDED_MILLISECONDS: u32 = 1_000;

impl Engine {
    /// Does a request that is new; gives the recorded answer for one that is not.
    pub(super) fn once(
        &self,
        id: RequestId,
        digest: Hash,
        act: impl FnOnce(bool) -> Result<(Outcome, Receipt), EngineError>,
    ) -> Result<Reply, EngineError> {
        let plain = |outcome| {
            Ok(Reply {
                id,
                outcome,
                receipt: None,
            })
        };
        if let Some((now, latest)) = self.clock_runs_backwards() {
            tracing::error!(
                "the clock says {now}, the journal {latest}: nothing is signed until the clock is right"
            );
            return plain(Outcome::Busy {
                milliseconds: SUSPENDED_MILLISECONDS,
            });
        }
        let known = self.state().begin(id, digest);
        match known {
            Known::InProgress => plain(Outcome::Busy {
                milliseconds: BUSY_MILLISECONDS,
            }),
            Known::OtherContent => {
                tracing::error!("request {id} came again with other content; refused");
                plain(Outcome::Refused(Refused {
                    code: RefusalCode::IdReused,
                    field: "id".to_owned(),
                    message: "the id was used for a request of other content (V10)".to_owned(),
                }))
            }
            Known::Answered { offset, sequence } => {
                let (outcome, head) = self.recorded(offset)?;
                Ok(Reply {
                    id,
                    outcome,
                    receipt: Some(Receipt { sequence, head }),
                })
            }
            Known::New { reopened } => {
                let result = act(reopened);
                if result.is_err() {
                    self.state().abandon(id);
                }
                let (outcome, receipt) = result?;
                Ok(Reply {
                    id,
                    outcome,
                    receipt: Some(receipt),
                })
            }
        }
    }

    pub(super) fn issue_certificate(
        &self,
        id: RequestId,
        digest: Hash,
        request: &IssueCertificate,
        reopened: bool,
    ) -> Result<(Outcome, Receipt), EngineError> {
        let judged = self.find_issuer(&request.issuer).and_then(|issuer| {
            let serial = judge_certificate(
                request,
                issuer.certificate(),
                &self.policy,
                self.clock.now(),
            )?;
            let act = Act::Certificate {
                issuer: request.issuer.clone(),
                authority: issuer.authority(),
                profile: request.profile.clone(),
                serial: serial.as_bytes().to_vec(),
                tbs: hash(&request.tbs),
            };
            Ok((issuer, act))
        });
        self.sign(id, digest, judged, reopened, |issuer| {
            issuer.key().sign(request.signature_algorithm, &request.tbs)
        })
    }

    pub(super) fn sign_crl(
        &self,
        id: RequestId,
        digest: Hash,
        request: &SignCrl,
        reopened: bool,
    ) -> Result<(Outcome, Receipt), EngineError> {
        let judged = self.find_issuer(&request.issuer).and_then(|issuer| {
            let authority = issuer.authority();
            // Its own intent must not count against a request that is done again after a crash.
            let last = |scope: &CrlScope| {
                let state = self.state();
                state
                    .last_crl(&authority, scope)
                    .filter(|_| !reopened)
                    .cloned()
            };
            let scope = judge_crl(
                request,
                issuer.certificate(),
                &self.policy,
                last,
                self.clock.now(),
            )?;
            let act = Act::Crl {
                issuer: request.issuer.clone(),
                authority,
                number: request.number.to_be_bytes(),
                this_update: request.this_update.unix(),
                tbs: hash(&request.tbs),
                scope,
            };
            Ok((issuer, act))
        });
        self.sign(id, digest, judged, reopened, |issuer| {
            issuer.key().sign(request.signature_algorithm, &request.tbs)
        })
    }

    /// Intent, sync, sign, verify, result, sync.
    fn sign(
        &self,
        id: RequestId,
        digest: Hash,
        judged: Result<(Arc<Issuer>, Act), Refused>,
        reopened: bool,
        sign: impl FnOnce(&Issuer) -> Result<Vec<u8>, keystore::KeyError>,
    ) -> Result<(Outcome, Receipt), EngineError> {
        let admitted = match judged {
            Err(refused) => Err(refused),
            Ok((issuer, act)) => self
                .admit(id, digest, act, reopened)?
                .map(|entry| (issuer, entry)),
        };
        let (issuer, intent) = match admitted {
            Ok(admitted) => admitted,
            Err(refused) => return self.refuse(id, digest, refused),
        };
        if let Some(intent) = intent {
            self.journal.sync(&intent)?;
        }
        // The key verifies its own signature before it gives it.
        let signature = sign(&issuer).map_err(|source| EngineError::Key {
            issuer: issuer.name().to_owned(),
            source,
        })?;
        let receipt = self.answer(
            id,
            &Record::Signed {
                id,
                signature: signature.clone(),
            },
        )?;
        Ok((Outcome::Signed { signature }, receipt))
    }

    /// Under one lock: may it be done, and the intent that says that it is going to be.
    fn admit(
        &self,
        id: RequestId,
        digest: Hash,
        act: Act,
        reopened: bool,
    ) -> Result<Result<Option<Entry>, Refused>, JournalError> {
        let mut state = self.state();
        if let Err(refused) = state.admit(id, &act, reopened) {
            return Ok(Err(refused));
        }
        if reopened {
            return Ok(Ok(None));
        }
        let record = Record::Intent {
            time: self.clock.now().unix(),
            id,
            digest,
            act,
        };
        self.journal.append(&record).map(|entry| Ok(Some(entry)))
    }

    fn refuse(
        &self,
        id: RequestId,
        digest: Hash,
        refused: Refused,
    ) -> Result<(Outcome, Receipt), EngineError> {
        tracing::warn!("request {id} refused: {refused}");
        let record = Record::Refused {
            time: self.clock.now().unix(),
            id,
            digest,
            refused: refused.clone(),
        };
        let receipt = self.answer(id, &record)?;
        Ok((Outcome::Refused(refused), receipt))
    }

    /// Writes and syncs an answer; only then is it known as one.
    fn answer(&self, id: RequestId, record: &Record) -> Result<Receipt, EngineError> {
        let entry = self.journal.append(record)?;
        self.journal.sync(&entry)?;
        self.state().answered(id, &entry);
        Ok(entry.receipt)
    }

    pub(super) fn recorded(&self, offset: u64) -> Result<(Outcome, Hash), EngineError> {
        match self.journal.read(offset)? {
            (Record::Signed { signature, .. }, head) => Ok((Outcome::Signed { signature }, head)),
            (Record::Refused { refused, .. }, head) => Ok((Outcome::Refused(refused), head)),
            _ => Err(EngineError::NoAnswer(offset)),
        }
    }

    fn find_issuer(&self, name: &str) -> Result<Arc<Issuer>, Refused> {
        if let Some(issuer) = self.keyring.issuer(name) {
            return Ok(issuer);
        }
        // Perhaps its key has come just now.
        self.refresh_or_log();
        self.keyring.issuer(name).ok_or_else(|| Refused {
            code: RefusalCode::UnknownIssuer,
            field: "issuer".to_owned(),
            message: format!("there is no key of the name {name:?}; `signer import` or `signer ceremony` adds one"),
        })
    }
}
