//! What the feed has for one issuer, until its worker takes it.

use std::mem;
use std::sync::{Mutex, MutexGuard};

use ledger::ChangeKind;
use pki::Serial;
use tokio::sync::Notify;

/// More certificates than this are not listed one by one: the worker then looks through the whole issuer.
const MOST_LISTED: usize = 4096;

/// Filled by the feed, emptied by the worker of one issuer; bounded however much arrives.
#[derive(Debug, Default)]
pub struct Inbox {
    news: Mutex<News>,
    arrived: Notify,
}

/// What happened to an issuer since its worker last asked.
#[derive(Debug, Default)]
pub struct News {
    /// Every event up to this number is in here or was taken before.
    pub up_to: u64,
    /// Certificates that were revoked, or released from hold.
    pub revoked: Vec<Serial>,
    /// Certificates that were issued or taken over.
    pub others: Vec<Serial>,
    /// So many certificates changed that they are no longer listed.
    pub overflow: bool,
    /// The issuer itself changed: certificate, paths, policy, or the CRLs of others that it follows.
    pub issuer: bool,
}

impl Inbox {
    /// An inbox for a worker that knows everything up to this event.
    pub fn new(up_to: u64) -> Self {
        let news = News {
            up_to,
            ..News::default()
        };
        Self {
            news: Mutex::new(news),
            arrived: Notify::new(),
        }
    }

    /// Puts an event in.
    pub fn put(&self, kind: ChangeKind, serial: Option<Serial>) {
        let mut news = self.lock();
        match (kind, serial) {
            (ChangeKind::Revoked | ChangeKind::Released, Some(serial)) => {
                news.revoked.push(serial);
            }
            (ChangeKind::Issued | ChangeKind::Imported, Some(serial)) => news.others.push(serial),
            (
                ChangeKind::IssuerAdded | ChangeKind::IssuerChanged | ChangeKind::SourceFollowed,
                _,
            ) => news.issuer = true,
            // A kind that this program does not know: look at everything anew.
            _ => {
                news.issuer = true;
                news.overflow = true;
            }
        }
        if news.revoked.len() + news.others.len() > MOST_LISTED {
            news.revoked = Vec::new();
            news.others = Vec::new();
            news.overflow = true;
        }
    }

    /// Says that the feed has been read up to this event, and wakes the worker if there is something for it.
    pub fn read_up_to(&self, seq: u64) {
        let mut news = self.lock();
        news.up_to = seq;
        if !news.is_empty() {
            self.arrived.notify_one();
        }
    }

    /// Takes everything.
    pub fn take(&self) -> News {
        let mut news = self.lock();
        let rest = News {
            up_to: news.up_to,
            ..News::default()
        };
        mem::replace(&mut news, rest)
    }

    /// Waits until there may be something to take.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        // Unwrap safety: nothing panics while the lock is held.
        self.news.lock().unwrap()
    }
}

impl News {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.revoked.is_empty() && self.others.is_empty() && !self.overflow && !self.issuer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serial(number: usize) -> Serial {
        Serial::from_be_bytes(&number.to_be_bytes()).unwrap()
    }

    #[test]
    fn revocations_are_apart() {
        let inbox = Inbox::new(4);
        inbox.put(ChangeKind::Issued, Some(serial(1)));
        inbox.put(ChangeKind::Revoked, Some(serial(1)));
        inbox.read_up_to(6);
        let news = inbox.take();
        assert_eq!(
            (news.up_to, news.revoked, news.others),
            (6, vec![serial(1)], vec![serial(1)])
        );
        assert!(inbox.take().is_empty());
        assert_eq!(inbox.take().up_to, 6);
    }

    #[test]
    fn a_flood_becomes_one_look_at_everything() {
        let inbox = Inbox::new(0);
        for number in 1..=3 * MOST_LISTED {
            inbox.put(ChangeKind::Imported, Some(serial(number)));
        }
        let news = inbox.take();
        assert!(news.overflow);
        assert!(news.others.len() <= MOST_LISTED);
    }
}
