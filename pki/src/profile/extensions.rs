//! The extensions of one certificate, from its profile.

use super::{ExtendedUsage, Profile};
use crate::certificate::Extension;
use crate::certificate_builder::{GeneralName, extension};
use crate::weak_keys::KeyFamily;
use crate::{AlgorithmError, Certificate, PublicKey};

/// Where the status of a certificate and its issuer's certificate are published.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusUrls {
    /// OCSP.
    pub ocsp: String,
    /// The CRL.
    pub crl: String,
    /// The issuer's certificate.
    pub ca_issuers: String,
}

impl StatusUrls {
    /// The standard URLs of `issuer` below `base_url`. The OCSP URL has no slash at its end, since
    /// some clients append one before the request.
    pub fn new(base_url: &str, issuer: &str) -> Self {
        let base_url = base_url.trim_end_matches('/');
        Self {
            ocsp: base_url.to_owned(),
            crl: format!("{base_url}/crl/{issuer}.crl"),
            ca_issuers: format!("{base_url}/ca/{issuer}.cer"),
        }
    }

    /// The same, with the part of the CRL named `partition` (RFC 5280 section 5.2.5): ASCII letters, digits, hyphens.
    #[must_use]
    pub fn with_crl_partition(mut self, partition: &str) -> Self {
        let list = self.crl.strip_suffix(".crl").unwrap_or(&self.crl);
        self.crl = format!("{list}/part/{partition}.crl");
        self
    }

    /// The name of the partition if `crl` is the URL of a part of the CRL of these URLs.
    pub fn crl_partition_in<'a>(&self, crl: &'a str) -> Option<&'a str> {
        let list = self.crl.strip_suffix(".crl")?;
        let name = crl
            .strip_prefix(list)?
            .strip_prefix("/part/")?
            .strip_suffix(".crl")?;
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        ((1..=32).contains(&name.len()) && name.bytes().all(plain)).then_some(name)
    }
}

/// What a certificate says about its holder outside the subject.
#[derive(Clone, Copy, Debug)]
pub struct CertifiedNames<'a> {
    /// The subjectAltName; none leaves the extension out.
    pub alt_names: &'a [GeneralName],
    /// Whether the subject is empty, which makes the subjectAltName critical.
    pub subject_is_empty: bool,
}

impl Profile {
    /// The extensions of a certificate for `key`, issued by `ca`, in the order in which they stand.
    pub fn extensions_for(
        &self,
        ca: &Certificate,
        key: &PublicKey,
        names: CertifiedNames<'_>,
        urls: &StatusUrls,
    ) -> Result<Vec<Extension>, AlgorithmError> {
        let rules = &self.extensions;
        let mut out = vec![extension::authority_key_identifier(&ca.key_id())];
        if rules.subject_key_identifier {
            out.push(extension::subject_key_identifier(key));
        }
        if rules.basic_constraints {
            out.push(extension::basic_constraints_end_entity());
        }
        out.push(extension::key_usage(&self.key_usage_bits(key)?));
        let usages: Vec<_> = self
            .extended_usages(names.alt_names)
            .into_iter()
            .map(ExtendedUsage::oid)
            .collect();
        out.push(extension::extended_key_usage(&usages));
        if !self.policies.is_empty() {
            out.push(extension::certificate_policies(&self.policies));
        }
        if !names.alt_names.is_empty() {
            out.push(extension::subject_alt_name(
                names.alt_names,
                names.subject_is_empty,
            ));
        }
        if rules.ocsp_url || rules.ca_issuers_url {
            out.push(extension::authority_info_access(
                rules.ocsp_url.then_some(&*urls.ocsp),
                rules.ca_issuers_url.then_some(&*urls.ca_issuers),
            ));
        }
        if rules.crl_url {
            out.push(extension::crl_distribution_points(&urls.crl));
        }
        if rules.ocsp_no_check {
            out.push(extension::ocsp_no_check());
        }
        Ok(out)
    }

    /// The bits of keyUsage for `key`.
    pub fn key_usage_bits(&self, key: &PublicKey) -> Result<Vec<u8>, AlgorithmError> {
        let family = KeyFamily::of(key.kind()?);
        let added = match family {
            KeyFamily::Rsa => &*self.extensions.key_usage_rsa,
            _ if family.is_nist_curve() => &*self.extensions.key_usage_ec,
            _ => &[],
        };
        Ok(self
            .extensions
            .key_usage
            .iter()
            .chain(added)
            .map(|usage| usage.bit())
            .collect())
    }

    /// The extended key usages of a certificate with these alternative names.
    pub fn extended_usages(&self, alt_names: &[GeneralName]) -> Vec<ExtendedUsage> {
        let has_email = alt_names
            .iter()
            .any(|name| matches!(name, GeneralName::Email(_)));
        let added: &[ExtendedUsage] = if has_email {
            &self.extensions.extended_key_usage_with_email
        } else {
            &[]
        };
        self.extensions
            .extended_key_usage
            .iter()
            .chain(added)
            .copied()
            .collect()
    }
}
