//! The subject of a request.

use pki::name_rules::{AttributeKind, SubjectAttribute, normalise};
use pki::profile::Profile;
use pki::refusal::Refusal;
use pki::{Attribute, Name, oid};

use super::{Dropped, is_host_profile};

/// What a subject holds that a profile can use.
#[derive(Debug, Default)]
pub(super) struct Subject {
    /// Checked attributes; without the common name where that is a host name.
    pub(super) attributes: Vec<SubjectAttribute>,
    /// The common name where it is a host name, unchecked.
    pub(super) common_name: Option<String>,
    /// Mail addresses, unchecked: their place is the subjectAltName.
    pub(super) emails: Vec<String>,
}

/// Takes what the profile has; drops or refuses the rest.
pub(super) fn read(
    name: &Name,
    profile: &Profile,
    dropped: &mut Vec<Dropped>,
) -> Result<Subject, Refusal> {
    let mut subject = Subject::default();
    let mut taken: Vec<AttributeKind> = Vec::new();
    for attribute in name.attributes() {
        if attribute.oid == oid::EMAIL_ADDRESS && profile.subject_alt_name.email {
            subject
                .emails
                .push(text(attribute, "subject.emailAddress")?);
            dropped.push(Dropped::new(
                format!("subject attribute {attribute}"),
                "mail addresses stand in the subjectAltName; it was moved there",
            ));
            continue;
        }
        let kind = AttributeKind::from_oid(&attribute.oid).filter(|kind| {
            let is_host = *kind == AttributeKind::CommonName && is_host_profile(profile);
            is_host || profile.subject.attributes.contains(kind)
        });
        let Some(kind) = kind else {
            dropped.push(Dropped::new(
                format!("subject attribute {attribute}"),
                format!(
                    "certificates of the profile {} have no such attribute",
                    profile.name
                ),
            ));
            continue;
        };
        if taken.contains(&kind) && kind != AttributeKind::OrganizationalUnitName {
            return Err(Refusal::new(
                "I9",
                kind.field(),
                "the request has it more than once",
                "Give it once.",
            ));
        }
        taken.push(kind);
        let value = text(attribute, &kind.field())?;
        if kind == AttributeKind::CommonName && is_host_profile(profile) {
            subject.common_name = Some(value);
        } else {
            subject.attributes.push(checked(kind, &value, dropped)?);
        }
    }
    Ok(subject)
}

/// Adds the common name that belongs there, and checks that nothing is missing.
pub(super) fn finish(
    mut subject: Vec<SubjectAttribute>,
    host: Option<String>,
    profile: &Profile,
    dropped: &mut Vec<Dropped>,
) -> Result<Vec<SubjectAttribute>, Refusal> {
    let has = |subject: &[SubjectAttribute], kind| {
        subject.iter().any(|attribute| attribute.kind() == kind)
    };
    if let Some(host) = host {
        if !profile
            .subject
            .attributes
            .contains(&AttributeKind::CommonName)
        {
            dropped.push(Dropped::new(
                format!("subject attribute CN={host}"),
                "it stands in the subjectAltName only",
            ));
        } else if host.chars().count() > AttributeKind::CommonName.upper_bound() {
            dropped.push(Dropped::new(
                format!("subject attribute CN={host}"),
                "it is too long for a common name; it stands in the subjectAltName",
            ));
        } else {
            subject.push(SubjectAttribute::new(AttributeKind::CommonName, &host)?);
        }
    }
    if let Some(fixed) = &profile.subject.anonymous_common_name
        && !has(&subject, AttributeKind::CommonName)
    {
        subject.push(SubjectAttribute::new(AttributeKind::CommonName, fixed)?);
    }
    for kind in &profile.subject.required {
        if !has(&subject, *kind) {
            return Err(Refusal::new(
                "I3",
                kind.field(),
                format!("certificates of the profile {} need it", profile.name),
                "Put it into the subject of the request.",
            ));
        }
    }
    subject.sort_by_key(SubjectAttribute::kind);
    Ok(subject)
}

fn checked(
    kind: AttributeKind,
    value: &str,
    dropped: &mut Vec<Dropped>,
) -> Result<SubjectAttribute, Refusal> {
    let normal = normalise(value);
    if normal != value {
        dropped.push(Dropped::new(
            format!("the decomposed characters of {}", kind.field()),
            "names are written in Unicode normalisation form C; the text is the same",
        ));
    }
    SubjectAttribute::new(kind, &normal)
}

fn text(attribute: &Attribute, field: &str) -> Result<String, Refusal> {
    attribute.value.clone().ok_or_else(|| {
        Refusal::new(
            "I9",
            field,
            "its bytes are not text in their string type",
            "Make the request again with UTF-8 text (openssl req -utf8).",
        )
    })
}
