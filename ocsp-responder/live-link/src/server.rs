//! The presigner's half: takes questions off a connection and brings answers back, in whatever order they are made.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use crate::frame::{self, AnswerFrame, FrameError, MAX_ANSWER, QuestionFrame};
use crate::pipe::{Event, Pipe};

/// A side that does not take its answers is not read from either.
const MOST_UNSENT: usize = 2 * MAX_ANSWER;
/// A connection on which nothing is asked for that long ends; the other side makes a new one when it needs it.
const IDLE: Duration = Duration::from_secs(600);

/// A request that somebody waits for.
#[derive(Debug)]
pub struct Question {
    /// The OCSPRequest as it came; nothing about it has been checked.
    pub request: Bytes,
    /// Nobody waits any more after this moment.
    pub until: Instant,
    /// Where the answer goes.
    pub reply: Reply,
}

/// The place of one answer. Dropped unused, it says: not now.
#[derive(Debug)]
pub struct Reply {
    id: u64,
    answers: Option<mpsc::UnboundedSender<AnswerFrame>>,
}

impl Reply {
    /// Sends an OCSPResponse. Whoever asked may be gone: then it is dropped.
    pub fn send(mut self, response: Vec<u8>) {
        if response.len() <= MAX_ANSWER {
            self.finish(response.into());
        }
    }

    fn finish(&mut self, response: Bytes) {
        if let Some(answers) = self.answers.take() {
            let _ = answers.send(AnswerFrame {
                id: self.id,
                response,
            });
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.finish(Bytes::new());
    }
}

/// Why a connection ended before its other side closed it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The other side does not keep to the format.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

/// Serves one connection until its other side closes it; `take` gets each question. Of a connection with `most`
/// questions open no more are read, so that it costs no more memory than that.
pub async fn serve<S: AsyncRead + AsyncWrite>(
    stream: S,
    most: usize,
    mut take: impl FnMut(Question),
) -> Result<(), ServeError> {
    let mut pipe = Pipe::new(stream);
    let (sender, mut answers) = mpsc::unbounded_channel();
    let (mut greeted, mut open) = (false, 0);
    loop {
        greeted = greeted || frame::take_greeting(&mut pipe.received)?;
        while greeted && open < most {
            let Some(question) = QuestionFrame::take(&mut pipe.received)? else {
                break;
            };
            open += 1;
            take(Question {
                request: question.request,
                until: Instant::now() + question.patience,
                reply: Reply {
                    id: question.id,
                    answers: Some(sender.clone()),
                },
            });
        }
        let reading = open < most && pipe.unsent() < MOST_UNSENT;
        tokio::select! {
            Some(answer) = answers.recv() => {
                open -= 1;
                AnswerFrame::put(pipe.outgoing(), answer.id, &answer.response);
            }
            event = pipe.event(reading) => if event? == Event::Ended {
                return Ok(());
            },
            () = tokio::time::sleep(IDLE), if open == 0 => return Ok(()),
        }
    }
}
