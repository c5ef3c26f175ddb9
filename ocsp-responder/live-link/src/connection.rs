//! One connection of a client, driven by a task of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::frame::{AnswerFrame, GREETING, QuestionFrame};
use crate::pipe::{Event, Pipe};
use crate::waiting::{Place, Waiting};

/// Questions that wait for their answers at a time. Their deadline is short, so more would mean that the other side is
/// stuck.
const MOST_WAITING: usize = 1024;

#[derive(Debug)]
pub(crate) struct Connection {
    questions: mpsc::UnboundedSender<BytesMut>,
    waiting: Waiting,
    task: AbortHandle,
}

impl Connection {
    /// Connects beside; until then questions wait.
    pub(crate) fn open(socket: Arc<PathBuf>) -> Self {
        let (questions, asked) = mpsc::unbounded_channel();
        let waiting = Waiting::default();
        let answers = waiting.clone();
        let task = tokio::spawn(async move {
            // Why it ended does not matter here: whoever waits learns that it did.
            let _ = converse(&socket, asked, &answers).await;
            answers.fail();
        });
        Self {
            questions,
            waiting,
            task: task.abort_handle(),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.questions.is_closed()
    }

    /// Sends a question; none when too many wait already.
    pub(crate) fn ask(&self, patience: Duration, request: &[u8]) -> Option<Place> {
        let place = self.waiting.register(MOST_WAITING)?;
        let mut frame = BytesMut::with_capacity(request.len() + 16);
        QuestionFrame::put(&mut frame, place.id, patience, request);
        self.questions.send(frame).ok()?;
        Some(place)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(
    socket: &Path,
    mut asked: mpsc::UnboundedReceiver<BytesMut>,
    waiting: &Waiting,
) -> io::Result<()> {
    let mut pipe = Pipe::new(UnixStream::connect(socket).await?);
    pipe.outgoing().put_slice(GREETING);
    loop {
        tokio::select! {
            Some(question) = asked.recv() => pipe.outgoing().unsplit(question),
            event = pipe.event(true) => {
                if event? == Event::Ended {
                    return Ok(());
                }
                while let Some(answer) = AnswerFrame::take(&mut pipe.received).map_err(io::Error::other)? {
                    waiting.answered(answer);
                }
            }
        }
    }
}
