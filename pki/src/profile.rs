//! Certificate profiles: what a kind of certificate holds and what it may hold (I3), as data.
//!
//! A [`ProfileDocument`] is one file. It has the rules that always hold and one table for each rule
//! set that narrows or widens them: `community` for a CA that sets its own policy, `cabf` for one that
//! keeps the CA/Browser Forum's. Choosing a rule set gives the [`Profile`] that issues.

mod document;
mod extensions;
mod usage;

pub use document::{ProfileDocument, ProfileError};
pub use extensions::{CertifiedNames, StatusUrls};
pub use usage::{ExtendedUsage, Usage};

use std::collections::BTreeMap;
use std::fmt;

use const_oid::ObjectIdentifier;
use serde::{Deserialize, Serialize};

use crate::name_rules::AttributeKind;
use crate::weak_keys::KeyRules;

/// Whose rules a CA keeps.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleSet {
    /// The baseline requirements of the CA/Browser Forum.
    Cabf,
    /// The CA's own policy.
    #[default]
    Community,
}

impl fmt::Display for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cabf => "cabf",
            Self::Community => "community",
        })
    }
}

/// A profile under one rule set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Profile {
    /// Its name, by which requests ask for it.
    pub name: String,
    /// What its certificates are for.
    pub description: String,
    /// The days that a certificate is valid unless others are asked for.
    pub default_days: u32,
    /// The most days that may be asked for.
    pub max_days: u32,
    /// How far notBefore lies before the moment of signing (CERT-04).
    pub backdate_seconds: u32,
    /// How many days after the signing a certificate may begin; 0 for all but OCSP responders (S9).
    pub ahead_days: u32,
    /// The issuers that may use it; every one if absent.
    pub issuers: Option<Vec<String>>,
    /// The most days that may be asked of an issuer, where that is less.
    pub issuer_max_days: BTreeMap<String, u32>,
    /// Whether a self-signed CA may issue under it.
    pub root_may_issue: bool,
    /// Which keys it accepts.
    pub keys: KeyRules,
    /// What the subject may hold.
    pub subject: SubjectRules,
    /// What the subjectAltName may hold.
    pub subject_alt_name: AltNameRules,
    /// Which extensions it carries.
    pub extensions: ExtensionRules,
    /// The certificatePolicies; none leaves the extension out.
    pub policies: Vec<ObjectIdentifier>,
}

impl Profile {
    /// The most days that a certificate of `issuer` may be valid.
    pub fn max_days_of(&self, issuer: &str) -> u32 {
        self.issuer_max_days
            .get(issuer)
            .map_or(self.max_days, |days| self.max_days.min(*days))
    }

    /// The days that a certificate of `issuer` is valid unless others are asked for.
    pub fn default_days_of(&self, issuer: &str) -> u32 {
        self.default_days.min(self.max_days_of(issuer))
    }

    /// Whether it is for delegated OCSP responders.
    pub fn is_ocsp_responder(&self) -> bool {
        self.extensions
            .extended_key_usage
            .contains(&ExtendedUsage::OcspSigning)
    }
}

/// What a subject may hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SubjectRules {
    /// The attributes that a request may bring; others are dropped.
    #[serde(default)]
    pub attributes: Vec<AttributeKind>,
    /// Attributes that must be there.
    #[serde(default)]
    pub required: Vec<AttributeKind>,
    /// What the common name is.
    #[serde(default)]
    pub common_name: CommonNameIs,
    /// The common name of certificates whose request names nobody (I8).
    #[serde(default)]
    pub anonymous_common_name: Option<String>,
}

/// What a common name is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum CommonNameIs {
    /// A host name or IP address that is also among the subjectAltNames (I9). It is read from a request
    /// also where the subject may not hold it, since many requests name their host nowhere else.
    HostName,
    /// The name of a person, an organisation or a thing.
    #[default]
    Text,
}

/// What a subjectAltName may hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AltNameRules {
    /// Whether at least one name must be there.
    #[serde(default)]
    pub required: bool,
    /// dNSName.
    #[serde(default)]
    pub dns: bool,
    /// dNSName with a wildcard as its leftmost label.
    #[serde(default)]
    pub wildcards: bool,
    /// iPAddress.
    #[serde(default)]
    pub ip: bool,
    /// rfc822Name.
    #[serde(default)]
    pub email: bool,
    /// The most names in one certificate.
    #[serde(default = "AltNameRules::default_max_names")]
    pub max_names: usize,
    /// Names outside the public DNS and reserved addresses, over which nobody can prove control.
    #[serde(default)]
    pub internal_names: bool,
}

impl AltNameRules {
    const fn default_max_names() -> usize {
        100
    }
}

/// Which extensions a certificate carries besides authorityKeyIdentifier and subjectAltName.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ExtensionRules {
    /// keyUsage for every key.
    pub key_usage: Vec<Usage>,
    /// keyUsage added for RSA keys.
    #[serde(default)]
    pub key_usage_rsa: Vec<Usage>,
    /// keyUsage added for keys on P-256, P-384 and P-521.
    #[serde(default)]
    pub key_usage_ec: Vec<Usage>,
    /// extendedKeyUsage.
    pub extended_key_usage: Vec<ExtendedUsage>,
    /// extendedKeyUsage added where the subjectAltName holds a mail address.
    #[serde(default)]
    pub extended_key_usage_with_email: Vec<ExtendedUsage>,
    /// basicConstraints, which say that it is no CA.
    #[serde(default)]
    pub basic_constraints: bool,
    /// subjectKeyIdentifier.
    #[serde(default)]
    pub subject_key_identifier: bool,
    /// The URL of OCSP in authorityInfoAccess.
    #[serde(default)]
    pub ocsp_url: bool,
    /// The URL of the issuer's certificate in authorityInfoAccess.
    #[serde(default)]
    pub ca_issuers_url: bool,
    /// cRLDistributionPoints.
    #[serde(default)]
    pub crl_url: bool,
    /// id-pkix-ocsp-nocheck.
    #[serde(default)]
    pub ocsp_no_check: bool,
}
