//! Asks the signer, which alone holds CA keys.
//!
//! ```no_run
//! # async fn example(tbs: Vec<u8>) -> Result<(), signer_client::SignerError> {
//! use signer_client::{IssueCertificate, SignerClient};
//!
//! let signer = SignerClient::new("/run/avouch/signer.sock");
//! let id = [7; 16]; // written to the caller's own record first, and kept until there is an answer
//! let signature = signer
//!     .issue_certificate(id, IssueCertificate {
//!         issuer: "member".to_owned(),
//!         profile: "server".to_owned(),
//!         signature_algorithm: pki::SignatureAlgorithm::RsaSha256,
//!         tbs,
//!         csr: None,
//!         evidence: None,
//!     })
//!     .await?;
//! # Ok(()) }
//! ```
//!
//! A request is known by its id. Sending it again with the same id and content is always safe and gives the same
//! answer; that is what to do after [`SignerError::Unavailable`], also after a crash. After
//! [`SignerError::Refused`] it must not be sent again.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod connection;
mod error;
mod host;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use pki::{Clock as _, SystemClock};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};
use wire::{Operation, Outcome, Reply, Request, SignedResult};

use crate::connection::{CallError, Connection};

pub use error::SignerError;
pub use wire::local;
pub use wire::{
    Added, CrlScope, CsrAroundKey, IssueCertificate, IssuerInfo, Level, ListChange, Mode,
    PgpIssuerInfo, Receipt, RefusalCode, RequestId, Revocation, Revoke, RevokedDigest,
    SerialOctets, SignCrl, SignPgpUid, Status,
};

/// How long a caller waits for an answer unless it says otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// A handle on the signer; clones share one connection, which is made when first needed and again when it broke.
#[derive(Clone, Debug)]
pub struct SignerClient {
    link: Arc<Link>,
    deadline: Duration,
}

/// A host that is busy for so long without a break has a reason that waiting alone does not mend, such as a full disk.
const BUSY_DEADLINE: Duration = Duration::from_secs(10);

/// For a question that the host answers by itself.
const ID_DEADLINE: Duration = Duration::from_secs(1);

/// What the signer remembers of an issuer after a [`SignerClient::revoke`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// How many revocations.
    pub count: u64,
    /// [`RevokedDigest::summary`] of them.
    pub summary: [u8; 32],
}

/// What became of a request that was sent earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The signer has no answer on record: send it again.
    Unknown,
    /// It was signed.
    Signed(Vec<u8>),
    /// The revocations are remembered.
    Remembered,
    /// It was refused.
    Refused(wire::Refused),
}

impl SignerClient {
    /// A client of the signer that listens on `socket`. Nothing is connected yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            link: Arc::new(Link {
                socket: socket.into(),
                connection: Mutex::new(None),
                signer_id: AtomicU8::new(0),
            }),
            deadline: DEFAULT_DEADLINE,
        }
    }

    /// The same client with another deadline for each call.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The signature over the TBSCertificate. The caller puts the certificate together and verifies it.
    pub async fn issue_certificate(
        &self,
        id: [u8; 16],
        issue: IssueCertificate,
    ) -> Result<Vec<u8>, SignerError> {
        self.sign(id, Operation::IssueCertificate(issue)).await
    }

    /// Has the signer remember revocations, for the CRLs to come.
    pub async fn revoke(&self, id: [u8; 16], revoke: Revoke) -> Result<Remembered, SignerError> {
        match self.ask(RequestId(id), Operation::Revoke(revoke)).await? {
            Outcome::Remembered { count, summary } => Ok(Remembered { count, summary }),
            other => Err(unexpected(&other)),
        }
    }

    /// How many revocations of an issuer the signer remembers, and the 256 sums of [`wire::RevokedDigest`] over them.
    pub async fn revoked(&self, issuer: &str) -> Result<(u64, Vec<u64>), SignerError> {
        let issuer = issuer.to_owned();
        match self
            .ask(fresh_id()?, Operation::GetRevoked { issuer })
            .await?
        {
            Outcome::Revoked { count, buckets } => Ok((count, buckets)),
            other => Err(unexpected(&other)),
        }
    }

    /// The revocations of an issuer in one bucket of that digest.
    pub async fn revoked_in(
        &self,
        issuer: &str,
        bucket: u8,
    ) -> Result<Vec<Revocation>, SignerError> {
        let mut all: Vec<Revocation> = Vec::new();
        loop {
            let operation = Operation::GetBucket {
                issuer: issuer.to_owned(),
                bucket,
                after: all.last().map(|last| last.serial.0.clone()),
            };
            match self.ask(fresh_id()?, operation).await? {
                Outcome::Bucket { revocations, more } => {
                    let more = more && !revocations.is_empty();
                    all.extend(revocations);
                    if !more {
                        return Ok(all);
                    }
                }
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// The signature over the TBSCertList. The caller puts the CRL together and verifies it.
    pub async fn sign_crl(&self, id: [u8; 16], crl: SignCrl) -> Result<Vec<u8>, SignerError> {
        self.sign(id, Operation::SignCrl(crl)).await
    }

    /// The body of the signature packet that certifies a user id of an OpenPGP key. The caller verifies it.
    pub async fn sign_pgp_uid(
        &self,
        id: [u8; 16],
        sign: SignPgpUid,
    ) -> Result<Vec<u8>, SignerError> {
        self.sign(id, Operation::SignPgpUid(sign)).await
    }

    /// What became of requests that were sent earlier, in the order of `ids` (at most 256).
    pub async fn results(&self, ids: &[[u8; 16]]) -> Result<Vec<Fate>, SignerError> {
        let operation = Operation::GetResult {
            ids: ids.iter().copied().map(RequestId).collect(),
        };
        match self.ask(fresh_id()?, operation).await? {
            Outcome::Results { results } if results.len() == ids.len() => {
                Ok(results.into_iter().map(Fate::from).collect())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// The issuers that the signer signs for.
    pub async fn info(&self) -> Result<Vec<IssuerInfo>, SignerError> {
        Ok(self.all_info().await?.0)
    }

    /// The keys with which the signer certifies OpenPGP keys.
    pub async fn openpgp_keys(&self) -> Result<Vec<PgpIssuerInfo>, SignerError> {
        Ok(self.all_info().await?.1)
    }

    async fn all_info(&self) -> Result<(Vec<IssuerInfo>, Vec<PgpIssuerInfo>), SignerError> {
        match self.ask(fresh_id()?, Operation::Info).await? {
            Outcome::Info {
                protocol,
                issuers,
                openpgp,
                ..
            } if protocol == wire::PROTOCOL_VERSION => Ok((issuers, openpgp)),
            Outcome::Info { protocol, .. } => Err(SignerError::Unavailable(format!(
                "the signer speaks protocol version {protocol}, this program version {}; install the same release",
                wire::PROTOCOL_VERSION
            ))),
            other => Err(unexpected(&other)),
        }
    }

    /// How the signer is, if it is there.
    pub async fn ping(&self) -> Result<Status, SignerError> {
        let time = SystemClock.now();
        match self.ask(fresh_id()?, Operation::Ping { time }).await? {
            Outcome::Pong(status) => {
                self.link
                    .signer_id
                    .store(status.signer_id, Ordering::Relaxed);
                Ok(status)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// What the serial numbers of the active signer begin with (I18); the last one heard of while it is away.
    pub async fn signer_id(&self) -> Result<u8, SignerError> {
        let last = self.link.signer_id.load(Ordering::Relaxed);
        match self.clone().with_deadline(ID_DEADLINE).ping().await {
            Ok(status) => Ok(status.signer_id),
            Err(_) if last > 0 => Ok(last),
            Err(error) => Err(error),
        }
    }

    /// The socket that this client connects to.
    pub fn socket(&self) -> &Path {
        &self.link.socket
    }

    /// Why nothing came in time, as far as the host knows.
    async fn late(&self) -> SignerError {
        let host = self.clone().with_deadline(ID_DEADLINE).host_state().await;
        SignerError::late(self.deadline, host.ok().as_ref())
    }

    async fn sign(&self, id: [u8; 16], operation: Operation) -> Result<Vec<u8>, SignerError> {
        match self.ask(RequestId(id), operation).await? {
            Outcome::Signed { signature } => Ok(signature),
            other => Err(unexpected(&other)),
        }
    }

    /// Sends a request until there is an answer other than Busy, or it has been busy or silent for too long.
    async fn ask(&self, id: RequestId, operation: Operation) -> Result<Outcome, SignerError> {
        let deadline = Instant::now() + self.deadline;
        let message = Request { id, operation }
            .encode()
            .and_then(|octets| wire::frame::encode(&octets))
            .map_err(SignerError::unsendable)?;
        let mut busy_until = None;
        loop {
            let Ok(reply) = timeout_at(deadline, self.link.call(id, &message)).await else {
                return Err(self.late().await);
            };
            let reply = reply?;
            match reply.outcome {
                Outcome::Refused(refused) => return Err(refused.into()),
                Outcome::Busy { milliseconds } => {
                    let until = *busy_until.get_or_insert_with(|| Instant::now() + BUSY_DEADLINE);
                    if Instant::now() >= until {
                        return Err(SignerError::busy(BUSY_DEADLINE));
                    }
                    let wait = Duration::from_millis(u64::from(milliseconds).clamp(1, 1_000));
                    if timeout_at(deadline, sleep(wait)).await.is_err() {
                        return Err(self.late().await);
                    }
                }
                outcome => return Ok(outcome),
            }
        }
    }
}

impl From<SignedResult> for Fate {
    fn from(result: SignedResult) -> Self {
        match result {
            SignedResult::Signed { signature } => Self::Signed(signature),
            SignedResult::Remembered => Self::Remembered,
            SignedResult::Refused(refused) => Self::Refused(refused),
            _ => Self::Unknown,
        }
    }
}

#[derive(Debug)]
struct Link {
    socket: PathBuf,
    connection: Mutex<Option<Arc<Connection>>>,
    /// Of the last signer that was heard of; 0 before.
    signer_id: AtomicU8,
}

impl Link {
    /// One exchange. A connection that broke meanwhile (the signer was restarted) is made again once: sending a
    /// request twice is safe.
    async fn call(&self, id: RequestId, message: &[u8]) -> Result<Reply, SignerError> {
        match self.connected().await?.call(id, message).await {
            Err(CallError::Broken(_)) => self.connected().await?.call(id, message).await,
            result => result,
        }
        .map_err(SignerError::from)
    }

    async fn connected(&self) -> Result<Arc<Connection>, SignerError> {
        let mut slot = self.connection.lock().await;
        if let Some(connection) = slot.as_ref()
            && !connection.is_broken()
        {
            return Ok(Arc::clone(connection));
        }
        let connection = Connection::open(&self.socket).await.map_err(|error| {
            SignerError::Unavailable(format!(
                "no signer on {} ({error}); is it running?",
                self.socket.display()
            ))
        })?;
        Ok(Arc::clone(slot.insert(Arc::new(connection))))
    }
}

/// An id that was never used; as random as a serial number.
pub fn fresh_id() -> Result<RequestId, SignerError> {
    let serial =
        pki::Serial::random().map_err(|error| SignerError::Unavailable(error.to_string()))?;
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(serial.as_bytes()) {
        *to = *from;
    }
    Ok(RequestId(id))
}

fn unexpected(outcome: &Outcome) -> SignerError {
    SignerError::Unavailable(format!("the signer answered something else: {outcome:?}"))
}
