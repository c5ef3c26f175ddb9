//! One connection to the signer, shared by many callers; replies find their callers by request id.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use wire::{Reply, RequestId, frame};

/// Messages that may wait for the socket.
const QUEUE: usize = 64;

/// Why a call got no reply.
#[derive(Debug)]
pub(crate) enum CallError {
    Broken(String),
    InProgress,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pending: Arc<Pending>,
    queue: mpsc::Sender<Vec<u8>>,
    tasks: [JoinHandle<()>; 2],
}

impl Connection {
    pub(crate) async fn open(socket: &Path) -> io::Result<Self> {
        let (reader, writer) = UnixStream::connect(socket).await?.into_split();
        let pending = Arc::new(Pending::default());
        let (queue, messages) = mpsc::channel(QUEUE);
        Ok(Self {
            tasks: [
                tokio::spawn(read_replies(reader, Arc::clone(&pending))),
                tokio::spawn(write_messages(writer, messages, Arc::clone(&pending))),
            ],
            pending,
            queue,
        })
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.pending.state().broken.is_some()
    }

    /// Sends a framed message and waits for its reply. A caller that gives up leaves nothing behind.
    pub(crate) async fn call(&self, id: RequestId, message: &[u8]) -> Result<Reply, CallError> {
        let (_guard, reply) = Waiting::register(&self.pending, id)?;
        // A failed send means that the writer has ended and said why.
        let sent = self.queue.send(message.to_vec()).await;
        match (sent, reply.await) {
            (Ok(()), Ok(reply)) => Ok(reply),
            _ => Err(CallError::Broken(self.pending.why_broken())),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

#[derive(Debug, Default)]
struct Pending(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    broken: Option<String>,
    waiting: HashMap<RequestId, Waiter>,
    calls: u64,
}

#[derive(Debug)]
struct Waiter {
    call: u64,
    reply: oneshot::Sender<Reply>,
}

impl Pending {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing panics while it holds the lock, so a poisoned state is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every call that waits.
    fn fail(&self, reason: &str) {
        let mut state = self.state();
        state.broken.get_or_insert_with(|| reason.to_owned());
        state.waiting.clear();
    }

    fn why_broken(&self) -> String {
        let state = self.state();
        state
            .broken
            .clone()
            .unwrap_or_else(|| "the connection ended".to_owned())
    }
}

/// A call that waits for its reply; unregisters itself when it is dropped.
struct Waiting<'a> {
    pending: &'a Pending,
    id: RequestId,
    call: u64,
}

impl<'a> Waiting<'a> {
    fn register(
        pending: &'a Pending,
        id: RequestId,
    ) -> Result<(Self, oneshot::Receiver<Reply>), CallError> {
        let mut state = pending.state();
        if let Some(reason) = &state.broken {
            return Err(CallError::Broken(reason.clone()));
        }
        let call = state.calls;
        let Entry::Vacant(vacant) = state.waiting.entry(id) else {
            return Err(CallError::InProgress);
        };
        let (sender, receiver) = oneshot::channel();
        vacant.insert(Waiter {
            call,
            reply: sender,
        });
        state.calls += 1;
        Ok((Self { pending, id, call }, receiver))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.pending.state();
        // After a reply, another call may wait under the same id already.
        if let Entry::Occupied(entry) = state.waiting.entry(self.id)
            && entry.get().call == self.call
        {
            entry.remove();
        }
    }
}

async fn write_messages(
    mut writer: OwnedWriteHalf,
    mut messages: mpsc::Receiver<Vec<u8>>,
    pending: Arc<Pending>,
) {
    while let Some(message) = messages.recv().await {
        if let Err(error) = writer.write_all(&message).await {
            pending.fail(&format!("writing to the signer failed: {error}"));
            return;
        }
    }
}

async fn read_replies(mut reader: OwnedReadHalf, pending: Arc<Pending>) {
    loop {
        match read_reply(&mut reader).await {
            Ok(reply) => {
                let caller = pending.state().waiting.remove(&reply.id);
                // A caller that has given up does not need its reply; it can ask again with the same id.
                if let Some(caller) = caller {
                    drop(caller.reply.send(reply));
                }
            }
            Err(reason) => {
                pending.fail(&reason);
                return;
            }
        }
    }
}

async fn read_reply(reader: &mut OwnedReadHalf) -> Result<Reply, String> {
    let mut header = [0; frame::HEADER];
    reader
        .read_exact(&mut header)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "the signer closed the connection".to_owned(),
            _ => format!("reading from the signer failed: {error}"),
        })?;
    let length =
        frame::length(header).map_err(|error| format!("the signer sent a bad frame: {error}"))?;
    let mut message = vec![0; length];
    reader
        .read_exact(&mut message)
        .await
        .map_err(|error| format!("reading from the signer failed: {error}"))?;
    Reply::decode(&message).map_err(|error| format!("the signer sent a bad reply: {error}"))
}
