//! The subjectAltName of a request, together with what the subject says about hosts and mail.

use std::net::IpAddr;

use pki::certificate_builder::GeneralName;
use pki::name_rules::{EmailAddress, HostName, IdnPolicy, is_reserved_address};
use pki::profile::{AltNameRules, Profile};
use pki::refusal::Refusal;

use super::Dropped;

const FIELD: &str = "subjectAltName";
const COMMON_NAME: &str = "subject.commonName";

/// What the request says, unchecked.
#[derive(Debug)]
pub(super) struct Requested {
    pub(super) names: Vec<GeneralName>,
    pub(super) emails_of_subject: Vec<String>,
    /// The common name, where it is a host name.
    pub(super) common_name: Option<String>,
}

/// What enters the certificate.
#[derive(Debug)]
pub(super) struct AltNames {
    pub(super) names: Vec<GeneralName>,
    /// The common name as it stands among `names`.
    pub(super) common_name: Option<String>,
}

/// Checks every name; a host in the common name must be among them, and alone stands for them.
pub(super) fn read(
    requested: Requested,
    profile: &Profile,
    idn: &IdnPolicy,
    dropped: &mut Vec<Dropped>,
) -> Result<AltNames, Refusal> {
    let rules = &profile.subject_alt_name;
    let mut names = Vec::new();
    for name in requested.names {
        match accept(&name, rules, idn)? {
            Some(name) => add(&mut names, name),
            None => dropped.push(Dropped::new(
                format!("{FIELD} {name}"),
                format!(
                    "certificates of the profile {} have no {}",
                    profile.name,
                    name.kind()
                ),
            )),
        }
    }
    for email in requested.emails_of_subject {
        let address = EmailAddress::parse(&email, idn)
            .map_err(|refusal| refusal.of_field("subject.emailAddress"))?;
        add(&mut names, GeneralName::Email(address.as_str().to_owned()));
    }

    let common_name = match requested.common_name {
        None => None,
        Some(common_name) => Some(place_common_name(&common_name, &mut names, rules, idn)?),
    };
    check_count(&names, profile)?;
    Ok(AltNames { names, common_name })
}

/// The name in its one form; `None` if the profile has no names of its kind.
fn accept(
    name: &GeneralName,
    rules: &AltNameRules,
    idn: &IdnPolicy,
) -> Result<Option<GeneralName>, Refusal> {
    let in_field = |refusal: Refusal| refusal.of_field(FIELD);
    Ok(match name {
        GeneralName::Dns(host) if rules.dns => {
            let host = HostName::parse(host, idn).map_err(in_field)?;
            check_host(&host, rules).map_err(in_field)?;
            Some(GeneralName::Dns(host.as_str().to_owned()))
        }
        GeneralName::Ip(address) if rules.ip => {
            check_address(*address, rules).map_err(in_field)?;
            Some(name.clone())
        }
        GeneralName::Email(address) if rules.email => {
            let address = EmailAddress::parse(address, idn).map_err(in_field)?;
            Some(GeneralName::Email(address.as_str().to_owned()))
        }
        _ => None,
    })
}

fn check_host(host: &HostName, rules: &AltNameRules) -> Result<(), Refusal> {
    if host.is_wildcard() && !rules.wildcards {
        return Err(Refusal::new(
            "I9",
            FIELD,
            format!("{host} is a wildcard, which this profile does not have"),
            "List each host by its name.",
        ));
    }
    if host.is_internal() && !rules.internal_names {
        return Err(Refusal::new(
            "I9",
            FIELD,
            format!("{host} lies outside the public DNS, so nobody can prove control over it"),
            "Use a name under a domain of your own.",
        ));
    }
    Ok(())
}

fn check_address(address: IpAddr, rules: &AltNameRules) -> Result<(), Refusal> {
    if is_reserved_address(address) && !rules.internal_names {
        return Err(Refusal::new(
            "I9",
            FIELD,
            format!(
                "{address} is a private or reserved address, so nobody can prove control over it"
            ),
            "Use a public address or a host name.",
        ));
    }
    Ok(())
}

/// I9: the common name of a server is among its subjectAltNames. A request with a common name and no
/// subjectAltName is read as if the name stood there, as people have always written them.
fn place_common_name(
    common_name: &str,
    names: &mut Vec<GeneralName>,
    rules: &AltNameRules,
    idn: &IdnPolicy,
) -> Result<String, Refusal> {
    let as_name = match common_name.parse::<IpAddr>() {
        Ok(address) => GeneralName::Ip(address),
        Err(_) => GeneralName::Dns(common_name.to_owned()),
    };
    let in_field = |refusal: Refusal| refusal.of_field(COMMON_NAME);
    let accepted = accept(&as_name, rules, idn).map_err(in_field)?;
    let Some(accepted) = accepted else {
        return Err(Refusal::new(
            "I9",
            COMMON_NAME,
            format!("{as_name} is of a kind that this profile does not have"),
            "Leave the common name out.",
        ));
    };
    let text = match &accepted {
        GeneralName::Ip(address) => address.to_string(),
        GeneralName::Dns(host) => host.clone(),
        other => other.to_string(),
    };
    if names.is_empty() {
        names.push(accepted);
    } else if !names.contains(&accepted) {
        return Err(Refusal::new(
            "I9",
            COMMON_NAME,
            format!("{text} is not among the subjectAltNames"),
            format!("Add {accepted} to the subjectAltName, or leave the common name out."),
        ));
    }
    Ok(text)
}

fn check_count(names: &[GeneralName], profile: &Profile) -> Result<(), Refusal> {
    let rules = &profile.subject_alt_name;
    if names.is_empty() && rules.required {
        return Err(Refusal::new(
            "I9",
            FIELD,
            format!(
                "certificates of the profile {} need a name, and the request has none",
                profile.name
            ),
            match (rules.dns, rules.email) {
                (false, true) => {
                    "Add one: openssl req -addext subjectAltName=email:name@example.org"
                }
                _ => "Add one: openssl req -addext subjectAltName=DNS:www.example.org",
            },
        ));
    }
    if names.len() > rules.max_names {
        return Err(Refusal::new(
            "I9",
            FIELD,
            format!("the request has {} names", names.len()),
            format!(
                "The profile {} allows {} at most.",
                profile.name, rules.max_names
            ),
        ));
    }
    Ok(())
}

fn add(names: &mut Vec<GeneralName>, name: GeneralName) {
    if !names.contains(&name) {
        names.push(name);
    }
}
