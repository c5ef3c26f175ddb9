//! What a CA that goes offline leaves behind: the certificate of a responder that speaks for it, and a CRL (S3).

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use hierarchy::{OfflineCrl, Responder, RevokedCertificate};
use keystore::{Access, write_atomically};
use pki::certificate_builder::{TbsCertificate, assemble, extension};
use pki::crl::Crl;
use pki::crl::build::{self, CrlContents, CrlEntry};
use pki::crl::verify::{Expected, OwnRules, Profile, Scope, verify_crl};
use pki::csr::CertificationRequest;
use pki::weak_keys::{self, KeyRules};
use pki::{Certificate, KeyUsage, Serial, oid};

use super::{Table, cannot_write};
use crate::keyring::{load_certificate, save_certificate};

/// The profile whose certificates these are.
const PROFILE: &str = "ocsp-responder";
/// notBefore and thisUpdate lie this far before the signing, for clients whose clocks are slow.
const BACKDATE_SECONDS: i64 = 3_600;
const DAY: i64 = 86_400;

impl Table<'_> {
    pub(super) fn bootstrap(&mut self) -> anyhow::Result<()> {
        for responder in self.hierarchy.responders.clone() {
            self.responder(&responder)
                .with_context(|| format!("[[responder]] {}", responder.file))?;
        }
        for crl in self.hierarchy.crls.clone() {
            self.crl(&crl)
                .with_context(|| format!("[[crl]] {}", crl.file))?;
        }
        Ok(())
    }

    fn responder(&mut self, responder: &Responder) -> anyhow::Result<()> {
        let request = self.request(&responder.csr)?;
        let file = &responder.file;
        let (certificate, is_new) = match load_certificate(self.store.directory(), file)? {
            Some(kept) => {
                eprintln!("{file}: certificate {} is there, kept", kept.serial());
                (kept, false)
            }
            None => (self.sign_responder(responder, &request)?, true),
        };
        ensure!(
            certificate.public_key() == request.public_key(),
            "the certificate that is there is of another key; use another file name"
        );
        certificate.verify_signed_by(self.opened[&responder.issuer].key.public_key())?;
        self.transcript.certificate(file, &certificate, is_new);
        self.give_out(
            &format!("{file}.pem"),
            Self::pem(&[&certificate]).as_bytes(),
        )
    }

    fn sign_responder(
        &self,
        responder: &Responder,
        request: &CertificationRequest,
    ) -> anyhow::Result<Certificate> {
        let issuer = self.signer(&responder.issuer)?;
        let authority = &self.opened[&responder.issuer].certificate;
        let not_before = self.clock.now().plus_seconds(-BACKDATE_SECONDS);
        let wanted = not_before.plus_seconds(i64::from(responder.validity_days) * DAY - 1);
        let signature_algorithm = issuer.ca.signature_algorithm()?;
        let serial = Serial::random()?;
        // As the profile of the same name has them (OCSP-50 to OCSP-53).
        let extensions = [
            extension::key_usage(&[KeyUsage::DIGITAL_SIGNATURE]),
            extension::extended_key_usage(&[oid::OCSP_SIGNING]),
            extension::subject_key_identifier(request.public_key()),
            extension::authority_key_identifier(&authority.key_id()),
            extension::ocsp_no_check(),
        ];
        let not_after = wanted.min(authority.not_after());
        let tbs = TbsCertificate {
            serial,
            signature_algorithm,
            issuer: authority.subject(),
            not_before,
            not_after,
            subject: &responder.subject.attributes()?,
            public_key: request.public_key(),
            extensions: &extensions,
        }
        .to_der();
        let id = self.book.intends_certificate(
            (&responder.issuer, authority.subject()),
            PROFILE,
            &serial,
            not_after,
            &tbs,
            self.clock,
        )?;
        let signature = issuer.key.sign(signature_algorithm, &tbs)?;
        self.book.signed(id, &signature)?;
        let certificate = Certificate::from_der(&assemble(&tbs, signature_algorithm, &signature))?;
        save_certificate(self.store.directory(), &responder.file, &certificate)?;
        eprintln!(
            "{}: responder certificate {}, signed by {}",
            responder.file,
            certificate.serial(),
            responder.issuer
        );
        Ok(certificate)
    }

    /// The certification request, with the proof that its sender has the key.
    fn request(&mut self, path: &Path) -> anyhow::Result<CertificationRequest> {
        let folder = self.options.file.parent().unwrap_or_else(|| Path::new(""));
        let path = folder.join(path);
        let what = || path.display().to_string();
        let text = fs::read_to_string(&path).with_context(what)?;
        self.transcript.came_in(&path, text.as_bytes());
        let request = CertificationRequest::from_pem(&text).with_context(what)?;
        request.verify_proof_of_possession().with_context(what)?;
        weak_keys::check(request.public_key(), &KeyRules::any(), None).with_context(what)?;
        Ok(request)
    }

    fn crl(&mut self, wanted: &OfflineCrl) -> anyhow::Result<()> {
        let OfflineCrl { file, issuer, .. } = wanted;
        let path = self.store.directory().join(format!("{file}.crl"));
        let der = if path.exists() {
            eprintln!("{file}: the CRL is there, kept");
            fs::read(&path).with_context(|| path.display().to_string())?
        } else {
            self.nothing_is_forgotten(wanted)?;
            let der = self.sign_crl(wanted)?;
            self.verify(&der, issuer)?;
            write_atomically(&path, &der, Access::Public).with_context(cannot_write(&path))?;
            der
        };
        let crl = Crl::from_der(&der)?;
        let ca = &self.opened[issuer].certificate;
        ensure!(
            crl.issuer() == ca.subject(),
            "the CRL that is there is another CA's; use another file name"
        );
        let number = crl.number().context("a CRL without a number")?;
        let next_update = crl.next_update().context("a CRL without nextUpdate")?;
        self.transcript.say(&format!(
            "{file}: CRL {number} of {issuer}, {} revoked, valid to {next_update}",
            crl.len()
        ));
        self.give_out(&format!("{file}.crl"), &der)
    }

    fn sign_crl(&mut self, wanted: &OfflineCrl) -> anyhow::Result<Vec<u8>> {
        let name = &wanted.issuer;
        let subject = self.opened[name].certificate.subject().clone();
        let number = self.book.next_crl_number(&subject)?;
        let this_update = self.clock.now().plus_seconds(-BACKDATE_SECONDS);
        let signature_algorithm = self.signer(name)?.ca.signature_algorithm()?;
        let mut entries: Vec<_> = wanted.revoked.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.serial);
        let tbs = CrlContents {
            issuer: &subject,
            authority_key_id: &self.opened[name].certificate.key_id(),
            number: &number,
            this_update,
            next_update: this_update.plus_seconds(i64::from(wanted.validity_days) * DAY),
            signature_algorithm,
            scope: Scope::Complete,
            freshest: None,
        }
        .tbs(entries);
        let id = self.book.intends_crl(
            (name, &subject),
            &number,
            this_update.unix(),
            &tbs,
            self.clock,
        )?;
        let signature = self.opened[name].key.sign(signature_algorithm, &tbs)?;
        self.book.signed(id, &signature)?;
        eprintln!("{}: CRL {number} of {name}", wanted.file);
        Ok(build::assemble(&tbs, signature_algorithm, &signature))
    }

    /// By all rules for CRLs: one of a CA with subscribers lives ten days at most (CRL-06).
    fn verify(&self, der: &[u8], issuer: &str) -> anyhow::Result<()> {
        let ca_certificates_only = self
            .hierarchy
            .ca(issuer)
            .is_some_and(|ca| ca.path_len != Some(0));
        let expected = Expected {
            ca: &self.opened[issuer].certificate,
            now: self.clock.now(),
            scope: Scope::Complete,
            previous: None,
            profile: Profile::Own(OwnRules {
                ca_certificates_only,
                ..OwnRules::default()
            }),
        };
        verify_crl(der, &expected).context("the CRL breaks a rule")?;
        Ok(())
    }

    /// No certificate is un-revoked by being left out.
    fn nothing_is_forgotten(&self, wanted: &OfflineCrl) -> anyhow::Result<()> {
        let subject = self.opened[&wanted.issuer].certificate.subject();
        let folder = self.store.directory();
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "crl") {
                continue;
            }
            let what = || path.display().to_string();
            let earlier = Crl::from_der(&fs::read(&path).with_context(what)?).with_context(what)?;
            if earlier.issuer() != subject {
                continue;
            }
            for entry in earlier.entries() {
                let serial = entry.with_context(what)?.serial;
                ensure!(
                    wanted
                        .revoked
                        .iter()
                        .any(|revoked| revoked.serial == serial),
                    "{serial} is revoked on {}, and revocation is for ever: name it again",
                    path.display()
                );
            }
        }
        Ok(())
    }
}

fn entry(revoked: &RevokedCertificate) -> CrlEntry {
    CrlEntry {
        serial: revoked.serial,
        revocation_date: revoked.time,
        reason: revoked.reason,
        invalidity_date: None,
    }
}
