//! An issuer: a CA key and name whose certificates this ledger answers for.

use serde::{Deserialize, Serialize};

use super::IssuerPolicy;
use crate::LedgerError;

/// An issuer as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Short name, used in URLs, file names and commands: lower-case letters, digits, hyphens and underscores.
    pub name: String,
    /// The CA certificate, DER.
    pub certificate: Vec<u8>,
    /// The certificates above it, DER, its own issuer first.
    pub chain: Vec<Vec<u8>>,
    /// Whether the CA was made here or taken over.
    pub origin: Origin,
    /// Whether the CA key is in our signer: certificates and CRLs can then be signed.
    pub signs: bool,
    /// Where OCSP is served besides `/`, for URLs in certificates issued before.
    pub ocsp_paths: Vec<String>,
    /// Where the CRL is served besides `/crl/{name}.crl`.
    pub crl_paths: Vec<String>,
    /// Where the CA certificate is served besides `/ca/{name}.cer`.
    pub certificate_paths: Vec<String>,
    /// How long what we say about its certificates stays valid.
    pub policy: IssuerPolicy,
}

/// Where an issuer or a certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Made by this installation.
    Own,
    /// Taken over from another one.
    Imported,
}

/// What changes on an issuer; `None` keeps what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuerUpdate {
    /// A renewed CA certificate: same subject, same key.
    pub certificate: Option<Vec<u8>>,
    /// A new chain above the CA certificate.
    pub chain: Option<Vec<Vec<u8>>>,
    /// Whether the CA key is in our signer now.
    pub signs: Option<bool>,
    /// Replaces [`Issuer::ocsp_paths`].
    pub ocsp_paths: Option<Vec<String>>,
    /// Replaces [`Issuer::crl_paths`].
    pub crl_paths: Option<Vec<String>>,
    /// Replaces [`Issuer::certificate_paths`].
    pub certificate_paths: Option<Vec<String>>,
    /// Replaces [`Issuer::policy`].
    pub policy: Option<IssuerPolicy>,
}

impl IssuerUpdate {
    /// The issuer with this update applied.
    pub fn apply_to(self, issuer: Issuer) -> Issuer {
        Issuer {
            name: issuer.name,
            origin: issuer.origin,
            certificate: self.certificate.unwrap_or(issuer.certificate),
            chain: self.chain.unwrap_or(issuer.chain),
            signs: self.signs.unwrap_or(issuer.signs),
            ocsp_paths: self.ocsp_paths.unwrap_or(issuer.ocsp_paths),
            crl_paths: self.crl_paths.unwrap_or(issuer.crl_paths),
            certificate_paths: self.certificate_paths.unwrap_or(issuer.certificate_paths),
            policy: self.policy.unwrap_or(issuer.policy),
        }
    }
}

impl Issuer {
    /// Checks name, paths, policy, that CRLs come from one place, and that the certificate is that of a CA.
    pub fn validate(&self) -> Result<(), LedgerError> {
        check_name(&self.name)?;
        for path in self
            .ocsp_paths
            .iter()
            .chain(&self.crl_paths)
            .chain(&self.certificate_paths)
        {
            check_path(path)?;
        }
        self.policy.validate()?;
        if self.signs && self.policy.source.is_followed() {
            return Err(LedgerError::refused(
                "source.crl",
                format!(
                    "{} signs its own CRLs here, so source.crl must be null: two sources would contradict each other",
                    self.name
                ),
            ));
        }
        let certificate = pki::Certificate::from_der(&self.certificate).map_err(|error| {
            LedgerError::refused("certificate", format!("not a certificate: {error}"))
        })?;
        if !certificate.is_ca() {
            return Err(LedgerError::refused(
                "certificate",
                format!(
                    "{} is not a CA certificate (RFC 5280 section 4.2.1.9: cA TRUE); give the certificate of the issuer",
                    certificate.subject()
                ),
            ));
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), LedgerError> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
        })
        && !name.starts_with('-');
    if fits {
        return Ok(());
    }
    Err(LedgerError::refused(
        "name",
        format!(
            "{name:?} cannot name an issuer; use 1 to 64 lower-case letters, digits, hyphens and underscores"
        ),
    ))
}

fn check_path(path: &str) -> Result<(), LedgerError> {
    let fits = path.starts_with('/')
        && path.len() <= 256
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"?#%\\\"<>".contains(&byte))
        && !path.split('/').any(|part| part == "." || part == "..");
    if fits {
        return Ok(());
    }
    Err(LedgerError::refused(
        "path",
        format!(
            "{path:?} cannot be served; give an absolute URL path of plain ASCII such as /old/ca.crl"
        ),
    ))
}
