//! The Unix socket (the serial link later): frames in, frames out, one request beside the other.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use telemetry::Stopper;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinSet, spawn_blocking};
use wire::{Outcome, RefusalCode, Refused, Reply, Request, RequestId, frame};

use crate::engine::{Engine, EngineError};
use crate::metrics::Metrics;

/// Requests of one connection that are done at the same time; more wait in the socket.
const AT_ONCE: usize = 32;
/// After a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The listening socket; the file goes when this does.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    listener: UnixListener,
}

impl Socket {
    /// Listens on `path`, which only this user can open. A socket that a dead process left is replaced.
    pub fn bind(path: &Path) -> anyhow::Result<Self> {
        if StdUnixStream::connect(path).is_ok() {
            anyhow::bail!("{}: another signer listens there", path.display());
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
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600))?;
        fs::rename(&temporary, path)
            .with_context(|| format!("cannot listen on {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            listener,
        })
    }

    /// Serves until `stop`; then finishes what has been begun. An error means that the signer cannot go on.
    pub async fn serve(
        self,
        engine: Arc<Engine>,
        metrics: Metrics,
        stop: &Stopper,
    ) -> Result<(), EngineError> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let connection = Connection {
                            engine: Arc::clone(&engine),
                            metrics: metrics.clone(),
                            stop: stop.clone(),
                        };
                        connections.spawn(connection.serve(stream));
                    }
                    Err(error) => {
                        tracing::error!("a connection could not be accepted: {error}");
                        // Out of descriptors, most likely: the next try would fail as fast.
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = connections.join_next() => finished(ended)?,
            }
        }
        while let Some(ended) = connections.join_next().await {
            finished(ended)?;
        }
        Ok(())
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

fn finished(
    ended: Result<Result<(), EngineError>, tokio::task::JoinError>,
) -> Result<(), EngineError> {
    match ended {
        Ok(result) => result,
        Err(error) => {
            // telemetry ends the process at a panic; what is left is a task that was cancelled.
            tracing::error!("a connection ended badly: {error}");
            Ok(())
        }
    }
}

struct Connection {
    engine: Arc<Engine>,
    metrics: Metrics,
    stop: Stopper,
}

impl Connection {
    async fn serve(self, stream: UnixStream) -> Result<(), EngineError> {
        let (reader, writer) = stream.into_split();
        let (replies, queue) = mpsc::channel(AT_ONCE);
        let writer = tokio::spawn(write_replies(writer, queue));
        // A task of its own: a read that is broken off would lose what it has read.
        let (sender, mut messages) = mpsc::channel(1);
        let reader = tokio::spawn(read_messages(reader, sender));
        let mut requests = JoinSet::new();
        let mut result = Ok(());
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                Some(done) = requests.join_next() => if let Err(error) = finished(done) {
                    result = Err(error);
                    break;
                },
                message = messages.recv() => match message {
                    Some((message, slot)) => drop(requests.spawn(self.answer(message, slot, replies.clone()))),
                    None => break,
                },
            }
        }
        reader.abort();
        // What was begun is finished and answered.
        while let Some(done) = requests.join_next().await {
            let done = finished(done);
            result = result.and(done);
        }
        drop(replies);
        if let Err(error) = writer.await {
            tracing::error!("a connection ended badly: {error}");
        }
        result
    }

    fn answer(
        &self,
        message: Vec<u8>,
        slot: OwnedSemaphorePermit,
        replies: mpsc::Sender<Vec<u8>>,
    ) -> impl Future<Output = Result<(), EngineError>> + use<> {
        let engine = Arc::clone(&self.engine);
        let metrics = self.metrics.clone();
        async move {
            let answered = spawn_blocking(move || respond(&engine, &metrics, &message)).await;
            let reply = match answered {
                Ok(reply) => reply?,
                Err(error) => {
                    tracing::error!("a request ended badly: {error}");
                    return Ok(());
                }
            };
            match reply.encode().and_then(|octets| frame::encode(&octets)) {
                // Whoever asked may be gone; the answer stands in the journal.
                Ok(framed) => drop(replies.send(framed).await),
                Err(error) => tracing::error!("a reply cannot be sent: {error}"),
            }
            drop(slot);
            Ok(())
        }
    }
}

/// A message that cannot be read is refused and forgotten: the next one may be good.
fn respond(engine: &Engine, metrics: &Metrics, message: &[u8]) -> Result<Reply, EngineError> {
    let request = match Request::decode(message) {
        Ok(request) => request,
        Err(error) => {
            tracing::warn!("a message of {} octets is refused: {error}", message.len());
            metrics.malformed();
            return Ok(Reply {
                id: likely_id(message),
                outcome: Outcome::Refused(Refused {
                    code: RefusalCode::Malformed,
                    field: "request".to_owned(),
                    message: error.to_string(),
                }),
                receipt: None,
            });
        }
    };
    let timer = metrics.begin(&request.operation);
    let reply = engine.handle(request)?;
    timer.end(&reply.outcome);
    Ok(reply)
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

/// Reads messages as long as there is room for them, until the peer closes.
async fn read_messages(
    mut reader: OwnedReadHalf,
    messages: mpsc::Sender<(Vec<u8>, OwnedSemaphorePermit)>,
) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match read_message(&mut reader).await {
            Ok(Some(message)) => {
                if messages.send((message, slot)).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::warn!("a connection is closed: {error}");
                return;
            }
        }
    }
}

/// The next message; `None` when the peer has closed.
async fn read_message(reader: &mut OwnedReadHalf) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; frame::HEADER];
    match reader.read_exact(&mut header).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = frame::length(header).map_err(io::Error::other)?;
    // Grows with what really comes.
    let mut message = Vec::new();
    reader.take(length as u64).read_to_end(&mut message).await?;
    if message.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(message))
}

async fn write_replies(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(reply) = queue.recv().await {
        if let Err(error) = writer.write_all(&reply).await {
            tracing::warn!("a reply could not be written: {error}");
            return;
        }
    }
}
