//! The key process itself.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use anyhow::Context as _;
use keystore::{EncryptedStore, KeyError, Purpose, SigningKey};
use pki::SignatureAlgorithm;

use super::message::{Reply, Request};
use super::unlock::{self, Unlocked};
use super::{IssuerKey, Keys, Open, Opened, PgpIssuerKey, RefusalCode, executable, memory};
use crate::confine::{Confinement, confine};
use crate::issuer::Issuer;
use crate::keyring;

/// `signer key`: serves the process that started it, over the socket that is its standard input and output.
pub fn main() -> anyhow::Result<()> {
    let stream = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from)?;
    stream.peer_addr().context(
        "`signer key` is started by `signer run`, not by hand: its standard input must be a socket",
    )?;
    serve(stream)
}

/// Serves until it is told to wipe the keys, or its partner has gone. Guards the memory of this process, and confines it
/// when the keys are open.
pub fn serve(mut stream: UnixStream) -> anyhow::Result<()> {
    let executable = executable::executable().context("the program itself cannot be read")?;
    let mut process = KeyProcess {
        executable,
        warnings: memory::guard().context("memory cannot be kept out of core dumps")?,
        open: None,
    };
    while let Some(request) = Request::read(&mut stream).context("the policy process")? {
        let wipe = request == Request::Wipe;
        if wipe {
            process.open = None;
        }
        let reply = process
            .answer(request)
            .unwrap_or_else(|(code, text)| Reply::Refused(code, text));
        reply.write(&mut stream).context("the policy process")?;
        if wipe {
            break;
        }
    }
    Ok(())
}

struct KeyProcess {
    executable: [u8; 32],
    warnings: Vec<String>,
    open: Option<OpenKeys>,
}

struct OpenKeys {
    store: EncryptedStore,
    issuers: BTreeMap<String, Issuer>,
    /// Those that certify OpenPGP keys, with what lies beside them.
    pgp: BTreeMap<String, (SigningKey, Vec<u8>)>,
}

type Refusal = (RefusalCode, String);

impl KeyProcess {
    fn answer(&mut self, request: Request) -> Result<Reply, Refusal> {
        match request {
            Request::Open(open) => self.open(&open).map(Reply::Opened),
            Request::Sign {
                issuer,
                algorithm,
                message,
            } => self.keys()?.sign(&issuer, algorithm, &message),
            Request::Reload => self.keys()?.load().map(Reply::Keys),
            Request::Wipe => Ok(Reply::Wiped),
        }
    }

    fn keys(&mut self) -> Result<&mut OpenKeys, Refusal> {
        self.open.as_mut().ok_or_else(|| {
            let text = "the keys are not open: unlock the signer";
            (RefusalCode::NotOpen, text.to_owned())
        })
    }

    fn open(&mut self, open: &Open) -> Result<Opened, Refusal> {
        if self.open.is_some() {
            return Err((RefusalCode::AlreadyOpen, "the keys are open".to_owned()));
        }
        let Unlocked {
            store,
            holders,
            unattended,
        } = unlock::unlock(open).map_err(|error| (RefusalCode::Unlock, format!("{error:#}")))?;
        let (sharing, rehearsal) = (store.sharing(), store.purpose() == Purpose::Rehearsal);
        let mut keys = OpenKeys {
            store,
            issuers: BTreeMap::new(),
            pgp: BTreeMap::new(),
        };
        // Tokens are opened with that: their modules load what they need while it can be reached.
        let loaded = keys.load()?;
        let enforced = confine(&confinement(open))
            .map_err(|error| (RefusalCode::Confinement, error.to_string()))?;
        let mut warnings = self.warnings.clone();
        if !enforced.is_full() {
            warnings.push(format!(
                "the kernel does not confine the key process fully ({enforced}); use Linux 6.10 or later, with Landlock \
                 and seccomp"
            ));
        }
        self.open = Some(keys);
        Ok(Opened {
            keys: loaded,
            executable: self.executable,
            holders,
            sharing: sharing.to_string(),
            unattended,
            rehearsal,
            enforced: enforced.to_string(),
            warnings,
        })
    }
}

impl OpenKeys {
    /// Loads the keys that are new in the store. One that cannot be used does not keep the others from being used.
    fn load(&mut self) -> Result<Keys, Refusal> {
        let names = self
            .store
            .names()
            .map_err(|error| (RefusalCode::Store, error.to_string()))?;
        let mut faulty = Vec::new();
        for name in names {
            if self.issuers.contains_key(&name) || self.pgp.contains_key(&name) {
                continue;
            }
            if let Err(error) = self.load_one(&name) {
                faulty.push((name, format!("{error:#}")));
            }
        }
        let pgp = self
            .pgp
            .iter()
            .map(|(name, (key, transferable))| PgpIssuerKey {
                name: name.clone(),
                public: key.public_key().clone(),
                transferable: transferable.clone(),
            });
        let issuers = self.issuers.iter().map(|(name, issuer)| IssuerKey {
            name: name.clone(),
            certificate: issuer.certificate().clone(),
            kind: issuer.key().kind(),
        });
        Ok(Keys {
            issuers: issuers.collect(),
            pgp: pgp.collect(),
            faulty,
        })
    }

    fn load_one(&mut self, name: &str) -> anyhow::Result<()> {
        match keyring::load_pgp(&self.store, name)? {
            Some(key) => drop(self.pgp.insert(name.to_owned(), key)),
            None => {
                let issuer = keyring::load(&self.store, name)?;
                self.issuers.insert(name.to_owned(), issuer);
            }
        }
        Ok(())
    }

    fn sign(
        &self,
        issuer: &str,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Reply, Refusal> {
        let ca = self.issuers.get(issuer).map(Issuer::key);
        let key = ca.or_else(|| self.pgp.get(issuer).map(|(key, _)| key));
        let key = key.ok_or_else(|| {
            let text = format!("there is no open key of the name {issuer:?}");
            (RefusalCode::NoSuchIssuer, text)
        })?;
        let signature = key.sign(algorithm, message).map_err(|error| {
            let code = match &error {
                KeyError::AlgorithmMismatch { .. } => RefusalCode::Algorithm,
                KeyError::SelfCheck => RefusalCode::SelfCheck,
                KeyError::Token { .. } => RefusalCode::Token,
                _ => RefusalCode::Key,
            };
            (code, error.to_string())
        })?;
        Ok(Reply::Signed(signature))
    }
}

/// The store, for keys that come later, and what a token's module needs.
fn confinement(open: &Open) -> Confinement {
    let token = open.token.clone().unwrap_or_default();
    let (devices, write) = token
        .paths
        .into_iter()
        .partition(|path| path.starts_with("/dev"));
    Confinement {
        read: vec![open.store.clone()],
        write,
        devices,
        sockets: token.sockets,
    }
}
