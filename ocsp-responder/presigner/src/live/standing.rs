//! What each issuer can say at this moment, and who signs it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use answers::Layered;
use ledger::NoncePolicy;
use pki::ocsp::verify::Rules;
use pki::ocsp::{CertId, IssuerHashes};
use pki::{Certificate, Time};

use crate::responder::{HASHES, Responder};
use crate::schedule::Schedule;
use crate::worker::Worker;

/// What was read from the ledger that long ago is not known now.
const KNOWN_FOR: i64 = 60;

/// The standings of all issuers.
#[derive(Debug)]
pub struct Standings {
    issuers: RwLock<BTreeMap<String, Arc<Standing>>>,
    /// When the ledger was read last, in seconds since 1970.
    ledger_read: AtomicI64,
}

/// One issuer's.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) ca: Certificate,
    /// The issuer in CertIDs, one for each hash of [`HASHES`].
    pub(crate) cert_ids: [IssuerHashes; 2],
    pub(crate) rules: Rules,
    pub(crate) schedule: Schedule,
    pub(crate) nonce: NoncePolicy,
    pub(crate) responder: Arc<Responder>,
    pub(crate) view: Layered,
}

impl Default for Standings {
    fn default() -> Self {
        Self {
            issuers: RwLock::default(),
            ledger_read: AtomicI64::new(i64::MIN),
        }
    }
}

impl Standings {
    /// The ledger was read to its end: what the workers have published is what is known now.
    pub fn ledger_read(&self, now: Time) {
        self.ledger_read.store(now.unix(), Ordering::Relaxed);
    }

    /// Whether the ledger was read a moment ago.
    pub(crate) fn are_known(&self, now: Time) -> bool {
        let read = self.ledger_read.load(Ordering::Relaxed);
        now.unix().saturating_sub(read) <= KNOWN_FOR
    }

    /// The issuers that a CertID may mean: a CA may be in the ledger under several certificates (OCSP-22).
    pub(crate) fn of(&self, id: &CertId<'_>) -> Vec<Arc<Standing>> {
        let issuers = self.issuers.read().unwrap_or_else(PoisonError::into_inner);
        let meant = issuers.values().filter(|standing| standing.is_named(id));
        meant.cloned().collect()
    }

    fn set(&self, issuer: &str, standing: Option<Standing>) {
        // Read by many: what is dropped is dropped without the lock.
        let mut issuers = self.issuers.write().unwrap_or_else(PoisonError::into_inner);
        let before = match standing {
            Some(standing) => issuers.insert(issuer.to_owned(), Arc::new(standing)),
            None => issuers.remove(issuer),
        };
        drop(issuers);
        drop(before);
    }
}

impl Standing {
    pub(crate) fn is_named(&self, id: &CertId<'_>) -> bool {
        self.issuer_in(id).is_some()
    }

    /// The issuer as that CertID names it.
    pub(crate) fn issuer_in(&self, id: &CertId<'_>) -> Option<&IssuerHashes> {
        self.cert_ids.iter().find(|known| {
            Some(known.hash) == id.hash
                && known.name_hash == id.name_hash
                && known.key_hash == id.key_hash
        })
    }
}

/// What a worker told last.
#[derive(Debug, Default)]
pub(crate) struct Told {
    responder: Option<Arc<Responder>>,
    outdated: bool,
}

impl Told {
    /// Something else than the responder is new.
    pub(crate) fn outdate(&mut self) {
        self.outdated = true;
    }

    fn is_still(&self, responder: Option<&Arc<Responder>>) -> bool {
        let same = match (&self.responder, responder) {
            (Some(told), Some(responder)) => Arc::ptr_eq(told, responder),
            (None, None) => true,
            _ => false,
        };
        same && !self.outdated
    }
}

impl Worker {
    /// Tells how the issuer stands, if that is new. In trouble, or while nothing may be signed, it stands nowhere.
    pub(crate) fn tell_standing(&mut self) {
        let now = self.shared.clock.now();
        let well = self.trouble.is_none() && self.basis.hindrance(now).is_none();
        let responder = self.care.responder().filter(|_| well).cloned();
        if self.told.is_still(responder.as_ref()) {
            return;
        }
        let standing = responder.clone().map(|responder| Standing {
            ca: self.ca.clone(),
            cert_ids: HASHES.map(|hash| IssuerHashes::of(hash, &self.ca)),
            rules: self.rules(),
            schedule: self.schedule.clone(),
            nonce: self.issuer.policy.ocsp.nonce,
            responder,
            view: self.published.view().clone(),
        });
        self.shared.standings.set(&self.issuer.name, standing);
        self.told = Told {
            responder,
            outdated: false,
        };
    }
}
