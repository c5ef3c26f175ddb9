//! The responder keys of one issuer: files in a directory, or keys in a token with their certificates in the directory.
//!
//! `{name}.key` is a private key (PEM, mode 0600), `{name}.cer` its certificate (DER or PEM). Keys made here are named by
//! the SHA-256 of their SubjectPublicKeyInfo; what `avouch import ca` puts here may have any name. A key without a
//! certificate is one whose certificate is still being asked for. A certificate without a key file belongs to a key in
//! the token, where the keys of one issuer have one label.
//!
//! Each certificate has a key of its own, also those in stock, whose time is still to come (S9). The key of one in stock is
//! read when it begins, so what leaks from this process can sign for some days and no longer.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use keystore::{KeyError, SigningKey};
use ledger::{KeyPlace, OcspPolicy};
use pki::ocsp::verify::verify_responder_certificate;
use pki::{Certificate, KeyKind, Time};

use crate::backends::Backends;
use crate::responder::{Responder, key_fits};

/// A key stays for 30 days after its certificate has ended, in seconds.
const KEPT_AFTER_END: i64 = 30 * 86_400;

/// The directory of one issuer.
#[derive(Clone, Debug)]
pub(crate) struct KeyDirectory {
    path: PathBuf,
    label: String,
    backends: Backends,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Fit to sign now, the one that ends last first.
    pub(crate) responders: Vec<Responder>,
    /// Fit to sign later.
    pub(crate) stock: Vec<InStock>,
    /// What cannot be used, and why.
    pub(crate) problems: Vec<String>,
}

/// A certificate that has not begun, whose key is there.
#[derive(Clone, Debug)]
pub(crate) struct InStock {
    pub(crate) certificate: Certificate,
    path: PathBuf,
    kind: KeyKind,
    place: KeyPlace,
}

impl InStock {
    /// Refused unless it will let its key speak for `ca`.
    fn new(
        certificate: Certificate,
        path: PathBuf,
        place: KeyPlace,
        ca: &Certificate,
    ) -> anyhow::Result<Self> {
        verify_responder_certificate(&certificate, ca, certificate.not_before())?;
        Ok(Self {
            kind: certificate.public_key().kind()?,
            certificate,
            path,
            place,
        })
    }

    /// Whether its key is what the policy asks for.
    pub(crate) fn fits(&self, policy: &OcspPolicy) -> bool {
        key_fits(self.kind, self.place, policy)
    }
}

/// A key that has no certificate.
#[derive(Debug)]
pub(crate) struct FreeKey {
    pub(crate) key: SigningKey,
    /// Made now, so nobody can have asked for a certificate for it.
    pub(crate) is_new: bool,
}

impl KeyDirectory {
    /// The directory of `issuer` under `root`.
    pub(crate) fn new(root: &Path, issuer: &str, backends: Backends) -> Self {
        Self {
            path: root.join(issuer),
            label: format!("avouch responder {issuer}"),
            backends,
        }
    }

    /// Looks at every pair; one that is no good is told about and never used.
    pub(crate) fn load(&self, ca: &Certificate, now: Time) -> io::Result<Found> {
        let mut found = Found::default();
        let mut in_token = Vec::new();
        for path in self.files("cer")? {
            let key_path = path.with_extension("key");
            let responder = read_certificate(&path).and_then(|certificate| {
                if certificate.not_after() < now && is_made_here(&path, &certificate) {
                    // It had its time, and waits to be removed.
                } else if !key_path.exists() {
                    in_token.push((path.clone(), certificate));
                } else if now < certificate.not_before() {
                    let place = KeyPlace::Software;
                    let one = InStock::new(certificate, path.clone(), place, ca)?;
                    found.stock.push(one);
                } else {
                    let key = SigningKey::load_plain(&key_path)?;
                    let responder = Responder::new(key, certificate, ca, now, &self.backends)?;
                    found.responders.push(responder);
                }
                Ok(())
            });
            if let Err(problem) = responder {
                found
                    .problems
                    .push(format!("{}: {problem}", path.display()));
            }
        }
        self.load_from_token(in_token, ca, now, &mut found);
        found
            .responders
            .sort_by_key(|responder| std::cmp::Reverse(responder.certificate().not_after()));
        Ok(found)
    }

    /// A key of that kind that has no certificate yet: one left by an attempt that failed, else a new one, saved.
    pub(crate) fn key_without_certificate(
        &self,
        kind: KeyKind,
        place: KeyPlace,
    ) -> anyhow::Result<FreeKey> {
        match place {
            KeyPlace::Software => self.key_in_file(kind),
            KeyPlace::Pkcs11 => self.key_in_token(kind),
        }
    }

    fn key_in_token(&self, kind: KeyKind) -> anyhow::Result<FreeKey> {
        let token = self.backends.token().context(
            "the policy of this issuer wants its responder key in a PKCS#11 token; name one under [pkcs11] in the \
             presigner's configuration",
        )?;
        let left = token
            .keys(&self.label)?
            .into_iter()
            .find(|key| key.kind() == kind && !self.certificate_path(key).exists());
        if let Some(key) = left {
            return Ok(FreeKey { key, is_new: false });
        }
        fs::create_dir_all(&self.path)?;
        let key = token.generate(kind, &self.label)?;
        Ok(FreeKey { key, is_new: true })
    }

    fn key_in_file(&self, kind: KeyKind) -> anyhow::Result<FreeKey> {
        for path in self.files("key")? {
            if path.with_extension("cer").exists() {
                continue;
            }
            match SigningKey::load_plain(&path) {
                Ok(key) if key.kind() == kind => return Ok(FreeKey { key, is_new: false }),
                Ok(_) => {}
                Err(error) => tracing::warn!("{} is not used: {error}", path.display()),
            }
        }
        let key = SigningKey::generate(kind)?;
        fs::create_dir_all(&self.path)?;
        key.save_plain(&self.key_path(&key))?;
        Ok(FreeKey { key, is_new: true })
    }

    /// Saves the certificate of a key that [`KeyDirectory::key_without_certificate`] gave, if it is what was asked for.
    pub(crate) fn save_certificate(
        &self,
        key: &SigningKey,
        certificate: &Certificate,
        ca: &Certificate,
    ) -> anyhow::Result<()> {
        anyhow::ensure!(
            certificate.public_key().spki_der() == key.public_key().spki_der(),
            "the certificate that came is for another key"
        );
        verify_responder_certificate(certificate, ca, certificate.not_before())?;
        let path = self.certificate_path(key);
        keystore::write_atomically(&path, certificate.der(), keystore::Access::Public)?;
        Ok(())
    }

    /// Removes keys that were made here and whose certificates have ended a month ago.
    pub(crate) fn remove_ended(&self, now: Time) -> io::Result<()> {
        for path in self.files("cer")? {
            let Ok(certificate) = read_certificate(&path) else {
                continue;
            };
            // A key that was brought here is never deleted, and none at once: the clock may be wrong for a moment.
            let is_over = certificate.not_after().plus_seconds(KEPT_AFTER_END) < now;
            if is_over && is_made_here(&path, &certificate) {
                self.remove(&path, &certificate, "has ended")?;
            }
        }
        Ok(())
    }

    /// Removes keys that were made here and whose certificates never signed: others have taken their place.
    pub(crate) fn discard(&self, unwanted: &[InStock]) -> io::Result<()> {
        for InStock {
            path, certificate, ..
        } in unwanted
        {
            if is_made_here(path, certificate) {
                self.remove(path, certificate, "is not what the policy wants")?;
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path, certificate: &Certificate, why: &str) -> io::Result<()> {
        let key_path = path.with_extension("key");
        tracing::info!("{} {why} and is removed", key_path.display());
        match fs::remove_file(&key_path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.remove_from_token(certificate)
                    .map_err(io::Error::other)?;
            }
            Err(error) => return Err(error),
        }
        fs::remove_file(path)
    }

    fn remove_from_token(&self, certificate: &Certificate) -> Result<(), KeyError> {
        let Some(token) = self.backends.token() else {
            return Ok(());
        };
        for key in token.keys(&self.label)? {
            if key.public_key() == certificate.public_key() {
                token.destroy(&key)?;
            }
        }
        Ok(())
    }

    /// Pairs the certificates that have no key file with the keys of the token.
    fn load_from_token(
        &self,
        certificates: Vec<(PathBuf, Certificate)>,
        ca: &Certificate,
        now: Time,
        found: &mut Found,
    ) {
        let Some(token) = self.backends.token().filter(|_| !certificates.is_empty()) else {
            return;
        };
        let keys = match token.keys(&self.label) {
            Ok(keys) => keys,
            Err(error) => {
                found.problems.push(error.to_string());
                return;
            }
        };
        let mut certificates: BTreeMap<_, _> = certificates.into_iter().collect();
        for key in keys {
            let path = self.certificate_path(&key);
            let Some(certificate) = certificates.remove(&path) else {
                continue;
            };
            let shown = path.display().to_string();
            let taken = if now < certificate.not_before() {
                InStock::new(certificate, path, KeyPlace::Pkcs11, ca)
                    .map(|one| found.stock.push(one))
            } else {
                Responder::new(key, certificate, ca, now, &self.backends)
                    .map(|responder| found.responders.push(responder))
                    .map_err(anyhow::Error::from)
            };
            if let Err(problem) = taken {
                found.problems.push(format!("{shown}: {problem}"));
            }
        }
    }

    fn key_path(&self, key: &SigningKey) -> PathBuf {
        self.path.join(format!(
            "{}.key",
            hex::encode(key.public_key().fingerprint())
        ))
    }

    fn certificate_path(&self, key: &SigningKey) -> PathBuf {
        self.key_path(key).with_extension("cer")
    }

    fn files(&self, extension: &str) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == extension) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

/// Whether it is named as those are that were made here.
fn is_made_here(path: &Path, certificate: &Certificate) -> bool {
    let name = hex::encode(certificate.public_key().fingerprint());
    path.file_stem() == Some(name.as_ref())
}

fn read_certificate(path: &Path) -> anyhow::Result<Certificate> {
    let octets = fs::read(path)?;
    match std::str::from_utf8(&octets) {
        Ok(text) if text.contains("-----BEGIN") => Ok(Certificate::from_pem(text)?),
        _ => Ok(Certificate::from_der(&octets)?),
    }
}
