//! The questions of one connection that wait for their answers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::frame::AnswerFrame;

/// Who waits, by id.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    last: u64,
    asked: HashMap<u64, oneshot::Sender<Bytes>>,
}

/// One who waits; gives up when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) id: u64,
    pub(crate) answer: oneshot::Receiver<Bytes>,
    waiting: Rc<RefCell<Waiting>>,
}

impl Waiting {
    /// A place for one more, unless `most` wait already.
    pub(crate) fn register(waiting: &Rc<RefCell<Self>>, most: usize) -> Option<Place> {
        let mut list = waiting.borrow_mut();
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
            waiting: Rc::clone(waiting),
        })
    }

    /// Gives an answer to whoever waits for it. Nobody may: it gave up, or the other side made the id up.
    pub(crate) fn answered(&mut self, answer: AnswerFrame) {
        if let Some(asked) = self.asked.remove(&answer.id) {
            let _ = asked.send(answer.response);
        }
    }

    /// The connection is gone, and with it every answer.
    pub(crate) fn fail(&mut self) {
        self.asked.clear();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.borrow_mut().asked.remove(&self.id);
    }
}
