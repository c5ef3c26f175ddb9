//! Each extension has its one form and criticality (RFC 5280 section 4.2; CERT-07 to CERT-11).

use super::{Findings, Subject};
use crate::certificate::Extension;
use crate::certificate::distribution_point_uri;
use crate::certificate_builder::extension;
use crate::der_encode::tag;
use crate::der_read::{DerError, Reader};
use crate::profile::{CertifiedNames, StatusUrls};
use crate::{KeyUsage, ObjectIdentifier, oid};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    for found in subject.certificate.extensions() {
        check_form(found, subject, findings);
    }
    for (required, rule) in [
        (oid::AUTHORITY_KEY_IDENTIFIER, "CERT-10"),
        (oid::KEY_USAGE, "CERT-07"),
        (oid::EXTENDED_KEY_USAGE, "CERT-07"),
    ] {
        findings.require(
            subject.certificate.extension(required).is_some(),
            rule,
            format!("{} is missing", name(&required)),
        );
    }
    findings.require(
        !subject.certificate.subject().is_empty() || !subject.alt_names.is_empty(),
        "CERT-07",
        "both subject and subjectAltName are empty",
    );
    check_set(subject, findings);
}

/// Encodes what the extension says again and compares.
fn check_form(found: &Extension, subject: &Subject<'_>, findings: &mut Findings) {
    let certificate = subject.certificate;
    let (rule, expected) = match found.oid {
        oid::AUTHORITY_KEY_IDENTIFIER => (
            "CERT-10",
            extension::authority_key_identifier(&subject.context.ca.key_id()),
        ),
        oid::SUBJECT_KEY_IDENTIFIER => (
            "CERT-07",
            extension::subject_key_identifier(certificate.public_key()),
        ),
        oid::BASIC_CONSTRAINTS => ("CERT-11", extension::basic_constraints_end_entity()),
        oid::KEY_USAGE => {
            let bits = certificate
                .key_usage()
                .map(KeyUsage::bits)
                .unwrap_or_default();
            check_key_usage(&bits, findings);
            ("CERT-07", extension::key_usage(&bits))
        }
        oid::EXTENDED_KEY_USAGE => (
            "CERT-07",
            extension::extended_key_usage(&certificate.extended_key_usages()),
        ),
        oid::SUBJECT_ALT_NAME => (
            "CERT-07",
            extension::subject_alt_name(subject.alt_names, certificate.subject().is_empty()),
        ),
        oid::CERTIFICATE_POLICIES => match read_policies(&found.value) {
            Ok(policies) => ("CERT-07", extension::certificate_policies(&policies)),
            Err(error) => return findings.add("CERT-07", format!("certificatePolicies: {error}")),
        },
        oid::AUTHORITY_INFO_ACCESS => match read_access(&found.value) {
            Ok((ocsp, ca_issuers)) => {
                check_urls(ocsp.iter().chain(&ca_issuers), findings);
                let expected =
                    extension::authority_info_access(ocsp.as_deref(), ca_issuers.as_deref());
                ("CERT-08", expected)
            }
            Err(error) => return findings.add("CERT-08", format!("authorityInfoAccess: {error}")),
        },
        oid::CRL_DISTRIBUTION_POINTS => match distribution_point_uri(&found.value) {
            Ok(url) => {
                check_urls([&url], findings);
                ("CERT-08", extension::crl_distribution_points(&url))
            }
            Err(error) => {
                return findings.add("CERT-08", format!("cRLDistributionPoints: {error}"));
            }
        },
        oid::OCSP_NO_CHECK => ("OCSP-61", extension::ocsp_no_check()),
        other => return findings.add("I3", format!("extension {other} is not issued")),
    };
    findings.require(
        *found == expected,
        rule,
        format!("{} is not in its one form", name(&found.oid)),
    );
}

fn check_key_usage(bits: &[u8], findings: &mut Findings) {
    const CA_ONLY: [u8; 2] = [KeyUsage::KEY_CERT_SIGN, KeyUsage::CRL_SIGN];
    findings.require(
        !bits.iter().any(|bit| CA_ONLY.contains(bit)),
        "CERT-11",
        "keyUsage lets an end entity sign certificates or CRLs",
    );
    findings.require(!bits.is_empty(), "CERT-07", "keyUsage has no bit");
}

fn check_urls<'a>(urls: impl IntoIterator<Item = &'a String>, findings: &mut Findings) {
    for url in urls {
        let well_formed = url.strip_prefix("http://").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|octet| octet.is_ascii_graphic())
        });
        findings.require(
            well_formed,
            "CERT-08",
            format!("{url:?} is not an http URL"),
        );
    }
}

/// With a profile: exactly its extensions, in its order.
fn check_set(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(profile) = subject.context.profile else {
        return;
    };
    let certificate = subject.certificate;
    let access = certificate
        .extension(oid::AUTHORITY_INFO_ACCESS)
        .and_then(|found| read_access(&found.value).ok())
        .unwrap_or_default();
    let crl = certificate.distribution_point_uri().unwrap_or_default();
    // Where things are published is the issuer's to say; everything else is the profile's.
    let urls = StatusUrls {
        ocsp: access.0.unwrap_or_default(),
        ca_issuers: access.1.unwrap_or_default(),
        crl,
    };
    let names = CertifiedNames {
        alt_names: subject.alt_names,
        subject_is_empty: certificate.subject().is_empty(),
    };
    match profile.extensions_for(subject.context.ca, certificate.public_key(), names, &urls) {
        Ok(expected) => findings.require(
            certificate.extensions() == expected,
            "I3",
            format!("the extensions are not those of profile {}", profile.name),
        ),
        Err(error) => findings.add("I5", error.to_string()),
    }
}

fn read_policies(value: &[u8]) -> Result<Vec<ObjectIdentifier>, DerError> {
    const WHAT: &str = "PolicyInformation";
    let mut list = Reader::new(value).sequence(WHAT)?;
    let mut policies = Vec::new();
    while !list.is_empty() {
        policies.push(list.sequence(WHAT)?.oid(WHAT)?);
    }
    Ok(policies)
}

/// The URLs of OCSP and of the issuer's certificate.
fn read_access(value: &[u8]) -> Result<(Option<String>, Option<String>), DerError> {
    const WHAT: &str = "AccessDescription";
    let mut list = Reader::new(value).sequence(WHAT)?;
    let (mut ocsp, mut ca_issuers) = (None, None);
    while !list.is_empty() {
        let mut description = list.sequence(WHAT)?;
        let method = description.oid(WHAT)?;
        let url = Some(uri(description)?);
        match method {
            oid::AD_OCSP if ocsp.is_none() => ocsp = url,
            oid::AD_CA_ISSUERS if ca_issuers.is_none() => ca_issuers = url,
            _ => return Err(DerError::BadValue(WHAT)),
        }
    }
    Ok((ocsp, ca_issuers))
}

/// The URL of the one distribution point.
fn uri(mut reader: Reader<'_>) -> Result<String, DerError> {
    const WHAT: &str = "URL";
    let content = reader.expect(tag::context_primitive(6), WHAT)?.content;
    reader.finish(WHAT)?;
    String::from_utf8(content.to_vec()).map_err(|_| DerError::BadValue(WHAT))
}

fn name(oid: &ObjectIdentifier) -> &'static str {
    match *oid {
        oid::AUTHORITY_INFO_ACCESS => "authorityInfoAccess",
        oid::AUTHORITY_KEY_IDENTIFIER => "authorityKeyIdentifier",
        oid::BASIC_CONSTRAINTS => "basicConstraints",
        oid::CERTIFICATE_POLICIES => "certificatePolicies",
        oid::CRL_DISTRIBUTION_POINTS => "cRLDistributionPoints",
        oid::EXTENDED_KEY_USAGE => "extendedKeyUsage",
        oid::KEY_USAGE => "keyUsage",
        oid::OCSP_NO_CHECK => "id-pkix-ocsp-nocheck",
        oid::SUBJECT_ALT_NAME => "subjectAltName",
        oid::SUBJECT_KEY_IDENTIFIER => "subjectKeyIdentifier",
        _ => "an extension",
    }
}
