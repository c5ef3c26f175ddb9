//! What was judged good and waits for its signature.

use openpgp::Unsigned;
use pki::SignatureAlgorithm;
use wire::{Operation, RefusalCode, Refused};

use journal::Storage;

use super::{Core, refused};
use crate::journal_record::{Act, Hash, hash};
use crate::keys::{Keys, KeysGone};

/// Something to sign; its intent is in the journal.
pub(super) struct Pending {
    pub(super) ca: String,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) tbs: Vec<u8>,
    /// Of a certification of a user id: what becomes a packet with the signature.
    pub(super) packet: Option<Unsigned>,
}

impl Pending {
    pub(super) fn pgp(issuer: &str, unsigned: Unsigned) -> Self {
        Self {
            ca: issuer.to_owned(),
            algorithm: unsigned.algorithm(),
            tbs: unsigned.octets().to_vec(),
            packet: Some(unsigned),
        }
    }

    /// The signature as it is released.
    pub(super) fn in_its_packet(&self, signature: Vec<u8>) -> Result<Vec<u8>, KeysGone> {
        match &self.packet {
            None => Ok(signature),
            Some(unsigned) => unsigned
                .body(&signature)
                .map_err(|error| KeysGone(error.to_string())),
        }
    }
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
                    packet: None,
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
                    packet: None,
                };
                (pending, tbs)
            }
            (Act::PgpUserId { tbs, .. }, Operation::SignPgpUid(sign)) => {
                (self.reopened_pgp_uid(sign)?, tbs)
            }
            _ => return Err(overtaken("the intent on record is of another kind")),
        };
        if pending.packet.is_none() && self.keys.ca(&pending.ca).is_none() {
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
