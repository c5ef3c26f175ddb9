//! What was judged good and waits for its signature.

use pki::SignatureAlgorithm;
use wire::{Operation, RefusalCode, Refused};

use journal::Storage;

use super::{Core, refused};
use crate::journal_record::{Act, Hash, hash};
use crate::keys::Keys;

/// Something to sign; its intent is in the journal.
pub(super) struct Pending {
    pub(super) ca: String,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) tbs: Vec<u8>,
}

impl<S: Storage, K: Keys> Core<S, K> {
    /// An act whose intent is on record from before a crash or a lock. It was judged then, and the request is the same to
    /// the octet; what is signed must be what the intent says.
    pub(super) fn reopened(&self, act: &Act, operation: &Operation) -> Result<Pending, Refused> {
        let (pending, intended) = match (act, operation) {
            (Act::Certificate { tbs, .. }, Operation::IssueCertificate(issue)) => {
                let pending = Pending {
                    ca: issue.issuer.clone(),
                    algorithm: issue.signature_algorithm,
                    tbs: issue.tbs.clone(),
                };
                (pending, tbs)
            }
            (Act::Crl { authority, tbs, .. }, Operation::SignCrl(crl)) => {
                let list = self
                    .memory
                    .authority(authority)
                    .and_then(|authority| authority.lists(&crl.scope))
                    .and_then(|lists| lists.get(&crl.number))
                    .ok_or_else(|| overtaken("newer CRLs were signed since: ask for a new one"))?;
                let pending = Pending {
                    ca: crl.issuer.clone(),
                    algorithm: crl.signature_algorithm,
                    tbs: super::crls::put_together(crl, &list.entries),
                };
                (pending, tbs)
            }
            _ => return Err(overtaken("the intent on record is of another kind")),
        };
        if self.keys.ca(&pending.ca).is_none() {
            return Err(super::certificates::unknown_issuer(&pending.ca));
        }
        check_same(&pending.tbs, intended)?;
        Ok(pending)
    }
}

fn check_same(tbs: &[u8], intended: &Hash) -> Result<(), Refused> {
    match hash(tbs) == *intended {
        true => Ok(()),
        false => Err(overtaken("it is not what was going to be signed")),
    }
}

fn overtaken(message: &str) -> Refused {
    refused(RefusalCode::Diverged, "tbs", message)
}
