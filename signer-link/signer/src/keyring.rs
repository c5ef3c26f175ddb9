//! The CAs that the signer signs for: `NAME.key` in the encrypted store, and beside it `NAME.pem`, its certificate.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::Context as _;
use keystore::{Access, EncryptedStore, SigningKey, write_atomically};
use pki::Certificate;

use crate::issuer::Issuer;

/// All CAs whose keys are open. Keys that are added to the store are seen at the next [`Keyring::refresh`].
#[derive(Debug)]
pub struct Keyring {
    store: EncryptedStore,
    issuers: RwLock<BTreeMap<String, Arc<Issuer>>>,
    /// Why keys that are in the store are not in use.
    faults: Mutex<BTreeMap<String, String>>,
}

/// What a refresh brought.
#[derive(Debug, Default)]
pub struct Refreshed {
    /// CAs that came into use.
    pub added: Vec<Arc<Issuer>>,
    /// Keys that cannot be used, newly found, and why.
    pub faulty: Vec<(String, String)>,
}

impl Keyring {
    /// A keyring over an open store. Nothing is loaded yet.
    pub fn new(store: EncryptedStore) -> Self {
        Self {
            store,
            issuers: RwLock::default(),
            faults: Mutex::default(),
        }
    }

    /// Loads the keys that are new in the store. One that cannot be used does not keep the others from being used.
    pub fn refresh(&self) -> anyhow::Result<Refreshed> {
        let mut refreshed = Refreshed::default();
        for name in self.store.names()? {
            // One that certifies OpenPGP keys is no CA's.
            let is_pgp = crate::pgp::key::load(self.store.directory(), &name)?.is_some();
            if is_pgp || self.issuer(&name).is_some() {
                continue;
            }
            match load(&self.store, &name) {
                Ok(issuer) => {
                    let issuer = Arc::new(issuer);
                    self.faults().remove(&name);
                    let mut issuers = self.issuers.write().unwrap_or_else(PoisonError::into_inner);
                    issuers.insert(name, Arc::clone(&issuer));
                    refreshed.added.push(issuer);
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    let before = self.faults().insert(name.clone(), reason.clone());
                    if before.as_ref() != Some(&reason) {
                        refreshed.faulty.push((name, reason));
                    }
                }
            }
        }
        Ok(refreshed)
    }

    /// The CA of this name.
    pub fn issuer(&self, name: &str) -> Option<Arc<Issuer>> {
        let issuers = self.issuers.read().unwrap_or_else(PoisonError::into_inner);
        issuers.get(name).cloned()
    }

    /// All CAs in use, by name.
    pub fn issuers(&self) -> Vec<Arc<Issuer>> {
        let issuers = self.issuers.read().unwrap_or_else(PoisonError::into_inner);
        issuers.values().cloned().collect()
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads one CA from the store.
pub fn load(store: &EncryptedStore, name: &str) -> anyhow::Result<Issuer> {
    let key = store.get(name)?;
    let certificate = load_certificate(store.directory(), name)?.with_context(|| {
        format!(
            "{}: the key has no certificate beside it",
            certificate_path(store.directory(), name).display()
        )
    })?;
    Ok(Issuer::new(name, certificate, key)?)
}

/// The key of this name, with the octets of its public half, if it is one that certifies OpenPGP keys.
pub fn load_pgp(
    store: &EncryptedStore,
    name: &str,
) -> anyhow::Result<Option<(SigningKey, Vec<u8>)>> {
    let Some(transferable) = crate::pgp::key::load(store.directory(), name)? else {
        return Ok(None);
    };
    Ok(Some((store.get(name)?, transferable)))
}

/// The certificate kept beside a key, if there is one.
pub fn load_certificate(keys: &Path, name: &str) -> anyhow::Result<Option<Certificate>> {
    let path = certificate_path(keys, name);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        read => {
            let text = read.with_context(|| path.display().to_string())?;
            let certificate =
                Certificate::from_pem(&text).with_context(|| path.display().to_string())?;
            Ok(Some(certificate))
        }
    }
}

/// Keeps a certificate beside its key.
pub fn save_certificate(keys: &Path, name: &str, certificate: &Certificate) -> anyhow::Result<()> {
    let path = certificate_path(keys, name);
    write_atomically(&path, certificate.to_pem().as_bytes(), Access::Public)
        .with_context(|| path.display().to_string())
}

fn certificate_path(keys: &Path, name: &str) -> PathBuf {
    keys.join(format!("{name}.pem"))
}
