//! The certificates of the CAs, the first ones and further ones.

use anyhow::Context as _;
use hierarchy::{Ca, FurtherCertificate};
use pki::Certificate;

use super::keys::KeyWanted;
use super::{Opened, Table};
use crate::ca_certificate::{self, Signer};
use crate::keyring::{load_certificate, save_certificate};

impl Table<'_> {
    /// Key, certificate and chain of each CA.
    pub(super) fn cas(&mut self) -> anyhow::Result<()> {
        for ca in self.hierarchy.cas.clone() {
            let (key, key_is_new) = self.key(&KeyWanted::of(&ca))?;
            // A root is its own issuer: its key must be at hand when its certificate is made.
            let (certificate, is_new) = match &ca.issuer {
                None => {
                    let signer = Signer {
                        ca: &ca,
                        key: &key,
                        certificate: None,
                    };
                    self.certificate(&ca.name, &ca, key.public_key(), &signer)?
                }
                Some(name) => {
                    self.certificate(&ca.name, &ca, key.public_key(), &self.signer(name)?)?
                }
            };
            self.opened.insert(
                ca.name.clone(),
                Opened {
                    key,
                    certificate: certificate.clone(),
                },
            );
            self.transcript
                .certificate(&ca.name, &certificate, key_is_new || is_new);
            self.give_out_certificate(&ca.name)?;
        }
        Ok(())
    }

    /// Renewals with the same key, and cross-certificates.
    pub(super) fn further_certificates(&mut self) -> anyhow::Result<()> {
        for further in self.hierarchy.certificates.clone() {
            self.further_certificate(&further)
                .with_context(|| format!("[[certificate]] {}", further.file))?;
        }
        Ok(())
    }

    fn further_certificate(&mut self, further: &FurtherCertificate) -> anyhow::Result<()> {
        let FurtherCertificate { file, ca: name, .. } = further;
        let mut ca = self.hierarchy.ca(name).context("no such CA")?.clone();
        ca.validity_days = further.validity_days;
        let issuer = further.issuer(&self.hierarchy).context("no such issuer")?;
        let mut signer = self.signer(&issuer.name)?;
        if issuer.name == *name {
            signer.certificate = None;
        }
        let key = self.opened[name].key.public_key();
        let (certificate, is_new) = self.certificate(file, &ca, key, &signer)?;
        let chain = match signer.certificate {
            None => vec![certificate.clone()],
            Some(_) => [vec![certificate.clone()], self.chain(&issuer.name)].concat(),
        };
        self.transcript.certificate(file, &certificate, is_new);
        self.give_out(
            &format!("{file}.pem"),
            Self::pem(&[&certificate]).as_bytes(),
        )?;
        let chain: Vec<_> = chain.iter().collect();
        self.give_out(&format!("chain-{file}.pem"), Self::pem(&chain).as_bytes())?;
        if further.current && self.is_last_of_its_ca(further) {
            self.make_current(name, certificate)?;
        }
        Ok(())
    }

    /// Of several renewals in one file the last one counts.
    fn is_last_of_its_ca(&self, further: &FurtherCertificate) -> bool {
        let mut current = self.hierarchy.certificates.iter().rev();
        current.find(|other| other.current && other.ca == further.ca) == Some(further)
    }

    /// From now on this is the CA's certificate; the one before stays among what was given out.
    fn make_current(&mut self, name: &str, certificate: Certificate) -> anyhow::Result<()> {
        let before = self.opened[name].certificate.clone();
        if before.der() != certificate.der() {
            let kept = format!("{name}-{}.pem", before.serial());
            self.give_out(&kept, Self::pem(&[&before]).as_bytes())?;
            save_certificate(self.store.directory(), name, &certificate)?;
            eprintln!(
                "{name}: uses certificate {} from now on",
                certificate.serial()
            );
        }
        let Some(opened) = self.opened.get_mut(name) else {
            return Ok(());
        };
        opened.certificate = certificate;
        self.transcript.say(&format!(
            "{name} uses the certificate {} from now on",
            self.opened[name].certificate.serial()
        ));
        // Its own files, and the chains of those below it.
        let names: Vec<String> = self.hierarchy.names().map(str::to_owned).collect();
        for below in names {
            if self.hierarchy.chain(&below).any(|ca| ca.name == name) {
                self.give_out_certificate(&below)?;
            }
        }
        Ok(())
    }

    fn give_out_certificate(&mut self, name: &str) -> anyhow::Result<()> {
        let chain = self.chain(name);
        self.give_out(&format!("{name}.pem"), Self::pem(&[&chain[0]]).as_bytes())?;
        let chain: Vec<_> = chain.iter().collect();
        self.give_out(&format!("chain-{name}.pem"), Self::pem(&chain).as_bytes())
    }

    /// The current certificates from a CA up to its root.
    fn chain(&self, name: &str) -> Vec<Certificate> {
        self.hierarchy
            .chain(name)
            .map(|ca| self.opened[&ca.name].certificate.clone())
            .collect()
    }

    /// A CA whose key is open, as a signer for others.
    pub(super) fn signer(&self, name: &str) -> anyhow::Result<Signer<'_>> {
        let opened = self
            .opened
            .get(name)
            .with_context(|| format!("the key of {name} is not open"))?;
        Ok(Signer {
            ca: self.hierarchy.ca(name).context("no such CA")?,
            key: &opened.key,
            certificate: Some(&opened.certificate),
        })
    }

    /// The certificate in this file beside the keys, checked, or a new one; and whether it is new.
    fn certificate(
        &self,
        file: &str,
        ca: &Ca,
        key: &pki::PublicKey,
        signer: &Signer<'_>,
    ) -> anyhow::Result<(Certificate, bool)> {
        let keys = self.store.directory();
        if let Some(kept) = load_certificate(keys, file)? {
            let subject = ca.subject.name()?;
            let issuer = signer.certificate.map_or(&subject, Certificate::subject);
            ca_certificate::check(&kept, ca, key, signer.key.public_key(), issuer).with_context(
                || format!("{file}: a certificate is there that is not this hierarchy's; use other directories"),
            )?;
            eprintln!("{file}: certificate {} is there, kept", kept.serial());
            return Ok((kept, false));
        }
        let now = self.clock.now();
        let certificate = ca_certificate::make(ca, key, signer, &self.hierarchy.base_url, now)?;
        self.book.ca_certificate(file, &certificate, self.clock)?;
        save_certificate(keys, file, &certificate)?;
        eprintln!(
            "{file}: certificate {}, signed by {}",
            certificate.serial(),
            signer.ca.name
        );
        Ok((certificate, true))
    }
}
