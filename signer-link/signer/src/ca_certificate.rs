//! The certificate of a CA, as a ceremony makes it (CERT-01 to CERT-04, CERT-11, CERT-27).

use anyhow::{Context as _, ensure};
use hierarchy::{BaseUrl, Ca};
use keystore::SigningKey;
use pki::certificate_builder::{TbsCertificate, assemble, extension};
use pki::{Certificate, Extension, KeyUsage, PublicKey, Serial, Time, oid};

/// notBefore lies this far before the signing (CERT-11: at most a day), for clients whose clocks are slow.
const BACKDATE_SECONDS: i64 = 3_600;

/// Who signs: the CA itself when it is a root.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// What the hierarchy says of it.
    pub ca: &'a Ca,
    /// Its key.
    pub key: &'a SigningKey,
    /// Its certificate; absent when it signs its own.
    pub certificate: Option<&'a Certificate>,
}

/// Makes the certificate of `ca`, signed by `signer`, and verifies it.
pub fn make(
    ca: &Ca,
    key: &PublicKey,
    signer: &Signer<'_>,
    base_url: &BaseUrl,
    now: Time,
) -> anyhow::Result<Certificate> {
    let subject = ca.subject.name()?;
    let issuer = signer.certificate.map_or(&subject, Certificate::subject);
    let signature_algorithm = signer.ca.signature_algorithm()?;
    let not_before = now.plus_seconds(-BACKDATE_SECONDS);
    // notAfter is the last second of validity.
    let wanted = not_before.plus_seconds(i64::from(ca.validity_days) * 86_400 - 1);
    let not_after = signer
        .certificate
        .map_or(wanted, |issuer| wanted.min(issuer.not_after()));
    let tbs = TbsCertificate {
        serial: Serial::random()?,
        signature_algorithm,
        issuer,
        not_before,
        not_after,
        subject: &ca.subject.attributes()?,
        public_key: key,
        extensions: &extensions(ca, key, signer, base_url),
    }
    .to_der();
    let signature = signer.key.sign(signature_algorithm, &tbs)?;
    let certificate = Certificate::from_der(&assemble(&tbs, signature_algorithm, &signature))?;
    check(&certificate, ca, key, signer.key.public_key(), issuer)?;
    Ok(certificate)
}

/// Whether `certificate` is the one that the hierarchy describes, for this key, by this issuer.
pub fn check(
    certificate: &Certificate,
    ca: &Ca,
    key: &PublicKey,
    issuer_key: &PublicKey,
    issuer: &pki::Name,
) -> anyhow::Result<()> {
    ensure!(
        certificate.public_key() == key,
        "the certificate is of another key"
    );
    ensure!(
        certificate.subject() == &ca.subject.name()?,
        "the certificate's subject is {}, the hierarchy says {}",
        certificate.subject(),
        ca.subject.name()?
    );
    ensure!(
        certificate.issuer() == issuer,
        "the certificate's issuer is {}, the hierarchy says {issuer}",
        certificate.issuer()
    );
    certificate
        .verify_signed_by(issuer_key)
        .context("the certificate's signature")?;
    ensure!(certificate.is_ca(), "the certificate is not a CA's");
    Ok(())
}

/// In the order that is usual: what it is, which keys, which policies, where its status is.
fn extensions(ca: &Ca, key: &PublicKey, signer: &Signer<'_>, base_url: &BaseUrl) -> Vec<Extension> {
    let issuer_key_id = signer
        .certificate
        .map_or_else(|| key.key_id().to_vec(), Certificate::key_id);
    let mut extensions = vec![
        extension::basic_constraints_ca(ca.path_len),
        // No digitalSignature: OCSP is signed by delegates (OCSP-52).
        extension::key_usage(&[KeyUsage::KEY_CERT_SIGN, KeyUsage::CRL_SIGN]),
        extension::subject_key_identifier(key),
        extension::authority_key_identifier(&issuer_key_id),
    ];
    // One that signs itself has nobody above to say where its status is.
    if signer.certificate.is_some() {
        let issuer = &signer.ca.name;
        extensions.extend([
            extension::certificate_policies(&[oid::ANY_POLICY]),
            extension::crl_distribution_points(&base_url.crl(issuer)),
            extension::authority_info_access(
                Some(base_url.ocsp()),
                Some(&base_url.certificate(issuer)),
            ),
        ]);
    }
    extensions
}
