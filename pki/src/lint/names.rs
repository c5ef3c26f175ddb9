//! Subject and subjectAltName (I9, I10; RFC 5280 sections 4.1.2.6 and 4.2.1.6).

use super::{Findings, Subject};
use crate::certificate_builder::GeneralName;
use crate::name_rules::{
    AttributeKind, EmailAddress, HostName, SubjectAttribute, is_reserved_address,
};
use crate::profile::CommonNameIs;
use crate::{Attribute, oid};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let kinds = check_subject(subject, findings);
    check_alt_names(subject, findings);
    check_profile(subject, &kinds, findings);
    check_common_name(subject, findings);
}

/// Checks each attribute, and gives the kinds of those that may stand in a subject.
fn check_subject(subject: &Subject<'_>, findings: &mut Findings) -> Vec<AttributeKind> {
    let attributes = subject.certificate.subject().attributes();
    let mut kinds = Vec::new();
    for (position, attribute) in attributes.iter().enumerate() {
        findings.require(
            attribute.rdn == position,
            "I9",
            "a relative distinguished name holds more than one attribute",
        );
        match AttributeKind::from_oid(&attribute.oid) {
            None if attribute.oid == oid::EMAIL_ADDRESS => {
                findings.add("I9", "mail addresses stand in the subjectAltName only");
            }
            None => findings.add("I9", format!("attribute {} is not issued", attribute.oid)),
            Some(kind) => {
                check_attribute(kind, attribute, findings);
                kinds.push(kind);
            }
        }
    }
    findings.require(
        kinds.is_sorted(),
        "I9",
        "the attributes of the subject are not in the order of BR section 7.1.4.2",
    );
    let repeated = kinds
        .windows(2)
        .any(|pair| pair[0] == pair[1] && pair[0] != AttributeKind::OrganizationalUnitName);
    findings.require(!repeated, "I9", "an attribute of the subject appears twice");
    kinds
}

/// The value is allowed and encoded in its one form.
fn check_attribute(kind: AttributeKind, attribute: &Attribute, findings: &mut Findings) {
    let checked = attribute
        .value
        .as_deref()
        .map(|value| SubjectAttribute::new(kind, value));
    match checked {
        None => findings.add("I9", format!("{} is not text", kind.name())),
        Some(Err(refusal)) => {
            findings.add("I9", format!("{}: {}", kind.name(), refusal.message));
        }
        Some(Ok(_)) => findings.require(
            attribute.tag == kind.string_tag(),
            "I9",
            format!(
                "{} is not in its string type (UTF8String, or PrintableString)",
                kind.name()
            ),
        ),
    }
}

fn check_alt_names(subject: &Subject<'_>, findings: &mut Findings) {
    for name in subject.alt_names {
        let verdict = match name {
            GeneralName::Dns(host) => {
                HostName::parse(host, subject.context.idn).map(|parsed| parsed.as_str() == host)
            }
            GeneralName::Email(address) => EmailAddress::parse(address, subject.context.idn)
                .map(|parsed| parsed.as_str() == address),
            GeneralName::Ip(_) => Ok(true),
            GeneralName::Uri(_) | GeneralName::Other(_) => {
                findings.add("CERT-07", format!("a {} is not issued", name.kind()));
                continue;
            }
        };
        match verdict {
            Ok(true) => {}
            Ok(false) => findings.add("I9", format!("{name} is not in lower case")),
            Err(refusal) if refusal.rule == "I10" => findings.add("I10", refusal.message),
            Err(refusal) => findings.add("I9", format!("{name}: {}", refusal.message)),
        }
    }
    let mut sorted = subject.alt_names.to_vec();
    sorted.sort();
    findings.require(
        !sorted.windows(2).any(|pair| pair[0] == pair[1]),
        "I9",
        "the subjectAltName holds a name twice",
    );
}

fn check_profile(subject: &Subject<'_>, kinds: &[AttributeKind], findings: &mut Findings) {
    let Some(profile) = subject.context.profile else {
        return;
    };
    let anonymous = profile.subject.anonymous_common_name.as_deref();
    let common_name = subject.certificate.subject().first(oid::COMMON_NAME);
    for kind in kinds {
        let fixed = *kind == AttributeKind::CommonName && common_name == anonymous;
        findings.require(
            fixed || profile.subject.attributes.contains(kind),
            "I3",
            format!("profile {} has no {}", profile.name, kind.name()),
        );
    }
    for kind in &profile.subject.required {
        findings.require(
            kinds.contains(kind),
            "I3",
            format!("profile {} requires {}", profile.name, kind.name()),
        );
    }

    let rules = &profile.subject_alt_name;
    findings.require(
        !rules.required || !subject.alt_names.is_empty(),
        "I3",
        format!("profile {} requires a subjectAltName", profile.name),
    );
    findings.require(
        subject.alt_names.len() <= rules.max_names,
        "I3",
        format!(
            "profile {} allows {} names at most",
            profile.name, rules.max_names
        ),
    );
    for name in subject.alt_names {
        let allowed = match name {
            GeneralName::Dns(host) => {
                let parsed = HostName::parse(host, subject.context.idn);
                rules.dns
                    && (rules.wildcards || !host.starts_with('*'))
                    && (rules.internal_names || parsed.is_ok_and(|host| !host.is_internal()))
            }
            GeneralName::Ip(address) => {
                rules.ip && (rules.internal_names || !is_reserved_address(*address))
            }
            GeneralName::Email(_) => rules.email,
            GeneralName::Uri(_) | GeneralName::Other(_) => false,
        };
        findings.require(
            allowed,
            "I3",
            format!("profile {} does not allow {name}", profile.name),
        );
    }
}

/// I9: the common name of a server is among its subjectAltNames.
fn check_common_name(subject: &Subject<'_>, findings: &mut Findings) {
    let is_server = subject
        .certificate
        .extended_key_usages()
        .contains(&oid::SERVER_AUTH)
        || subject
            .context
            .profile
            .is_some_and(|profile| profile.subject.common_name == CommonNameIs::HostName);
    let Some(common_name) = subject.certificate.subject().first(oid::COMMON_NAME) else {
        return;
    };
    let among = subject.alt_names.iter().any(|name| match name {
        GeneralName::Dns(host) => host == common_name,
        GeneralName::Ip(address) => address.to_string() == common_name,
        _ => false,
    });
    findings.require(
        !is_server || among,
        "I9",
        "the common name of a server is not among its subjectAltNames",
    );
}
