//! Who a CA is.

use pki::Name;
use pki::certificate_builder::subject_der;
use pki::name_rules::{AttributeKind, SubjectAttribute};
use pki::refusal::Refusal;
use serde::Deserialize;

/// The subject of a CA certificate. It is written as countryName, organizationName, organizationalUnitName, commonName
/// (BR 7.1.4.2: from the widest to the narrowest).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// CN, at most 64 characters.
    pub common_name: String,
    /// O, at most 64 characters.
    pub organization: Option<String>,
    /// OU, at most 64 characters.
    pub organizational_unit: Option<String>,
    /// C, two capital letters (ISO 3166-1).
    pub country: Option<String>,
}

/// What the organizationalUnit of a rehearsal begins with.
const REHEARSAL: &str = "REHEARSAL";

impl Subject {
    /// Says that this is for practice, unless it says demo, test or rehearsal by itself.
    pub(crate) fn mark_as_rehearsal(&mut self) {
        let parts = [
            Some(&self.common_name),
            self.organization.as_ref(),
            self.organizational_unit.as_ref(),
        ];
        if parts.into_iter().flatten().any(|part| says_rehearsal(part)) {
            return;
        }
        self.organizational_unit = Some(match &self.organizational_unit {
            None => REHEARSAL.to_owned(),
            Some(unit) => format!("{REHEARSAL} {unit}"),
        });
    }

    /// Its attributes, each checked.
    pub fn attributes(&self) -> Result<Vec<SubjectAttribute>, Refusal> {
        [
            (AttributeKind::CountryName, self.country.as_ref()),
            (AttributeKind::OrganizationName, self.organization.as_ref()),
            (
                AttributeKind::OrganizationalUnitName,
                self.organizational_unit.as_ref(),
            ),
            (AttributeKind::CommonName, Some(&self.common_name)),
        ]
        .into_iter()
        .filter_map(|(kind, value)| Some(SubjectAttribute::new(kind, value?)))
        .collect()
    }

    /// The Name, byte for byte as it stands in the certificate.
    pub fn name(&self) -> Result<Name, SubjectError> {
        Ok(Name::from_der(&subject_der(&self.attributes()?))?)
    }
}

/// Whether a text says by itself that it is for practice.
pub(crate) fn says_rehearsal(text: &str) -> bool {
    let text = text.to_lowercase();
    ["demo", "test", "rehearsal"]
        .iter()
        .any(|word| text.contains(word))
}

/// Why a subject is no Name.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// An attribute breaks a rule of names.
    #[error(transparent)]
    Attribute(#[from] Refusal),
    /// The attributes do not encode.
    #[error(transparent)]
    Der(#[from] pki::DerError),
}
