//! The Unix socket: requests of local processes in, replies out, any number of them under way.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rustix::fs::{Gid, chown};
use telemetry::Stopper;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use wire::local::{HostAnswer, HostQuestion, HostState};
use wire::{Operation, Outcome, RefusalCode, Refused, Reply, Request, RequestId, WireError, frame};

use crate::config::CallerConfig;
use crate::core::Caller;
use crate::metrics::Metrics;
use crate::rights::{Peer, Rights};

/// Connections beyond this many wait.
const CONNECTIONS: usize = 256;
/// Requests of one connection that are under way; more wait in the socket.
const AT_ONCE: usize = 1_024;
/// How long a message may take once it has begun, and how long a caller may take to read a reply.
const PATIENCE: Duration = Duration::from_secs(30);
/// After a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What comes from local processes.
#[derive(Debug)]
pub(crate) enum Local {
    /// A connection: its replies go there.
    Opened(u64, mpsc::UnboundedSender<Told>),
    Asked(Caller, Box<Request>),
    /// How everything is; the answer goes straight back.
    State(oneshot::Sender<HostState>),
    Closed(u64),
}

/// What a local process is told.
#[derive(Debug)]
pub(crate) enum Told {
    Reply(Reply),
    /// By the host, about itself.
    Host(Box<HostAnswer>),
}

/// The listening socket; the file goes when this does.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    listener: UnixListener,
}

/// What every connection needs.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) callers: Arc<[CallerConfig]>,
    pub(crate) core: mpsc::Sender<Local>,
    pub(crate) metrics: Metrics,
}

impl Socket {
    /// Listens on `path`, which this user can open, and the group `gid` if one is named. A socket that a dead process
    /// left is replaced.
    pub(crate) fn bind(path: &Path, gid: Option<u32>) -> anyhow::Result<Self> {
        if StdUnixStream::connect(path).is_ok() {
            anyhow::bail!("{}: another process listens there", path.display());
        }
        // Bound under another name, closed to others, and only then put into place.
        let mut name = path
            .file_name()
            .context("the socket's path names no file")?
            .to_owned();
        name.push(format!(".{}", std::process::id()));
        let temporary = path.with_file_name(name);
        remove_if_there(&temporary)?;
        let listener = UnixListener::bind(&temporary)
            .with_context(|| format!("cannot listen on {}", temporary.display()))?;
        let mode = match gid {
            Some(gid) => {
                chown(&temporary, None, Some(Gid::from_raw(gid))).with_context(|| {
                    format!("the socket cannot be given to group {gid}; is this user in it?")
                })?;
                0o660
            }
            None => 0o600,
        };
        fs::set_permissions(&temporary, fs::Permissions::from_mode(mode))?;
        fs::rename(&temporary, path)
            .with_context(|| format!("cannot listen on {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            listener,
        })
    }

    /// Serves until `stop`. What was taken is in the outbox; whoever waits connects again and asks again.
    pub(crate) async fn serve(self, service: Service, stop: &Stopper) {
        let mut connections = JoinSet::new();
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        let mut number = 0;
        loop {
            let accepted = async {
                // Unwrap safety: the semaphore is never closed.
                let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
                (self.listener.accept().await, slot)
            };
            tokio::select! {
                () = stop.cancelled() => return,
                Some(_) = connections.join_next() => {}
                (accepted, slot) = accepted => match accepted {
                    Ok((stream, _)) => {
                        number += 1;
                        let connection = service.clone().connection(stream, number);
                        connections.spawn(async move {
                            connection.await;
                            drop(slot);
                        });
                    }
                    Err(error) => {
                        tracing::error!("a connection could not be accepted: {error}");
                        // Out of descriptors, most likely: the next try would fail as fast.
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = remove_if_there(&self.path) {
            tracing::warn!("{}: {error}", self.path.display());
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

impl Service {
    async fn connection(self, stream: UnixStream, connection: u64) {
        let peer = match stream.peer_cred() {
            Ok(peer) => Peer {
                uid: peer.uid(),
                gid: peer.gid(),
            },
            Err(error) => {
                tracing::warn!("a connection is closed; nobody knows whose it is: {error}");
                return;
            }
        };
        let rights = Rights::of(peer, &self.callers);
        let (reader, writer) = stream.into_split();
        let (replies, queue) = mpsc::unbounded_channel();
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        if self
            .core
            .send(Local::Opened(connection, replies.clone()))
            .await
            .is_err()
        {
            return;
        }
        let writer = write_replies(writer, queue, &slots);
        let caller = Caller {
            uid: peer.uid,
            connection,
        };
        // Whoever closes wants no more replies; what was asked is done all the same.
        let ended = tokio::select! {
            read = self.read(reader, caller, &rights, &replies, &slots) => read,
            written = writer => written,
        };
        if let Err(error) = ended {
            tracing::warn!(uid = peer.uid, "a connection is closed: {error}");
        }
        drop(self.core.send(Local::Closed(connection)).await);
    }

    /// How everything is; `None` when the core has ended. Why somebody else's request was refused is not everybody's
    /// business, since a name may stand in it.
    async fn state(&self, caller: Caller, rights: &Rights) -> Option<HostAnswer> {
        if !rights.allow(&Operation::Info) {
            return Some(HostAnswer::Refused(Refused {
                code: RefusalCode::NotAllowed,
                field: "operation".to_owned(),
                message: format!(
                    "user {} may not ask how the signer is; [[callers]] of signer-host's configuration says who may",
                    caller.uid
                ),
                above: None,
            }));
        }
        let (answer, answered) = oneshot::channel();
        self.core.send(Local::State(answer)).await.ok()?;
        let mut state = answered.await.ok()?;
        if !rights.operates() {
            state.refused.retain(|refused| refused.owner == caller.uid);
        }
        Some(HostAnswer::State(state))
    }

    /// Reads requests as long as there is room for them, until the peer closes.
    async fn read(
        &self,
        mut reader: OwnedReadHalf,
        caller: Caller,
        rights: &Rights,
        replies: &mpsc::UnboundedSender<Told>,
        slots: &Semaphore,
    ) -> io::Result<()> {
        loop {
            // Given back when the reply is written. Unwrap safety: the semaphore is never closed.
            slots.acquire().await.unwrap().forget();
            let Some(message) = read_message(&mut reader).await? else {
                return Ok(());
            };
            if let Ok(HostQuestion::State) = HostQuestion::decode(&message) {
                let Some(answer) = self.state(caller, rights).await else {
                    return Ok(());
                };
                drop(replies.send(Told::Host(Box::new(answer))));
                continue;
            }
            let refused = match Request::decode(&message) {
                Err(error) => {
                    tracing::warn!(
                        uid = caller.uid,
                        "a message of {} octets is refused: {error}",
                        message.len()
                    );
                    self.metrics.malformed();
                    refuse(
                        likely_id(&message),
                        RefusalCode::Malformed,
                        "request",
                        error.to_string(),
                    )
                }
                Ok(request) if !rights.allow(&request.operation) => {
                    let operation = request.operation.name();
                    tracing::warn!(uid = caller.uid, operation, "a caller may not ask for that");
                    let why = format!(
                        "user {} may not ask for {operation}; [[callers]] of signer-host's configuration says who may",
                        caller.uid
                    );
                    refuse(request.id, RefusalCode::NotAllowed, "operation", why)
                }
                Ok(request) => {
                    self.metrics.asked(&request.operation);
                    if self
                        .core
                        .send(Local::Asked(caller, Box::new(request)))
                        .await
                        .is_err()
                    {
                        return Ok(());
                    }
                    continue;
                }
            };
            drop(replies.send(Told::Reply(refused)));
        }
    }
}

impl Told {
    fn encode(&self) -> Result<Vec<u8>, WireError> {
        match self {
            Self::Reply(reply) => reply.encode(),
            Self::Host(answer) => answer.encode(),
        }
    }
}

fn refuse(id: RequestId, code: RefusalCode, field: &str, message: String) -> Reply {
    Reply {
        id,
        outcome: Outcome::Refused(Refused {
            code,
            field: field.to_owned(),
            message,
            above: None,
        }),
        receipt: None,
    }
}

/// The id where a request has it, so that its sender learns of the refusal.
fn likely_id(message: &[u8]) -> RequestId {
    let mut id = RequestId([0; 16]);
    if let [_, 0x50, rest @ ..] = message
        && let Some(octets) = rest.get(..16)
    {
        id.0.copy_from_slice(octets);
    }
    id
}

/// The next message; `None` when the peer has closed.
async fn read_message(reader: &mut OwnedReadHalf) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; frame::HEADER];
    match reader.read(&mut header[..1]).await? {
        0 => return Ok(None),
        _ => late(timeout(PATIENCE, reader.read_exact(&mut header[1..])).await)?,
    };
    let length = frame::length(header).map_err(io::Error::other)?;
    // Grows with what really comes.
    let mut message = Vec::new();
    let mut body = reader.take(length as u64);
    late(timeout(PATIENCE, body.read_to_end(&mut message)).await)?;
    if message.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(message))
}

async fn write_replies(
    mut writer: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Told>,
    slots: &Semaphore,
) -> io::Result<()> {
    while let Some(told) = queue.recv().await {
        match told.encode().and_then(|octets| frame::encode(&octets)) {
            Ok(framed) => late(timeout(PATIENCE, writer.write_all(&framed)).await)?,
            Err(error) => tracing::error!("a reply cannot be sent: {error}"),
        }
        slots.add_permits(1);
    }
    Ok(())
}

fn late<T>(result: Result<io::Result<T>, tokio::time::error::Elapsed>) -> io::Result<T> {
    result.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
