//! The responder keys of one issuer: files in a directory, or keys in a token with their certificates in the directory.
//!
//! `{name}.key` is a private key (PEM, mode 0600), `{name}.cer` its certificate (DER or PEM). Keys made here are named by
//! the SHA-256 of their SubjectPublicKeyInfo; what `avouch import ca` puts here may have any name. A key without a
//! certificate is one whose certificate is still being asked for. A certificate without a key file belongs to a key in
//! the token, where the keys of one issuer have one label.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use keystore::{KeyError, SigningKey};
use ledger::KeyPlace;
use pki::ocsp::verify::verify_responder_certificate;
use pki::{Certificate, KeyKind, Time};

use crate::backends::Backends;
use crate::responder::Responder;

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
    /// What cannot be used, and why.
    pub(crate) problems: Vec<String>,
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
        for key_path in self.files("key")? {
            let certificate_path = key_path.with_extension("cer");
            if !certificate_path.exists() {
                continue;
            }
            match self.load_pair(&key_path, &certificate_path, ca, now) {
                Ok(responder) => found.responders.push(responder),
                Err(problem) => found
                    .problems
                    .push(format!("{}: {problem}", certificate_path.display())),
            }
        }
        self.load_from_token(ca, now, &mut found)?;
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
    ) -> anyhow::Result<SigningKey> {
        match place {
            KeyPlace::Software => self.key_in_file(kind),
            KeyPlace::Pkcs11 => self.key_in_token(kind),
        }
    }

    fn key_in_token(&self, kind: KeyKind) -> anyhow::Result<SigningKey> {
        let token = self.backends.token().context(
            "the policy of this issuer wants its responder key in a PKCS#11 token; name one under [pkcs11] in the \
             presigner's configuration",
        )?;
        let left = token
            .keys(&self.label)?
            .into_iter()
            .find(|key| key.kind() == kind && !self.certificate_path(key).exists());
        if let Some(key) = left {
            return Ok(key);
        }
        fs::create_dir_all(&self.path)?;
        Ok(token.generate(kind, &self.label)?)
    }

    fn key_in_file(&self, kind: KeyKind) -> anyhow::Result<SigningKey> {
        for path in self.files("key")? {
            if path.with_extension("cer").exists() {
                continue;
            }
            match SigningKey::load_plain(&path) {
                Ok(key) if key.kind() == kind => return Ok(key),
                Ok(_) => {}
                Err(error) => tracing::warn!("{} is not used: {error}", path.display()),
            }
        }
        let key = SigningKey::generate(kind)?;
        fs::create_dir_all(&self.path)?;
        key.save_plain(&self.key_path(&key))?;
        Ok(key)
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
        for certificate_path in self.files("cer")? {
            let Ok(certificate) = read_certificate(&certificate_path) else {
                continue;
            };
            // A key that was brought here is never deleted, and none at once: the clock may be wrong for a moment.
            let name = hex::encode(certificate.public_key().fingerprint());
            let made_here = certificate_path.file_stem() == Some(name.as_ref());
            if made_here && certificate.not_after().plus_seconds(KEPT_AFTER_END) < now {
                let key_path = certificate_path.with_extension("key");
                tracing::info!("{} has ended and is removed", key_path.display());
                match fs::remove_file(&key_path) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        self.remove_from_token(&certificate)
                            .map_err(io::Error::other)?;
                    }
                    Err(error) => return Err(error),
                }
                fs::remove_file(&certificate_path)?;
            }
        }
        Ok(())
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
    fn load_from_token(&self, ca: &Certificate, now: Time, found: &mut Found) -> io::Result<()> {
        let mut certificates = Vec::new();
        for path in self.files("cer")? {
            if !path.with_extension("key").exists() {
                certificates.push(path);
            }
        }
        let Some(token) = self.backends.token().filter(|_| !certificates.is_empty()) else {
            return Ok(());
        };
        let keys = match token.keys(&self.label) {
            Ok(keys) => keys,
            Err(error) => {
                found.problems.push(error.to_string());
                return Ok(());
            }
        };
        for key in keys {
            let path = self.certificate_path(&key);
            if !certificates.contains(&path) {
                continue;
            }
            let responder = read_certificate(&path).and_then(|certificate| {
                Ok(Responder::new(key, certificate, ca, now, &self.backends)?)
            });
            match responder {
                Ok(responder) => found.responders.push(responder),
                Err(problem) => found
                    .problems
                    .push(format!("{}: {problem}", path.display())),
            }
        }
        Ok(())
    }

    fn load_pair(
        &self,
        key: &Path,
        certificate: &Path,
        ca: &Certificate,
        now: Time,
    ) -> anyhow::Result<Responder> {
        let certificate = read_certificate(certificate)?;
        let key = SigningKey::load_plain(key)?;
        Ok(Responder::new(key, certificate, ca, now, &self.backends)?)
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

fn read_certificate(path: &Path) -> anyhow::Result<Certificate> {
    let octets = fs::read(path)?;
    match std::str::from_utf8(&octets) {
        Ok(text) if text.contains("-----BEGIN") => Ok(Certificate::from_pem(text)?),
        _ => Ok(Certificate::from_der(&octets)?),
    }
}
