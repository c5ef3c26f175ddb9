//! The policy's side of the key process.

use std::process::Child;

use pki::SignatureAlgorithm;

use crate::ca::Ca;
use crate::config::Config;
use crate::key::{Client, Open, Opened};
use crate::keys::{Keys, KeysGone};
use crate::pgp::key::PgpKey;

/// The process that has the keys; once wiped it is gone, and only a new start of the signer makes another.
#[derive(Debug)]
pub struct KeyProcess {
    open: Open,
    running: Option<(Client, Child)>,
    /// Of a standby: another one, sealed, for the holders to open at a promotion.
    spare: Option<(Client, Child)>,
    is_open: bool,
    cas: Vec<Ca>,
    pgp: Vec<PgpKey>,
}

impl KeyProcess {
    /// Starts it. Its keys are not open.
    pub fn start(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            open: Open {
                store: config.keys.clone(),
                shares: config.shares.clone(),
                secret_file: config.passphrase_file.clone(),
                token: config.token.clone(),
            },
            running: Some(Client::start()?),
            spare: None,
            is_open: false,
            cas: Vec::new(),
            pgp: Vec::new(),
        })
    }

    /// Starts another one, which [`Self::open_anew`] takes.
    pub fn prepare_spare(&mut self) -> anyhow::Result<()> {
        self.spare = Some(Client::start()?);
        Ok(())
    }

    /// Has the spare one ask the holders for their shares, and works with that from then on: who opens the keys has shown
    /// that as many are there as it takes.
    pub fn open_anew(&mut self) -> anyhow::Result<Opened> {
        let Some((client, _)) = &mut self.spare else {
            anyhow::bail!("the keys were wiped: quit, and start the signer again");
        };
        let opened = client.open(&self.open)?;
        let spare = self.spare.take();
        self.stop();
        self.running = spare;
        self.is_open = true;
        self.opened(&opened.keys);
        Ok(opened)
    }

    /// Has it ask the holders for their shares. Returns when the keys are open.
    pub fn open(&mut self) -> anyhow::Result<Opened> {
        anyhow::ensure!(!self.is_open, "the keys are open already");
        let Some((client, _)) = &mut self.running else {
            anyhow::bail!(
                "the keys were wiped, and the process that had them is gone: quit, and start the signer again"
            );
        };
        let opened = client.open(&self.open)?;
        self.is_open = true;
        self.opened(&opened.keys);
        Ok(opened)
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.cas.clear();
        self.pgp.clear();
        self.is_open = false;
        for (mut client, mut child) in [self.running.take(), self.spare.take()]
            .into_iter()
            .flatten()
        {
            // Gone already is as good.
            drop(client.wipe());
            drop(client);
            if let Err(error) = child.wait() {
                tracing::error!("the key process: {error}");
            }
        }
    }

    fn opened(&mut self, keys: &crate::key::Keys) -> Vec<(String, String)> {
        let ca = |key: &crate::key::IssuerKey| Ca {
            name: key.name.clone(),
            certificate: key.certificate.clone(),
            key_kind: key.kind,
        };
        self.cas = keys.issuers.iter().map(ca).collect();
        let mut faulty = keys.faulty.clone();
        self.pgp.clear();
        for key in &keys.pgp {
            match PgpKey::read(&key.name, &key.public, key.transferable.clone()) {
                Ok(key) => self.pgp.push(key),
                Err(reason) => faulty.push((key.name.clone(), reason)),
            }
        }
        faulty
    }
}

impl Keys for KeyProcess {
    fn cas(&self) -> &[Ca] {
        &self.cas
    }

    fn pgp_keys(&self) -> &[PgpKey] {
        &self.pgp
    }

    fn reload(&mut self) -> Result<Vec<(String, String)>, KeysGone> {
        let keys = self.client()?.reload().map_err(gone)?;
        Ok(self.opened(&keys))
    }

    fn sign(
        &mut self,
        ca: &str,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KeysGone> {
        self.client()?.sign(ca, algorithm, message).map_err(gone)
    }

    fn wipe(&mut self) {
        self.stop();
    }
}

impl KeyProcess {
    fn client(&mut self) -> Result<&mut Client, KeysGone> {
        match &mut self.running {
            Some((client, _)) => Ok(client),
            None => Err(KeysGone("their process has ended".to_owned())),
        }
    }
}

fn gone(error: crate::key::ClientError) -> KeysGone {
    KeysGone(error.to_string())
}
