//! The questions of one connection that wait for their answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::frame::AnswerFrame;

/// Who waits; clones share the list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    last: u64,
    asked: HashMap<u64, oneshot::Sender<Bytes>>,
}

/// One who waits; gives up when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: u64,
    pub(crate) answer: oneshot::Receiver<Bytes>,
    waiting: Waiting,
}

impl Waiting {
    /// A place for one more, unless `most` wait already.
    pub(crate) fn register(&self, most: usize) -> Option<Place> {
        let mut list = self.list();
        if list.asked.len() >= most {
            return None;
        }
        list.last += 1;
        let id = list.last;
        let (sender, answer) = oneshot::channel();
        list.asked.insert(id, sender);
        Some(Place {
            id,
            answer,
            waiting: self.clone(),
        })
    }

    /// Gives an answer to whoever waits for it. Nobody may: it gave up, or the other side made the id up.
    pub(crate) fn answered(&self, answer: AnswerFrame) {
        let asked = self.list().asked.remove(&answer.id);
        if let Some(asked) = asked {
            let _ = asked.send(answer.response);
        }
    }

    /// The connection is gone, and with it every answer.
    pub(crate) fn fail(&self) {
        self.list().asked.clear();
    }

    fn list(&self) -> MutexGuard<'_, List> {
        // Nothing panics while it holds the lock, so a poisoned list is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.list().asked.remove(&self.id);
    }
}
