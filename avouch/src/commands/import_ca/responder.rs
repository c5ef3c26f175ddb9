//! The OCSP responder of a CA that is taken over: given, to be certified by the CA, or made by the presigner itself.
//!
//! Pairs lie where the presigner looks: `DIR/ocsp-presigner/keys/{issuer}/{SHA-256 of the public key}.key|.cer`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use keystore::{Access, SigningKey};
use pki::certificate_builder::extension;
use pki::ocsp::verify::verify_responder_certificate;
use pki::{
    Certificate, Clock, KeyKind, KeyUsage, SignatureAlgorithm, SystemClock, der_encode, oid, pem,
};

use crate::cli::ImportCaOptions;
use crate::data_dir::{self, DataDir};
use crate::outcome::Failure;
use crate::records;

/// Who signs the answers.
pub(super) enum Responder {
    /// The CA key is here: the presigner makes a key, has it certified, and renews it.
    Own,
    /// A pair that was given, ready to be installed.
    Given {
        key: Option<SigningKey>,
        certificate: Certificate,
    },
    /// A pair that was installed before.
    Installed(Certificate),
    /// A key whose certificate the CA has still to make.
    Uncertified {
        key: SigningKey,
        is_new: bool,
        csr: String,
    },
}

impl Responder {
    pub(super) fn csr_pem(&self) -> Option<&str> {
        match self {
            Self::Uncertified { csr, .. } => Some(csr),
            _ => None,
        }
    }

    pub(super) fn describe(&self, signs: bool) -> String {
        let until = |certificate: &Certificate| format!("valid until {}", certificate.not_after());
        match self {
            Self::Own => "a responder that is made and renewed here".to_owned(),
            Self::Given { certificate, .. } | Self::Installed(certificate) if signs => {
                format!(
                    "this responder, {}; then one that is made here",
                    until(certificate)
                )
            }
            Self::Given { certificate, .. } | Self::Installed(certificate) => {
                format!(
                    "this responder, {}; bring its successor before",
                    until(certificate)
                )
            }
            Self::Uncertified { .. } => {
                "none yet: the responder's key needs a certificate of the CA".to_owned()
            }
        }
    }
}

/// Judges what is given and what is there; writes nothing.
pub(super) fn plan(
    data: &DataDir,
    options: &ImportCaOptions,
    ca: &Certificate,
    signs: bool,
) -> Result<Responder> {
    if let Some(path) = &options.responder_cert {
        let certificate = records::certificate(path)?;
        judge(&certificate, ca, path)?;
        return given(data, options, certificate);
    }
    if signs {
        return Ok(Responder::Own);
    }
    if let Some(certificate) = installed(data, &options.name, ca)? {
        return Ok(Responder::Installed(certificate));
    }
    uncertified(data, options, ca)
}

/// What RFC 6960 demands must hold; what today's rules demand besides is only told.
fn judge(certificate: &Certificate, ca: &Certificate, path: &Path) -> Result<()> {
    let now = SystemClock.now();
    let refused = |rule: &str, message: &str| {
        Failure::new(format!(
            "{} may not answer for this CA: {message}",
            path.display()
        ))
        .rule(Some(rule.to_owned()), None)
        .remedy(
            "let the CA make one with extendedKeyUsage OCSPSigning and keyUsage digitalSignature",
        )
    };
    answers::check_delegation(certificate, ca)
        .map_err(|violation| refused(violation.rule, &violation.message))?;
    if now < certificate.not_before() || certificate.not_after() <= now {
        let span = format!(
            "it is valid from {} to {}",
            certificate.not_before(),
            certificate.not_after()
        );
        return Err(refused("OCSP-65", &span).into());
    }
    if let Err(violation) = verify_responder_certificate(certificate, ca, now) {
        eprintln!(
            "note: {} is taken as it is; one made today would keep {}: {}",
            path.display(),
            violation.rule,
            violation.message
        );
    }
    Ok(())
}

fn given(data: &DataDir, options: &ImportCaOptions, certificate: Certificate) -> Result<Responder> {
    let Some(path) = &options.responder_key else {
        let expected = key_path(data, &options.name, &certificate.public_key().fingerprint());
        if !expected.is_file() {
            return Err(Failure::new("the key of this responder certificate is not here")
                .remedy("give it with --responder-key, or use the certificate made from the CSR that this command printed")
                .into());
        }
        return Ok(Responder::Given {
            key: None,
            certificate,
        });
    };
    let key = SigningKey::from_pem(&data_dir::read_text(path)?)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    if key.public_key().spki_der() != certificate.public_key().spki_der() {
        return Err(Failure::new(format!(
            "{} is not the key of the responder's certificate",
            path.display()
        ))
        .remedy("give the key and the certificate that belong together")
        .into());
    }
    Ok(Responder::Given {
        key: Some(key),
        certificate,
    })
}

/// The pair that lasts longest of those there.
fn installed(data: &DataDir, name: &str, ca: &Certificate) -> Result<Option<Certificate>> {
    let now = SystemClock.now();
    let mut fit = Vec::new();
    for path in files(data, name, "cer")? {
        let certificate = records::certificate(&path)?;
        let current = certificate.not_before() <= now && now < certificate.not_after();
        if current && answers::check_delegation(&certificate, ca).is_ok() {
            fit.push(certificate);
        }
    }
    Ok(fit.into_iter().max_by_key(Certificate::not_after))
}

fn uncertified(data: &DataDir, options: &ImportCaOptions, ca: &Certificate) -> Result<Responder> {
    let kind = match options.responder_key_kind {
        Some(kind) => kind,
        None => default_kind(ca.public_key().kind()?),
    };
    for path in files(data, &options.name, "key")? {
        if path.with_extension("cer").exists() {
            continue;
        }
        let key = SigningKey::load_plain(&path)?;
        if key.kind() == kind {
            let csr = certification_request(&key, ca)?;
            return Ok(Responder::Uncertified {
                key,
                is_new: false,
                csr,
            });
        }
    }
    let key = SigningKey::generate(kind)?;
    let csr = certification_request(&key, ca)?;
    Ok(Responder::Uncertified {
        key,
        is_new: true,
        csr,
    })
}

/// Some clients refuse ECDSA answers; those of an RSA CA must be read by all of them.
fn default_kind(ca: KeyKind) -> KeyKind {
    match ca {
        KeyKind::Rsa(_) => KeyKind::Rsa(2048),
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => KeyKind::P256,
        KeyKind::Ed25519 => KeyKind::Ed25519,
        KeyKind::MlDsa65 => KeyKind::MlDsa65,
    }
}

/// Puts the pair, or the key alone, where the presigner looks.
pub(super) fn install(data: &DataDir, name: &str, responder: &Responder) -> Result<()> {
    data_dir::private_dir(&data.responder_keys(name))?;
    match responder {
        Responder::Own | Responder::Installed(_) | Responder::Uncertified { is_new: false, .. } => {
            Ok(())
        }
        Responder::Uncertified { key, .. } => Ok(key.save_plain(&path_of(data, name, key))?),
        Responder::Given { key, certificate } => {
            if let Some(key) = key {
                key.save_plain(&path_of(data, name, key))?;
            }
            let path =
                key_path(data, name, &certificate.public_key().fingerprint()).with_extension("cer");
            data_dir::write_atomically(&path, certificate.der(), Access::Public)
        }
    }
}

fn path_of(data: &DataDir, name: &str, key: &SigningKey) -> PathBuf {
    key_path(data, name, &key.public_key().fingerprint())
}

fn key_path(data: &DataDir, name: &str, fingerprint: &[u8; 32]) -> PathBuf {
    data.responder_keys(name)
        .join(format!("{}.key", hex::encode(fingerprint)))
}

fn files(data: &DataDir, name: &str, extension: &str) -> Result<Vec<PathBuf>> {
    let folder = data.responder_keys(name);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(&folder).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
    });
    let mut paths = entries.with_context(|| format!("{} cannot be listed", folder.display()))?;
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    Ok(paths)
}

/// A PKCS#10 request (RFC 2986) that asks for what a responder's certificate needs.
///
/// ```asn1
/// CertificationRequestInfo ::= SEQUENCE {
///     version       INTEGER { v1(0) },
///     subject       Name,
///     subjectPKInfo SubjectPublicKeyInfo,
///     attributes    [0] IMPLICIT SET OF Attribute }
/// ```
fn certification_request(key: &SigningKey, ca: &Certificate) -> Result<String> {
    let algorithm = SignatureAlgorithm::for_key(key.kind(), key.kind().default_hash())?;
    let wanted: Vec<u8> = [
        extension::key_usage(&[KeyUsage::DIGITAL_SIGNATURE]),
        extension::extended_key_usage(&[oid::OCSP_SIGNING]),
        extension::ocsp_no_check(),
    ]
    .iter()
    .flat_map(extension::to_der)
    .collect();
    let extension_request = der_encode::sequence(&[
        &der_encode::oid(&oid::EXTENSION_REQUEST),
        &der_encode::set_of(&[&der_encode::sequence(&[&wanted])]),
    ]);
    let info = der_encode::sequence(&[
        &der_encode::integer(&[0]),
        &subject(ca),
        key.public_key().spki_der(),
        &der_encode::explicit(0, &extension_request),
    ]);
    let signature = key.sign(algorithm, &info)?;
    let request = der_encode::sequence(&[
        &info,
        algorithm.algorithm_identifier(),
        &der_encode::bit_string(&signature),
    ]);
    Ok(pem::encode("CERTIFICATE REQUEST", &request))
}

/// Country and organisation of the CA, then a common name (OCSP-66).
fn subject(ca: &Certificate) -> Vec<u8> {
    let rdn = |id: &pki::ObjectIdentifier, value: Vec<u8>| {
        der_encode::set_of(&[&der_encode::sequence(&[&der_encode::oid(id), &value])])
    };
    let mut rdns = Vec::new();
    for kind in [oid::COUNTRY, oid::ORGANIZATION] {
        if let Some(found) = ca
            .subject()
            .attributes()
            .iter()
            .find(|attribute| attribute.oid == kind)
        {
            rdns.extend(rdn(&kind, der_encode::tlv(found.tag, &found.raw)));
        }
    }
    let name = ca.subject().first(oid::COMMON_NAME).unwrap_or("CA");
    // ub-common-name of RFC 5280 is 64 characters.
    let name: String = name
        .chars()
        .take(49)
        .chain(" OCSP responder".chars())
        .collect();
    rdns.extend(rdn(&oid::COMMON_NAME, der_encode::utf8_string(&name)));
    der_encode::sequence(&[&rdns])
}

#[cfg(test)]
mod tests {
    use pki::csr::CertificationRequest;

    use super::*;

    #[test]
    fn the_request_proves_possession_and_asks_for_ocsp_signing() {
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        // Any certificate can lend its name.
        let ca = Certificate::from_pem(include_str!("test-ca.pem")).unwrap();
        let csr =
            CertificationRequest::from_pem(&certification_request(&key, &ca).unwrap()).unwrap();
        csr.verify_proof_of_possession().unwrap();
        assert_eq!(
            csr.subject().to_string(),
            "CN=Old Root OCSP responder,O=Old CA,C=CZ"
        );
        assert!(
            csr.extensions()
                .iter()
                .any(|extension| extension.oid == oid::EXTENDED_KEY_USAGE)
        );
        assert!(csr.other_attributes().is_empty());
    }
}
