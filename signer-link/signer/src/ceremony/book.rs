//! The signer's journal at a ceremony: what is signed here is written there first, as the daemon does.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use journal::JournalError;
use keystore::EncryptedStore;
use pki::{Certificate, Clock, CrlNumber, Name, Serial, Time};
use wire::{Added, CrlScope, ListChange, Receipt, RequestId};

use crate::journal_record::{Act, Hash, Record, hash};
use crate::log::{Log, LogError};

/// The journal, and what the ceremony must know of it.
pub(super) struct Book {
    /// Written to while keys and certificates on the same table are lent out.
    journal: RefCell<Log>,
    /// The last CRL number of each issuer, whatever its scope.
    crl_numbers: HashMap<Hash, CrlNumber>,
}

impl Book {
    pub(super) fn open(
        path: &Path,
        store: &EncryptedStore,
        clock: &dyn Clock,
    ) -> anyhow::Result<Self> {
        let mut crl_numbers = HashMap::new();
        let journal = open_with(path, store, clock, |record| {
            if let Record::Intent {
                act: Act::Crl {
                    authority, number, ..
                },
                ..
            } = record
                && let Ok(number) = CrlNumber::from_be_bytes(&number)
            {
                let last = crl_numbers.entry(authority).or_insert_with(CrlNumber::zero);
                if *last < number {
                    *last = number;
                }
            }
        })?;
        Ok(Self {
            journal: RefCell::new(journal),
            crl_numbers,
        })
    }

    /// The certificate of a CA has been signed.
    pub(super) fn ca_certificate(
        &self,
        name: &str,
        certificate: &Certificate,
        clock: &dyn Clock,
    ) -> anyhow::Result<()> {
        self.write(&Record::CaCertificate {
            time: clock.now().unix(),
            name: name.to_owned(),
            authority: hash(certificate.issuer().as_der()),
            serial: certificate.serial().as_bytes().to_vec(),
            certificate: hash(certificate.der()),
        })
    }

    /// A certificate is going to be signed, by the rules of a profile.
    pub(super) fn intends_certificate(
        &self,
        issuer: (&str, &Name),
        profile: &str,
        serial: &Serial,
        not_after: Time,
        tbs: &[u8],
        clock: &dyn Clock,
    ) -> anyhow::Result<RequestId> {
        let act = Act::Certificate {
            issuer: issuer.0.to_owned(),
            authority: hash(issuer.1.as_der()),
            profile: profile.to_owned(),
            serial: serial.as_bytes().to_vec(),
            tbs: hash(tbs),
            not_after: not_after.unix(),
            evidence: None,
            partition: None,
        };
        self.intends(act, tbs, clock)
    }

    /// The number of the next CRL of an issuer.
    pub(super) fn next_crl_number(&self, issuer: &Name) -> anyhow::Result<CrlNumber> {
        let last = self.crl_numbers.get(&hash(issuer.as_der()));
        Ok(last.cloned().unwrap_or_else(CrlNumber::zero).next()?)
    }

    /// A CRL is going to be signed.
    pub(super) fn intends_crl(
        &mut self,
        issuer: (&str, &Name),
        number: &CrlNumber,
        this_update: i64,
        tbs: &[u8],
        clock: &dyn Clock,
    ) -> anyhow::Result<RequestId> {
        let authority = hash(issuer.1.as_der());
        let act = Act::Crl {
            issuer: issuer.0.to_owned(),
            authority,
            number: number.to_be_bytes(),
            this_update,
            tbs: hash(tbs),
            scope: CrlScope::Complete,
            // Nothing is revoked yet.
            entries: ListChange {
                from: None,
                added: Added::All,
                removed: Vec::new(),
            },
        };
        let id = self.intends(act, tbs, clock)?;
        self.crl_numbers.insert(authority, number.clone());
        Ok(id)
    }

    /// What was intended has been signed.
    pub(super) fn signed(&self, id: RequestId, signature: &[u8]) -> anyhow::Result<()> {
        self.write(&Record::Signed {
            id,
            signature: signature.to_vec(),
        })
    }

    /// Where the journal stands.
    pub(super) fn head(&self) -> Receipt {
        self.journal.borrow().head()
    }

    /// Something is going to be signed.
    pub(super) fn intends(
        &self,
        act: Act,
        tbs: &[u8],
        clock: &dyn Clock,
    ) -> anyhow::Result<RequestId> {
        let mut id = RequestId([0; 16]);
        // Of a random serial number or a number that never comes again, so it never comes again either.
        id.0.copy_from_slice(&hash(tbs)[..16]);
        self.write(&Record::Intent {
            time: clock.now().unix(),
            id,
            digest: hash(tbs),
            act,
        })?;
        Ok(id)
    }

    fn write(&self, record: &Record) -> anyhow::Result<()> {
        self.journal.borrow_mut().record(record)?;
        Ok(())
    }
}

/// The journal beside the keys, unless another is named.
pub fn journal_path(named: Option<&Path>, keys: &Path) -> anyhow::Result<PathBuf> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => Ok(beside(keys)?.join("journal")),
    }
}

/// The folder in which the key store's directory lies.
pub(super) fn beside(keys: &Path) -> anyhow::Result<PathBuf> {
    let keys = std::path::absolute(keys).with_context(|| keys.display().to_string())?;
    let parent = keys
        .parent()
        .context("the key store's directory has no parent; name --journal")?;
    Ok(parent.to_owned())
}

/// Opens the journal; makes one for a key store that has no keys yet.
pub fn open_journal(path: &Path, store: &EncryptedStore, clock: &dyn Clock) -> anyhow::Result<Log> {
    open_with(path, store, clock, |_| ())
}

fn open_with(
    path: &Path,
    store: &EncryptedStore,
    clock: &dyn Clock,
    mut seen: impl FnMut(Record),
) -> anyhow::Result<Log> {
    match Log::open(path, |_, record| seen(record)) {
        Err(LogError::Journal(JournalError::Missing(_))) if store.names()?.is_empty() => {
            let first = Record::Created {
                time: clock.now().unix(),
            };
            Ok(Log::create(path, &first)?)
        }
        result => Ok(result?),
    }
}
