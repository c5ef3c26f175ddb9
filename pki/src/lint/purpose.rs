//! What goes with what: the extended key usages decide (OCSP-60 to OCSP-66, CERT-07, CERT-12, CERT-13).

use super::{Findings, Subject};
use crate::certificate_builder::GeneralName;
use crate::{KeyKind, KeyUsage, oid};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let usages = subject.certificate.extended_key_usages();
    let mut distinct = usages.clone();
    distinct.sort();
    distinct.dedup();
    findings.require(
        distinct.len() == usages.len(),
        "CERT-07",
        "extendedKeyUsage repeats itself",
    );
    findings.require(
        !usages.contains(&oid::ANY_EXTENDED_KEY_USAGE),
        "CERT-07",
        "anyExtendedKeyUsage is not issued",
    );
    if usages.contains(&oid::SERVER_AUTH) {
        check_server(subject, findings);
    }
    if usages.contains(&oid::EMAIL_PROTECTION) {
        findings.require(
            subject
                .alt_names
                .iter()
                .any(|name| matches!(name, GeneralName::Email(_))),
            "CERT-12",
            "emailProtection needs a mail address in the subjectAltName",
        );
    }
    if usages.contains(&oid::CODE_SIGNING) {
        check_code_signing(subject, findings);
    }
    if usages.contains(&oid::OCSP_SIGNING) {
        check_responder(subject, findings);
    } else {
        findings.require(
            subject.certificate.extension(oid::OCSP_NO_CHECK).is_none(),
            "OCSP-61",
            "id-pkix-ocsp-nocheck is for OCSP responders only",
        );
        check_status_urls(subject, findings);
    }
}

fn check_server(subject: &Subject<'_>, findings: &mut Findings) {
    let usages = subject.certificate.extended_key_usages();
    findings.require(
        usages
            .iter()
            .all(|usage| matches!(*usage, oid::SERVER_AUTH | oid::CLIENT_AUTH)),
        "CERT-07",
        "serverAuth goes with clientAuth at most",
    );
    findings.require(
        subject
            .alt_names
            .iter()
            .all(|name| matches!(name, GeneralName::Dns(_) | GeneralName::Ip(_))),
        "CERT-07",
        "a server's subjectAltName holds host names and IP addresses only",
    );
    findings.require(
        !subject.alt_names.is_empty(),
        "CERT-07",
        "a server needs a subjectAltName",
    );
}

fn check_code_signing(subject: &Subject<'_>, findings: &mut Findings) {
    findings.require(
        subject.certificate.extended_key_usages().len() == 1,
        "CERT-13",
        "codeSigning stands alone",
    );
    let strong = match subject.certificate.public_key().kind() {
        Ok(KeyKind::Rsa(bits)) => bits >= 3072,
        Ok(KeyKind::P256 | KeyKind::P384 | KeyKind::P521) => true,
        Ok(KeyKind::Ed25519 | KeyKind::MlDsa65) | Err(_) => false,
    };
    findings.require(
        strong,
        "CERT-13",
        "code signing takes RSA keys of at least 3072 bits, or P-256, P-384, P-521",
    );
}

fn check_responder(subject: &Subject<'_>, findings: &mut Findings) {
    let certificate = subject.certificate;
    findings.require(
        certificate.extended_key_usages() == [oid::OCSP_SIGNING],
        "OCSP-60",
        "ocspSigning stands alone",
    );
    findings.require(
        certificate.extension(oid::OCSP_NO_CHECK).is_some(),
        "OCSP-61",
        "id-pkix-ocsp-nocheck is missing",
    );
    findings.require(
        certificate
            .key_usage()
            .is_some_and(|usage| usage.bits() == [KeyUsage::DIGITAL_SIGNATURE]),
        "OCSP-62",
        "the keyUsage of a responder is digitalSignature only",
    );
    for (forbidden, name) in [
        (oid::CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints"),
        (oid::SUBJECT_ALT_NAME, "subjectAltName"),
        (oid::AUTHORITY_INFO_ACCESS, "authorityInfoAccess"),
        (oid::CERTIFICATE_POLICIES, "certificatePolicies"),
    ] {
        findings.require(
            certificate.extension(forbidden).is_none(),
            "OCSP-64",
            format!("a responder's certificate has no {name}"),
        );
    }
    let earliest = subject.context.now.plus_seconds(-86_400);
    findings.require(
        earliest <= certificate.not_before(),
        "OCSP-65",
        "the notBefore of a responder is at most one day before the signing",
    );
    findings.require(
        certificate.subject().first(oid::COMMON_NAME).is_some(),
        "OCSP-66",
        "a responder needs a commonName",
    );
}

/// S1, CERT-08: who gets a certificate can find out whether it is revoked.
fn check_status_urls(subject: &Subject<'_>, findings: &mut Findings) {
    findings.require(
        subject
            .certificate
            .extension(oid::CRL_DISTRIBUTION_POINTS)
            .is_some()
            || subject
                .certificate
                .extension(oid::AUTHORITY_INFO_ACCESS)
                .is_some(),
        "CERT-08",
        "it names neither OCSP nor a CRL",
    );
}
