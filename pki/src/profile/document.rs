//! A profile as it is written in a file.

use std::collections::BTreeMap;

use const_oid::ObjectIdentifier;
use serde::{Deserialize, Deserializer, de};

use super::{AltNameRules, ExtendedUsage, ExtensionRules, Profile, RuleSet, SubjectRules};
use crate::name_rules::{AttributeKind, SubjectAttribute};
use crate::refusal::Refusal;
use crate::weak_keys::{KeyFamily, KeyRules};

/// One file: the rules that always hold, and a table for each rule set.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ProfileDocument {
    name: String,
    description: String,
    default_days: u32,
    #[serde(default = "default_backdate_seconds")]
    backdate_seconds: u32,
    #[serde(default)]
    issuers: Option<Vec<String>>,
    #[serde(default)]
    issuer_max_days: BTreeMap<String, u32>,
    keys: KeyRules,
    subject: SubjectRules,
    subject_alt_name: AltNameRules,
    extensions: ExtensionRules,
    rule_set: BTreeMap<RuleSet, RuleSetTable>,
}

/// What one rule set says; absent fields leave the rules of the profile as they are.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
struct RuleSetTable {
    max_days: u32,
    #[serde(default)]
    ahead_days: u32,
    #[serde(default)]
    root_may_issue: bool,
    #[serde(default)]
    internal_names: Option<bool>,
    #[serde(default)]
    key_kinds: Option<Vec<KeyFamily>>,
    #[serde(default, deserialize_with = "object_identifiers")]
    policies: Vec<ObjectIdentifier>,
    #[serde(default)]
    subject_alt_name_required: Option<bool>,
    #[serde(default)]
    subject_key_identifier: Option<bool>,
    #[serde(default)]
    subject_attributes: Option<Vec<AttributeKind>>,
    #[serde(default)]
    subject_required: Option<Vec<AttributeKind>>,
    #[serde(default)]
    anonymous_common_name: Option<String>,
}

impl ProfileDocument {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The profile under `rule_set`, checked.
    pub fn select(&self, rule_set: RuleSet) -> Result<Profile, ProfileError> {
        let table = self
            .rule_set
            .get(&rule_set)
            .ok_or_else(|| ProfileError::NoRuleSet {
                profile: self.name.clone(),
                rule_set,
            })?;

        let mut keys = self.keys.clone();
        if let Some(kinds) = &table.key_kinds {
            keys.kinds.clone_from(kinds);
        }
        let mut subject = self.subject.clone();
        if let Some(attributes) = &table.subject_attributes {
            subject.attributes.clone_from(attributes);
        }
        if let Some(required) = &table.subject_required {
            subject.required.clone_from(required);
        }
        if let Some(name) = &table.anonymous_common_name {
            // An empty one takes the profile's away.
            subject.anonymous_common_name = Some(name.clone()).filter(|name| !name.is_empty());
        }
        let mut subject_alt_name = self.subject_alt_name.clone();
        if let Some(internal_names) = table.internal_names {
            subject_alt_name.internal_names = internal_names;
        }
        if let Some(required) = table.subject_alt_name_required {
            subject_alt_name.required = required;
        }

        let mut extensions = self.extensions.clone();
        if let Some(subject_key_identifier) = table.subject_key_identifier {
            extensions.subject_key_identifier = subject_key_identifier;
        }

        let profile = Profile {
            name: self.name.clone(),
            description: self.description.clone(),
            default_days: self.default_days.min(table.max_days),
            max_days: table.max_days,
            backdate_seconds: self.backdate_seconds,
            ahead_days: table.ahead_days,
            issuers: self.issuers.clone(),
            issuer_max_days: self.issuer_max_days.clone(),
            root_may_issue: table.root_may_issue,
            keys,
            subject,
            subject_alt_name,
            extensions,
            policies: table.policies.clone(),
        };
        check(&profile)?;
        if rule_set == RuleSet::Cabf && profile.ahead_days > 0 {
            return Err(ProfileError::Broken {
                profile: profile.name,
                rule: "the CA/Browser Forum's rules have no certificate that begins after its signing: leave ahead_days \
                       out of [rule_set.cabf] (OCSP-65)",
            });
        }
        Ok(profile)
    }
}

/// Why a profile cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// The fixed common name breaks the rules of names.
    #[error("profile {profile}: anonymous_common_name: {refusal}")]
    AnonymousName {
        /// The profile.
        profile: String,
        /// The rule.
        refusal: Refusal,
    },
    /// A rule that no profile may break.
    #[error("profile {profile}: {rule}")]
    Broken {
        /// The profile.
        profile: String,
        /// The rule.
        rule: &'static str,
    },
    /// The file has no table for the rule set.
    #[error(
        "profile {profile} has no table [rule_set.{rule_set}]; add one or choose another rule set"
    )]
    NoRuleSet {
        /// The profile.
        profile: String,
        /// The rule set that was chosen.
        rule_set: RuleSet,
    },
}

/// Whoever gets the keys of responders has them for so long; status outlives a signer's absence for as long.
const AHEAD_DAYS: u32 = 28;

/// What no profile may break, whatever its file says.
fn check(profile: &Profile) -> Result<(), ProfileError> {
    let broken = |rule| ProfileError::Broken {
        profile: profile.name.clone(),
        rule,
    };
    let usages = &profile.extensions.extended_key_usage;
    let faults = [
        (
            !is_file_name(&profile.name),
            "its name must consist of a-z, 0-9 and hyphens",
        ),
        (
            profile.default_days == 0 || profile.max_days > 36_525,
            "a certificate is valid for 1 to 36525 days",
        ),
        (
            profile.backdate_seconds > 86_400,
            "backdate_seconds is at most 86400 (CERT-04, OCSP-65)",
        ),
        (
            profile.ahead_days > 0 && !usages.contains(&ExtendedUsage::OcspSigning),
            "ahead_days is for OCSP responders only (CERT-04)",
        ),
        (
            profile.ahead_days > AHEAD_DAYS,
            "ahead_days is at most 28 (S9)",
        ),
        (
            profile.keys.kinds.is_empty(),
            "keys.kinds must name at least one kind",
        ),
        (
            profile.keys.kinds.contains(&KeyFamily::MlDsa65)
                && !usages.contains(&ExtendedUsage::OcspSigning),
            "keys.kinds: ml-dsa-65 is for OCSP responders only; clients do not know it yet",
        ),
        (
            profile.keys.rsa_min_bits < 2048,
            "keys.rsa_min_bits is at least 2048 (CERT-20)",
        ),
        (
            profile.keys.rsa_max_bits > 8192,
            "keys.rsa_max_bits is at most 8192",
        ),
        (
            profile.extensions.key_usage.is_empty(),
            "extensions.key_usage must not be empty",
        ),
        (
            usages.is_empty(),
            "extensions.extended_key_usage must not be empty",
        ),
        (
            usages.contains(&ExtendedUsage::OcspSigning) && !is_responder(profile),
            "ocspSigning stands alone, with ocsp_no_check, digitalSignature only and without names and URLs \
             (OCSP-60 to OCSP-64)",
        ),
        (
            profile.extensions.ocsp_no_check && !usages.contains(&ExtendedUsage::OcspSigning),
            "ocsp_no_check is for OCSP responders only (OCSP-61)",
        ),
        (
            usages.contains(&ExtendedUsage::CodeSigning) && profile.keys.rsa_min_bits < 3072,
            "code signing needs keys.rsa_min_bits of at least 3072 (CERT-13)",
        ),
        (
            usages.contains(&ExtendedUsage::CodeSigning) && usages.len() > 1,
            "codeSigning stands alone in extended_key_usage",
        ),
    ];
    if let Some((_, rule)) = faults.iter().find(|(fault, _)| *fault) {
        return Err(broken(rule));
    }

    let Some(name) = &profile.subject.anonymous_common_name else {
        return Ok(());
    };
    match SubjectAttribute::new(AttributeKind::CommonName, name) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(ProfileError::AnonymousName {
            profile: profile.name.clone(),
            refusal,
        }),
    }
}

fn is_responder(profile: &Profile) -> bool {
    let rules = &profile.extensions;
    let names = &profile.subject_alt_name;
    rules.extended_key_usage == [ExtendedUsage::OcspSigning]
        && rules.extended_key_usage_with_email.is_empty()
        && rules.ocsp_no_check
        && rules.key_usage == [super::Usage::DigitalSignature]
        && rules.key_usage_rsa.is_empty()
        && rules.key_usage_ec.is_empty()
        && !(rules.ocsp_url || rules.ca_issuers_url || rules.crl_url)
        && !(names.dns || names.ip || names.email)
        && profile.policies.is_empty()
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn object_identifiers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ObjectIdentifier>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let read = |text: &String| {
        ObjectIdentifier::new(text)
            .map_err(|_| de::Error::custom(format!("{text:?} is not an object identifier")))
    };
    texts.iter().map(read).collect()
}

const fn default_backdate_seconds() -> u32 {
    300
}
