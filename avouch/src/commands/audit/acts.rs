//! What the signers' logs say was signed, in about a hundred octets each: a log of millions fits into memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use pki::HashAlgorithm;
use signer::journal_record::{Act, Hash, Record};
use signer_client::{CrlScope, RequestId};

use super::difference::{About, Difference};
use crate::signer_log::Entry;

/// Names a signature: half a hash over its issuer's Name and its serial number, or its scope and CRL number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Key([u8; 16]);

impl Key {
    pub(super) fn certificate(authority: &Hash, serial: &[u8]) -> Self {
        Self::of(&[b"certificate", authority, serial])
    }

    pub(super) fn crl(authority: &Hash, scope: &str, number: &[u8]) -> Self {
        let zeros = number.iter().take_while(|octet| **octet == 0).count();
        Self::of(&[b"crl", authority, scope.as_bytes(), &[0], &number[zeros..]])
    }

    /// Of a certification of an OpenPGP user id, which has no number: by which key, and over what.
    pub(super) fn pgp(by: &[u8; 20], tbs: &Hash) -> Self {
        Self::of(&[b"openpgp", by, tbs])
    }

    fn of(parts: &[&[u8]]) -> Self {
        Self(half(&HashAlgorithm::Sha256.digest(&parts.concat())))
    }
}

/// A signature of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logged {
    pub(super) signer: u8,
    /// The record with its content, and the one with the signature.
    pub(super) intent: u64,
    pub(super) signed: u64,
    /// Half the hash of what was signed.
    content: [u8; 16],
    pub(super) made: Made,
}

/// On whose word it was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Made {
    /// The host asked.
    Requested,
    /// At the signer's console, in a ceremony.
    Ceremonial,
    /// The same, and it is a CA's certificate: the log has the hash of all of it.
    CaCertificate,
}

impl Logged {
    /// Whether it is the signature over this.
    pub(super) fn is_of(&self, tbs: Option<&Hash>, certificate: Option<&Hash>) -> bool {
        let hash = match self.made {
            Made::CaCertificate => certificate,
            _ => tbs,
        };
        hash.is_some_and(|hash| half(hash) == self.content)
    }
}

/// All that was signed, and what was only intended.
#[derive(Debug, Default)]
pub(super) struct Acts {
    signed: HashMap<Key, Logged>,
    open: HashMap<RequestId, (Key, Logged)>,
}

impl Acts {
    /// Takes in the next record of a signer's log.
    pub(super) fn take(&mut self, signer: u8, entry: &Entry) -> Option<Difference> {
        let sequence = entry.position.sequence;
        let about = About {
            signer: Some(signer),
            record: Some(sequence),
            ..About::default()
        };
        let record = match &entry.record {
            Ok(record) => record,
            Err(reason) => {
                let text = format!(
                    "record {sequence} of the log of signer {signer} is not one of this version: {reason}"
                );
                return Some(Difference::new("unreadable-record", about, text));
            }
        };
        match record {
            Record::Intent {
                id, digest, act, ..
            } => self.intend(*id, digest, act, signer, sequence),
            Record::Signed { id, .. } => {
                let Some((key, logged)) = self.open.remove(id) else {
                    let text = format!(
                        "record {sequence} of the log of signer {signer} is a signature that nothing announced"
                    );
                    return Some(Difference::new("signature-without-intent", about, text));
                };
                let logged = Logged {
                    signed: sequence,
                    signer,
                    ..logged
                };
                return self.sign(key, logged);
            }
            Record::Refused { id, .. } => {
                self.open.remove(id);
            }
            Record::CaCertificate {
                authority,
                serial,
                certificate,
                ..
            } => {
                let logged = Logged {
                    signer,
                    intent: sequence,
                    signed: sequence,
                    content: half(certificate),
                    made: Made::CaCertificate,
                };
                return self.sign(Key::certificate(authority, serial), logged);
            }
            // What the other signer did is in its own log; what it only intended may be done by this one.
            Record::Replicated { record, .. } => match Record::decode(record) {
                Ok(Record::Intent {
                    id, digest, act, ..
                }) => self.intend(id, &digest, &act, signer, sequence),
                Ok(Record::Signed { id, .. } | Record::Refused { id, .. }) => {
                    self.open.remove(&id);
                }
                _ => {}
            },
            _ => {}
        }
        None
    }

    /// Takes out what the ledger has, too.
    pub(super) fn remove(&mut self, key: &Key) -> Option<Logged> {
        self.signed.remove(key)
    }

    /// What nobody has taken out.
    pub(super) fn left(&self) -> impl Iterator<Item = (&Key, &Logged)> {
        self.signed.iter()
    }

    fn intend(&mut self, id: RequestId, digest: &Hash, act: &Act, signer: u8, sequence: u64) {
        let (key, tbs) = match act {
            Act::Certificate {
                authority,
                serial,
                tbs,
                ..
            } => (Key::certificate(authority, serial), tbs),
            Act::Crl {
                authority,
                scope,
                number,
                tbs,
                ..
            } => (Key::crl(authority, scope_name(scope), number), tbs),
            Act::PgpUserId { by, tbs, .. } => (Key::pgp(by, tbs), tbs),
        };
        let logged = Logged {
            signer,
            intent: sequence,
            signed: 0,
            content: half(tbs),
            // A ceremony has no request to hash.
            made: match digest == tbs {
                true => Made::Ceremonial,
                false => Made::Requested,
            },
        };
        self.open.insert(id, (key, logged));
    }

    /// One serial number, or one number of a CRL, has one content for ever.
    fn sign(&mut self, key: Key, logged: Logged) -> Option<Difference> {
        match self.signed.entry(key) {
            Slot::Vacant(vacant) => {
                vacant.insert(logged);
                None
            }
            Slot::Occupied(before) => {
                let before = before.get();
                if before.content == logged.content {
                    return None;
                }
                let about = About {
                    signer: Some(logged.signer),
                    record: Some(logged.signed),
                    ..About::default()
                };
                let text = format!(
                    "record {} of the log of signer {} uses the serial number or CRL number of record {} of signer {} for \
                     something else",
                    logged.signed, logged.signer, before.signed, before.signer
                );
                Some(Difference::new("number-used-twice", about, text))
            }
        }
    }
}

/// As the ledger calls them.
pub(super) fn scope_name(scope: &CrlScope) -> &str {
    match scope {
        CrlScope::Complete => "complete",
        CrlScope::Delta => "delta",
        CrlScope::Partition(uri) => uri,
    }
}

fn half(hash: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(hash) {
        *to = *from;
    }
    half
}
