//! From a request to its reply.
//!
//! Nothing is signed twice (G6, V10): what was judged good is written to the journal and synced before it is signed;
//! the signature is written and synced before it is released. Whoever asks again under the same id gets what stands in
//! the journal.

mod signing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pki::{Clock, Time};
use wire::{
    IssuerInfo, Operation, Outcome, Receipt, RefusalCode, Refused, Reply, Request, RequestId,
    SignedResult,
};

use crate::issuer::Issuer;
use crate::journal::{Journal, JournalError};
use crate::journal_record::{Record, hash};
use crate::keyring::Keyring;
use crate::policy::Policy;
use crate::state::State;

/// How far the clock may stand before the last record of the journal (OPS-05: it never runs backwards).
const BACKWARDS_SECONDS: i64 = 60;
/// The signer without its socket.
#[derive(Debug)]
pub struct Engine {
    keyring: Keyring,
    journal: Journal,
    state: Mutex<State>,
    policy: Policy,
    clock: Arc<dyn Clock>,
}

/// Why there was no answer. The signer cannot go on: it must be started again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A signature could not be made, or did not verify.
    #[error("signing with the key of {issuer} failed: {source}")]
    Key {
        /// The CA.
        issuer: String,
        /// What happened.
        source: keystore::KeyError,
    },
    /// The journal says something else than it must.
    #[error("the journal has no answer where one must be (record at octet {0})")]
    NoAnswer(u64),
}

impl Engine {
    /// An engine over an open journal, whose records `state` has taken over.
    pub fn new(
        keyring: Keyring,
        journal: Journal,
        state: State,
        policy: Policy,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            keyring,
            journal,
            state: Mutex::new(state),
            policy,
            clock,
        }
    }

    /// Answers a request. Blocks while it signs and writes.
    pub fn handle(&self, request: Request) -> Result<Reply, EngineError> {
        let id = request.id;
        let plain = |outcome| {
            Ok(Reply {
                id,
                outcome,
                receipt: None,
            })
        };
        let unknown = |message: String| {
            Outcome::Refused(Refused {
                code: RefusalCode::Malformed,
                field: "operation".to_owned(),
                message,
            })
        };
        // What is asked, in its canonical encoding; the id plays no part in it.
        let nameless = Request {
            id: RequestId([0; 16]),
            ..request
        };
        let digest = match nameless.encode() {
            Ok(octets) => hash(&octets),
            Err(error) => return plain(unknown(error.to_string())),
        };
        match nameless.operation {
            Operation::Ping => plain(Outcome::Pong {
                time: self.clock.now(),
            }),
            Operation::Info => plain(self.info()),
            Operation::GetResult { ids } => plain(Outcome::Results {
                results: self.results(&ids)?,
            }),
            Operation::IssueCertificate(issue) => self.once(id, digest, |reopened| {
                self.issue_certificate(id, digest, &issue, reopened)
            }),
            Operation::SignCrl(crl) => self.once(id, digest, |reopened| {
                self.sign_crl(id, digest, &crl, reopened)
            }),
            _ => plain(unknown(
                "this signer does not know the operation".to_owned(),
            )),
        }
    }

    /// Takes keys that are new in the store into use, each with a record in the journal.
    pub fn refresh_keys(&self) -> anyhow::Result<()> {
        let refreshed = self.keyring.refresh()?;
        for (name, reason) in refreshed.faulty {
            tracing::error!("the key {name} is in the store but cannot be used: {reason}");
        }
        for issuer in refreshed.added {
            let certificate = hash(issuer.certificate().der());
            if !self.state().is_in_use(issuer.name(), &certificate) {
                let entry = self.journal.append(&Record::KeyInUse {
                    time: self.clock.now().unix(),
                    name: issuer.name().to_owned(),
                    certificate,
                })?;
                self.journal.sync(&entry)?;
            }
            tracing::info!(
                "signing for {} ({})",
                issuer.name(),
                issuer.certificate().subject()
            );
        }
        Ok(())
    }

    /// Writes that the daemon was started.
    pub fn record_start(&self) -> Result<(), JournalError> {
        let entry = self.journal.append(&Record::Started {
            time: self.clock.now().unix(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })?;
        self.journal.sync(&entry)
    }

    /// Where the journal stands.
    pub fn head(&self) -> Receipt {
        self.journal.head()
    }

    /// The CAs that it signs for.
    pub fn issuers(&self) -> Vec<Arc<Issuer>> {
        self.keyring.issuers()
    }

    /// Whether the clock stands before what the journal has seen: then nothing is signed.
    pub fn clock_runs_backwards(&self) -> Option<(Time, Time)> {
        let now = self.clock.now();
        let latest = self.state().latest()?;
        (now.plus_seconds(BACKWARDS_SECONDS) < latest).then_some((now, latest))
    }

    fn info(&self) -> Outcome {
        self.refresh_or_log();
        let info = |issuer: &Arc<Issuer>| IssuerInfo {
            name: issuer.name().to_owned(),
            key_kind: issuer.key().kind(),
            certificate: issuer.certificate().der().to_vec(),
        };
        Outcome::Info {
            protocol: wire::PROTOCOL_VERSION,
            issuers: self.keyring.issuers().iter().map(info).collect(),
        }
    }

    fn results(&self, ids: &[RequestId]) -> Result<Vec<SignedResult>, EngineError> {
        let result = |id: &RequestId| {
            let answer = self.state().answer(id);
            let Some((offset, _)) = answer else {
                return Ok(SignedResult::Unknown);
            };
            Ok(match self.recorded(offset)?.0 {
                Outcome::Signed { signature } => SignedResult::Signed { signature },
                Outcome::Refused(refused) => SignedResult::Refused(refused),
                _ => SignedResult::Unknown,
            })
        };
        ids.iter().map(result).collect()
    }

    fn refresh_or_log(&self) {
        if let Err(error) = self.refresh_keys() {
            tracing::error!("the key store cannot be read: {error:#}");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
